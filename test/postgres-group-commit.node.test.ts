import pg from 'pg';
import { describe, expect, it, vi } from 'vitest';
import { RunTracker } from '../src/index.js';
import {
  type PostgresClient,
  PostgresStore,
  type PostgresStoreOptions,
} from '../src/sql/postgres.js';
import { aCall, aLink, aRun, aStep, at, idOf } from '../src/testing/tables.js';
import { type Sent, several, shapeOf, watched } from './support/postgres-client.js';
import { startPostgresTables } from './support/postgres-tables.js';

const { server, pool } = await startPostgresTables();

function open(options?: PostgresStoreOptions): { store: PostgresStore; sent: Sent[] } {
  const { client, sent } = watched(pool);
  return { store: new PostgresStore(client, options), sent };
}

/** A client that is no database: it answers with all ids that it was given, when it is told. */
function heldClient(): { client: PostgresClient; sent: Sent[]; release: () => void } {
  let release = () => {};
  const { client, sent } = watched({ query: async () => ({ rows: [] }) }, async ({ values }) => {
    await new Promise<void>((resolve) => {
      release = resolve;
    });
    const ids = JSON.stringify(values).match(/0196b0c0-[-\w]+/g) ?? [];
    return { rows: ids.map((id) => ({ id })) };
  });
  return { client, sent, release: () => release() };
}

const STEP = aStep().id;

describe('what goes out', () => {
  it('the first write goes out within the call, as its own prepared statement', async () => {
    const { store, sent } = open();
    const writing = store.insertRun(aRun());
    expect(sent).toEqual([
      {
        name: expect.any(String),
        text: expect.stringMatching(
          /^insert into "runs" \(.*\) values \(\$1, .*\) returning "id"$/,
        ),
        values: expect.arrayContaining([aRun().id, 'sync_stripe']),
      },
    ]);
    await writing;
    const next = store.updateRun(aRun().id, { status: 'completed' }, { ifStatus: ['running'] });
    expect(sent.map(shapeOf)).toEqual(['insert runs', 'update runs']);
    expect(sent[1]).toMatchObject({ name: expect.any(String) });
    expect(await next).toBe(true);
  });

  it('what waits goes as one statement for each table and kind, what others need first', async () => {
    const { store, sent } = open();
    await store.insertRun(aRun());
    await store.insertRun(aRun({ id: idOf(20) }));
    await store.insertStep(aStep());
    await store.insertStep(aStep({ id: idOf(21) }));
    await store.insertCall(aCall());
    await store.insertCall(aCall({ id: idOf(22) }));
    sent.length = 0;

    const two = <T>(make: (id: string, index: number) => T) =>
      several(2, (index) => make(idOf(50 + index), index));
    const results = await Promise.all([
      store.updateRun(idOf(404), { status: 'failed' }),
      ...[aRun().id, idOf(20)].map((id) => store.incrementRunOutput(id, { n: 1 }, at(1))),
      ...[aCall().id, idOf(22)].map((id) => store.updateCall(id, { status: 'success' })),
      ...[aStep().id, idOf(21)].map((id) => store.updateStep(id, { status: 'completed' })),
      ...two((id) => store.insertStepLink(aLink({ id, stepId: id }))),
      ...two((id) => store.insertCall(aCall({ id, stepId: id }))),
      ...two((id) => store.insertStep(aStep({ id, runId: id }))),
      ...two((id) => store.insertRun(aRun({ id }))),
      ...two((id) => store.updateRun(idOf(60), { error: id })),
    ]);
    expect(sent.map(shapeOf)).toEqual([
      'update runs',
      'insert runs × 2',
      'insert run_steps × 2',
      'insert run_calls × 2',
      'insert run_step_links × 2',
      'update runs',
      'update run_steps × 2',
      'update run_calls × 2',
      'increment runs × 2',
      'update runs',
    ]);
    expect(results.slice(0, 7)).toEqual([false, true, true, true, true, true, true]);
    expect(results.slice(-2)).toEqual([false, false]);
    expect(await store.getRun(idOf(20))).toMatchObject({ output: { n: 1 } });
    expect((await store.listCalls(idOf(51))).items.map(({ id }) => id)).toEqual([idOf(51)]);
    expect((await store.listLinks(idOf(50))).items.map(({ id }) => id)).toEqual([idOf(50)]);
  });

  it('2 000 calls at once need six statements', async () => {
    const { store, sent } = open();
    await store.insertRun(aRun());
    await store.insertStep(aStep());
    sent.length = 0;
    const tracker = new RunTracker({ store });
    const results = await Promise.all(
      several(2000, (n) =>
        tracker.executeCall(STEP, { tool: 'api', operation: 'GET' }, async () => n),
      ),
    );
    expect(results).toEqual(several(2000, (n) => n));
    expect(sent.map(shapeOf)).toEqual([
      'insert run_calls',
      'insert run_calls × 1000',
      'insert run_calls × 999',
      'update run_calls',
      'update run_calls × 1000',
      'update run_calls × 999',
    ]);
    const { rows } = await pool.query(
      `select count(*)::int as n, sum((output ->> 'result')::int)::int as sum from run_calls where status = 'success'`,
    );
    expect(rows).toEqual([{ n: 2000, sum: (2000 * 1999) / 2 }]);
  });

  it('every promise resolves when its row can be seen by others', async () => {
    const { store } = open();
    const seen = await Promise.all(
      several(300, async (n) => {
        await store.insertRun(aRun({ id: idOf(n) }));
        const { rows } = await pool.query('select 1 from runs where id = $1', [idOf(n)]);
        return rows.length;
      }),
    );
    expect(seen).toEqual(several(300, () => 1));
  });

  it('a statement has at most 1 000 rows', async () => {
    const { store, sent } = open();
    await Promise.all(several(2500, (n) => store.insertRun(aRun({ id: idOf(n) }))));
    expect(sent.map(shapeOf)).toEqual([
      'insert runs',
      'insert runs × 1000',
      'insert runs × 1000',
      'insert runs × 499',
    ]);
  });

  it('a statement has at most about 4 MB, and what is larger by itself goes alone', async () => {
    const { store, sent } = open();
    const inputs = [1, ...several(40, () => 300_000), 5_000_000, 300_000].map((length) => ({
      text: 'x'.repeat(length),
    }));
    await Promise.all(inputs.map((input, n) => store.insertRun(aRun({ id: idOf(n), input }))));
    expect(sent.map(shapeOf)).toEqual([
      'insert runs',
      'insert runs × 13',
      'insert runs × 13',
      'insert runs × 13',
      'insert runs',
      'insert runs',
      'insert runs',
    ]);
    const { rows } = await pool.query(
      'select id, length(input ->> $1) as n from runs order by id',
      ['text'],
    );
    expect(rows).toEqual(inputs.map(({ text }, n) => ({ id: idOf(n), n: text.length })));
  });

  it('no timer decides when what waits is sent', async () => {
    const timers = (['setTimeout', 'setInterval', 'setImmediate'] as const).map((name) =>
      vi.spyOn(globalThis, name),
    );
    const { client, sent, release } = heldClient();
    const store = new PostgresStore(client);
    const writing = several(4, (n) => store.insertRun(aRun({ id: idOf(n) })));
    expect(sent).toHaveLength(1);
    release();
    await writing[0];
    // The next one is on its way as soon as the first is answered.
    await null;
    expect(sent.map(shapeOf)).toEqual(['insert runs', 'insert runs × 3']);
    release();
    await Promise.all(writing);
    for (const timer of timers) {
      expect(timer).not.toHaveBeenCalled();
      timer.mockRestore();
    }
  });

  it('without group commit every write goes out within the call, by itself', async () => {
    const { store, sent } = open({ groupCommit: false });
    await store.insertRun(aRun());
    const writing = [
      ...several(20, (n) => store.insertStep(aStep({ id: idOf(100 + n) }))),
      ...several(20, () => store.incrementRunOutput(aRun().id, { n: 1 }, at(1))),
    ];
    expect(sent.slice(1).map(shapeOf)).toEqual([
      ...several(20, () => 'insert run_steps'),
      ...several(20, () => 'increment runs'),
    ]);
    await Promise.all(writing);
    expect(await store.getRun(aRun().id)).toMatchObject({ output: { n: 20 } });
  });
});

describe('writes of the same record', () => {
  it('increments of one run that wait together are one, and each hears of it', async () => {
    const { store, sent } = open();
    await Promise.all([store.insertRun(aRun()), store.insertRun(aRun({ id: idOf(9) }))]);
    sent.length = 0;
    const add = (id: string, time: number, counts: Record<string, number>) =>
      store.incrementRunOutput(id, counts, at(time));
    const results = await Promise.all([
      add(aRun().id, 1, { total: 1 }),
      ...several(50, (n) =>
        add(aRun().id, 2 + n, { total: 1, [`key${n % 2}`]: n, ['__proto__']: 2 }),
      ),
      ...several(50, () => add(idOf(404), 2, { total: 1 })),
      add(idOf(9), 7, { total: 5 }),
    ]);
    expect(sent.map(shapeOf)).toEqual(['increment runs', 'increment runs × 3']);
    expect(results).toEqual([...several(51, () => true), ...several(50, () => false), true]);
    const run = await store.getRun(aRun().id);
    expect(run?.updatedAt).toEqual(at(51));
    expect(Object.entries(run?.output ?? {}).sort()).toEqual([
      ['__proto__', 100],
      ['key0', 600],
      ['key1', 625],
      ['total', 51],
    ]);
    expect(await store.getRun(idOf(9))).toMatchObject({ output: { total: 5 }, updatedAt: at(7) });
  });

  it('what waits for the same record keeps its order', async () => {
    const { store, sent } = open();
    const id = aRun().id;
    const results = await Promise.all([
      store.insertRun(aRun({ id: idOf(9) })),
      store.insertRun(aRun({ output: { n: 1 } })),
      store.incrementRunOutput(id, { n: 1 }, at(1)),
      store.incrementRunOutput(id, { n: 1 }, at(2)),
      store.updateRun(id, { output: { n: 10 }, currentStep: 'first' }),
      store.incrementRunOutput(id, { n: 5 }, at(3)),
      store.updateRun(
        id,
        { status: 'completed', currentStep: 'second' },
        { ifStatus: ['running'] },
      ),
      store.updateRun(id, { status: 'failed' }, { ifStatus: ['running'] }),
      store.insertRun(aRun({ id: idOf(10) })),
      store.updateRun(idOf(10), { error: 'e' }),
    ]);
    expect(results.slice(2)).toEqual([true, true, true, true, true, false, undefined, true]);
    expect(sent.map(shapeOf)).toEqual([
      'insert runs',
      'insert runs × 2',
      'update runs',
      'increment runs',
      'update runs',
      'increment runs',
      'update runs',
      'update runs',
    ]);
    expect(await store.getRun(id)).toMatchObject({
      status: 'completed',
      currentStep: 'second',
      output: { n: 15 },
    });
    expect(await store.getRun(idOf(10))).toMatchObject({ error: 'e' });
  });
});

describe('prepared statements', () => {
  /** Whether a store names what it sends to a client, by default or as it is told. */
  function isNamed(client: PostgresClient, prepare: boolean | undefined): boolean {
    const { client: spied, sent } = watched(client, async () => ({ rows: [] }));
    new PostgresStore(spied, { prepare }).updateRun('r1', { status: 'failed' });
    return sent[0]?.name !== undefined;
  }

  it('are the default for a pool and a client of pg, and for nothing else', async () => {
    const client = new pg.Client({ connectionString: server.url });
    const adapter: PostgresClient = { query: (text, values) => pool.query(text, values) };
    const pooled = await pool.connect();
    const clients = { pool, client, pooled, adapter };
    const namedBy = (prepare?: boolean) => {
      const entries = Object.entries(clients);
      const named = entries.filter(([, each]) => isNamed(each, prepare));
      return named.map(([name]) => name);
    };
    expect(namedBy()).toEqual(['pool', 'client', 'pooled']);
    expect(namedBy(false)).toEqual([]);
    expect(namedBy(true)).toEqual(['pool', 'client', 'pooled', 'adapter']);
    pooled.release();
  });

  it('have the same name in every process, and another one for another text', async () => {
    const texts = new Map<string, Set<string>>();
    for (const owner of [{ a: 'x' }, { a: 'y' }, { [`o${'_long'.repeat(12)}`]: 'x' }]) {
      // What the first store has learned is not known to the second.
      vi.resetModules();
      const { PostgresStore: Fresh } = await import('../src/sql/postgres.js');
      const { client, sent } = watched(pool, async () => ({ rows: [] }));
      const store = new Fresh(client, { owner, tablePrefix: 'p'.repeat(30), groupCommit: false });
      await store.insertRun(aRun());
      await store.insertStep(aStep());
      await store.insertCall(aCall());
      await store.insertStepLink(aLink());
      await store.getRun('r1');
      await store.getStep('s1');
      await store.incrementRunOutput('r1', { n: 1 }, at(0));
      const fields = {
        status: 'failed',
        currentStep: null,
        output: {},
        error: 'e',
        durationMs: 1,
      } as const;
      const names = Object.keys(fields);
      for (let mask = 0; mask < 1 << names.length; mask += 1) {
        const some = Object.entries(fields).filter((_, index) => mask & (1 << index));
        for (const ifStatus of [undefined, ['running'] as const]) {
          await store.updateRun('r1', Object.fromEntries(some), ifStatus && { ifStatus });
        }
      }
      for (const { name = '', text } of sent) {
        expect(new TextEncoder().encode(name).length).toBeLessThanOrEqual(63);
        texts.set(text, (texts.get(text) ?? new Set()).add(name));
      }
    }
    const names = [...texts.values()].flatMap((each) => [...each]);
    expect(texts.size).toBeGreaterThan(100);
    expect(names).toHaveLength(texts.size);
    expect(new Set(names).size).toBe(texts.size);
    expect(names).not.toContain('');
  });

  it('are kept by the server, once for each text', async () => {
    const client = new pg.Client({ connectionString: server.url });
    await client.connect();
    const store = new PostgresStore(client);
    await store.insertRun(aRun());
    for (const n of [1, 2, 3]) await store.insertRun(aRun({ id: idOf(100 + n) }));
    for (const n of [1, 2, 3]) await store.getRun(idOf(100 + n));
    await store.listRuns();
    const { rows } = await client.query(
      'select (generic_plans + custom_plans)::int as n, left(statement, 6) as text from pg_prepared_statements order by 2',
    );
    expect(rows).toEqual([
      { n: 4, text: 'insert' },
      { n: 3, text: 'select' },
    ]);
    await client.end();
  });
});
