import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type ExecuteContext, RunTracker } from '../src/index.js';
import { intercept, type MapStore, mapStore, recorded } from './support/stores.js';
import { testTracker } from './support/trackers.js';

const RUN = { id: 'r1', runType: 'sync', trigger: 'cron' } as const;
const STEP = { id: 's1', stepType: 'fetch' };

const STORES = {
  'a plain store': () => mapStore(),
  'a conditional store': () => mapStore({ conditional: true }),
  'a conditional store that counts': () => mapStore({ conditional: true, counters: true }),
};

/** A tracker on the timers' clock, with work that waits until it is told what to do. */
function open(store: MapStore, options: { bestEffort?: boolean } = {}) {
  const { tracker, reports } = testTracker({ store, now: () => new Date(), ...options });
  const work = Promise.withResolvers<unknown>();
  let context: ExecuteContext | undefined;
  const fn = (_id: string, given: ExecuteContext) => {
    context = given;
    given.signal.addEventListener('abort', () => work.reject(given.signal.reason));
    return work.promise;
  };
  return { tracker, reports, work, fn, aborted: () => context?.signal.aborted };
}

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse('2026-03-01T12:00:00.000Z') });
});

afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

for (const [name, openStore] of Object.entries(STORES)) {
  describe(`a heartbeat, on ${name}`, () => {
    it('moves `updatedAt` of the run while its work goes on', async () => {
      const store = openStore();
      const { tracker, work, fn, reports } = open(store);
      const run = tracker.executeRun(RUN, fn, { heartbeatMs: 1000 });
      const began = Date.now();
      for (const seconds of [1, 2, 3]) {
        await vi.advanceTimersByTimeAsync(1000);
        expect(store.runs.get('r1')?.updatedAt.getTime()).toBe(began + seconds * 1000);
      }
      expect(store.runs.get('r1')).toMatchObject({ status: 'running', output: null });
      work.resolve('done');
      expect(await run).toBe('done');
      expect(store.runs.get('r1')?.status).toBe('completed');
      expect(reports).toEqual([]);
    });

    it('of a step moves `updatedAt` of its run, too', async () => {
      const store = openStore();
      const { tracker, work, fn } = open(store);
      await tracker.createRun(RUN);
      await tracker.startRun('r1');
      const began = Date.now();
      const step = tracker.executeStep('r1', STEP, fn, { heartbeatMs: 1000 });
      await vi.advanceTimersByTimeAsync(5000);
      expect(store.runs.get('r1')?.updatedAt.getTime()).toBe(began + 5000);
      expect(store.steps.get('s1')?.updatedAt.getTime()).toBe(began + 5000);
      work.resolve(null);
      await step;
    });

    it('of a step goes on while its run is still pending, and finds that cancelled', async () => {
      const store = openStore();
      const { tracker, fn } = open(store);
      await tracker.createRun(RUN);
      const began = Date.now();
      const step = tracker
        .executeStep('r1', STEP, fn, { heartbeatMs: 1000 })
        .catch((error: unknown) => error);
      await vi.advanceTimersByTimeAsync(3000);
      expect(store.steps.get('s1')?.updatedAt.getTime()).toBe(began + 3000);
      await new RunTracker({ store }).cancelRun('r1');
      await vi.advanceTimersByTimeAsync(1000);
      expect(await step).toMatchObject({ name: 'AbortError' });
    });

    it('loses no count, and lets none be lost', async () => {
      const store = openStore();
      const { tracker, work, fn } = open(store);
      const run = tracker.executeRun(RUN, fn, { heartbeatMs: 10 });
      for (let count = 0; count < 50; count += 1) {
        tracker.incrementRunOutput('r1', { fetched: 1 });
        await vi.advanceTimersByTimeAsync(3);
      }
      work.resolve(undefined);
      await run;
      expect(store.runs.get('r1')?.output).toEqual({ fetched: 50 });
    });

    for (const [what, cancel] of [
      ['the run', (other: RunTracker) => other.cancelRun('r1', 'by hand')],
      ['the step', (other: RunTracker) => other.cancelStep('s1', 'by hand')],
    ] as const) {
      it(`of a step that finds ${what} cancelled by somebody else aborts the work`, async () => {
        const store = openStore();
        const { tracker, fn, reports } = open(store);
        const other = new RunTracker({ store });
        await tracker.createRun(RUN);
        await tracker.startRun('r1');
        const step = tracker
          .executeStep('r1', STEP, fn, { heartbeatMs: 1000, retry: { maxAttempts: 3 } })
          .catch((error: unknown) => error);
        await vi.advanceTimersByTimeAsync(1500);
        await cancel(other);
        await vi.advanceTimersByTimeAsync(499);
        expect(store.steps.size).toBe(1);
        await vi.advanceTimersByTimeAsync(1);
        expect(await step).toMatchObject({
          name: 'AbortError',
          message: what === 'the run' ? 'run was cancelled' : 'step was cancelled',
        });
        const error = what === 'the run' ? 'run was cancelled' : 'by hand';
        expect([...store.steps.values()]).toMatchObject([{ status: 'cancelled', error }]);
        expect(reports).toEqual([]);
      });
    }

    it('of a run that finds it cancelled by somebody else aborts the work', async () => {
      const store = openStore();
      const { tracker, fn, reports } = open(store);
      const run = tracker
        .executeRun(RUN, fn, { heartbeatMs: 1000 })
        .catch((error: unknown) => error);
      await vi.advanceTimersByTimeAsync(2500);
      await new RunTracker({ store }).cancelRun('r1', 'by hand');
      await vi.advanceTimersByTimeAsync(500);
      expect(await run).toMatchObject({ name: 'AbortError', message: 'run was cancelled' });
      expect(store.runs.get('r1')).toMatchObject({ status: 'cancelled', error: 'by hand' });
      expect(reports).toEqual([]);
    });

    it('work that completes after its run was cancelled returns its value; the refused end is reported', async () => {
      const store = openStore();
      const { tracker, reports } = open(store);
      const value = Promise.withResolvers<string>();
      const run = tracker.executeRun(RUN, () => value.promise, { heartbeatMs: 1000 });
      await vi.advanceTimersByTimeAsync(500);
      await new RunTracker({ store }).cancelRun('r1');
      await vi.advanceTimersByTimeAsync(1000);
      value.resolve('done');
      expect(await run).toBe('done');
      expect(store.runs.get('r1')).toMatchObject({ status: 'cancelled', output: null });
      expect(reports).toMatchObject([
        { error: { code: 'invalid_transition' }, info: { operation: 'finish', work: 'succeeded' } },
      ]);
    });

    it('work that fails in another way after its run was cancelled rejects with that; it is reported', async () => {
      const store = openStore();
      const { tracker, reports } = open(store);
      const failure = Promise.withResolvers<string>();
      const run = tracker.executeRun(RUN, () => failure.promise, { heartbeatMs: 1000 });
      const settled = expect(run).rejects.toThrow('cleanup failed');
      await new RunTracker({ store }).cancelRun('r1', 'by hand');
      await vi.advanceTimersByTimeAsync(1000);
      failure.reject(new Error('cleanup failed'));
      await settled;
      expect(store.runs.get('r1')).toMatchObject({ status: 'cancelled', error: 'by hand' });
      expect(reports).toMatchObject([
        { error: { code: 'invalid_transition' }, info: { operation: 'cancel', work: 'failed' } },
      ]);
    });

    it('ends when the record has ended in another way, and leaves the work alone', async () => {
      for (const end of ['finishRun', 'failRun'] as const) {
        const { store, calls } = recorded(openStore());
        const { tracker, work, fn, aborted } = open(store);
        const run = tracker.executeRun(RUN, fn, { heartbeatMs: 1000 });
        await vi.advanceTimersByTimeAsync(500);
        await (end === 'finishRun'
          ? new RunTracker({ store }).finishRun('r1')
          : new RunTracker({ store }).failRun('r1', 'abandoned'));
        await vi.advanceTimersByTimeAsync(1000);
        calls.length = 0;
        await vi.advanceTimersByTimeAsync(60_000);
        expect(calls).toEqual([]);
        expect(vi.getTimerCount()).toBe(0);
        expect(aborted()).toBe(false);
        work.resolve(undefined);
        expect(await run).toBe(undefined);
      }
    });

    it('that fails is reported, and goes on', async () => {
      let isDown = false;
      const store = openStore();
      const flaky = intercept(store, (_call, proceed) =>
        isDown ? Promise.reject(new Error('down')) : proceed(),
      );
      const { tracker, work, fn, reports, aborted } = open(flaky);
      const run = tracker.executeRun(RUN, fn, { heartbeatMs: 1000 });
      await vi.advanceTimersByTimeAsync(500);
      isDown = true;
      await vi.advanceTimersByTimeAsync(2000);
      const info = { operation: 'update', record: 'run', id: 'r1', work: 'running' };
      const report = { error: new Error('down'), info };
      expect(reports).toEqual([report, report]);
      isDown = false;
      await vi.advanceTimersByTimeAsync(1000);
      expect(store.runs.get('r1')?.updatedAt.getTime()).toBe(Date.now() - 500);
      expect(aborted()).toBe(false);
      work.resolve(undefined);
      await run;
      expect(store.runs.get('r1')?.status).toBe('completed');
    });

    it('never overlaps itself, and is awaited before the end is written', async () => {
      let beating = 0;
      let beats = 0;
      const order: string[] = [];
      const store = openStore();
      const slow = intercept(store, async ({ method, args }, proceed) => {
        const fields = args[1] as { status?: string; updatedAt?: Date } | undefined;
        if (method !== 'updateRun' || fields?.status) {
          if (fields?.status) order.push('end');
          return proceed();
        }
        beating += 1;
        beats += 1;
        expect(beating).toBe(1);
        await new Promise((resolve) => setTimeout(resolve, 2500));
        beating -= 1;
        order.push('beat');
        return proceed();
      });
      const { tracker, work, fn } = open(slow);
      const run = tracker.executeRun(RUN, fn, { heartbeatMs: 1000 });
      await vi.advanceTimersByTimeAsync(8200);
      expect(beats).toBe(3);
      work.resolve('done');
      await vi.advanceTimersByTimeAsync(10_000);
      expect(await run).toBe('done');
      expect(order).toEqual(['beat', 'beat', 'beat', 'end']);
    });

    it('that finds a cancellation when the work has failed already changes nothing', async () => {
      const store = openStore();
      const slow = intercept(store, async ({ args }, proceed) => {
        const fields = args[1] as { updatedAt?: Date; status?: string } | undefined;
        const isBeat = fields?.updatedAt && !fields.status;
        if (isBeat) await new Promise((resolve) => setTimeout(resolve, 500));
        return proceed();
      });
      const { tracker, work, fn, reports, aborted } = open(slow);
      const run = tracker.executeRun(RUN, fn, { heartbeatMs: 1000 });
      const settled = expect(run).rejects.toThrow('failed');
      await vi.advanceTimersByTimeAsync(1100);
      work.reject(new Error('failed'));
      await new RunTracker({ store }).cancelRun('r1', 'by hand');
      await vi.advanceTimersByTimeAsync(5000);
      await settled;
      expect(aborted()).toBe(false);
      expect(store.runs.get('r1')).toMatchObject({ status: 'cancelled', error: 'by hand' });
      expect(reports).toMatchObject([
        { error: { code: 'invalid_transition' }, info: { operation: 'fail', work: 'failed' } },
      ]);
    });

    it('beats also for a run that is held in memory at best effort', async () => {
      let isDown = true;
      const store = openStore();
      const flaky = intercept(store, (_call, proceed) =>
        isDown ? Promise.reject(new Error('down')) : proceed(),
      );
      const { tracker, work, fn } = open(flaky, { bestEffort: true });
      const run = tracker.executeRun(RUN, fn, { heartbeatMs: 1000 });
      await vi.advanceTimersByTimeAsync(1500);
      expect(store.runs.size).toBe(0);
      isDown = false;
      work.resolve('done');
      expect(await run).toBe('done');
      expect(store.runs.get('r1')).toMatchObject({ status: 'completed', durationMs: 1500 });
    });
  });
}

it('a heartbeat costs one store call on a conditional store', async () => {
  const { store, calls } = recorded(mapStore({ conditional: true, counters: true }));
  const { tracker, work, fn } = open(store);
  const run = tracker.executeRun(RUN, fn, { heartbeatMs: 1000 });
  await vi.advanceTimersByTimeAsync(3000);
  expect(calls.map(({ method }) => method)).toEqual(['insertRun', ...Array(3).fill('updateRun')]);
  work.resolve(undefined);
  await run;
});

it('a heartbeat of a record that is gone is reported, and the work goes on', async () => {
  const store = mapStore();
  const { tracker, work, fn, reports } = open(store);
  const run = tracker.executeRun(RUN, fn, { heartbeatMs: 1000 });
  await vi.advanceTimersByTimeAsync(500);
  store.runs.delete('r1');
  await vi.advanceTimersByTimeAsync(500);
  const message = 'Cannot update run "r1": it does not exist';
  expect(reports).toMatchObject([{ error: { code: 'not_found', message } }]);
  work.resolve('done');
  expect(await run).toBe('done');
});

it('a heartbeat needs no more of a timer than its number', async () => {
  const original = setTimeout;
  vi.stubGlobal('setTimeout', (callback: () => void, delay: number) =>
    Number(original(callback, delay)),
  );
  const store = mapStore();
  const { tracker, work, fn, reports } = open(store);
  const run = tracker.executeRun(RUN, fn, { heartbeatMs: 1000 });
  await vi.advanceTimersByTimeAsync(2000);
  work.resolve('done');
  expect(await run).toBe('done');
  expect(reports).toEqual([]);
  vi.unstubAllGlobals();
});

it('a heartbeat keeps no process alive by its timer', async () => {
  const unref = vi.fn();
  const original = setTimeout;
  vi.stubGlobal('setTimeout', (callback: () => void, delay: number) => {
    const timer = original(callback, delay);
    return Object.assign(Object(timer), { unref });
  });
  const { tracker, work, fn } = open(mapStore());
  const run = tracker.executeRun(RUN, fn, { heartbeatMs: 1000 });
  await vi.advanceTimersByTimeAsync(2000);
  expect(unref).toHaveBeenCalledTimes(3);
  work.resolve(undefined);
  await run;
  vi.unstubAllGlobals();
});
