import { describe, expect, it } from 'vitest';
import type { CallStatus, StepStatus } from '../src/index.js';
import { MemoryStore } from '../src/memory.js';
import { aCall, aRun, aStep } from './support/records.js';
import { testTracker } from './support/trackers.js';

/** Minutes after twelve; the sweeps of these tests ask for what did not move since 12:10. */
const at = (minute: number) => new Date(Date.UTC(2026, 2, 1, 12, minute));
const error = `abandoned: no update since ${at(10).toISOString()}`;
const sweep = { before: at(10), error, now: at(30), limit: 1000 };
const old = { status: 'running', startedAt: at(1), createdAt: at(0), updatedAt: at(5) } as const;

describe('a sweep', () => {
  it('ends a run that did not move, with its steps and calls', async () => {
    const store = new MemoryStore();
    await store.insertRun(aRun({ ...old, currentStep: 'fetch', output: { fetched: 3 } }));
    await store.insertStep(aStep(old));
    await store.insertCall(aCall({ createdAt: at(2) }));
    expect(await store.closeStale(sweep)).toEqual({ runs: ['r1'], steps: ['s1'], calls: ['c1'] });
    const ended = { error, completedAt: at(30), updatedAt: at(30), durationMs: 29 * 60_000 };
    expect(await store.getRun('r1')).toEqual(
      aRun({ ...old, ...ended, status: 'failed', currentStep: null, output: { fetched: 3 } }),
    );
    expect(await store.getStep('s1')).toEqual(aStep({ ...old, ...ended, status: 'failed' }));
    expect(await store.getCall('c1')).toEqual(
      aCall({ createdAt: at(2), status: 'error', error, durationMs: 28 * 60_000 }),
    );
    expect(await store.closeStale(sweep)).toEqual({ runs: [], steps: [], calls: [] });
  });

  const NOTHING = { runs: [], steps: [], calls: [] };
  const CASES: Record<string, [fill: (store: MemoryStore) => Promise<void>, ids: object]> = {
    'leaves a run alone that moved': [
      (store) => store.insertRun(aRun({ ...old, updatedAt: at(10) })),
      NOTHING,
    ],
    'leaves a run alone in which a step moved, and ends another step of it': [
      async (store) => {
        await store.insertRun(aRun(old));
        await store.insertStep(aStep({ ...old, updatedAt: at(11) }));
        await store.insertStep(aStep({ ...old, id: 's2' }));
      },
      { ...NOTHING, steps: ['s2'] },
    ],
    'leaves a run alone in which a step has just ended': [
      async (store) => {
        await store.insertRun(aRun(old));
        await store.insertStep(aStep({ ...old, status: 'completed', updatedAt: at(11) }));
      },
      NOTHING,
    ],
    'leaves a run and a step alone in which a call was created': [
      async (store) => {
        await store.insertRun(aRun(old));
        await store.insertStep(aStep(old));
        await store.insertCall(aCall({ createdAt: at(11), status: 'success' }));
      },
      NOTHING,
    ],
    'leaves pending records alone': [
      async (store) => {
        await store.insertRun(aRun({ ...old, status: 'pending' }));
        await store.insertStep(aStep({ ...old, status: 'pending' }));
        await store.insertCall(aCall({ createdAt: at(1), status: 'pending' }));
      },
      NOTHING,
    ],
    'leaves what has ended alone': [
      async (store) => {
        await store.insertRun(aRun({ ...old, status: 'completed' }));
        await store.insertStep(aStep({ ...old, status: 'skipped' }));
        await store.insertCall(aCall({ createdAt: at(1), status: 'success' }));
      },
      NOTHING,
    ],
    'ends a step that stands alone': [
      (store) => store.insertStep(aStep({ ...old, runId: null })),
      { ...NOTHING, steps: ['s1'] },
    ],
    'ends the step of a run that has ended': [
      async (store) => {
        await store.insertRun(aRun({ ...old, status: 'completed', updatedAt: at(20) }));
        await store.insertStep(aStep(old));
      },
      { ...NOTHING, steps: ['s1'] },
    ],
    'ends an old call of a step that has ended, or is gone': [
      async (store) => {
        await store.insertStep(aStep({ ...old, status: 'failed', updatedAt: at(20) }));
        await store.insertCall(aCall({ createdAt: at(1) }));
        await store.insertCall(aCall({ id: 'c2', stepId: 'gone', createdAt: at(1) }));
      },
      { ...NOTHING, calls: ['c1', 'c2'] },
    ],
    'leaves an old call alone whose step goes on': [
      async (store) => {
        await store.insertStep(aStep({ ...old, updatedAt: at(20) }));
        await store.insertCall(aCall({ createdAt: at(1) }));
      },
      NOTHING,
    ],
    'leaves a new call alone, though its step has ended': [
      async (store) => {
        await store.insertStep(aStep({ ...old, status: 'failed' }));
        await store.insertCall(aCall({ createdAt: at(10) }));
      },
      NOTHING,
    ],
  };
  for (const [name, [fill, ids]] of Object.entries(CASES)) {
    it(name, async () => {
      const store = new MemoryStore();
      await fill(store);
      expect(await store.closeStale(sweep)).toEqual(ids);
    });
  }

  it('ends so many of each at most, the oldest first', async () => {
    const store = new MemoryStore();
    for (const minute of [3, 1, 2]) {
      const fields = { ...old, id: `${minute}`, createdAt: at(minute) };
      await store.insertRun(aRun(fields));
      await store.insertStep(aStep({ ...fields, runId: null }));
      await store.insertCall(
        aCall({ id: `${minute}`, stepId: `${minute}`, createdAt: at(minute) }),
      );
    }
    const first = await store.closeStale({ ...sweep, limit: 2 });
    expect(first).toEqual({ runs: ['1', '2'], steps: ['1', '2'], calls: ['1', '2'] });
    const second = await store.closeStale({ ...sweep, limit: 2 });
    expect(second).toEqual({ runs: ['3'], steps: ['3'], calls: ['3'] });
  });

  it('is overruled by the work, if that ends after all', async () => {
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
});
