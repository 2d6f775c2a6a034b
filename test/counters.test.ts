import { describe, expect, it } from 'vitest';
import type { RunStore } from '../src/index.js';
import { MemoryStore } from '../src/memory.js';
import { aRun } from './support/records.js';
import { intercept, mapStore, recorded } from './support/stores.js';
import { testTracker } from './support/trackers.js';

const STORES: Record<string, () => RunStore> = {
  MemoryStore: () => new MemoryStore(),
  'a conditional store without counters': () => mapStore({ conditional: true }),
  'a plain store': () => mapStore(),
  'a plain store that counts': () => mapStore({ counters: true }),
};

const sync = { runType: 'sync', trigger: 'cron' } as const;

/** A generator of numbers from 0 to below `limit`, the same ones for the same seed. */
function random(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % limit;
  };
}

/** The same store, each call of which takes a random number of ticks. */
function slow<S extends RunStore>(store: S, seed: number): S {
  const next = random(seed);
  return intercept(store, async (_call, proceed) => {
    for (let ticks = next(8); ticks > 0; ticks -= 1) await null;
    const result = await proceed();
    for (let ticks = next(8); ticks > 0; ticks -= 1) await null;
    return result;
  });
}

for (const [name, open] of Object.entries(STORES)) {
  describe(`on ${name}`, () => {
    it('1 000 increments at once all count', async () => {
      const store = open() instanceof MemoryStore ? open() : slow(open(), 7);
      const { tracker } = testTracker({ store });
      const id = await tracker.createRun(sync);
      const writes = Array.from({ length: 1000 }, (_, n) =>
        tracker.incrementRunOutput(id, { total: 1, [`key${n % 7}`]: n }),
      );
      await Promise.all(writes);
      const output = (await store.getRun(id))?.output;
      expect(output?.total).toBe(1000);
      const sum = (rest: number) =>
        Array.from({ length: 1000 }, (_, n) => (n % 7 === rest ? n : 0)).reduce((a, b) => a + b);
      for (const rest of [0, 1, 2, 3, 4, 5, 6]) expect(output?.[`key${rest}`]).toBe(sum(rest));
    });

    it('counters survive an end whose output may not be stored', async () => {
      const store = open();
      const { tracker } = testTracker({ store, redact: () => null });
      const id = await tracker.executeRun(sync, async (runId) => {
        await tracker.incrementRunOutput(runId, { fetched: 2 });
        return runId;
      });
      expect(await store.getRun(id)).toMatchObject({
        status: 'completed',
        output: { fetched: 2 },
      });
    });

    it('counters survive an executeRun that returns a value', async () => {
      const store = open();
      const { tracker } = testTracker({ store });
      const id = await tracker.executeRun(sync, async (runId) => {
        await tracker.incrementRunOutput(runId, { fetched: 2 });
        await tracker.incrementRunOutput(runId, { fetched: 3, failed: -1 });
        return runId;
      });
      expect((await store.getRun(id))?.output).toEqual({ fetched: 5, failed: -1, result: id });
    });

    it('counters survive a run that fails', async () => {
      const store = open();
      const { tracker } = testTracker({ store });
      const failing = tracker.executeRun({ ...sync, id: 'r1' }, async (runId) => {
        await tracker.incrementRunOutput(runId, { fetched: 2 });
        throw new Error('no');
      });
      await expect(failing).rejects.toThrow('no');
      expect((await store.getRun('r1'))?.output).toEqual({ fetched: 2 });
    });

    it('a finish lays its output over what was counted: on equal keys it wins, null too', async () => {
      const store = open();
      const { tracker } = testTracker({ store });
      const id = await tracker.createRun(sync);
      await tracker.incrementRunOutput(id, { fetched: 2, inserted: 1, skipped: 4 });
      await tracker.finishRun(id, {
        output: { inserted: 10, skipped: null, note: { deep: true } },
      });
      const output = { fetched: 2, inserted: 10, skipped: null, note: { deep: true } };
      expect((await store.getRun(id))?.output).toEqual(output);
    });

    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
      it(`increments that race with the finish all count (${seed})`, async () => {
        const plain = open();
        const store = plain instanceof MemoryStore ? plain : slow(plain, seed);
        const { tracker } = testTracker({ store });
        const id = await tracker.createRun(sync);
        await tracker.startRun(id);
        const next = random(seed);
        const increment = async () => {
          for (let ticks = next(30); ticks > 0; ticks -= 1) await null;
          await tracker.incrementRunOutput(id, { counted: 1 });
        };
        const finish = async () => {
          for (let ticks = next(30); ticks > 0; ticks -= 1) await null;
          await tracker.finishRun(id, { output: { note: 'done' } });
        };
        const announce = async () => {
          for (let ticks = next(30); ticks > 0; ticks -= 1) await null;
          await tracker.updateRunProgress(id, 'fetch');
        };
        const writes = [finish(), announce()];
        for (let n = 0; n < 50; n += 1) writes.push(increment());
        await Promise.all(writes);
        expect(await store.getRun(id)).toMatchObject({
          status: 'completed',
          output: { counted: 50, note: 'done' },
        });
      });
    }
  });
}

describe('increments that wait for their turn', () => {
  it('go out as one write', async () => {
    const { store, calls } = recorded(mapStore());
    const { tracker } = testTracker({ store });
    await store.insertRun(aRun());
    calls.length = 0;
    await Promise.all(
      Array.from({ length: 100 }, () => tracker.incrementRunOutput('r1', { n: 1 })),
    );
    expect(calls.map(({ method }) => method)).toEqual([
      'getRun',
      'updateRun',
      'getRun',
      'updateRun',
    ]);
    expect(store.runs.get('r1')?.output).toEqual({ n: 100 });
  });

  it('keep their place before and after a finish', async () => {
    const { store, calls } = recorded(mapStore());
    const { tracker } = testTracker({ store });
    await store.insertRun(aRun());
    calls.length = 0;
    const increment = () => tracker.incrementRunOutput('r1', { n: 1 });
    await Promise.all([
      increment(),
      increment(),
      increment(),
      tracker.finishRun('r1', { output: { n: 10 } }),
      increment(),
      increment(),
      tracker.updateRunProgress('r1', null),
      increment(),
    ]);
    // What was counted before the finish gave way to its explicit output; what came after it counts.
    expect(store.runs.get('r1')?.output).toEqual({ n: 13 });
    const writes = calls.filter(({ method }) => method === 'updateRun');
    expect(writes.map(({ args }) => (args[1] as { output?: object }).output)).toEqual([
      { n: 1 },
      { n: 3 },
      { n: 10 },
      { n: 12 },
      undefined,
      { n: 13 },
    ]);
  });

  it('all hear of a write that fails, and the next ones are not affected', async () => {
    let failing = true;
    const store = intercept(mapStore(), ({ method }, proceed) =>
      failing && method === 'updateRun' ? Promise.reject(new Error('disk full')) : proceed(),
    );
    const { tracker } = testTracker({ store });
    await store.insertRun(aRun());
    const increment = () => tracker.incrementRunOutput('r1', { n: 1 });
    const outcomes = await Promise.allSettled([increment(), increment(), increment()]);
    expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    failing = false;
    await increment();
    expect((await store.getRun('r1'))?.output).toEqual({ n: 1 });
  });

  it('of different runs do not wait for each other', async () => {
    let release = () => {};
    const stuck = new Promise<void>((resolve) => {
      release = resolve;
    });
    const store = intercept(mapStore(), async ({ method, args }, proceed) => {
      if (method === 'getRun' && args[0] === 'stuck') await stuck;
      return proceed();
    });
    const { tracker } = testTracker({ store });
    await store.insertRun(aRun({ id: 'stuck' }));
    await store.insertRun(aRun({ id: 'free' }));
    const waiting = tracker.incrementRunOutput('stuck', { n: 1 });
    await tracker.incrementRunOutput('free', { n: 1 });
    release();
    await waiting;
    expect((await store.getRun('stuck'))?.output).toEqual({ n: 1 });
  });
});

it('a conditional store without counters is written only the keys that were counted', async () => {
  const { store, calls } = recorded(mapStore({ conditional: true }));
  const { tracker } = testTracker({ store });
  await store.insertRun(aRun({ output: { n: 1, big: 'x'.repeat(1000) } }));
  await tracker.incrementRunOutput('r1', { n: 2 });
  expect(calls.at(-1)?.args.slice(1)).toEqual([
    { output: { n: 3 }, updatedAt: new Date('2026-03-01T12:00:00.000Z') },
    { mergeOutput: true },
  ]);
  expect(store.runs.get('r1')?.output).toEqual({ n: 3, big: 'x'.repeat(1000) });
});

it('a store that counts is asked once for each increment, and nothing else', async () => {
  const { store, calls } = recorded(mapStore({ conditional: true, counters: true }));
  const { tracker } = testTracker({ store });
  await store.insertRun(aRun());
  calls.length = 0;
  await tracker.incrementRunOutput('r1', { n: 2 });
  expect(calls).toEqual([
    {
      method: 'incrementRunOutput',
      args: ['r1', { n: 2 }, new Date('2026-03-01T12:00:00.000Z')],
    },
  ]);
});

it('a finish without an output writes none', async () => {
  for (const conditional of [true, false]) {
    const { store, calls } = recorded(mapStore({ conditional }));
    const { tracker } = testTracker({ store });
    await store.insertRun(aRun({ status: 'running' }));
    await tracker.finishRun('r1');
    expect(Object.keys(calls.at(-1)?.args[1] ?? {})).not.toContain('output');
  }
});

it('what a run ends with is not overwritten by an increment that is under way', async () => {
  for (const options of [{}, { conditional: true }, { conditional: true, counters: true }]) {
    const store = mapStore(options);
    const slow = intercept(store, async ({ method }, proceed) => {
      for (let tick = 0; method === 'getRun' && tick < 20; tick += 1) await null;
      return proceed();
    });
    const { store: asked, calls } = recorded(slow);
    const { tracker } = testTracker({ store: asked });
    let counting: Promise<void> | undefined;
    const work = (id: string) => {
      counting = tracker.incrementRunOutput(id, { fetched: 1 });
      return 'done';
    };
    const run = { id: 'r1', runType: 'sync', trigger: 'cron' } as const;
    await tracker.executeRun(run, work, { output: () => ({ fetched: 100 }) });
    await counting;
    expect(store.runs.get('r1')?.output).toEqual({ fetched: 100 });
    // Nobody looks at the run before its end is written, where its status is a condition.
    const reads = calls.filter(({ method }) => method === 'getRun').length;
    expect(reads).toBe(options.counters ? 0 : options.conditional ? 1 : 2);
  }
});
