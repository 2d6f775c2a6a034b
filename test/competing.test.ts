import { describe, expect, it } from 'vitest';
import { RunsError, RunTracker } from '../src/index.js';
import { everyInterleaving } from './support/interleave.js';
import { aRun, aStep } from './support/records.js';
import { type MapStore, type MapStoreOptions, mapStore } from './support/stores.js';

type Act = (first: RunTracker, second: RunTracker) => Promise<void>;

const RUN_ENDS: Record<string, Act> = {
  completed: (first) => first.finishRun('r1', { output: { by: 'finish' } }),
  failed: (_first, second) => second.failRun('r1', 'by fail'),
  cancelled: (_first, second) => second.cancelRun('r1', 'by cancel'),
};
const STEP_ENDS: Record<string, Act> = {
  completed: (first) => first.finishStep('s1', { output: { by: 'finish' } }),
  skipped: (_first, second) => second.skipStep('s1', 'by skip'),
  cancelled: (_first, second) => second.cancelStep('s1', 'by cancel'),
};

const tracker = (store: MapStore) =>
  new RunTracker({
    store,
    onTrackingError: (error) => {
      throw error;
    },
  });

/** Lets the ends compete in every order; in each, exactly one must win, and the others must be told. */
async function compete(
  options: MapStoreOptions,
  status: 'pending' | 'running',
  ends: Record<string, Act>,
  trackersOf: (store: MapStore) => [RunTracker, RunTracker],
): Promise<number> {
  return everyInterleaving(
    async () => {
      const store = mapStore(options);
      await store.insertRun(aRun({ status, output: { counted: 1 } }));
      await store.insertStep(aStep({ status }));
      return store;
    },
    async (store, underlying) => {
      const [first, second] = trackersOf(store);
      const states: string[] = [];
      const isRun = 'failed' in ends;
      const record = () => (isRun ? underlying.runs.get('r1') : underlying.steps.get('s1'));
      const outcomes = await Promise.all(
        Object.entries(ends).map(([name, end]) =>
          end(first, second).then(
            () => {
              states.push(record()?.status ?? '');
              return name;
            },
            (error: unknown) => {
              states.push(record()?.status ?? '');
              if (!(error instanceof RunsError)) throw error;
              expect(error.code).toBe('invalid_transition');
              return undefined;
            },
          ),
        ),
      );
      const winners = outcomes.filter((name) => name !== undefined);
      expect(winners).toHaveLength(1);
      expect(record()?.status).toBe(winners[0]);
      // Nobody ever saw another end than the one that lasted.
      expect(new Set(states)).toEqual(new Set(winners));
      if (isRun) {
        const output = winners[0] === 'completed' ? { counted: 1, by: 'finish' } : { counted: 1 };
        expect(record()?.output).toEqual(output);
      }
    },
  );
}

describe('of several ends that compete, in every interleaving, exactly one wins', () => {
  for (const [what, ends] of [
    ['run', RUN_ENDS],
    ['step', STEP_ENDS],
  ] as const) {
    for (const status of ['pending', 'running'] as const) {
      it(`two trackers, a conditional store, a ${status} ${what}`, async () => {
        const options = { conditional: true, counters: true };
        const orders = await compete(options, status, ends, (store) => [
          tracker(store),
          tracker(store),
        ]);
        expect(orders).toBeGreaterThan(100);
      });

      it(`one tracker, a plain store, a ${status} ${what}, whoever comes first`, async () => {
        const winners = new Set<string>();
        for (const order of permutations(Object.entries(ends))) {
          await compete({}, status, Object.fromEntries(order), (store) => {
            const only = tracker(store);
            return [only, only];
          });
          winners.add(order[0]?.[0] ?? '');
        }
        expect(winners.size).toBe(3);
      });
    }
  }
});

function permutations<T>(items: T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) =>
    permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
  );
}

describe('work that ends while somebody ends its record, in every interleaving', () => {
  for (const [name, options] of [
    ['a conditional store', { conditional: true, counters: true }],
    ['a plain store', {}],
  ] as const) {
    it(`a cancellation on ${name} either wins or is refused, and the caller gets its value`, async () => {
      const seen = new Set<string>();
      const orders = await everyInterleaving(
        async () => mapStore(options),
        async (store, underlying) => {
          const reports: unknown[] = [];
          const only = new RunTracker({ store, onTrackingError: (error) => reports.push(error) });
          let cancelled: Promise<string> | undefined;
          const value = await only.executeRun(
            { id: 'r1', runType: 'sync', trigger: 'cron' },
            async (runId) => {
              cancelled = only.cancelRun(runId, 'by hand').then(
                () => 'won',
                () => 'refused',
              );
              await only.incrementRunOutput(runId, { counted: 1 });
              return 'value';
            },
          );
          expect(value).toBe('value');
          const outcome = (await cancelled) as string;
          seen.add(outcome);
          const run = underlying.runs.get('r1');
          expect(run?.output?.counted).toBe(1);
          expect(run?.status).toBe(outcome === 'won' ? 'cancelled' : 'completed');
          expect(run?.output?.result).toBe(outcome === 'won' ? undefined : 'value');
          expect(reports).toHaveLength(outcome === 'won' ? 1 : 0);
        },
      );
      expect(orders).toBeGreaterThan(0);
      expect(seen).toContain('won');
    });
  }
});

it('progress of a record that is being created, in every interleaving, is stored or not_found', async () => {
  const open = async () => mapStore({ conditional: true });
  const results = new Set<string>();
  await everyInterleaving(open, async (store, { runs, steps }) => {
    const [run, step] = await Promise.allSettled([
      tracker(store).updateRunProgress('r1', 'fetch'),
      tracker(store).updateStepProgress('s1', { itemsProcessed: 1 }),
      store.insertRun(aRun()),
      store.insertStep(aStep()),
    ]);
    const isStored = [
      runs.get('r1')?.currentStep === 'fetch',
      steps.get('s1')?.itemsProcessed === 1,
    ];
    expect(isStored).toEqual([run, step].map(({ status }) => status === 'fulfilled'));
    results.add(isStored.join());
  });
  expect(results.size).toBe(4);
});
