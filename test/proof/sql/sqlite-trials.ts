import { DatabaseSync } from 'node:sqlite';
import { type SqliteDatabase, SqliteStore } from '../../../src/sql/sqlite.js';
import { storeCases } from '../../../src/testing.js';
import { openSqlite } from '../../support/node-databases.js';
import { ownerCases, PREFIX } from '../../support/owners.js';
import { writeCases } from '../../support/writes.js';
import { MINE, THEIRS } from './owners.js';
import { isOfWrites, Mutant, type Trial, type Trials } from './trials.js';

/** What every SQLite store must do, in memory. */
export async function sqliteTrials(): Promise<Trials> {
  const tables = new DatabaseSync(':memory:');
  for (const options of [{}, { tablePrefix: PREFIX }]) {
    await new SqliteStore(tables, { ...options, owner: MINE }).migrate();
  }
  const kit = (mutant: Mutant) =>
    storeCases(() => open(mutant)).filter(({ name }) => isOfWrites(name));
  const trials: Trial[] = [
    ...kit(new Mutant('sqlite')).map(({ name }, index) => ({
      name,
      run: (mutant: Mutant) => kit(mutant)[index]?.run() as Promise<void>,
    })),
    ...writeCases.map(({ name, run }) => ({
      name: `writes: ${name}`,
      run: async (mutant: Mutant) => run(await open(mutant)),
    })),
    ...ownerCases.map(({ name, run }) => ({
      name: `owners: ${name}`,
      run: (mutant: Mutant) => run(openSqlite(mutated(mutant)), MINE, THEIRS),
    })),
  ];
  const takes = async (text: string) => {
    try {
      tables.prepare(text);
      return true;
    } catch {
      return false;
    }
  };
  return { language: 'sqlite', trials, takes, close: async () => {} };
}

async function open(mutant: Mutant): Promise<SqliteStore> {
  const store = new SqliteStore(mutated(mutant), { owner: MINE });
  await store.migrate();
  return store;
}

/** A database that executes other statements than it is asked for. */
function mutated(mutant: Mutant): SqliteDatabase {
  const database = new DatabaseSync(':memory:');
  const mutate = (text: string) => {
    const rendered = mutant.of(text);
    try {
      return rendered && { values: rendered.values, statement: database.prepare(rendered.text) };
    } catch {
      mutant.refuse(text);
      return undefined;
    }
  };
  return {
    exec: (text) => database.exec(text),
    prepare(text) {
      const change = mutate(text);
      if (!change) return database.prepare(text);
      const { statement } = change;
      mutant.isExecuted = true;
      const taken = (all: unknown[]) => change.values.map((index) => all[index]) as null[];
      return {
        run: (...values) => statement.run(...taken(values)),
        all: (...values) => statement.all(...taken(values)),
      };
    },
    get isTransaction() {
      return database.isTransaction;
    },
  };
}
