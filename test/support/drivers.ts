import type { DatabaseSync, SQLInputValue } from 'node:sqlite';
import type { SqliteDatabase } from '../../src/sql/sqlite.js';

/** Makes connections that behave as those of other drivers, where these refuse more or say less. */
export const DRIVERS: Record<string, (database: DatabaseSync) => SqliteDatabase> = {
  'node:sqlite': asNode,
  'a driver like better-sqlite3': (database) => {
    const connection = strict(database, Number);
    return Object.defineProperty(connection, 'inTransaction', {
      get: () => database.isTransaction,
    });
  },
  // As node:sqlite was before 22.16, with integers that it was told to read as bigint.
  'a driver that does not tell of transactions': (database) => strict(database, BigInt),
};

function asNode(database: DatabaseSync): SqliteDatabase {
  return database as unknown as SqliteDatabase;
}

/** Refuses whatever any of the drivers refuses. */
function strict(
  database: DatabaseSync,
  toCount: (changes: number | bigint) => number | bigint,
): SqliteDatabase {
  return {
    exec(text) {
      database.exec(text);
      return undefined;
    },
    prepare(text) {
      if (/\?\d|[:@$]\w/.test(text)) throw new RangeError('only anonymous parameters');
      const statement = database.prepare(text);
      const hasRows = statement.columns().length > 0;
      return {
        run(...values) {
          if (hasRows) throw new TypeError('This statement returns data. Use all() instead');
          return { changes: toCount(statement.run(...checked(values)).changes) };
        },
        all(...values) {
          if (!hasRows)
            throw new TypeError('This statement does not return data. Use run() instead');
          return statement.all(...checked(values));
        },
      };
    },
  };
}

function checked(values: unknown[]): SQLInputValue[] {
  for (const value of values) {
    const isBindable = value === null || typeof value === 'string' || Number.isFinite(value);
    if (!isBindable) throw new TypeError('SQLite3 can only bind numbers, strings and null');
  }
  return values as SQLInputValue[];
}
