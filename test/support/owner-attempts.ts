import type { PageQuery, RunQuery, StepQuery, StepRecordQuery } from '../../src/index.js';
import type { SqlRow } from '../../src/sql/dialect.js';
import type { SqlStore } from '../../src/sql/sql-store.js';
import { aCall, aLink, aRun, aStep, at, UNKNOWN_ID } from '../../src/testing/tables.js';
import { ALL, BEFORE, type Cursors, callId, linkId, NEW, runId, stepId } from './owner-records.js';

/** What a store can be asked to do. */
type Method = Exclude<keyof SqlStore, 'conditionalUpdates'>;

/** Does something with a store, and resolves to what came of it. */
export type Attempt = (store: SqlStore, cursors: Cursors) => Promise<unknown>;

/** What a promise came to, as far as a caller can tell. */
export async function outcomeOf(attempt: () => Promise<unknown>): Promise<unknown> {
  try {
    return { value: await attempt() };
  } catch (error) {
    const { name, message, code, errcode, detail, constraint } = error as Error & SqlRow;
    return { error: { name, message, code, errcode, detail, constraint } };
  }
}

/** One after the other. */
export async function inTurn<T>(items: readonly T[], act: (item: T) => Promise<unknown>) {
  const outcomes: unknown[] = [];
  for (const item of items) outcomes.push(await outcomeOf(() => act(item)));
  return outcomes;
}

/** All behind one that is on its way, so that they go to the database together. */
async function atOnce<T>(store: SqlStore, items: readonly T[], act: (item: T) => Promise<unknown>) {
  const first = store.updateRun(UNKNOWN_ID, { error: null });
  const outcomes = await Promise.all(items.map((item) => outcomeOf(() => act(item))));
  await first;
  return outcomes;
}

/** A write of several records of the same kind, each by itself and all together. */
function writing(
  ...acts: ((store: SqlStore, number: number) => Promise<unknown>)[]
): Record<string, Attempt> {
  return {
    'one after the other': async (store) => {
      const outcomes: unknown[] = [];
      for (const act of acts) outcomes.push(await inTurn(ALL, (number) => act(store, number)));
      return outcomes;
    },
    together: async (store) => {
      const outcomes: unknown[] = [];
      for (const act of acts) {
        outcomes.push(await atOnce(store, ALL, (number) => act(store, number)));
      }
      return outcomes;
    },
  };
}

/** Reads that change nothing, and so can share what they are tried on. */
function reading(read: (store: SqlStore, cursors: Cursors) => (() => Promise<unknown>)[]) {
  const attempt: Attempt = (store, cursors) => inTurn(read(store, cursors), (act) => act());
  return { 'with every argument': attempt };
}

const RUN_QUERIES: RunQuery[] = [
  {},
  { status: 'running' },
  { status: ['failed', 'cancelled'] },
  { status: ['running', 'completed'] },
  { runType: 'sync_stripe' },
  { trigger: 'cron' },
  { actorId: 'user_1' },
  { createdAfter: at(-10) },
  { createdBefore: NEW },
  { updatedBefore: BEFORE },
  { status: 'running', runType: 'sync_stripe', trigger: 'cron', actorId: 'user_1' },
];

/** Each query, and again on the page after the first of theirs. */
function paged<Q extends PageQuery>(queries: Q[], cursor: string): Q[] {
  return queries.flatMap((query) => [query, { ...query, limit: 1 }, { ...query, cursor }]);
}

/** Runs that both have, runs that only they have, and none, of which the lists are read. */
const RUN_IDS = [...[1, 2, 3, 7, 8].map(runId), null];
const STEP_QUERIES: StepQuery[] = [{}, { status: 'running' }, { status: ['completed', 'failed'] }];
const STEP_RECORD_QUERIES: StepRecordQuery[] = [
  {},
  ...[1, 3, 4, 8].map((number) => ({ stepId: stepId(number) })),
];

const SWEEP = { before: BEFORE, error: 'abandoned', now: NEW, limit: 1000 };
const sweeping =
  (changes: object): Attempt =>
  async (store) => {
    const { runs, steps, calls } = await store.closeStale({ ...SWEEP, ...changes });
    return [runs.sort(), steps.sort(), calls.sort()];
  };

/** What is tried of each method. A method without an attempt does not compile, and fails a test. */
export const ATTEMPTS: Record<Method, Record<string, Attempt>> = {
  migrate: {
    'on tables that are there': async (store) => [await store.migrate(), await store.listRuns()],
  },
  insertRun: writing((store, number) => store.insertRun(aRun({ id: runId(number) }))),
  insertStep: writing(
    (store, number) => store.insertStep(aStep({ id: stepId(number), runId: null })),
    (store, number) => store.insertStep(aStep({ id: stepId(20 + number), runId: runId(number) })),
  ),
  insertCall: writing(
    (store, number) => store.insertCall(aCall({ id: callId(number), stepId: stepId(1) })),
    (store, number) => store.insertCall(aCall({ id: callId(20 + number), stepId: stepId(number) })),
  ),
  insertStepLink: writing(
    (store, number) => store.insertStepLink(aLink({ id: linkId(number), stepId: stepId(1) })),
    (store, number) =>
      store.insertStepLink(aLink({ id: linkId(20 + number), stepId: stepId(number) })),
  ),
  getRun: reading((store) => ALL.map((number) => () => store.getRun(runId(number)))),
  getStep: reading((store) => ALL.map((number) => () => store.getStep(stepId(number)))),
  getCall: reading((store) => ALL.map((number) => () => store.getCall(callId(number)))),
  getStepLinks: reading((store) => ALL.map((number) => () => store.getStepLinks(stepId(number)))),
  updateRun: writing(
    (store, number) => store.updateRun(runId(number), {}),
    (store, number) => store.updateRun(runId(number), { currentStep: 'mine', updatedAt: NEW }),
    (store, number) =>
      store.updateRun(
        runId(number),
        { output: { mine: true } },
        { ifStatus: ['running', 'completed', 'failed'], mergeOutput: true },
      ),
    (store, number) =>
      store.updateRun(runId(number), { error: null, output: null }, { ifError: 'old' }),
  ),
  updateStep: writing(
    (store, number) => store.updateStep(stepId(number), {}),
    (store, number) => store.updateStep(stepId(number), { itemsTotal: 7 }),
    (store, number) =>
      store.updateStep(stepId(number), { output: { mine: 1 } }, { ifStatus: ['running'] }),
    // To a run that only they have, and to one that both have.
    (store, number) => store.updateStep(stepId(number), { runId: runId(8) }),
    (store, number) => store.updateStep(stepId(number), { runId: runId(1) }),
    (store, number) => store.updateStep(stepId(number), { error: null }, { ifError: 'old' }),
  ),
  updateCall: writing(
    (store, number) => store.updateCall(callId(number), {}),
    (store, number) => store.updateCall(callId(number), { metadata: { mine: true } }),
    (store, number) => store.updateCall(callId(number), { stepId: stepId(8) }),
    (store, number) =>
      store.updateCall(callId(number), { status: 'success' }, { ifStatus: ['running', 'error'] }),
    (store, number) => store.updateCall(callId(number), { error: null }, { ifError: 'old' }),
  ),
  incrementRunOutput: writing((store, number) =>
    store.incrementRunOutput(runId(number), { charges: 2, mine: 1 }, NEW),
  ),
  listRuns: reading((store, { runs }) =>
    paged(RUN_QUERIES, runs).map((query) => () => store.listRuns(query)),
  ),
  listSteps: reading((store, { steps }) =>
    RUN_IDS.flatMap((run) =>
      paged(STEP_QUERIES, steps).map((query) => () => store.listSteps(run, query)),
    ),
  ),
  listCalls: reading((store, { calls }) =>
    RUN_IDS.flatMap((run) =>
      paged(STEP_RECORD_QUERIES, calls).map((query) => () => store.listCalls(run, query)),
    ),
  ),
  listLinks: reading((store, { links }) =>
    RUN_IDS.flatMap((run) =>
      paged(STEP_RECORD_QUERIES, links).map((query) => () => store.listLinks(run, query)),
    ),
  ),
  closeStale: {
    'everything that is stale': sweeping({}),
    'one of each': sweeping({ limit: 1 }),
    'before any of mine': sweeping({ before: at(0) }),
  },
  deleteRuns: {
    'everything that has ended': (store) => store.deleteRuns({ completedBefore: BEFORE }),
    'one run': (store) => store.deleteRuns({ completedBefore: BEFORE, limit: 1 }),
    'before any of mine': (store) => store.deleteRuns({ completedBefore: at(0) }),
  },
};
