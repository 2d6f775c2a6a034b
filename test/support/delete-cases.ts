import { expect } from 'vitest';
import type {
  DeleteRunsOptions,
  Run,
  RunReader,
  RunStore,
  StepLinkStore,
} from '../../src/index.js';
import { aLink } from '../../src/testing/tables.js';
import { aCall, aRun, aStep } from './records.js';

type DeletingStore = RunStore &
  StepLinkStore &
  RunReader & { deleteRuns(options: DeleteRunsOptions): Promise<number> };

const at = (minute: number) => new Date(Date.UTC(2026, 2, 1, 12, minute));
const completedBefore = at(10);

/** Inserts a run with a step, a call and a link, their ids made of the run's. */
async function insertJob(store: DeletingStore, id: string, fields: Partial<Run>): Promise<void> {
  const { status = 'completed', completedAt = at(5) } = fields;
  await store.insertRun(aRun({ id, status, completedAt, ...fields }));
  await insertStep(store, id, { runId: id });
}

async function insertStep(
  store: DeletingStore,
  id: string,
  fields: Parameters<typeof aStep>[0],
): Promise<void> {
  await store.insertStep(aStep({ id: `${id}-step`, status: 'running', ...fields }));
  await store.insertCall(aCall({ id: `${id}-call`, stepId: `${id}-step` }));
  await store.insertStepLink(aLink({ id: `${id}-link`, stepId: `${id}-step` }));
}

/** Which of the jobs are still there, whole; what is left of others is named by its kind. */
async function left(store: DeletingStore, ids: string[]): Promise<string[]> {
  const found: string[] = [];
  for (const id of ids) {
    const parts = {
      run: await store.getRun(id),
      step: await store.getStep(`${id}-step`),
      call: await store.getCall(`${id}-call`),
      link: (await store.getStepLinks(`${id}-step`))[0],
    };
    const kinds = Object.entries(parts).filter(([, part]) => part);
    const isWhole = kinds.length === 4 || (!parts.run && kinds.length === 3 && id === 'alone');
    found.push(...(isWhole ? [id] : kinds.map(([kind]) => `${kind} of ${id}`)));
  }
  return found;
}

/** What holds for `deleteRuns` of every store that has it. */
export function deleteCases(
  open: () => Promise<DeletingStore>,
): { name: string; run: () => Promise<void> }[] {
  const deleteCase = (name: string, use: (store: DeletingStore) => Promise<void>) => ({
    name: `deleteRuns: ${name}`,
    run: async () => use(await open()),
  });
  return [
    deleteCase('runs that ended before are deleted, with all that is under them', async (store) => {
      await insertJob(store, 'completed', {});
      await insertJob(store, 'failed', { status: 'failed' });
      await insertJob(store, 'cancelled', { status: 'cancelled' });
      await insertJob(store, 'on time', { completedAt: completedBefore });
      await insertJob(store, 'late', { completedAt: at(11) });
      const ids = ['completed', 'failed', 'cancelled', 'on time', 'late'];
      expect(await store.deleteRuns({ completedBefore })).toBe(3);
      expect(await left(store, ids)).toEqual(['on time', 'late']);
      expect(await store.deleteRuns({ completedBefore })).toBe(0);
    }),
    deleteCase('runs that have not ended stay, however old they are', async (store) => {
      await insertJob(store, 'pending', { status: 'pending', completedAt: null });
      await insertJob(store, 'running', { status: 'running', completedAt: null });
      expect(await store.deleteRuns({ completedBefore: at(59) })).toBe(0);
      expect(await left(store, ['pending', 'running'])).toEqual(['pending', 'running']);
    }),
    deleteCase('steps that stood alone and ended go too, and are not counted', async (store) => {
      const ended = { runId: null, status: 'skipped', completedAt: at(5) } as const;
      await insertStep(store, 'gone', ended);
      await insertStep(store, 'alone', { ...ended, completedAt: at(11) });
      await store.insertStep(aStep({ id: 'open-step', runId: null, status: 'running' }));
      await insertJob(store, 'other', { completedAt: at(11) });
      expect(await store.deleteRuns({ completedBefore })).toBe(0);
      expect(await left(store, ['gone', 'alone', 'open', 'other'])).toEqual([
        'alone',
        'step of open',
        'other',
      ]);
    }),
    deleteCase('an ended step of a run goes with its run, and not before', async (store) => {
      await store.insertRun(aRun({ id: 'r', status: 'running' }));
      await insertStep(store, 'r', { runId: 'r', status: 'completed', completedAt: at(1) });
      expect(await store.deleteRuns({ completedBefore })).toBe(0);
      expect(await left(store, ['r'])).toEqual(['r']);
    }),
    deleteCase('the limit is that of runs, those that ended first', async (store) => {
      for (const minute of [3, 1, 4, 2]) {
        await insertJob(store, `r${minute}`, { completedAt: at(minute) });
      }
      const ids = ['r1', 'r2', 'r3', 'r4'];
      expect(await store.deleteRuns({ completedBefore, limit: 2 })).toBe(2);
      expect(await left(store, ids)).toEqual(['r3', 'r4']);
      expect(await store.deleteRuns({ completedBefore, limit: 2 })).toBe(2);
      expect(await left(store, ids)).toEqual([]);
    }),
    deleteCase('a run with very many children goes as a whole', async (store) => {
      await insertJob(store, 'r', {});
      await insertJob(store, 'kept', { completedAt: at(11) });
      for (let start = 0; start < 2500; start += 500) {
        const ids = Array.from({ length: 500 }, (_, index) => `x${start + index}`);
        await Promise.all(ids.map((id) => store.insertCall(aCall({ id, stepId: 'r-step' }))));
      }
      const nested = aStep({ id: 'nested', runId: 'r', parentStepId: 'r-step' });
      await store.insertStep(nested);
      expect(await store.deleteRuns({ completedBefore })).toBe(1);
      expect(await left(store, ['r', 'kept'])).toEqual(['kept']);
      expect((await store.listCalls('r')).items).toEqual([]);
      expect((await store.listSteps('r')).items).toEqual([]);
    }),
    deleteCase('more runs than are deleted together go all the same', async (store) => {
      const ids = Array.from({ length: 150 }, (_, index) => `r${index}`);
      await Promise.all(ids.map((id) => insertJob(store, id, {})));
      expect(await store.deleteRuns({ completedBefore })).toBe(150);
      expect((await store.listRuns()).items).toEqual([]);
      expect(await left(store, ids.slice(98, 102))).toEqual([]);
    }),
    deleteCase('times and limits that make no sense are refused', async (store) => {
      await insertJob(store, 'r', {});
      const times = [undefined, null, '2026-03-01', 5, new Date(Number.NaN)];
      for (const time of times) {
        const refused = store.deleteRuns({ completedBefore: time as never });
        await expect(refused).rejects.toMatchObject({ code: 'invalid_argument' });
        await expect(refused).rejects.toThrow(/^Cannot delete runs: completedBefore must be a va/);
      }
      for (const limit of [0, -1, 1.5, Number.NaN, '5']) {
        const refused = store.deleteRuns({ completedBefore, limit: limit as never });
        await expect(refused).rejects.toMatchObject({ code: 'invalid_argument' });
        await expect(refused).rejects.toThrow(/^Cannot delete runs: limit must be a whole number/);
      }
      expect(await left(store, ['r'])).toEqual(['r']);
    }),
  ];
}
