/**
 * A process that does tracked work until it is killed:
 *
 *   node worker.mjs '{ "place": … }'
 *
 * Writes down what it asks for and what it is told, and prints something at the
 * statement that it was told to, for whoever wants to kill it there.
 */
import { writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { RunTracker } from '../../../src/index.js';
import { PostgresStore } from '../../../src/sql/postgres.js';
import { type SqliteDatabase, SqliteStore, type SqlStore } from '../../../src/sql/sqlite.js';
import { watched } from '../../support/postgres-client.js';
import { randomOf } from '../chance.js';
import { type Fault, withFault } from '../planted-faults.js';
import type { Place } from '../processes/database.js';
import { journaled, openJournal } from './journal.js';
import { jobsOf } from './work.js';

/** What a worker is told. */
export interface Setup {
  place: Place;
  /** The file that it writes down things in. */
  journal: string;
  /** What the ids of its records, and the names of its connections, begin with. */
  name: string;
  seed: number;
  /** At which write it prints something, from 1. */
  signalAt: number;
  groupCommit: boolean;
  fault?: Fault | undefined;
}

const setup = JSON.parse(process.argv[2] as string) as Setup;
const { place, name, seed, groupCommit } = setup;
const write = openJournal(setup.journal);
const random = randomOf(seed);

let writes = 0;
/** Says that something is about to be written, and committed. */
function signal(): void {
  writes += 1;
  if (writes === setup.signalAt) writeSync(process.stdout.fd, '!');
}

function open(): SqlStore {
  return place.kind === 'sqlite' ? openSqlite(place.at) : openPostgres(place.at);
}

function openSqlite(path: string): SqlStore {
  const database = new DatabaseSync(path);
  const connection: SqliteDatabase = {
    exec(text) {
      if (text === 'commit') signal();
      database.exec(text);
    },
    prepare(text) {
      const statement = database.prepare(text);
      return {
        run(...values) {
          // By itself it is committed at once.
          if (!database.isTransaction) signal();
          return statement.run(...(values as string[]));
        },
        all: (...values) => statement.all(...(values as string[])),
      };
    },
    get isTransaction() {
      return database.isTransaction;
    },
  };
  return new SqliteStore(connection, { groupCommit });
}

function openPostgres(connectionString: string): SqlStore {
  // Without group commit one connection keeps the writes of a record in their order.
  const pool = new pg.Pool({ connectionString, application_name: name, max: groupCommit ? 3 : 1 });
  const { client } = watched(pool, ({ text }, proceed) => {
    if (!text.startsWith('select')) signal();
    return proceed();
  });
  return new PostgresStore(client, { groupCommit });
}

let records = 0;
function newId(): string {
  records += 1;
  return `${name}-${records}`;
}

function track(lane: number): RunTracker {
  const store = journaled(withFault(open(), setup.fault), lane, write);
  return new RunTracker({
    store,
    linkStore: store,
    generateId: newId,
    onTrackingError: unexpected,
  });
}

function unexpected(error: unknown): void {
  write({ type: 'unexpected', error: String(error) });
}

const jobs = jobsOf({ trackers: [track(0), track(1)], write, random, newId });

async function work(): Promise<void> {
  for (;;) {
    const job = jobs[Math.floor(random() * jobs.length)] as (typeof jobs)[number];
    await job().catch(unexpected);
  }
}

// Whom it works for may be gone, or wait for a write that never comes.
setTimeout(() => process.exit(1), 120_000);
process.stdin.resume().on('end', () => process.exit());
for (let each = 0; each < 8; each += 1) void work();
