import { PGlite } from '@electric-sql/pglite';
import postgresJs from 'postgres';
import { afterAll, beforeAll, describe, it } from 'vitest';
import {
  type PostgresClient,
  PostgresStore,
  type PostgresStoreOptions,
} from '../src/sql/postgres.js';
import { storeCases } from '../src/testing.js';
import { type PostgresServer, startPostgres } from './support/postgres-server.js';

let server: PostgresServer;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  // What a crash would lose is not asked for here, and tables are emptied for every case.
  server = await startPostgres(['-c', 'fsync=off', '-c', 'full_page_writes=off']);
}, 60_000);

afterAll(async () => {
  for (const close of closing) await close();
  await server?.stop();
});

const owner = { space_id: 'sp_1', order: 'it\'s "1"' };

const CLIENTS: Record<string, [connect: () => PostgresClient, options: PostgresStoreOptions]> = {
  'a pool of ten': [() => server.pool(10), { tablePrefix: 'a_' }],
  'a pool of one, with owner columns': [() => server.pool(1), { tablePrefix: 'b_', owner }],
  'a pool, without group commit': [
    () => server.pool(10),
    { tablePrefix: 'c_', groupCommit: false },
  ],
  'a pool, without prepared statements': [
    () => server.pool(2),
    { tablePrefix: 'd_', prepare: false },
  ],
  'postgres.js': [
    () => {
      const sql = postgresJs(server.url, { max: 3, onnotice() {} });
      closing.push(() => sql.end());
      return {
        query: async (text, values) => ({ rows: await sql.unsafe(text, values as never[]) }),
      };
    },
    { tablePrefix: 'e_' },
  ],
  PGlite: [
    () => {
      const client = new PGlite();
      closing.push(() => client.close());
      return client;
    },
    { owner },
  ],
};

describe.for(Object.entries(CLIENTS))('a PostgresStore over %s', ([, [connect, options]]) => {
  let store: PostgresStore;
  let client: PostgresClient;

  beforeAll(async () => {
    client = connect();
    store = new PostgresStore(client, options);
    await store.migrate();
  }, 60_000);

  const open = async () => {
    const { tablePrefix = '' } = options;
    const tables = ['run_step_links', 'run_calls', 'run_steps', 'runs'];
    await client.query(`truncate ${tables.map((name) => tablePrefix + name).join(', ')}`, []);
    return store;
  };
  for (const { name, run } of storeCases(open)) it(name, run);
});
