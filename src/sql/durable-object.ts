import type { SqlRow, Statement } from './dialect.js';
import type { SqlStoreOptions } from './options.js';
import { SqlStore } from './sql-store.js';
import { type SyncDatabase, syncBackend } from './transactions.js';

export type { Owner, SqlStoreOptions } from './options.js';
export type { SqlStore } from './sql-store.js';

/** What a {@link DurableObjectStore} needs of `ctx.storage`. */
export interface DurableObjectStorage {
  sql: { exec(query: string, ...bindings: unknown[]): { toArray(): unknown[] } };
  transactionSync<T>(closure: () => T): T;
}

/**
 * Keeps runs, steps, calls and links in the SQLite database of a Durable Object.
 *
 * Writes that are issued together share a transaction. Inside a `transactionSync`
 * of your own, turn `groupCommit` off.
 *
 * @example
 * const store = new DurableObjectStore(this.ctx.storage);
 * await store.migrate();
 */
export class DurableObjectStore extends SqlStore {
  /** @throws {RunsError} `invalid_argument` for a `tablePrefix` or an `owner` that cannot be used */
  constructor(storage: DurableObjectStorage, options: SqlStoreOptions = {}) {
    super(syncBackend('create DurableObjectStore', connect(storage), options));
  }
}

function connect(storage: DurableObjectStorage): SyncDatabase {
  // A cursor that is not read to its end breaks the object.
  const all = ({ text, values }: Statement) =>
    storage.sql.exec(text, ...values).toArray() as SqlRow[];
  return {
    exec: (text) => void all({ text, values: [] }),
    // The rows that the object says it wrote are also those of indexes.
    change: ({ text, values }) => all({ text: `${text} returning 1`, values }).length,
    all,
    isInTransaction: () => true,
    transaction: (task) => storage.transactionSync(task),
  };
}
