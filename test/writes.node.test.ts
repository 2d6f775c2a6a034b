import type pg from 'pg';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { PostgresStore } from '../src/sql/postgres.js';
import { openSqlite } from './support/node-databases.js';
import { type PostgresServer, startPostgres } from './support/postgres-server.js';
import { writeCases } from './support/writes.js';

describe('a SqliteStore', () => {
  for (const { name, run } of writeCases) {
    it(name, async () => {
      const store = openSqlite().store();
      await store.migrate();
      await run(store);
    });
  }
});

describe('a PostgresStore', () => {
  let server: PostgresServer;
  let pool: pg.Pool;

  beforeAll(async () => {
    server = await startPostgres(['-c', 'fsync=off']);
    pool = server.pool();
  }, 60_000);
  afterAll(() => server?.stop(), 60_000);

  for (const { name, run } of writeCases) {
    it(name, async () => {
      const store = new PostgresStore(pool);
      await store.migrate();
      await pool.query('truncate runs, run_steps, run_calls, run_step_links');
      await run(store);
    });
  }
});
