import type { D1Binding } from '../../src/sql/d1.js';
import { D1Store } from '../../src/sql/d1.js';
import type { SqlRow } from '../../src/sql/dialect.js';
import { type DurableObjectStorage, DurableObjectStore } from '../../src/sql/durable-object.js';
import type { Database } from './databases.js';

/** A D1 database. */
export function onD1(binding: D1Binding): Database {
  const texts: string[] = [];
  const connection: D1Binding = {
    prepare(text) {
      texts.push(text);
      return binding.prepare(text);
    },
    batch: (statements) => binding.batch(statements),
  };
  return {
    store: (options) => new D1Store(connection, options),
    query: async (text) => (await binding.prepare(text).all()).results as SqlRow[],
    texts,
  };
}

/** The database of a Durable Object. */
export function onDurableObject(storage: DurableObjectStorage): Database {
  const texts: string[] = [];
  const connection: DurableObjectStorage = {
    sql: {
      exec(text, ...values) {
        texts.push(text);
        return storage.sql.exec(text, ...values);
      },
    },
    transactionSync: (closure) => storage.transactionSync(closure),
  };
  return {
    store: (options) => new DurableObjectStore(connection, options),
    query: async (text) => storage.sql.exec(text).toArray() as SqlRow[],
    texts,
  };
}
