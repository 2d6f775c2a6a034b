import { describe, expect, it } from 'vitest';
import type { RunStore } from '../src/index.js';
import { MemoryStore } from '../src/memory.js';
import { aCall, aRun, aStep } from './support/records.js';
import { intercept, mapStore, recorded } from './support/stores.js';
import { testTracker } from './support/trackers.js';

const STORES: Record<string, () => RunStore> = {
  MemoryStore: () => new MemoryStore(),
  'a conditional store': () => mapStore({ conditional: true }),
  'a plain store': () => mapStore(),
};
const SWEPT = 'abandoned: no update since 2026-03-01T11:00:00.000Z';
const STARTED = new Date('2026-03-01T11:59:58.500Z');
const swept = { status: 'failed', error: SWEPT, startedAt: STARTED, durationMs: 5 } as const;

for (const [name, open] of Object.entries(STORES)) {
  describe(`a record that was swept as abandoned, on ${name}`, () => {
    it('is ended by the one who did the work, once: a finish clears the error', async () => {
      const store = open();
      const { tracker, reports } = testTracker({ store });
      await store.insertRun(aRun({ ...swept, output: { counted: 1 } }));
      await store.insertStep(aStep(swept));
      await store.insertCall(aCall({ status: 'error', error: SWEPT, createdAt: STARTED }));
      await tracker.finishRun('r1', { output: { total: 1 } });
      await tracker.finishStep('s1');
      await tracker.finishCall('c1', { output: { rows: 1 } });
      const done = { error: null, durationMs: 1500 };
      const output = { counted: 1, total: 1 };
      expect(await store.getRun('r1')).toMatchObject({ status: 'completed', ...done, output });
      expect(await store.getStep('s1')).toMatchObject({ status: 'completed', ...done });
      expect(await store.getCall('c1')).toMatchObject({ status: 'success', ...done });
      await expect(tracker.failRun('r1', 'no')).rejects.toMatchObject({
        code: 'invalid_transition',
      });
      expect(reports).toEqual([]);
    });

    it('takes the observed failure, cancellation or skip in the place of the inferred one', async () => {
      const store = open();
      const { tracker, reports } = testTracker({ store });
      await store.insertRun(aRun(swept));
      await tracker.failRun('r1', new Error('timeout'));
      expect(await store.getRun('r1')).toMatchObject({ status: 'failed', error: 'timeout' });
      await store.insertRun(aRun({ ...swept, id: 'r2' }));
      await tracker.cancelRun('r2');
      expect(await store.getRun('r2')).toMatchObject({ status: 'cancelled', error: null });
      await store.insertStep(aStep(swept));
      await tracker.skipStep('s1', 'late');
      expect(await store.getStep('s1')).toMatchObject({ status: 'skipped', error: null });
      expect(reports).toEqual([]);
    });

    it('is not started again', async () => {
      const store = open();
      const { tracker } = testTracker({ store });
      await store.insertRun(aRun(swept));
      await expect(tracker.startRun('r1')).rejects.toMatchObject({ code: 'invalid_transition' });
    });

    it('is recognised by the exact form of its error only', async () => {
      for (const [status, error] of [
        ['failed', `${SWEPT} `],
        ['failed', `x${SWEPT}`],
        ['failed', 'abandoned: no update since yesterday'],
        ['failed', 'abandoned: no update since 2026-03-01T11:00:00Z'],
        ['failed', null],
        ['cancelled', 'abandoned'],
      ] as const) {
        const store = open();
        const { tracker } = testTracker({ store });
        await store.insertRun(aRun({ status, error }));
        await expect(tracker.finishRun('r1')).rejects.toMatchObject({ code: 'invalid_transition' });
        expect(await store.getRun('r1')).toEqual(aRun({ status, error }));
      }
    });
  });
}

describe('work whose record is swept while it runs', () => {
  it('ends its run, its step and its call all the same', async () => {
    const store = mapStore({ conditional: true });
    const { tracker, reports } = testTracker({ store });
    const sweep = (rows: Map<string, object>, status: string) => {
      for (const row of rows.values()) Object.assign(row, { status, error: SWEPT });
    };
    await tracker.executeRun({ id: 'r1', runType: 'sync', trigger: 'cron' }, (runId) =>
      tracker.executeStep(runId, { id: 's1', stepType: 'fetch' }, (stepId) =>
        tracker.executeCall(stepId, { id: 'c1', tool: 'api', operation: 'GET' }, async () => {
          sweep(store.runs, 'failed');
          sweep(store.steps, 'failed');
          sweep(store.calls, 'error');
          return 'done';
        }),
      ),
    );
    const done = { error: null, output: { result: 'done' } };
    expect(store.runs.get('r1')).toMatchObject({ status: 'completed', ...done });
    expect(store.steps.get('s1')).toMatchObject({ status: 'completed', ...done });
    expect(store.calls.get('c1')).toMatchObject({ status: 'success', ...done });
    expect(reports).toEqual([]);
  });

  it('replaces the sweep in one conditional write, so that only one of two wins', async () => {
    const { store, calls } = recorded(mapStore({ conditional: true }));
    const { tracker } = testTracker({ store });
    await store.insertRun(aRun(swept));
    const outcomes = await Promise.allSettled([
      tracker.finishRun('r1'),
      tracker.failRun('r1', 'observed'),
    ]);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const update = calls.find(({ method }) => method === 'updateRun');
    expect(update?.args[2]).toEqual({ ifStatus: ['failed'], ifError: SWEPT });
  });

  it('hears when the store fails then', async () => {
    const store = intercept(mapStore({ conditional: true }), ({ method }, proceed) =>
      method === 'getRun' ? Promise.reject(new Error('gone')) : proceed(),
    );
    const { tracker, reports } = testTracker({ store });
    const value = await tracker.executeRun({ runType: 'sync', trigger: 'cron' }, async (runId) => {
      Object.assign(store.runs.get(runId) ?? {}, swept);
      return 1;
    });
    expect(value).toBe(1);
    expect(reports.map(({ info }) => info.work)).toEqual(['succeeded']);
  });
});
