/**
 * Times one way of tracking a job, in a process of its own:
 *
 *   node bench/subject.ts <name> call|nested     prints nanoseconds
 *
 * `call` is one tracked call, `nested` a run around a step around a call. Each
 * figure is the median of many rounds; the store starts each of them empty.
 */
import { SpanStatusCode, type Tracer } from '@opentelemetry/api';
import { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import { type RunStore, RunTracker } from '@systemoperator/runs';
import { MemoryStore } from '@systemoperator/runs/memory';

interface Subject {
  call: () => Promise<unknown>;
  nested: () => Promise<unknown>;
}

const REPETITIONS = 5_000;
const ROUNDS = 41;
const WARM_UP_ROUNDS = 20;

const work = async (): Promise<number> => 1;

/** A conditional store that does nothing at all. */
function noStore(): RunStore {
  const done = async (): Promise<void> => {};
  const matched = async (): Promise<boolean> => true;
  const none = async (): Promise<null> => null;
  return {
    conditionalUpdates: true,
    insertRun: done,
    getRun: none,
    updateRun: matched,
    insertStep: done,
    getStep: none,
    updateStep: matched,
    insertCall: done,
    getCall: none,
    updateCall: matched,
  };
}

/** A store over bare Maps that keeps what it is given. */
function mapStore(conditionalUpdates: boolean): RunStore {
  const table = <R extends { status: string }>() => {
    const rows = new Map<string, R>();
    return {
      insert: async (row: R & { id: string }) => {
        rows.set(row.id, row);
      },
      get: async (id: string) => rows.get(id),
      update: async (
        id: string,
        fields: Partial<R>,
        conditions?: { ifStatus?: readonly string[] },
      ) => {
        const row = rows.get(id);
        if (!row || conditions?.ifStatus?.includes(row.status) === false) return false;
        Object.assign(row, fields);
        return true;
      },
    };
  };
  const run = table<Parameters<RunStore['insertRun']>[0]>();
  const step = table<Parameters<RunStore['insertStep']>[0]>();
  const call = table<Parameters<RunStore['insertCall']>[0]>();
  return {
    conditionalUpdates,
    insertRun: run.insert,
    getRun: run.get,
    updateRun: run.update,
    insertStep: step.insert,
    getStep: step.get,
    updateStep: step.update,
    insertCall: call.insert,
    getCall: call.get,
    updateCall: call.update,
  };
}

function counterIds(): () => string {
  let count = 0;
  return () => {
    count += 1;
    return `id-${count}`;
  };
}

function tracked(tracker: RunTracker): Subject {
  const params = { tool: 'stripe_api', operation: 'GET /charges' };
  return {
    call: () => tracker.executeCall('step', params, work),
    nested: () =>
      tracker.executeRun({ runType: 'sync_stripe', trigger: 'cron' }, (runId) =>
        tracker.executeStep(runId, { stepType: 'fetch_charges' }, (stepId) =>
          tracker.executeCall(stepId, params, work),
        ),
      ),
  };
}

function spans(tracer: Tracer): Subject {
  const span = <T>(name: string, attributes: Record<string, string>, fn: () => Promise<T>) =>
    tracer.startActiveSpan(name, { attributes }, async (active) => {
      try {
        const value = await fn();
        active.setStatus({ code: SpanStatusCode.OK });
        return value;
      } catch (error) {
        active.recordException(error as Error);
        active.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        active.end();
      }
    });
  const call = () => span('call', { tool: 'stripe_api', operation: 'GET /charges' }, work);
  return {
    call,
    nested: () =>
      span('run', { runType: 'sync_stripe', trigger: 'cron' }, () =>
        span('step', { stepType: 'fetch_charges' }, call),
      ),
  };
}

const SUBJECTS: Record<string, () => Subject> = {
  none: () => ({ call: work, nested: async () => await (async () => await work())() }),
  opentelemetry: () => {
    const nothing = () => {};
    const resolved = async (): Promise<void> => {};
    const processor = {
      onStart: nothing,
      onEnd: nothing,
      shutdown: resolved,
      forceFlush: resolved,
    };
    return spans(new BasicTracerProvider({ spanProcessors: [processor] }).getTracer('bench'));
  },
  'no-op store': () => tracked(new RunTracker({ store: noStore() })),
  'conditional Map': () =>
    tracked(new RunTracker({ store: mapStore(true), generateId: counterIds() })),
  'plain Map': () => tracked(new RunTracker({ store: mapStore(false), generateId: counterIds() })),
  MemoryStore: () => tracked(new RunTracker({ store: new MemoryStore() })),
};

async function measure(open: () => Subject, operation: keyof Subject): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round += 1) {
    const perform = open()[operation];
    const start = process.hrtime.bigint();
    for (let count = 0; count < REPETITIONS; count += 1) await perform();
    const elapsed = Number(process.hrtime.bigint() - start) / REPETITIONS;
    if (round >= WARM_UP_ROUNDS) times.push(elapsed);
  }
  times.sort((a, b) => a - b);
  return times[Math.floor(ROUNDS / 2)] as number;
}

const name = process.argv[2] ?? '';
const open = SUBJECTS[name];
if (!open)
  throw new Error(`Unknown subject "${name}"; there are: ${Object.keys(SUBJECTS).join(', ')}`);
const operation = process.argv[3] as keyof Subject;
console.log(await measure(open, operation));
