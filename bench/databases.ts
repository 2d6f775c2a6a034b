/** The databases that the benchmarks of the stores write to. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { PostgresStore } from '@systemoperator/runs/postgres';
import { SqliteStore } from '@systemoperator/runs/sqlite';
import { Pool } from 'pg';
import { startPostgres } from '../test/support/postgres-server.ts';

/** What a child process is told to open. */
export interface Place {
  kind: 'postgres' | 'sqlite';
  /** The address of the server, or the path of the file. */
  at: string;
  /** How many connections; 1 by default. */
  pool?: number;
  tablePrefix?: string;
  /** How SQLite waits for the disk; `FULL` by default. */
  synchronous?: 'FULL' | 'NORMAL' | 'OFF';
}

export interface Database {
  store: PostgresStore | SqliteStore;
  /** The same without group commit. */
  singly: PostgresStore | SqliteStore;
  pool?: Pool;
  sqlite?: DatabaseSync;
  execute(sql: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens a database, and creates the tables where they are missing. */
export async function openDatabase(place: Place): Promise<Database> {
  const database = place.kind === 'postgres' ? openPostgres(place) : openSqlite(place);
  await database.store.migrate();
  return database;
}

function openPostgres({ at, tablePrefix, pool: max = 1 }: Place): Database {
  const pool = new Pool({ connectionString: at, max, idleTimeoutMillis: 0 });
  // A connection that is idle when the server stops is no error of anybody's.
  pool.on('error', () => {});
  return {
    store: new PostgresStore(pool, { tablePrefix }),
    singly: new PostgresStore(pool, { tablePrefix, groupCommit: false }),
    pool,
    execute: async (sql) => void (await pool.query(sql)),
    close: () => pool.end(),
  };
}

function openSqlite({ at, tablePrefix, synchronous = 'FULL' }: Place): Database {
  const sqlite = new DatabaseSync(at);
  sqlite.exec(`pragma journal_mode = wal; pragma synchronous = ${synchronous}`);
  return {
    store: new SqliteStore(sqlite, { tablePrefix }),
    singly: new SqliteStore(sqlite, { tablePrefix, groupCommit: false }),
    sqlite,
    execute: async (sql) => sqlite.exec(sql),
    close: async () => sqlite.close(),
  };
}

const TABLES = ['run_step_links', 'run_calls', 'run_steps', 'runs'];

export async function empty({ execute, pool }: Database): Promise<void> {
  if (pool) await execute(`truncate ${TABLES.join(', ')}`);
  else for (const table of TABLES) await execute(`delete from ${table}`);
}

/** Does a task with a PostgreSQL of its own and a folder for files; neither is left. */
export async function withPlaces(
  task: (postgres: () => Promise<string>, fileOf: (name: string) => string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'runs-bench-'));
  let server: ReturnType<typeof startPostgres> | undefined;
  const postgres = async () => {
    server ??= startPostgres();
    return (await server).url;
  };
  try {
    await task(postgres, (name) => join(folder, name));
  } finally {
    await (await server)?.stop();
    rmSync(folder, { recursive: true });
  }
}

/** What the server says that it is. */
export async function askVersion(url: string): Promise<string> {
  const pool = new Pool({ connectionString: url });
  const { rows } = await pool.query<{ server_version: string }>('show server_version');
  await pool.end();
  return rows[0]?.server_version ?? 'unknown';
}
