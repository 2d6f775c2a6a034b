import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { RunTracker, type TrackingErrorInfo } from '../src/index.js';
import { type MapStore, mapStore } from './support/stores.js';
import { failing, MODES, type Mode, nextPlan } from './support/subsets.js';

/** A run around a step that is retried, times out or is aborted: for every subset of the store's calls that fails. */

const STORES = { plain: {}, conditional: { conditional: true } };

/** What an attempt of the step does. */
type Act = 'succeeds' | 'fails' | 'hangs' | 'is aborted';

/** Each scenario by what its attempts do, if it comes to them. */
const SCENARIOS: Act[][] = [
  ['fails', 'succeeds'],
  ['fails', 'fails'],
  ['hangs', 'succeeds'],
  ['hangs', 'hangs'],
  ['is aborted', 'succeeds'],
  ['fails', 'is aborted'],
];

interface Attempt {
  id: string;
  outcome: { value: unknown } | { thrown: unknown };
  wasStored: boolean;
}

interface Result {
  decisions: boolean[];
  failures: Error[];
  reports: { error: unknown; info: TrackingErrorInfo }[];
  attempts: Attempt[];
  runs: number;
  settled: { value: unknown } | { thrown: unknown };
  store: MapStore;
}

async function execute(
  acts: Act[],
  planned: boolean[],
  mode: Mode,
  bestEffort: boolean,
  kind: keyof typeof STORES,
): Promise<Result> {
  const store = mapStore(STORES[kind]);
  const { store: flaky, decisions, failures } = failing(store, planned, mode);
  const reports: Result['reports'] = [];
  const tracker = new RunTracker({
    store: flaky,
    bestEffort,
    onTrackingError: (error, info) => reports.push({ error, info }),
  });
  const controller = new AbortController();
  const attempts: Attempt[] = [];
  let runs = 0;
  const perform = async (id: string, signal: AbortSignal): Promise<unknown> => {
    const act = acts[attempts.length];
    const wasStored = store.steps.get(id)?.status === 'running';
    const value = { attempt: attempts.length };
    const thrown = new Error(`attempt ${attempts.length}`);
    const attempt: Attempt = { id, wasStored, outcome: { thrown } };
    attempts.push(attempt);
    if (act === 'succeeds') {
      attempt.outcome = { value };
      return value;
    }
    if (act === 'is aborted') controller.abort();
    if (act !== 'hangs') throw thrown;
    signal.addEventListener('abort', () => {
      attempt.outcome = { thrown: signal.reason };
    });
    return new Promise(() => {});
  };
  const options = {
    signal: controller.signal,
    retry: { maxAttempts: 2, delayMs: 0 },
    ...(acts.includes('hangs') ? { timeoutMs: 10 } : {}),
  };
  const settled = await tracker
    .executeRun({ id: 'run', runType: 'sync', trigger: 'cron' }, (runId) => {
      runs += 1;
      return tracker.executeStep(
        runId,
        { stepType: 'charge' },
        (id, { signal }) => perform(id, signal),
        options,
      );
    })
    .then(
      (value) => ({ value }),
      (thrown: unknown) => ({ thrown }),
    );
  return { decisions, failures, reports, attempts, runs, settled, store };
}

function check(result: Result, bestEffort: boolean, acts: Act[]): void {
  const { failures, reports, attempts, runs, settled, store, decisions } = result;
  const label = JSON.stringify(decisions.map(Number));
  const fail = (what: string): never => {
    throw new Error(`${what}, where ${label} of the store's calls failed`);
  };

  // No attempt is made twice, unrecorded, or after one that was not to be tried again.
  if (runs > 1) fail('the run was done twice');
  if (attempts.length > 2) fail('there were more attempts than allowed');
  if (new Set(attempts.map(({ id }) => id)).size < attempts.length) fail('attempts share a record');
  if (!bestEffort && attempts.some(({ wasStored }) => !wasStored))
    fail('an attempt ran unrecorded');
  if (acts[0] === 'is aborted' && attempts.length > 1) fail('what was aborted was tried again');
  if (bestEffort && attempts.length !== (acts[0] === 'is aborted' ? 1 : 2)) {
    fail('tracking decided about the work');
  }

  // The caller gets what the last attempt returned or threw; a start that was not stored rejects instead.
  const last = attempts.at(-1)?.outcome;
  const actual = 'value' in settled ? settled.value : settled.thrown;
  if (last) {
    const expected = 'value' in last ? last.value : last.thrown;
    if ('value' in last !== 'value' in settled || actual !== expected) fail('the outcome changed');
  } else if (!failures.includes(actual as Error)) {
    fail('what was not started did not reject with the error of the store');
  }

  // Every failure is heard of exactly once, and nothing else is.
  const heard = reports.map(({ error }) => error);
  if (failures.includes(actual as Error)) heard.push(actual);
  for (const failure of failures) {
    const times = heard.filter((error) => error === failure).length;
    if (times !== 1) fail(`"${failure.message}" was heard of ${times} times`);
  }
  if (heard.length !== failures.length) fail('something was reported that did not fail');

  // No attempt is recorded as ended otherwise than it did, and its place in the line is right.
  for (const [index, { id }] of attempts.entries()) {
    const act = acts[index];
    const expected =
      { succeeds: 'completed', 'is aborted': 'cancelled' }[act as string] ?? 'failed';
    const step = store.steps.get(id);
    if (!step && !bestEffort) fail('an attempt was lost');
    if (!step) continue;
    if (step.status !== expected && step.status !== 'running') {
      fail(`an attempt that ${act} is recorded as ${step.status}`);
    }
    if (failures.length === 0 && step.status === 'running') fail('an attempt never ended');
    if (step.attempt !== index + 1) fail(`attempt ${index + 1} is recorded as ${step.attempt}`);
    if (step.retryOf !== (attempts[index - 1]?.id ?? null)) fail('attempts are not linked');
    if (step.maxRetries !== 1) fail('maxRetries is wrong');
  }
}

describe('every subset of the calls of the store fails', () => {
  let total = 0;

  // Every delay is over at once, and every attempt that hangs times out at once.
  beforeAll(() => {
    vi.stubGlobal('setTimeout', (callback: () => void) => void queueMicrotask(callback));
  });
  afterAll(() => {
    vi.unstubAllGlobals();
  });

  for (const acts of SCENARIOS) {
    for (const kind of ['plain', 'conditional'] as const) {
      for (const bestEffort of [false, true]) {
        const how = bestEffort ? ', best effort' : '';
        it(`a step ${acts.join(', then ')}, on a ${kind} store${how}: nothing is lost, nothing is hidden`, async () => {
          for (const mode of MODES) {
            for (let plan: boolean[] | undefined = []; plan; total += 1) {
              const result = await execute(acts, plan, mode, bestEffort, kind);
              check(result, bestEffort, acts);
              plan = nextPlan(result.decisions);
            }
          }
        }, 60_000);
      }
    }
  }

  it('that is thousands of cases', () => {
    console.info(`${total} cases of store failures around attempts`);
    expect(total).toBeGreaterThan(5_000);
  });
});
