import { statSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import type pg from 'pg';
import type { SqlRow } from '../../../src/sql/dialect.js';
import { PostgresStore } from '../../../src/sql/postgres.js';
import { postgres } from '../../../src/sql/postgres-dialect.js';
import { SqliteStore, type SqlStore } from '../../../src/sql/sqlite.js';
import { sqlite } from '../../../src/sql/sqlite-dialect.js';
import type { PostgresServer } from '../../support/postgres-server.js';
import type { Place } from '../processes/database.js';
import { readTables, type Tables } from './tables.js';

/** A database as it is found after a crash. */
export interface Found {
  store: SqlStore;
  read(): Promise<Tables>;
  /** Whether a transaction was left unfinished: a journal of SQLite's to roll back, or a statement that Postgres still executes. */
  isUnfinished: boolean;
  /** What the database itself finds wrong with its files. */
  damage: string[];
  close(): void;
}

/** A database that workers write to until they are killed. */
export interface Victim {
  place: Place;
  /** Opens it anew, once nothing of the worker with that name is left. */
  open(name: string): Promise<Found>;
}

/** A new file, in one of SQLite's journal modes. */
export async function createSqlite(path: string, mode: 'wal' | 'delete'): Promise<Victim> {
  const first = new DatabaseSync(path);
  first.exec(`pragma journal_mode = ${mode}`);
  await new SqliteStore(first).migrate();
  first.close();
  return {
    place: { kind: 'sqlite', at: path },
    async open() {
      const journal = statSync(`${path}-journal`, { throwIfNoEntry: false });
      const database = new DatabaseSync(path);
      const query = async (text: string) => database.prepare(text).all() as SqlRow[];
      const checks = [
        ...(await query('pragma integrity_check')),
        ...(await query('pragma foreign_key_check')),
      ].map((row) => JSON.stringify(row));
      return {
        store: new SqliteStore(database),
        read: () => readTables(sqlite, query),
        isUnfinished: journal !== undefined && journal.size > 0,
        damage: checks.filter((check) => check !== '{"integrity_check":"ok"}'),
        close: () => database.close(),
      };
    },
  };
}

/** New tables on a server. */
export async function createPostgres(server: PostgresServer, pool: pg.Pool): Promise<Victim> {
  await pool.query('drop table if exists runs, run_steps, run_calls, run_step_links');
  const store = new PostgresStore(pool);
  await store.migrate();
  const query = async (text: string, values: string[] = []) =>
    (await pool.query(text, values)).rows as SqlRow[];
  return {
    place: { kind: 'postgres', at: server.url },
    async open(name) {
      // What was sent may still be executed, and stored: the server does not know yet.
      const left = () =>
        query('select state from pg_stat_activity where application_name = $1', [name]);
      const backends = await left();
      while ((await left()).length > 0) await sleep(1);
      return {
        store,
        read: () => readTables(postgres, query),
        isUnfinished: backends.some(({ state }) => state === 'active'),
        damage: [],
        close() {},
      };
    },
  };
}
