import { describe, expect, it } from 'vitest';
import type { RunTracker } from '../src/index.js';
import { MemoryStore } from '../src/memory.js';
import { intercept, type MapStore, mapStore } from './support/stores.js';
import { testTracker } from './support/trackers.js';

const sync = { id: 'r1', runType: 'sync', trigger: 'cron' } as const;
const STORES = {
  'a plain store': {},
  'a conditional store': { conditional: true },
  'a conditional store that counts': { conditional: true, counters: true },
};

/** A store whose inserts fail while `isDown`; `commits` lets them through all the same. */
function flaky(
  options: object,
  commits = false,
): { store: MapStore; set: (down: boolean) => void } {
  let isDown = true;
  const store = intercept(mapStore(options), async ({ method }, proceed) => {
    if (!isDown || !method.startsWith('insert')) return proceed();
    if (commits) await proceed();
    throw new Error('down');
  });
  const set = (down: boolean) => {
    isDown = down;
  };
  return { store, set };
}

for (const [name, options] of Object.entries(STORES)) {
  describe(`at best effort, on ${name}`, () => {
    const work = async (tracker: RunTracker, runId: string) => {
      await Promise.all([1, 2, 3].map((n) => tracker.incrementRunOutput(runId, { counted: n })));
      await tracker.updateRunProgress(runId, 'by hand');
      return 'value';
    };

    it('what is counted while the record cannot be stored is stored with it in the end', async () => {
      const { store, set } = flaky(options);
      const { tracker, reports } = testTracker({ store, bestEffort: true });
      const value = await tracker.executeRun(sync, async (runId) => {
        const result = await work(tracker, runId);
        await tracker.executeStep(null, { id: 's1', stepType: 'fetch' }, async (stepId) => {
          await tracker.updateStepProgress(stepId, { itemsProcessed: 2 });
          await tracker.skipStep(stepId, 'nothing new');
          set(false);
        });
        return result;
      });
      expect(value).toBe('value');
      const output = { counted: 6, result: 'value' };
      expect(store.runs.get('r1')).toMatchObject({
        status: 'completed',
        currentStep: null,
        output,
      });
      expect(store.steps.get('s1')).toMatchObject({
        status: 'skipped',
        itemsProcessed: 2,
        output: { reason: 'nothing new' },
      });
      expect(reports.map(({ info }) => info)).toEqual([
        { operation: 'start', record: 'run', id: 'r1', work: 'not_started' },
        { operation: 'start', record: 'step', id: 's1', work: 'not_started' },
      ]);
    });

    it('what is counted under one name stays when another is counted after it', async () => {
      const { store, set } = flaky(options);
      const { tracker } = testTracker({ store, bestEffort: true });
      await tracker.executeRun(sync, async (runId) => {
        await tracker.incrementRunOutput(runId, { fetched: 1 });
        await tracker.incrementRunOutput(runId, { stored: 2 });
        set(false);
      });
      expect(store.runs.get('r1')?.output).toEqual({ fetched: 1, stored: 2 });
    });

    it('an insert that was committed after all is noticed, and the record ended normally', async () => {
      const { store, set } = flaky(options, true);
      const { tracker } = testTracker({ store, bestEffort: true });
      await tracker.executeRun(sync, (runId) => {
        set(false);
        return work(tracker, runId);
      });
      const output = { counted: 6, result: 'value' };
      expect(store.runs.get('r1')).toMatchObject({ status: 'completed', output });
    });

    it('an insert that was committed, and whose run others counted in, erases nothing', async () => {
      const { store, set } = flaky(options, true);
      const { tracker } = testTracker({ store, bestEffort: true });
      const { tracker: other } = testTracker({ store });
      await tracker.executeRun(sync, async (runId) => {
        set(false);
        await other.incrementRunOutput(runId, { theirs: 1 });
      });
      const run = { status: 'completed', output: { theirs: 1 } };
      expect(store.runs.get('r1')).toMatchObject(run);
    });

    it('what is counted while a run is stored at last is counted, too', async () => {
      const store = mapStore(options);
      let isFirst = true;
      const flaky = intercept(store, async ({ method }, proceed) => {
        for (let tick = 0; tick < 10; tick += 1) await null;
        const answer = await proceed();
        if (method === 'insertRun' && isFirst) {
          isFirst = false;
          throw new Error('the answer is lost');
        }
        return answer;
      });
      const { tracker } = testTracker({ store: flaky, bestEffort: true });
      const later: Promise<void>[] = [];
      await tracker.executeRun(sync, async (runId) => {
        await tracker.incrementRunOutput(runId, { n: 5 });
        later.push(
          (async () => {
            for (let count = 0; count < 40; count += 1) {
              for (let tick = 0; tick < 3; tick += 1) await null;
              later.push(tracker.incrementRunOutput(runId, { n: 1 }));
            }
          })(),
        );
      });
      await later[0];
      await Promise.all(later);
      expect(store.runs.get('r1')).toMatchObject({ status: 'completed', output: { n: 45 } });
    });

    it('another record with the same id is left alone, and that is reported', async () => {
      const store = mapStore(options);
      const { tracker, reports, clock } = testTracker({ store, bestEffort: true });
      await tracker.createRun(sync);
      const before = structuredClone(store.runs.get('r1'));
      clock.at += 1;
      expect(await tracker.executeRun(sync, (runId) => work(tracker, runId))).toBe('value');
      expect(store.runs.get('r1')).toEqual(before);
      expect(reports.map(({ error }) => (error as Error).message)).toEqual([
        'duplicate id r1',
        'Cannot finish run "r1": it does not exist',
      ]);
    });

    it('a parent is stored before its child, as soon as that is possible', async () => {
      const { store, set } = flaky(options);
      const { tracker } = testTracker({ store, bestEffort: true });
      await tracker.executeRun(sync, async (runId) => {
        await tracker.executeStep(runId, { id: 's1', stepType: 'outer' }, async (outer) => {
          set(false);
          const inner = { id: 's2', stepType: 'inner', parentStepId: outer };
          await tracker.executeStep(runId, inner, async () => {
            expect([...store.runs.keys(), ...store.steps.keys()]).toEqual(['r1', 's1', 's2']);
          });
        });
      });
      expect(store.runs.get('r1')?.status).toBe('completed');
      expect(store.steps.get('s1')?.status).toBe('completed');
      expect(store.steps.get('s2')?.status).toBe('completed');
    });

    it('a parent that can still not be stored before its child is reported once more', async () => {
      const { store } = flaky(options);
      const { tracker, reports } = testTracker({ store, bestEffort: true });
      await tracker.executeRun(sync, async (runId) => {
        reports.length = 0;
        await tracker.executeStep(runId, { id: 's1', stepType: 'fetch' }, () => {
          expect(reports.map(({ info }) => info)).toEqual([
            { operation: 'start', record: 'run', id: 'r1', work: 'running' },
            { operation: 'start', record: 'step', id: 's1', work: 'not_started' },
          ]);
        });
      });
    });

    it('children that start at once try the insert of their parent one after the other', async () => {
      const { store, set } = flaky(options);
      const { tracker, reports } = testTracker({ store, bestEffort: true });
      await tracker.executeRun(sync, async (runId) => {
        set(false);
        const children = ['s1', 's2', 's3'].map((id) =>
          tracker.executeStep(runId, { id, stepType: id }, () => {}),
        );
        const counts = [1, 2].map(() => tracker.incrementRunOutput(runId, { counted: 1 }));
        await Promise.all([...children, ...counts]);
      });
      expect(store.runs.get('r1')).toMatchObject({ status: 'completed', output: { counted: 2 } });
      expect(store.steps.size).toBe(3);
      expect(reports).toHaveLength(1);
    });

    it('a run that its work cancelled while it was held has no current step, and stays cancelled', async () => {
      const { store, set } = flaky(options);
      const { tracker, reports } = testTracker({ store, bestEffort: true });
      await tracker.executeRun(sync, async (runId) => {
        await tracker.cancelRun(runId, 'by hand');
        await tracker.executeStep(runId, { id: 's1', stepType: 'late' }, () => {});
        set(false);
      });
      const cancelled = { status: 'cancelled', currentStep: null, error: 'by hand' };
      expect(store.runs.get('r1')).toMatchObject(cancelled);
      expect(reports.at(-1)?.info).toMatchObject({ operation: 'finish', record: 'run' });
    });
  });
}

it('a step that is held is stored before a link to it', async () => {
  const memory = new MemoryStore();
  const { store, set } = flaky({});
  const { tracker } = testTracker({ store, linkStore: memory, bestEffort: true });
  await tracker.executeStep(null, { id: 's1', stepType: 'fetch' }, async (stepId) => {
    set(false);
    const link = { linkType: 'output', entityType: 'order', entityId: 'o1' } as const;
    await tracker.linkStep(stepId, link);
    expect(store.steps.has('s1')).toBe(true);
  });
  expect(await tracker.getStepLinks('s1')).toHaveLength(1);
});

it('a record that is made by hand still rejects', async () => {
  const { store } = flaky({});
  const { tracker } = testTracker({ store, bestEffort: true });
  await expect(tracker.createRun(sync)).rejects.toThrow('down');
});
