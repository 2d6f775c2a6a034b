import { DatabaseSync } from 'node:sqlite';
import type pg from 'pg';
import type { SqlRow } from '../../src/sql/dialect.js';
import { PostgresStore } from '../../src/sql/postgres.js';
import { type SqliteDatabase, SqliteStore } from '../../src/sql/sqlite.js';
import type { Database } from './databases.js';
import { recorded } from './recorded.js';

/** A SQLite database, in memory unless another is given; its stores share the connection. */
export function openSqlite(database: SqliteDatabase = new DatabaseSync(':memory:')): Database {
  const { connection, statements } = recorded(database);
  return {
    store: (options) => new SqliteStore(connection, options),
    query: async (text) => database.prepare(text).all() as SqlRow[],
    get texts() {
      return statements.map(({ text }) => text);
    },
  };
}

/** A connection that executes one query after the other, and tells of each. */
export function oneByOne(
  client: pg.ClientBase,
  tell: (text: string) => void = () => {},
): pg.ClientBase {
  const connection: pg.ClientBase = Object.create(client);
  let last: Promise<unknown> = Promise.resolve();
  const query = (query: string | { text: string }, values: unknown[]) => {
    tell(typeof query === 'string' ? query : query.text);
    const answer = last.then(() => client.query(query as string, values));
    last = answer.catch(() => {});
    return answer;
  };
  connection.query = query as pg.ClientBase['query'];
  return connection;
}

/** A PostgreSQL; its stores share the connection. A pool would close one for every refusal. */
export function onPostgres(client: pg.ClientBase): Database {
  const texts: string[] = [];
  const connection = oneByOne(client, (text) => texts.push(text));
  return {
    store: (options) => new PostgresStore(connection, options),
    query: async (text) => (await client.query(text)).rows,
    texts,
  };
}
