import type { SqlRow } from './dialect.js';
import type { SqlStoreOptions } from './options.js';
import { SqlStore } from './sql-store.js';
import { type SyncDatabase, syncBackend } from './transactions.js';

export type { Owner, SchemaOptions, SqlStoreOptions } from './options.js';
export type { SqlStore } from './sql-store.js';
export { sqliteSchema } from './sqlite-dialect.js';

/** A prepared statement, as far as {@link SqliteStore} uses it. */
export interface SqliteStatement {
  run(...values: unknown[]): { changes: number | bigint };
  all(...values: unknown[]): unknown[];
}

/** What a {@link SqliteStore} needs of `node:sqlite`, `better-sqlite3` or `bun:sqlite`. */
export interface SqliteDatabase {
  exec(sql: string): unknown;
  prepare(sql: string): SqliteStatement;
  /** As `node:sqlite` says whether a transaction goes on. */
  readonly isTransaction?: boolean;
  /** As `better-sqlite3` and `bun:sqlite` say it. */
  readonly inTransaction?: boolean;
}

/** How long a statement waits for other processes, where the connection does not say: in milliseconds. */
const BUSY_TIMEOUT_MS = 5000;

/**
 * Keeps runs, steps, calls and links in a SQLite database: a file that several
 * processes may share, or one in memory.
 *
 * Give it a connection of its own. It turns `foreign_keys` on, and waits up to five
 * seconds for other processes where `busy_timeout` is 0. Writes in a transaction
 * that you opened on the same connection are stored or undone with that
 * transaction; for that, turn `groupCommit` off.
 *
 * Writes that are issued together share a transaction, and each resolves when that
 * is committed.
 *
 * @example
 * const store = new SqliteStore(new DatabaseSync('runs.db'));
 * await store.migrate();
 * const tracker = new RunTracker({ store, linkStore: store });
 */
export class SqliteStore extends SqlStore {
  /** @throws {RunsError} `invalid_argument` for a `tablePrefix` or an `owner` that cannot be used */
  constructor(database: SqliteDatabase, options: SqlStoreOptions = {}) {
    super(syncBackend('create SqliteStore', connect(database), options));
  }
}

function connect(database: SqliteDatabase): SyncDatabase {
  const prepared = new Map<string, SqliteStatement>();
  const prepare = (text: string): SqliteStatement => {
    let statement = prepared.get(text);
    if (!statement) {
      statement = database.prepare(text);
      prepared.set(text, statement);
    }
    return statement;
  };
  const [timeout] = prepare('pragma busy_timeout').all() as { timeout: number }[];
  if (timeout?.timeout === 0) database.exec(`pragma busy_timeout = ${BUSY_TIMEOUT_MS}`);
  database.exec('pragma foreign_keys = on');
  const isInTransaction = () =>
    database.isTransaction ?? database.inTransaction ?? !canBegin(database);
  return {
    exec: (text) => void database.exec(text),
    change: ({ text, values }) => Number(prepare(text).run(...values).changes),
    all: ({ text, values }) => prepare(text).all(...values) as SqlRow[],
    isInTransaction,
    transaction(task) {
      // One that the application has opened is its to end.
      if (isInTransaction()) return task();
      // Deferred, two that have both read could not both go on to write.
      database.exec('begin immediate');
      try {
        task();
        database.exec('commit');
      } catch (error) {
        try {
          database.exec('rollback');
        } catch {
          // Some failures end the transaction by themselves.
        }
        throw error;
      }
    },
  };
}

/** Finds out what some drivers do not say, node:sqlite before 22.16 among them: no transaction begins inside another. */
function canBegin(database: SqliteDatabase): boolean {
  try {
    database.exec('begin');
  } catch {
    return false;
  }
  database.exec('rollback');
  return true;
}
