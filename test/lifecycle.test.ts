import { describe, expect, it } from 'vitest';
import type { RunStatus, RunStore, RunTracker, StepStatus } from '../src/index.js';
import { MemoryStore } from '../src/memory.js';
import { aCall, aRun, aStep } from './support/records.js';
import { mapStore } from './support/stores.js';
import { testTracker } from './support/trackers.js';

const STORES: Record<string, () => RunStore> = {
  MemoryStore: () => new MemoryStore(),
  'a conditional store without counters': () => mapStore({ conditional: true }),
  'a plain store': () => mapStore(),
  'a plain store that counts': () => mapStore({ counters: true }),
};

const STARTED = new Date('2026-03-01T11:59:58.500Z');
const ENDED = new Date('2026-03-01T11:59:59.500Z');
const NOW = new Date('2026-03-01T12:00:00.000Z');

function standing(status: StepStatus) {
  if (status === 'pending') return { status } as const;
  if (status === 'running') return { status, startedAt: STARTED } as const;
  return { status, startedAt: STARTED, completedAt: ENDED, durationMs: 1000 } as const;
}

type Expected = 'ends' | 'starts' | 'stays' | 'is refused';

/** What each operation does to a record that stands at each status. */
const TABLE: Record<string, { target: StepStatus; do: Op }> = {
  start: { target: 'running', do: (t, kind, id) => t[`start${kind}`](id) },
  finish: { target: 'completed', do: (t, kind, id) => t[`finish${kind}`](id) },
  fail: { target: 'failed', do: (t, kind, id) => t[`fail${kind}`](id, 'boom') },
  cancel: { target: 'cancelled', do: (t, kind, id) => t[`cancel${kind}`](id) },
  skip: { target: 'skipped', do: (t, _kind, id) => t.skipStep(id) },
};
/** What is said of a record that does not allow an operation. */
function factOf(status: StepStatus): string {
  if (status === 'completed') return 'it already completed';
  return status === 'failed' ? 'it already failed' : `it is ${status}`;
}

type Op = (tracker: RunTracker, kind: 'Run' | 'Step', id: string) => Promise<void>;

function expectation(operation: string, target: StepStatus, status: StepStatus): Expected {
  if (status === target) return 'stays';
  if (status !== 'pending' && status !== 'running') return 'is refused';
  return operation === 'start' ? 'starts' : 'ends';
}

for (const [storeName, open] of Object.entries(STORES)) {
  describe(`on ${storeName}`, () => {
    for (const kind of ['Run', 'Step'] as const) {
      const statuses: StepStatus[] = ['pending', 'running', 'completed', 'failed', 'cancelled'];
      if (kind === 'Step') statuses.push('skipped');
      for (const [operation, { target, do: act }] of Object.entries(TABLE)) {
        if (operation === 'skip' && kind === 'Run') continue;
        for (const status of statuses) {
          const expected = expectation(operation, target, status);
          it(`${operation}${kind} of a ${status} ${kind.toLowerCase()}: it ${expected}`, async () => {
            const store = open();
            const { tracker, reports } = testTracker({ store });
            const fields = standing(status);
            const before =
              kind === 'Run'
                ? aRun({ ...fields, status: status as RunStatus, currentStep: 'fetch' })
                : aStep({ ...fields, runId: null });
            if (kind === 'Run') await store.insertRun(before as ReturnType<typeof aRun>);
            else await store.insertStep(before as ReturnType<typeof aStep>);

            const done = act(tracker, kind, before.id);
            if (expected === 'is refused') {
              await expect(done).rejects.toMatchObject({
                name: 'RunsError',
                code: 'invalid_transition',
                message: `Cannot ${operation} ${kind.toLowerCase()} "${before.id}": ${factOf(status)}`,
              });
            } else {
              await done;
            }

            const after = kind === 'Run' ? await store.getRun('r1') : await store.getStep('s1');
            const changes = {
              stays: {},
              'is refused': {},
              starts: { status: 'running', startedAt: NOW, updatedAt: NOW },
              ends: {
                status: target,
                completedAt: NOW,
                updatedAt: NOW,
                durationMs: status === 'running' ? 1500 : null,
                ...(operation === 'fail' && { error: 'boom' }),
                ...(kind === 'Run' && { currentStep: null }),
              },
            }[expected];
            expect(after).toEqual({ ...before, ...changes });
            // A second failure carries an error that is not stored.
            const isLost = expected === 'stays' && operation === 'fail';
            expect(reports).toHaveLength(isLost ? 1 : 0);
          });
        }
        it(`${operation}${kind} of an unknown ${kind.toLowerCase()} is not_found`, async () => {
          const { tracker } = testTracker({ store: open() });
          await expect(act(tracker, kind, 'nobody')).rejects.toMatchObject({
            code: 'not_found',
            message: `Cannot ${operation} ${kind.toLowerCase()} "nobody": it does not exist`,
          });
        });
      }
    }

    for (const status of ['pending', 'running', 'success', 'error'] as const) {
      for (const [operation, target] of [
        ['finish', 'success'],
        ['fail', 'error'],
      ] as const) {
        const open_ = status === 'pending' || status === 'running';
        const expected = status === target ? 'stays' : open_ ? 'ends' : 'is refused';
        it(`${operation}Call of a call at ${status}: it ${expected}`, async () => {
          const store = open();
          const { tracker } = testTracker({ store });
          const before = aCall({ status, createdAt: STARTED });
          await store.insertCall(before);
          const done =
            operation === 'finish' ? tracker.finishCall('c1') : tracker.failCall('c1', 'boom');
          if (expected === 'is refused') {
            await expect(done).rejects.toMatchObject({
              code: 'invalid_transition',
              message: `Cannot ${operation} call "c1": it is ${status}`,
            });
          } else {
            await done;
          }
          const error = operation === 'fail' ? { error: 'boom' } : {};
          const changes = expected === 'ends' ? { status: target, durationMs: 1500, ...error } : {};
          expect(await store.getCall('c1')).toEqual({ ...before, ...changes });
        });
      }
    }

    for (const status of ['pending', 'running', 'completed', 'failed', 'cancelled'] as const) {
      it(`increments apply to a ${status} run`, async () => {
        const store = open();
        const { tracker } = testTracker({ store });
        await store.insertRun(aRun({ status, output: { fetched: 1, note: 'kept' } }));
        await tracker.incrementRunOutput('r1', { fetched: 2, inserted: 3 });
        expect((await store.getRun('r1'))?.output).toEqual({
          fetched: 3,
          inserted: 3,
          note: 'kept',
        });
      });

      it(`progress applies to a ${status} step`, async () => {
        const store = open();
        const { tracker } = testTracker({ store });
        await store.insertStep(aStep({ status, itemsTotal: 9, itemsFailed: 1 }));
        await tracker.updateStepProgress('s1', {
          itemsProcessed: 4,
          itemsFailed: null,
          itemsSucceeded: undefined,
        });
        expect(await store.getStep('s1')).toEqual(
          aStep({ status, itemsTotal: 9, itemsProcessed: 4, itemsFailed: null, updatedAt: NOW }),
        );
      });
    }

    it('starting a step names it on a pending or running run', async () => {
      const store = open();
      const { tracker } = testTracker({ store });
      for (const status of ['pending', 'running'] as const) {
        await store.insertRun(aRun({ id: status, status }));
        const stepId = await tracker.createStep(status, { stepType: 'fetch' });
        expect((await store.getRun(status))?.currentStep).toBeNull();
        await tracker.startStep(stepId);
        expect((await store.getRun(status))?.currentStep).toBe('fetch');
        await tracker.updateRunProgress(status, 'by hand');
        expect((await store.getRun(status))?.currentStep).toBe('by hand');
        await tracker.updateRunProgress(status, null);
        expect((await store.getRun(status))?.currentStep).toBeNull();
      }
    });

    it('starting a step again, or one without a run, names it nowhere', async () => {
      const store = open();
      const { tracker, reports } = testTracker({ store });
      await store.insertRun(aRun({ status: 'running', currentStep: 'other' }));
      await store.insertStep(aStep({ status: 'running', startedAt: STARTED }));
      await tracker.startStep('s1');
      expect((await store.getRun('r1'))?.currentStep).toBe('other');
      await tracker.startStep(await tracker.createStep(null, { stepType: 'alone' }));
      expect(reports).toEqual([]);
    });

    it('a step that starts is the current step, whatever its type is called', async () => {
      const store = open();
      const { tracker } = testTracker({ store });
      await store.insertRun(aRun({ status: 'running', currentStep: 'other' }));
      await tracker.executeStep('r1', { stepType: '' }, async () => {
        expect((await store.getRun('r1'))?.currentStep).toBe('');
      });
    });

    it('increments of an unknown run are not_found', async () => {
      const { tracker } = testTracker({ store: open() });
      await expect(tracker.incrementRunOutput('nobody', { n: 1 })).rejects.toMatchObject({
        code: 'not_found',
        message: 'Cannot increment run "nobody": it does not exist',
      });
    });
  });
}

describe('on a store with conditional updates', () => {
  for (const status of ['completed', 'failed', 'cancelled'] as const) {
    it(`a ${status} run gets no current step any more`, async () => {
      const store = new MemoryStore();
      const { tracker, reports } = testTracker({ store });
      const ended = aRun(standing(status) as object);
      await store.insertRun(ended);
      await tracker.updateRunProgress('r1', 'late');
      await tracker.executeStep('r1', { stepType: 'late' }, () => {});
      await tracker.startStep(await tracker.createStep('r1', { stepType: 'late' }));
      expect(await store.getRun('r1')).toEqual(ended);
      expect(reports).toEqual([]);
    });
  }

  it('progress of an unknown run or step is not_found', async () => {
    const { tracker } = testTracker({ store: new MemoryStore() });
    for (const [kind, done] of [
      ['run', tracker.updateRunProgress('nobody', 'fetch')],
      ['step', tracker.updateStepProgress('nobody', { itemsProcessed: 1 })],
    ] as const) {
      await expect(done).rejects.toMatchObject({
        code: 'not_found',
        message: `Cannot update ${kind} "nobody": it does not exist`,
      });
    }
  });

  it('a plain store that says false of what it has changed is believed to have it', async () => {
    const store = mapStore();
    const { updateRun, updateStep } = store;
    store.updateRun = async (...args) => {
      await updateRun(...args);
      return false;
    };
    store.updateStep = async (...args) => {
      await updateStep(...args);
      return false;
    };
    const { tracker } = testTracker({ store });
    await store.insertRun(aRun());
    await store.insertStep(aStep());
    await tracker.updateRunProgress('r1', 'fetch');
    await tracker.updateStepProgress('s1', { itemsProcessed: 1 });
    expect(await store.getRun('r1')).toMatchObject({ currentStep: 'fetch' });
    expect(await store.getStep('s1')).toMatchObject({ itemsProcessed: 1 });
  });

  it('a store that keeps refusing what its reads allow is given up, with an error', async () => {
    const store = mapStore({ conditional: true });
    let refusals = 0;
    store.updateRun = async () => {
      refusals += 1;
      return false;
    };
    const { tracker } = testTracker({ store });
    for (const done of [
      () => tracker.startRun('r1'),
      () => tracker.finishRun('r1'),
      () => tracker.cancelRun('r1'),
    ]) {
      await store.insertRun(aRun({ status: 'pending' })).catch(() => {});
      refusals = 0;
      await expect(done()).rejects.toMatchObject({
        code: 'unsupported',
        message: expect.stringContaining('"r1": the store keeps refusing'),
      });
      expect(refusals).toBe(5);
    }
  });

  it('a start that loses against a cancellation in between is refused', async () => {
    const store = mapStore({ conditional: true });
    const { tracker } = testTracker({ store });
    await store.insertRun(aRun());
    const { getRun } = store;
    store.getRun = async (id) => {
      const run = await getRun(id);
      Object.assign(store.runs.get(id) ?? {}, { status: 'cancelled' });
      return run;
    };
    await expect(tracker.startRun('r1')).rejects.toMatchObject({
      code: 'invalid_transition',
      message: 'Cannot start run "r1": it is cancelled',
    });
  });

  it('a finish that is overtaken by the start still measures the duration', async () => {
    const store = mapStore({ conditional: true });
    const { tracker } = testTracker({ store });
    await store.insertRun(aRun());
    const { getRun } = store;
    store.getRun = async (id) => {
      const run = await getRun(id);
      store.getRun = getRun;
      Object.assign(store.runs.get(id) ?? {}, { status: 'running', startedAt: STARTED });
      return run;
    };
    await tracker.finishRun('r1');
    expect(store.runs.get('r1')).toMatchObject({ status: 'completed', durationMs: 1500 });
  });
});

it('what progress holds beside its counts is not stored', async () => {
  const store = mapStore();
  const { tracker } = testTracker({ store });
  await store.insertStep(aStep());
  const progress = { itemsTotal: 3, attempt: 9, status: 'completed' };
  await tracker.updateStepProgress('s1', progress);
  expect(store.steps.get('s1')).toEqual({ ...aStep(), itemsTotal: 3, updatedAt: NOW });
});

it('on a plain store that says so, progress of an unknown run or step is not_found', async () => {
  const store = mapStore();
  store.updateRun = async () => false;
  store.updateStep = async () => false;
  const { tracker } = testTracker({ store });
  await expect(tracker.updateRunProgress('r1', 'x')).rejects.toMatchObject({ code: 'not_found' });
  await expect(tracker.updateStepProgress('s1', {})).rejects.toMatchObject({ code: 'not_found' });
});

it('a status that the library does not know is left alone, and named', async () => {
  const store = mapStore();
  await store.insertRun(aRun({ status: 'queued' as RunStatus }));
  const { tracker } = testTracker({ store });
  await expect(tracker.finishRun('r1')).rejects.toMatchObject({
    code: 'invalid_transition',
    message: 'Cannot finish run "r1": it is queued',
  });
});
