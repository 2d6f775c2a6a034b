import { describe, expect, it } from 'vitest';
import { type CallStatus, RunsError, RunTracker, type StepStatus } from '../src/index.js';
import { MemoryStore } from '../src/memory.js';
import { aCall, aRun, aStep } from './support/records.js';
import { mapStore } from './support/stores.js';
import { testTracker } from './support/trackers.js';

/** Minutes after twelve; the sweeps of these tests ask for what did not move since 12:10. */
const at = (minute: number) => new Date(Date.UTC(2026, 2, 1, 12, minute));
const error = `abandoned: no update since ${at(10).toISOString()}`;
const sweep = { before: at(10), error, now: at(30), limit: 1000 };

it('a sweep is overruled by the work, if that ends after all', async () => {
  const store = new MemoryStore();
  const { tracker, clock, reports } = testTracker({ store });
  const statuses: (StepStatus | CallStatus | undefined)[] = [];
  await tracker.executeStep(null, { id: 's1', stepType: 'fetch' }, async (stepId) => {
    await tracker.executeCall(stepId, { id: 'c1', tool: 'api', operation: 'GET' }, async () => {
      clock.at += 3_600_000;
      const now = new Date(clock.at);
      expect(await store.closeStale({ ...sweep, before: now, now })).toMatchObject({
        steps: ['s1'],
        calls: ['c1'],
      });
      statuses.push((await store.getStep('s1'))?.status, (await store.getCall('c1'))?.status);
    });
  });
  statuses.push((await store.getStep('s1'))?.status, (await store.getCall('c1'))?.status);
  expect(statuses).toEqual(['failed', 'error', 'completed', 'success']);
  expect(await store.getStep('s1')).toMatchObject({ error: null });
  expect(reports).toEqual([]);
});

// `storeCases` cannot say this: in a store with foreign keys no step is missing.
it('a sweep of a MemoryStore ends an old call whose step is gone', async () => {
  const store = new MemoryStore();
  await store.insertCall(aCall({ stepId: 'gone', createdAt: at(1) }));
  expect(await store.closeStale(sweep)).toEqual({ runs: [], steps: [], calls: ['c1'] });
});

it('a sweep of a MemoryStore gives a step no field that is not one of steps', async () => {
  const store = new MemoryStore();
  const step = aStep({ runId: null, status: 'running', createdAt: at(1), updatedAt: at(1) });
  await store.insertStep(step);
  expect(await store.closeStale(sweep)).toMatchObject({ steps: [step.id] });
  expect(Object.keys((await store.getStep(step.id)) ?? {}).sort()).toEqual(
    Object.keys(step).sort(),
  );
});

describe('failStale', () => {
  const old = { status: 'running', startedAt: at(1), createdAt: at(0), updatedAt: at(5) } as const;
  const now = () => at(30);

  it('ends what has not moved for so long, and says since when', async () => {
    const store = new MemoryStore();
    await store.insertRun(aRun(old));
    await store.insertRun(aRun({ ...old, id: 'r2', updatedAt: at(10) }));
    await store.insertStep(aStep(old));
    await store.insertCall(aCall({ createdAt: at(2) }));
    const tracker = new RunTracker({ store, now });
    const closed = await tracker.failStale({ olderThanMs: 20 * 60_000 });
    expect(closed).toEqual({ runs: ['r1'], steps: ['s1'], calls: ['c1'] });
    const ended = { status: 'failed', error, completedAt: at(30), updatedAt: at(30) } as const;
    expect(await store.getRun('r1')).toEqual(aRun({ ...old, ...ended, durationMs: 29 * 60_000 }));
    expect(await store.getStep('s1')).toMatchObject(ended);
    expect(await store.getCall('c1')).toMatchObject({ status: 'error', error });
    expect(await store.getRun('r2')).toMatchObject({ status: 'running', error: null });
  });

  it('ends 1 000 of each at most, or as many as it is told', async () => {
    const store = new MemoryStore();
    for (let index = 0; index < 1500; index += 1) {
      await store.insertRun(aRun({ ...old, id: `r${index}` }));
    }
    const tracker = new RunTracker({ store, now });
    const sweep = async (limit?: number) =>
      (await tracker.failStale({ olderThanMs: 1, limit })).runs.length;
    expect([await sweep(10), await sweep(), await sweep(undefined)]).toEqual([10, 1000, 490]);
  });

  it('lets the work still end what it ended, once', async () => {
    const store = new MemoryStore();
    const tracker = new RunTracker({ store, now });
    await store.insertRun(aRun(old));
    await tracker.failStale({ olderThanMs: 1 });
    await tracker.finishRun('r1', { output: { rows: 2 } });
    expect(await store.getRun('r1')).toMatchObject({ status: 'completed', error: null });
    await expect(tracker.failRun('r1', 'late')).rejects.toMatchObject({
      code: 'invalid_transition',
    });
  });

  it('counts from 1970 at the earliest, however long it is asked for', async () => {
    const store = new MemoryStore();
    await store.insertRun(aRun(old));
    const olderThanMs = Number.MAX_SAFE_INTEGER;
    const closed = await new RunTracker({ store, now }).failStale({ olderThanMs });
    expect(closed.runs).toEqual([]);
  });

  it('rejects with what the store rejects with', async () => {
    const store = new MemoryStore();
    const lost = new Error('connection lost');
    store.closeStale = () => Promise.reject(lost);
    await expect(new RunTracker({ store }).failStale({ olderThanMs: 1 })).rejects.toBe(lost);
  });

  it('needs a store that sweeps and has conditional updates', async () => {
    const { closeStale } = new MemoryStore();
    for (const store of [mapStore({ conditional: true }), { ...mapStore(), closeStale }]) {
      const refused = new RunTracker({ store }).failStale({ olderThanMs: 1 });
      await expect(refused).rejects.toThrow(
        new RunsError('unsupported', 'Cannot fail stale records: the store has no closeStale'),
      );
    }
  });

  it('refuses times and limits that make no sense, and says which', async () => {
    const store = new MemoryStore();
    await store.insertRun(aRun(old));
    const tracker = new RunTracker({ store });
    for (const value of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '60' as never]) {
      const refused = { code: 'invalid_argument' };
      const time = tracker.failStale({ olderThanMs: value });
      await expect(time).rejects.toThrow(/^Cannot fail stale records: olderThanMs must be a whole/);
      await expect(time).rejects.toMatchObject(refused);
      const limit = tracker.failStale({ olderThanMs: 1, limit: value });
      await expect(limit).rejects.toThrow(/^Cannot fail stale records: limit must be a whole/);
      await expect(limit).rejects.toMatchObject(refused);
    }
    expect(await store.getRun('r1')).toMatchObject({ status: 'running' });
  });
});
