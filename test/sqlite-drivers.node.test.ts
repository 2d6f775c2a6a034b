import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { SqliteStore } from '../src/sql/sqlite.js';
import { aRun } from '../src/testing/tables.js';
import { storeCases } from '../src/testing.js';
import { DRIVERS } from './support/drivers.js';

describe.for(Object.entries(DRIVERS).slice(1))('a SqliteStore over %s', ([, connect]) => {
  const open = async () => {
    const store = new SqliteStore(connect(new DatabaseSync(':memory:')));
    await store.migrate();
    return store;
  };
  for (const { name, run } of storeCases(open)) it(name, run);
});

describe.for(Object.entries(DRIVERS))('the connection of %s', ([, connect]) => {
  const settingOf = (database: DatabaseSync, name: string) =>
    Object.values(database.prepare(`pragma ${name}`).get() ?? {})[0];

  it('waits five seconds for other processes, unless it was told how long', () => {
    for (const [told, waits] of [
      [0, 5000],
      [1, 1],
      [60_000, 60_000],
    ]) {
      const database = new DatabaseSync(':memory:', { timeout: told });
      new SqliteStore(connect(database));
      expect(settingOf(database, 'busy_timeout')).toBe(waits);
    }
  });

  it('checks foreign keys', () => {
    const database = new DatabaseSync(':memory:', { enableForeignKeyConstraints: false });
    expect(settingOf(database, 'foreign_keys')).toBe(0);
    new SqliteStore(connect(database));
    expect(settingOf(database, 'foreign_keys')).toBe(1);
  });

  it('prepares each statement once', async () => {
    const connection = connect(new DatabaseSync(':memory:'));
    const prepare = connection.prepare.bind(connection);
    const texts: string[] = [];
    connection.prepare = (text) => {
      texts.push(text);
      return prepare(text);
    };
    const store = new SqliteStore(connection);
    await store.migrate();
    for (const id of ['a', 'b', 'c']) {
      await store.insertRun(aRun({ id }));
      await store.updateRun(id, { error: id }, { ifStatus: ['running'] });
      await store.getRun(id);
      await store.listRuns({ runType: id });
    }
    expect(texts.filter((text) => /^(insert|update|select.* from "runs")/.test(text))).toHaveLength(
      4,
    );
    expect(new Set(texts).size).toBe(texts.length);
  });
});
