import { describe, expect, it } from 'vitest';
import { RunTracker, type TrackingErrorInfo } from '../src/index.js';
import { type MapStore, mapStore } from './support/stores.js';
import { failing, MODES, type Mode, nextPlan } from './support/subsets.js';

/**
 * A run that counts, around a step that tells its progress, around a call: for every subset of the store's calls that
 * fails.
 */

const STORES = {
  plain: {},
  conditional: { conditional: true },
  'conditional and counting': { conditional: true, counters: true },
};
type StoreKind = keyof typeof STORES;

interface Level {
  fnCalls: number;
  outcome?: { value: unknown } | { thrown: unknown };
  /** Whether the record stood as running in the store when the work began. */
  wasStored?: boolean;
}

interface Result {
  decisions: boolean[];
  failures: Error[];
  reports: { error: unknown; info: TrackingErrorInfo }[];
  levels: Record<'run' | 'step' | 'call', Level>;
  settled: { value: unknown } | { thrown: unknown };
  /** Failures that the work itself was told, and caught. */
  caught: unknown[];
  /** What was acknowledged to the work. */
  acknowledged: Set<'count' | 'progress'>;
  store: MapStore;
}

async function execute(
  planned: boolean[],
  mode: Mode,
  bestEffort: boolean,
  kind: StoreKind,
  succeeds: boolean,
): Promise<Result> {
  const store = mapStore(STORES[kind]);
  const { store: flaky, decisions, failures } = failing(store, planned, mode);
  const reports: Result['reports'] = [];
  const tracker = new RunTracker({
    store: flaky,
    bestEffort,
    onTrackingError: (error, info) => reports.push({ error, info }),
  });
  const levels: Result['levels'] = {
    run: { fnCalls: 0 },
    step: { fnCalls: 0 },
    call: { fnCalls: 0 },
  };
  const watch = async <T>(name: keyof Result['levels'], work: () => Promise<T>): Promise<T> => {
    const level = levels[name];
    level.fnCalls += 1;
    level.wasStored = store[`${name}s`].get(name)?.status === 'running';
    try {
      const value = await work();
      level.outcome = { value };
      return value;
    } catch (thrown) {
      level.outcome = { thrown };
      throw thrown;
    }
  };
  const caught: unknown[] = [];
  const acknowledged: Result['acknowledged'] = new Set();
  const note = (what: 'count' | 'progress', write: Promise<void>) =>
    write.then(
      () => void acknowledged.add(what),
      (error: unknown) => void caught.push(error),
    );
  const value = { charge: 'ch_1' };
  const thrown = new Error('card declined');
  const settled = await tracker
    .executeRun({ id: 'run', runType: 'sync', trigger: 'cron' }, (runId) =>
      watch('run', async () => {
        await note('count', tracker.incrementRunOutput(runId, { charges: 1 }));
        return tracker.executeStep(runId, { id: 'step', stepType: 'charge' }, (stepId) =>
          watch('step', async () => {
            await note('progress', tracker.updateStepProgress(stepId, { itemsProcessed: 1 }));
            return tracker.executeCall(stepId, { id: 'call', tool: 'api', operation: 'POST' }, () =>
              watch('call', () => (succeeds ? Promise.resolve(value) : Promise.reject(thrown))),
            );
          }),
        );
      }),
    )
    .then(
      (result) => ({ value: result }),
      (error: unknown) => ({ thrown: error }),
    );
  return { decisions, failures, reports, levels, settled, caught, acknowledged, store };
}

function check(result: Result, bestEffort: boolean, succeeds: boolean): void {
  const { failures, reports, levels, settled, caught, acknowledged, store, decisions } = result;
  const label = JSON.stringify(decisions.map(Number));
  const fail = (what: string): never => {
    throw new Error(`${what}, where ${label} of the store's calls failed`);
  };

  for (const [name, level] of Object.entries(levels)) {
    if (level.fnCalls > 1) fail(`the work of the ${name} was done twice`);
    if (level.fnCalls === 1 && !bestEffort && !level.wasStored) fail(`the ${name} ran unrecorded`);
    if (level.fnCalls === 0 && bestEffort) fail(`the ${name} did not run`);
  }

  // The caller gets what its work returned or threw; a start that was not stored rejects instead.
  const outcome = levels.run.outcome;
  if (outcome) {
    const expected = 'value' in outcome ? outcome.value : outcome.thrown;
    const actual = 'value' in settled ? settled.value : settled.thrown;
    if ('value' in outcome !== 'value' in settled || actual !== expected)
      fail('the outcome changed');
  } else if (!('thrown' in settled) || !failures.includes(settled.thrown as Error)) {
    fail('a run that was not started did not reject with the error of the store');
  }
  if (bestEffort && 'value' in settled !== succeeds) fail('tracking decided about the work');

  // Every failure is heard of exactly once, and nothing else is.
  const heard = [...reports.map(({ error }) => error), ...caught];
  if ('thrown' in settled && failures.includes(settled.thrown as Error)) heard.push(settled.thrown);
  for (const failure of failures) {
    const times = heard.filter((error) => error === failure).length;
    if (times !== 1) fail(`"${failure.message}" was heard of ${times} times`);
  }
  if (heard.length !== failures.length) fail('something was reported that did not fail');

  // Work is never recorded as ended otherwise than it did.
  for (const name of ['run', 'step', 'call'] as const) {
    const record = store[`${name}s`].get(name);
    const { outcome: own } = levels[name];
    if (!record) continue;
    const isRecordedFailed = record.status === 'failed' || record.status === 'error';
    const isRecordedDone = record.status === 'completed' || record.status === 'success';
    if (own && 'value' in own && isRecordedFailed)
      fail(`the ${name} succeeded, and is recorded as failed`);
    if (isRecordedDone && !(own && 'value' in own))
      fail(`the ${name} failed, and is recorded as done`);
    if (failures.length === 0 && !isRecordedDone && !isRecordedFailed)
      fail(`the ${name} never ended`);
  }

  // What was counted is there, once.
  const run = store.runs.get('run');
  const charges = run?.output?.charges ?? 0;
  if (charges !== 0 && charges !== 1) fail(`an increment counted ${charges} times`);
  if (run?.completedAt && acknowledged.has('count') && charges !== 1) fail('a count was lost');
  const step = store.steps.get('step');
  if (step?.completedAt && acknowledged.has('progress') && step.itemsProcessed !== 1) {
    fail('progress was lost');
  }
}

describe('every subset of the calls of the store fails', () => {
  let total = 0;
  for (const kind of ['plain', 'conditional', 'conditional and counting'] as const) {
    for (const mode of MODES) {
      for (const bestEffort of [false, true]) {
        it(`a ${kind} store ${mode}${bestEffort ? ', best effort' : ''}: nothing is lost, nothing is hidden`, async () => {
          for (const succeeds of [true, false]) {
            for (let plan: boolean[] | undefined = []; plan; total += 1) {
              const result = await execute(plan, mode, bestEffort, kind, succeeds);
              check(result, bestEffort, succeeds);
              plan = nextPlan(result.decisions);
            }
          }
        }, 60_000);
      }
    }
  }

  it('that is tens of thousands of cases', () => {
    console.info(`${total} cases of store failures`);
    expect(total).toBeGreaterThan(20_000);
  });
});
