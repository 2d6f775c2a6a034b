import type { SqlRow, Statement } from './dialect.js';
import { readOptions, type SqlStoreOptions } from './options.js';
import type { Backend } from './sql-store.js';
import { migrateSqlite, sqlite } from './sqlite-dialect.js';
import { sweepOneByOne } from './sweeping.js';
import { createWriteStatements } from './writes.js';

/** A database on this very thread: what it is asked is done when it returns. */
export interface SyncDatabase {
  /** Executes a statement that takes no values and gives no rows. */
  exec(text: string): void;
  /** Executes a write, and returns how many rows it changed. */
  change(statement: Statement): number;
  /** Executes a statement that gives rows. */
  all(statement: Statement): SqlRow[];
  /** Does a task in one transaction: all of it is stored, or nothing. */
  transaction(task: () => void): void;
  /** Whether the transaction that a task is done in still goes on, after a statement in it has failed. */
  isInTransaction(): boolean;
}

interface Waiting {
  statement: Statement;
  isMatch: boolean;
  error?: unknown;
  resolve(isMatch: boolean): void;
  reject(error: unknown): void;
}

/**
 * Writes, of which those that are issued before the next microtask share one
 * transaction; one alone needs none. A statement that fails does so alone: SQLite
 * undoes what it did and goes on with the transaction.
 */
class Transactions {
  readonly #database: SyncDatabase;
  #waiting: Waiting[] = [];

  constructor(database: SyncDatabase) {
    this.#database = database;
  }

  /** Resolves when the transaction is committed, to whether the statement changed a row. */
  write(statement: Statement): Promise<boolean> {
    return new Promise((resolve, reject) => {
      const isFirst = this.#waiting.length === 0;
      this.#waiting.push({ statement, isMatch: false, resolve, reject });
      if (isFirst) queueMicrotask(() => this.#flush());
    });
  }

  #flush(): void {
    const writes = this.#waiting;
    this.#waiting = [];
    try {
      const execute = () => {
        for (const write of writes) this.#execute(write);
      };
      if (writes.length === 1) execute();
      else this.#database.transaction(execute);
    } catch (error) {
      // Nothing was stored.
      for (const { reject } of writes) reject(error);
      return;
    }
    for (const { error, isMatch, resolve, reject } of writes) {
      if (error === undefined) resolve(isMatch);
      else reject(error);
    }
  }

  #execute(write: Waiting): void {
    try {
      write.isMatch = this.#database.change(write.statement) > 0;
    } catch (error) {
      // Some failures, such as a full disk, undo the whole transaction.
      if (!this.#database.isInTransaction()) throw error;
      write.error = error;
    }
  }
}

/** What a store over such a database is made of. */
export function syncBackend(
  operation: string,
  database: SyncDatabase,
  options: SqlStoreOptions,
): Backend {
  const names = readOptions(operation, options);
  const statementOf = createWriteStatements(sqlite, names);
  const transactions = new Transactions(database);
  const execute = async (statement: Statement) => database.all(statement);
  return {
    dialect: sqlite,
    names,
    execute,
    write:
      options.groupCommit === false
        ? async (write) => database.change(statementOf(write)) > 0
        : (write) => transactions.write(statementOf(write)),
    async sweep(sweep) {
      const rows: SqlRow[] = [];
      database.transaction(() => {
        for (const statement of sweepOneByOne(sqlite, names, sweep)) {
          rows.push(...database.all(statement));
        }
      });
      return rows;
    },
    migrate: () =>
      migrateSqlite(names, execute, async (texts) => {
        database.transaction(() => {
          for (const text of texts) database.exec(text);
        });
      }),
  };
}
