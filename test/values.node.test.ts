import type pg from 'pg';
import { afterAll, beforeAll, describe, it } from 'vitest';
import { onPostgres, openSqlite } from './support/node-databases.js';
import { type PostgresServer, startPostgres } from './support/postgres-server.js';
import { valueCases } from './support/values.js';

describe('in a SqliteStore', () => {
  for (const { name, run } of valueCases) it(name, () => run(openSqlite()));
});

describe('in a PostgresStore', () => {
  let server: PostgresServer;
  let client: pg.PoolClient;

  beforeAll(async () => {
    server = await startPostgres(['-c', 'fsync=off']);
    client = await server.pool(1).connect();
  }, 60_000);
  afterAll(async () => {
    client?.release();
    await server?.stop();
  }, 60_000);

  for (const { name, run } of valueCases) it(name, () => run(onPostgres(client)), 30_000);
});
