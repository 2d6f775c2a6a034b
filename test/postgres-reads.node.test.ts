import pg from 'pg';
import { afterAll, expect, it } from 'vitest';
import { PostgresStore } from '../src/sql/postgres.js';
import { aRun, at, idOf } from '../src/testing/tables.js';
import { startPostgresTables } from './support/postgres-tables.js';

const { server, pool } = await startPostgresTables(['-c', 'fsync=off']);

const clients: pg.Pool[] = [];
afterAll(() => Promise.all(clients.map((client) => client.end())));

function connect(config: pg.PoolConfig): pg.Pool {
  const client = new pg.Pool({ connectionString: server.url, max: 1, ...config });
  // A connection that is idle when the server stops is no error of anybody's.
  client.on('error', () => {});
  clients.push(client);
  return client;
}

const CLIENTS: Record<string, pg.PoolConfig> = {
  'whose driver gives times as texts, as object mappers have it': {
    types: {
      getTypeParser: (oid: number, format?: 'text') =>
        oid === pg.types.builtins.TIMESTAMPTZ
          ? (text: string) => text
          : pg.types.getTypeParser(oid, format),
    } as pg.CustomTypesConfig,
  },
  'with another way to write times': { options: '-c datestyle=German -c timezone=Asia/Kathmandu' },
};

it.for(Object.entries(CLIENTS))('a connection %s reads the same times', async ([, config]) => {
  const store = new PostgresStore(connect(config));
  const run = aRun({ createdAt: at(1), startedAt: at(1234) });
  await store.insertRun(run);
  expect(await store.getRun(run.id)).toEqual(run);
});

it.for([199, 200, 201])(
  'a filter of %s characters finds no text that begins with it',
  async (length) => {
    const store = new PostgresStore(pool);
    const actorId = 'x'.repeat(length);
    await store.insertRun(aRun({ id: idOf(1), actorId }));
    await store.insertRun(aRun({ id: idOf(2), actorId: `${actorId}y` }));
    const { items } = await store.listRuns({ actorId });
    expect(items.map(({ id }) => id)).toEqual([idOf(1)]);
  },
);
