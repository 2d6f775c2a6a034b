import { describe, expect, it, vi } from 'vitest';
import { type RunStore, RunTracker } from '../src/index.js';
import { MemoryStore } from '../src/memory.js';
import { aCall, aRun, aStep } from './support/records.js';
import { intercept, mapStore } from './support/stores.js';
import { testTracker } from './support/trackers.js';

const STORES: Record<string, () => RunStore> = {
  MemoryStore: () => new MemoryStore(),
  'a conditional store without counters': () => mapStore({ conditional: true }),
  'a plain store': () => mapStore(),
};
const START = new Date('2026-03-01T12:00:00.000Z');
const END = new Date('2026-03-01T12:00:01.250Z');
const sync = { id: 'r1', runType: 'sync', trigger: 'cron' } as const;
const fetch = { id: 's1', stepType: 'fetch' } as const;
const get = { id: 'c1', tool: 'api', operation: 'GET /charges' } as const;

for (const [name, open] of Object.entries(STORES)) {
  describe(`on ${name}`, () => {
    it('a run, a step and a call are recorded from their start to their end', async () => {
      const store = open();
      const { tracker, clock } = testTracker({ store });
      const seen: unknown[] = [];
      await tracker.executeRun({ ...sync, input: { since: 1 } }, async (runId) => {
        seen.push(await store.getRun(runId));
        await tracker.executeStep(runId, { ...fetch, itemsTotal: 3 }, async (stepId) => {
          seen.push(await store.getStep(stepId), (await store.getRun(runId))?.currentStep);
          await tracker.executeCall(stepId, { ...get, metadata: { page: 1 } }, async () => {
            seen.push(await store.getCall('c1'));
            clock.at += 1250;
            return ['ch_1'];
          });
          return 1;
        });
        return { total: 1 };
      });
      const started = { status: 'running', startedAt: START } as const;
      expect(seen).toEqual([
        aRun({ ...started, input: { since: 1 } }),
        aStep({ ...started, itemsTotal: 3 }),
        'fetch',
        aCall({ metadata: { page: 1 } }),
      ]);
      const times = { startedAt: START, completedAt: END, updatedAt: END, durationMs: 1250 };
      const ended = { status: 'completed', ...times } as const;
      expect(await store.getRun('r1')).toEqual(
        aRun({ ...ended, input: { since: 1 }, output: { result: { total: 1 } } }),
      );
      expect(await store.getStep('s1')).toEqual(
        aStep({ ...ended, itemsTotal: 3, output: { result: 1 } }),
      );
      expect(await store.getCall('c1')).toMatchObject({
        ...aCall({ status: 'success', durationMs: 1250, metadata: { page: 1 } }),
        output: { result: ['ch_1'] },
      });
    });

    it('what is thrown is recorded at every level, and reaches the caller as it is', async () => {
      const store = open();
      const { tracker, reports } = testTracker({ store });
      const error = new Error('card declined');
      const failing = tracker.executeRun(sync, (runId) =>
        tracker.executeStep(runId, fetch, (stepId) =>
          tracker.executeCall(stepId, get, () => {
            throw error;
          }),
        ),
      );
      await expect(failing).rejects.toBe(error);
      const end = { error: 'card declined', output: null, durationMs: 0 };
      expect(await store.getRun('r1')).toMatchObject({ status: 'failed', ...end });
      expect(await store.getStep('s1')).toMatchObject({ status: 'failed', ...end });
      expect(await store.getCall('c1')).toMatchObject({ status: 'error', ...end });
      expect(reports).toEqual([]);
    });

    it('a result of null or undefined is no output; every other value is, false and 0 too', async () => {
      const store = open();
      const { tracker } = testTracker({ store });
      for (const value of [null, undefined, false, 0, '']) {
        const id = `call ${String(value)}`;
        const result = await tracker.executeCall('s1', { ...get, id }, () => value);
        expect(result).toBe(value);
        const output = value === null || value === undefined ? null : { result: value };
        expect((await store.getCall(id))?.output ?? null).toEqual(output);
      }
    });

    it('a step that its own work skipped, and that returns nothing, stays skipped in silence', async () => {
      const store = open();
      const { tracker, reports } = testTracker({ store });
      await tracker.executeStep(null, fetch, (stepId) => tracker.skipStep(stepId, 'nothing new'));
      expect(await store.getStep('s1')).toMatchObject({
        status: 'skipped',
        output: { reason: 'nothing new' },
        error: null,
      });
      expect(reports).toEqual([]);
    });

    it('a step that its own work skipped, and that returns a value or throws, is reported', async () => {
      const store = open();
      const { tracker, reports } = testTracker({ store });
      await tracker.executeStep(null, fetch, async (stepId) => {
        await tracker.skipStep(stepId);
        return 1;
      });
      const failing = tracker.executeStep(null, { ...fetch, id: 's2' }, async (stepId) => {
        await tracker.skipStep(stepId);
        throw new Error('late');
      });
      await expect(failing).rejects.toThrow('late');
      expect((await store.getStep('s1'))?.status).toBe('skipped');
      expect((await store.getStep('s2'))?.status).toBe('skipped');
      expect(reports.map(({ info }) => info)).toEqual([
        { operation: 'finish', record: 'step', id: 's1', work: 'succeeded' },
        { operation: 'fail', record: 'step', id: 's2', work: 'failed' },
      ]);
    });

    it('a run that its own work ended with its error, and then threw it, is no conflict', async () => {
      const store = open();
      const { tracker, reports } = testTracker({ store });
      const error = new Error('no');
      const failing = tracker.executeRun(sync, async (runId) => {
        await tracker.failRun(runId, error);
        throw error;
      });
      await expect(failing).rejects.toBe(error);
      expect(reports).toEqual([]);
    });

    it('a run that was cancelled stays cancelled when its work finishes late', async () => {
      const store = open();
      const { tracker, reports } = testTracker({ store });
      const value = await tracker.executeRun(sync, async (runId) => {
        await tracker.cancelRun(runId, 'by hand');
        return 'late';
      });
      expect(value).toBe('late');
      expect(await store.getRun('r1')).toMatchObject({
        status: 'cancelled',
        error: 'by hand',
        output: null,
      });
      expect(reports).toEqual([
        {
          error: expect.objectContaining({
            code: 'invalid_transition',
            message: 'Cannot finish run "r1": it is cancelled',
          }),
          info: { operation: 'finish', record: 'run', id: 'r1', work: 'succeeded' },
        },
      ]);
    });

    it('an end that is repeated with something to store is reported, and changes nothing', async () => {
      const store = open();
      const { tracker, reports } = testTracker({ store });
      await tracker.createRun(sync);
      await tracker.finishRun('r1', { output: { total: 1 } });
      await tracker.finishRun('r1');
      expect(reports).toEqual([]);
      await tracker.finishRun('r1', { output: { total: 2 } });
      await tracker.createStep(null, fetch);
      await tracker.failStep('s1', 'first');
      await tracker.failStep('s1', 'first');
      await tracker.failStep('s1', 'second');
      await tracker.createStep(null, { ...fetch, id: 's2' });
      await tracker.cancelStep('s2');
      await tracker.cancelStep('s2');
      await tracker.cancelStep('s2', 'why');
      await tracker.createCall('s1', get);
      await tracker.finishCall('c1');
      await tracker.finishCall('c1', { metadata: { page: 2 } });
      expect((await store.getRun('r1'))?.output).toEqual({ total: 1 });
      expect((await store.getStep('s1'))?.error).toBe('first');
      expect(reports.map(({ info }) => info)).toEqual([
        { operation: 'finish', record: 'run', id: 'r1', work: 'succeeded' },
        { operation: 'fail', record: 'step', id: 's1', work: 'failed' },
        { operation: 'cancel', record: 'step', id: 's2', work: 'running' },
        { operation: 'finish', record: 'call', id: 'c1', work: 'succeeded' },
      ]);
    });
  });
}

describe('fn', () => {
  const tracker = new RunTracker({ store: new MemoryStore() });

  it('receives the id and nothing more; that of a call receives nothing', async () => {
    const run = vi.fn();
    const step = vi.fn();
    const call = vi.fn();
    await tracker.executeRun({ runType: 'sync', trigger: 'cron' }, run);
    await tracker.executeStep(null, { stepType: 'fetch' }, step);
    await tracker.executeCall('s1', { tool: 'api', operation: 'GET' }, call);
    expect(run.mock.calls).toEqual([[expect.any(String)]]);
    expect(step.mock.calls).toEqual([[expect.any(String)]]);
    expect(call.mock.calls).toEqual([[]]);
  });

  it('may be synchronous, return a thenable, or throw at once', async () => {
    const call = { tool: 'api', operation: 'GET' };
    expect(await tracker.executeCall('s1', call, () => 1)).toBe(1);
    // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested
    const thenable = { then: (resolve: (value: number) => void) => resolve(2) };
    expect(await tracker.executeCall('s1', call, () => thenable as PromiseLike<number>)).toBe(2);
    const thrower = () => {
      throw undefined;
    };
    await expect(tracker.executeCall('s1', call, thrower)).rejects.toBeUndefined();
  });

  it('is not called when the start cannot be stored; the caller gets the error of the store', async () => {
    const veto = new Error('UNIQUE constraint failed: runs.active_key');
    const store = intercept(mapStore(), ({ method }, proceed) =>
      method.startsWith('insert') ? Promise.reject(veto) : proceed(),
    );
    const { tracker: vetoed, reports } = testTracker({ store });
    const fn = vi.fn();
    await expect(vetoed.executeRun(sync, fn)).rejects.toBe(veto);
    await expect(vetoed.executeStep('r1', fetch, fn)).rejects.toBe(veto);
    await expect(vetoed.executeCall('s1', get, fn)).rejects.toBe(veto);
    await expect(vetoed.createRun(sync)).rejects.toBe(veto);
    expect(fn).not.toHaveBeenCalled();
    expect(reports).toEqual([]);
  });
});
