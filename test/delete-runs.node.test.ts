import { DatabaseSync } from 'node:sqlite';
import type { Pool } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MemoryStore } from '../src/memory.js';
import { PostgresStore } from '../src/sql/postgres.js';
import { SqliteStore } from '../src/sql/sqlite.js';
import { deleteCases } from './support/delete-cases.js';
import { type PostgresServer, startPostgres } from './support/postgres-server.js';
import { aCall, aRun, aStep } from './support/records.js';

let server: PostgresServer;
let pool: Pool;

beforeAll(async () => {
  server = await startPostgres();
  pool = server.pool();
}, 60_000);

afterAll(() => server?.stop());

async function openSqlite(options = {}): Promise<SqliteStore> {
  const store = new SqliteStore(new DatabaseSync(':memory:'), options);
  await store.migrate();
  return store;
}

async function openPostgres(options = {}): Promise<PostgresStore> {
  await pool.query('drop table if exists run_step_links, run_calls, run_steps, runs');
  const store = new PostgresStore(pool, options);
  await store.migrate();
  return store;
}

const owner = { space_id: 'sp_1' };

describe.for([
  ['a MemoryStore', async () => new MemoryStore()],
  ['a SqliteStore', () => openSqlite()],
  ['a SqliteStore with an owner', () => openSqlite({ owner })],
  ['a PostgresStore', () => openPostgres()],
  ['a PostgresStore with an owner', () => openPostgres({ owner })],
] as const)('%s', ([, open]) => {
  for (const { name, run } of deleteCases(open)) it(name, run);
});

describe('while a run is deleted', () => {
  const completedAt = new Date(Date.UTC(2026, 2, 1, 12, 5));
  const completedBefore = new Date(Date.UTC(2026, 2, 1, 12, 10));

  it('others write between its parts', async () => {
    const store = await openSqlite();
    await store.insertRun(aRun({ id: 'old', status: 'completed', completedAt }));
    await store.insertStep(aStep({ id: 's', runId: 'old' }));
    const ids = Array.from({ length: 3000 }, (_, index) => `c${index}`);
    await Promise.all(ids.map((id) => store.insertCall(aCall({ id, stepId: 's' }))));
    let isDone = false;
    const deleted = store.deleteRuns({ completedBefore }).finally(() => {
      isDone = true;
    });
    let written = 0;
    while (!isDone) {
      await new Promise((resolve) => setImmediate(resolve));
      await store.insertRun(aRun({ id: `new-${written}` }));
      written += 1;
    }
    expect(await deleted).toBe(1);
    expect(written).toBeGreaterThan(3);
  });

  it.for([
    ['step', 'runs', (store: SqliteStore) => store.insertStep(aStep({ id: 'late', runId: 'old' }))],
    [
      'call',
      'run_steps',
      (store: SqliteStore) => store.insertCall(aCall({ id: 'late', stepId: 's' })),
    ],
  ] as const)('a %s that is added to it keeps it until the next time', async ([, table, add]) => {
    const database = new DatabaseSync(':memory:');
    const direct = new SqliteStore(database, { groupCommit: false });
    await direct.migrate();
    await direct.insertRun(aRun({ id: 'old', status: 'completed', completedAt }));
    await direct.insertStep(aStep({ id: 's', runId: 'old' }));
    let isAdded = false;
    const store = new SqliteStore({
      exec: (sql) => database.exec(sql),
      prepare(sql) {
        const statement = database.prepare(sql);
        return {
          run: (...values) => statement.run(...(values as string[])),
          all(...values) {
            const isDue = sql.startsWith(`delete from "${table}"`) && !isAdded;
            isAdded ||= isDue;
            if (isDue) void add(direct);
            return statement.all(...(values as string[]));
          },
        };
      },
    });
    expect(await store.deleteRuns({ completedBefore })).toBe(0);
    expect([isAdded, (await store.getRun('old'))?.id]).toEqual([true, 'old']);
    expect((await store.getStep('late')) ?? (await store.getCall('late'))).not.toBeNull();
    expect(await store.deleteRuns({ completedBefore })).toBe(1);
    expect([await store.getRun('old'), await store.getStep('s')]).toEqual([null, null]);
  });
});
