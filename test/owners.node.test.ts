import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PostgresStore } from '../src/sql/postgres.js';
import { aCall, aRun, aStep, at, idOf } from '../src/testing/tables.js';
import { onPostgres, openSqlite } from './support/node-databases.js';
import { OWNERS, ownerCases } from './support/owners.js';
import { type PostgresServer, startPostgres } from './support/postgres-server.js';

describe.for(Object.entries(OWNERS))('of two owners of a SqliteStore, %s,', ([, owners]) => {
  for (const { name, run } of ownerCases) it(name, () => run(openSqlite(), ...owners));
});

describe('of two owners of a PostgresStore', () => {
  const [owners] = Object.values(OWNERS);
  let server: PostgresServer;
  let client: pg.PoolClient;

  beforeAll(async () => {
    // A statement that waits for a lock fails before its test does.
    server = await startPostgres(['-c', 'fsync=off', '-c', 'lock_timeout=2000']);
    client = await server.pool(1).connect();
  }, 60_000);
  afterAll(async () => {
    client?.release();
    await server?.stop();
  }, 60_000);

  for (const { name, run } of ownerCases)
    it(name, () => run(onPostgres(client), ...owners!), 30_000);

  it('no write waits for a row of the other', async () => {
    const stores = ['mine', 'theirs'].map(
      (id) => new PostgresStore(server.pool(2), { tablePrefix: 'l_', owner: { space_id: id } }),
    ) as [PostgresStore, PostgresStore];
    const [mine] = stores;
    await mine.migrate();
    const numbers = [1, 2, 3];
    for (const store of stores) {
      for (const number of numbers) {
        const id = idOf(number);
        await store.insertRun(aRun({ id }));
        await store.insertStep(aStep({ id, runId: id }));
        await store.insertCall(aCall({ id, stepId: id }));
      }
    }
    await client.query('begin');
    try {
      for (const table of ['runs', 'run_steps', 'run_calls']) {
        await client.query(`select 1 from l_${table} where space_id = 'theirs' for update`);
      }
      const changes = { error: 'mine' };
      const writes = numbers.flatMap((number) => {
        const id = idOf(number);
        return [
          mine.updateRun(id, changes),
          mine.incrementRunOutput(id, { charges: 1 }, at(1)),
          mine.updateStep(id, changes, { ifStatus: ['running'] }),
          mine.updateCall(id, changes),
          mine.insertStep(aStep({ id: idOf(10 + number), runId: id })),
          mine.insertCall(aCall({ id: idOf(10 + number), stepId: id })),
        ];
      });
      expect(await Promise.all(writes)).not.toContain(false);
      const sweep = { before: at(9), error: 'abandoned', now: at(10), limit: 9 };
      expect((await mine.closeStale(sweep)).runs).toHaveLength(3);
      expect(await mine.deleteRuns({ completedBefore: at(11) })).toBe(3);
    } finally {
      await client.query('rollback');
    }
  });
});
