import pg from 'pg';
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { PostgresStore, type PostgresStoreOptions } from '../src/sql/postgres.js';
import { aRun, at, idOf } from '../src/testing/tables.js';
import { outcomesOf, several, shapeOf, watched } from './support/postgres-client.js';
import { startPostgresTables } from './support/postgres-tables.js';

const { server, pool, count, blocked } = await startPostgresTables();

const closing: pg.Pool[] = [];

afterAll(() => Promise.all(closing.map((each) => each.end())));

/** A pool that connects in a way of its own. */
function connect(config: pg.PoolConfig): pg.Pool {
  const own = new pg.Pool({ connectionString: server.url, ...config });
  own.on('error', () => {});
  closing.push(own);
  return own;
}

type Around = Parameters<typeof watched>[1];

function open(around?: Around, options?: PostgresStoreOptions, client: pg.Pool | pg.Client = pool) {
  const watch = watched(client, around);
  return { store: new PostgresStore(watch.client, options), sent: watch.sent };
}

describe('what Postgres has undone because of others', () => {
  const failure = (code: string) => Object.assign(new Error(`failed with ${code}`), { code });

  /** Fails the first times, before anything is sent. */
  function failing(times: number, code: string): Around {
    let left = times;
    return async (_, proceed) => {
      left -= 1;
      if (left >= 0) throw failure(code);
      return proceed();
    };
  }

  it.for(['40001', '40P01'])('is sent again after %s, whatever it was', async (code) => {
    const { store } = open();
    await store.insertRun(aRun());
    const acts: Record<string, (store: PostgresStore) => Promise<unknown>> = {
      insert: (flaky) => flaky.insertRun(aRun({ id: idOf(9) })),
      increment: (flaky) => flaky.incrementRunOutput(aRun().id, { n: 1 }, at(1)),
      get: (flaky) => flaky.getRun(aRun().id),
      list: (flaky) => flaky.listRuns(),
      sweep: (flaky) => flaky.closeStale({ before: at(-1), error: 'e', now: at(0), limit: 1 }),
      delete: (flaky) => flaky.deleteRuns({ completedBefore: at(-1) }),
      migrate: (flaky) => flaky.migrate(),
    };
    for (const [name, act] of Object.entries(acts)) {
      const flaky = open(failing(3, code));
      await act(flaky.store);
      const texts = flaky.sent.slice(0, 4).map(({ text }) => text);
      expect(new Set(texts).size, name).toBe(1);
    }
    expect(await store.getRun(aRun().id)).toMatchObject({ output: { n: 1 } });
    expect(await count('runs')).toBe(2);
  });

  /** Lets all time pass that anybody waits for, and tells for how long that was, each time. */
  async function waitsOf(work: () => Promise<unknown>): Promise<number[]> {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const waiting = vi.spyOn(globalThis, 'setTimeout');
    try {
      const done = work();
      await vi.runAllTimersAsync();
      await done;
      expect(vi.getTimerCount()).toBe(0);
      return waiting.mock.calls.map(([, milliseconds]) => milliseconds as number);
    } finally {
      vi.restoreAllMocks();
      vi.useRealTimers();
    }
  }

  it('is sent again after a pause that grows to a tenth of a second, and none after the last', async () => {
    const { store, sent } = open(failing(Infinity, '40001'));
    const wait = (random: number) =>
      waitsOf(() => {
        vi.spyOn(Math, 'random').mockReturnValue(random);
        return expect(store.insertRun(aRun())).rejects.toMatchObject({ code: '40001' });
      });
    const growing = [2, 4, 8, 16, 32, 64, ...several(93, () => 100)];
    expect(await wait(1)).toEqual(growing);
    // Each a random part of that, so that those who met do not meet again.
    expect(await wait(0.25)).toEqual(growing.map((each) => each / 4));
    expect(sent).toHaveLength(200);
  });

  it('is given up after a hundred tries, with the error of the last', async () => {
    const { store, sent } = open(failing(Infinity, '40001'));
    let errors: unknown[] = [];
    await waitsOf(async () => {
      ({ errors } = await outcomesOf(several(3, (n) => store.insertRun(aRun({ id: idOf(n) })))));
    });
    expect(errors).toMatchObject(several(3, () => ({ code: '40001' })));
    expect(sent.map(shapeOf)).toEqual([
      ...several(100, () => 'insert runs'),
      ...several(100, () => 'insert runs × 2'),
    ]);
  });

  it.for(['40002', '40003', '55P03', '57014', '53300', '08006'])(
    'is not meant by %s: that is given at once, to all, and nothing is split',
    async (code) => {
      const { store, sent } = open(failing(Infinity, code));
      const { errors } = await outcomesOf(
        several(9, (n) => store.insertRun(aRun({ id: idOf(n) }))),
      );
      expect(errors).toMatchObject(several(9, () => ({ code })));
      expect(sent).toHaveLength(2);
    },
  );

  it('is not meant by what is no error at all', async () => {
    for (const reason of [null, undefined, 'lost', 42]) {
      const { store } = open(() => Promise.reject(reason));
      const { errors } = await outcomesOf(
        several(3, (n) => store.insertRun(aRun({ id: idOf(n) }))),
      );
      expect(errors).toEqual([reason, reason, reason]);
    }
  });

  it.for(['repeatable read', 'serializable'])(
    'counts every increment of one run by several processes at %s',
    async (level) => {
      const runs = [aRun(), aRun({ id: idOf(9) })];
      for (const run of runs) await new PostgresStore(pool).insertRun(run);
      const states = new Set();
      const watching: Around = (_, proceed) =>
        proceed().catch((error) => {
          states.add(error.code);
          throw error;
        });
      const options = `-c default_transaction_isolation=${level.replace(' ', '\\ ')}`;
      const stores = several(4, () => open(watching, {}, connect({ options, max: 2 })).store);
      const rounds = stores.map(async (store) => {
        for (let n = 0; n < 25; n += 1) {
          const counted = [...runs, ...runs].map(({ id }) =>
            store.incrementRunOutput(id, { n: 1 }, at(n)),
          );
          expect(await Promise.all(counted)).toEqual([true, true, true, true]);
        }
      });
      await Promise.all(rounds);
      expect(states).toEqual(new Set(['40001']));
      for (const { id } of runs) {
        expect(await new PostgresStore(pool).getRun(id)).toMatchObject({ output: { n: 200 } });
      }
    },
  );

  it('is sent again when it has met a transaction of the application in a deadlock', async () => {
    const [first, second, third] = [idOf(11), idOf(12), idOf(13)];
    for (const id of [first, second, third]) await new PostgresStore(pool).insertRun(aRun({ id }));
    const [one, other] = [await pool.connect(), await pool.connect()];
    const lock = (client: pg.PoolClient, id: string) =>
      client.query(`update runs set current_step = 'theirs' where id = $1`, [id]);
    const waiting = (text: string) =>
      vi.waitUntil(async () => (await blocked(text)) === 1, { timeout: 20_000, interval: 10 });
    await one.query('begin');
    await other.query('begin');
    await lock(one, second);
    await lock(other, third);
    // The store's connections notice a deadlock at once, and give way.
    const { store, sent } = open(undefined, {}, connect({ options: '-c deadlock_timeout=1ms' }));
    const writing = Promise.all([
      store.updateRun(idOf(404), {}),
      ...[first, second, third].map((id) => store.updateRun(id, { error: 'mine' })),
    ]);
    await waiting('update "runs"');
    await other.query(`set deadlock_timeout = '1min'`);
    const circle = lock(other, first);
    await waiting('theirs');
    // Now the store has two of the three, and wants the last.
    await one.query('commit');
    await circle;
    await other.query('commit');
    one.release();
    other.release();
    expect(await writing).toEqual([false, true, true, true]);
    expect(sent.map(shapeOf)).toEqual(['update runs', 'update runs × 3', 'update runs × 3']);
    expect(await count('runs', `error = 'mine' and current_step = 'theirs'`)).toBe(3);
  });
});

describe("a transaction of the application's", () => {
  let client: pg.Client;

  beforeEach(async () => {
    client = new pg.Client({ connectionString: server.url });
    await client.connect();
    return () => client.end();
  });

  it('holds what is written in it without group commit, or loses it', async () => {
    const { store } = open(undefined, { groupCommit: false }, client);
    for (const end of ['rollback', 'commit']) {
      await client.query('begin');
      await store.insertRun(aRun());
      await store.updateRun(aRun().id, { error: 'e' });
      expect(await count('runs')).toBe(0);
      await client.query(end);
    }
    expect(await count('runs', `error = 'e'`)).toBe(1);
  });

  it('gets the error of a serialization failure, not that the transaction is over', async () => {
    const others = open().store;
    await others.insertRun(aRun());
    const { store, sent } = open(undefined, { groupCommit: false }, client);
    await client.query('begin isolation level repeatable read');
    await store.getRun(aRun().id);
    await others.updateRun(aRun().id, { error: 'e' });
    const counting = store.incrementRunOutput(aRun().id, { n: 1 }, at(1));
    await expect(counting).rejects.toMatchObject({ code: '40001' });
    expect(sent).toHaveLength(3);
    await client.query('rollback');
    expect(await store.incrementRunOutput(aRun().id, { n: 1 }, at(1))).toBe(true);
  });

  it('gets the error of a deadlock, not that the transaction is over', async () => {
    const others = open().store;
    await others.insertRun(aRun());
    await others.insertRun(aRun({ id: idOf(9) }));
    const other = await pool.connect();
    const { store } = open(undefined, { groupCommit: false }, client);
    // This one notices at once, and gives way.
    await client.query(`set deadlock_timeout = '1ms'`);
    await client.query('begin');
    await other.query('begin');
    await store.updateRun(aRun().id, { error: 'mine' });
    await other.query('update runs set error = $1 where id = $2', ['theirs', idOf(9)]);
    const theirs = other.query(`update runs set error = 'theirs'`);
    await vi.waitUntil(async () => (await blocked('theirs')) === 1, {
      timeout: 20_000,
      interval: 10,
    });
    const mine = store.updateRun(idOf(9), { error: 'mine' });
    await expect(mine).rejects.toMatchObject({ code: '40P01' });
    await client.query('rollback');
    await theirs;
    await other.query('commit');
    other.release();
    expect(await count('runs', `error = 'theirs'`)).toBe(2);
  });

  it('gets the error of a row that is refused', async () => {
    const { store } = open(undefined, { groupCommit: false }, client);
    await store.insertRun(aRun());
    await client.query('begin');
    await expect(store.insertRun(aRun())).rejects.toMatchObject({ code: '23505' });
    await expect(store.getRun(aRun().id)).rejects.toMatchObject({ code: '25P02' });
    await client.query('rollback');
  });
});
