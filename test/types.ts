/**
 * What compiles and what does not. `npm run typecheck` checks this file; nothing of it ever runs.
 */
import { expectTypeOf } from 'vitest';
import {
  type ActorType,
  type Call,
  type CallStatus,
  type CreateCallParams,
  type CreateRunParams,
  type CreateStepParams,
  calculateDuration,
  type FinishCallParams,
  type FinishParams,
  formatDuration,
  getRunSummary,
  isCallComplete,
  isRunComplete,
  isStepComplete,
  type LinkStepParams,
  mergeOutputIncrements,
  type OnTrackingError,
  type Payload,
  type RecordKind,
  type Redact,
  type Run,
  type RunStatus,
  type RunStore,
  RunsError,
  type RunsErrorCode,
  RunTracker,
  type RunTrackerOptions,
  type Step,
  type StepLink,
  type StepLinkStore,
  type StepLinkType,
  type StepProgress,
  type StepStatus,
  type TrackingErrorInfo,
  type TriggerType,
  type UpdateConditions,
  type UpdateRunConditions,
} from '../src/index.js';
import { MemoryStore } from '../src/memory.js';

declare const tracker: RunTracker;
declare const run: Run;
declare const step: Step;
declare const call: Call;

/** A store as applications wrote it for version 0.2: nine methods that resolve to nothing, and no conditions. */
export const plainStore: RunStore = {
  async insertRun(run: Run): Promise<void> {
    save(run);
  },
  async getRun(id: string): Promise<Run | null> {
    return load<Run>(id);
  },
  async updateRun(id: string, fields: Partial<Run>): Promise<void> {
    save({ id, ...fields });
  },
  async insertStep(step: Step): Promise<void> {
    save(step);
  },
  async getStep(id: string): Promise<Step | null> {
    return load<Step>(id);
  },
  async updateStep(id: string, fields: Partial<Step>): Promise<void> {
    save({ id, ...fields });
  },
  async insertCall(call: Call): Promise<void> {
    save(call);
  },
  async getCall(id: string): Promise<Call | null> {
    return load<Call>(id);
  },
  async updateCall(id: string, fields: Partial<Call>): Promise<void> {
    save({ id, ...fields });
  },
};
declare function save(row: object): void;
declare function load<R>(id: string): R | null;

/** The same as a class, of which every method is a promise of something else. */
export class TableStore implements RunStore {
  insertRun = async (run: Run): Promise<Run> => run;
  getRun = async (_id: string): Promise<Run | undefined> => undefined;
  updateRun = async (_id: string, _fields: Partial<Run>): Promise<{ changes: number }> => ({
    changes: 1,
  });
  insertStep = async (step: Step): Promise<Step> => step;
  getStep = async (_id: string): Promise<Step | undefined> => undefined;
  updateStep = async (_id: string, _fields: Partial<Step>): Promise<number> => 1;
  insertCall = async (call: Call): Promise<Call> => call;
  getCall = async (_id: string): Promise<Call | undefined> => undefined;
  updateCall = async (_id: string, _fields: Partial<Call>): Promise<boolean> => true;
}

/** One that holds an application's own columns, by closure. */
export function ownedStore(
  spaceId: string,
  insert: (row: Run & { spaceId: string }) => void,
): RunStore {
  return {
    ...plainStore,
    async insertRun(run) {
      insert({ ...run, spaceId });
    },
  };
}

/** One that has every optional ability. */
export const ableStore: RunStore = {
  ...plainStore,
  conditionalUpdates: true,
  async updateRun(_id: string, fields: Partial<Run>, conditions?: UpdateRunConditions) {
    expectTypeOf(conditions?.ifStatus).toEqualTypeOf<readonly RunStatus[] | undefined>();
    expectTypeOf(conditions?.ifError).toEqualTypeOf<string | undefined>();
    expectTypeOf(conditions?.mergeOutput).toEqualTypeOf<true | undefined>();
    return fields.status !== undefined;
  },
  async updateStep(_id: string, _fields: Partial<Step>, conditions?: UpdateConditions<StepStatus>) {
    // @ts-expect-error: only the outputs of runs are merged
    return conditions?.mergeOutput === true;
  },
  async incrementRunOutput(_id: string, increments: Record<string, number>, updatedAt: Date) {
    return increments[updatedAt.toISOString()] !== undefined;
  },
};

export const linkStore: StepLinkStore = {
  async insertStepLink(link: StepLink) {
    save(link);
  },
  async getStepLinks(_stepId: string) {
    return [];
  },
};

expectTypeOf<MemoryStore>().toExtend<RunStore>();
expectTypeOf<MemoryStore>().toExtend<StepLinkStore>();
expectTypeOf(new MemoryStore().updateRun('r1', {})).resolves.toEqualTypeOf<boolean>();
expectTypeOf(new MemoryStore().getRun('r1')).resolves.toEqualTypeOf<Run | null>();

// @ts-expect-error: a store without one of the nine methods
export const incomplete: RunStore = { ...plainStore, getCall: undefined };
// @ts-expect-error: a run that lacks fields
export const partial: Run = { id: 'r1', runType: 'sync', trigger: 'cron' };

// Payloads may be typed by interfaces, which have no index signature.
interface Charge {
  id: string;
  amount: number;
}
interface Charges {
  charges: Charge[];
  next?: string;
}
declare const charges: Charges;
class Cursor {
  readonly page = 1;
}

export async function interfacesAreAccepted(): Promise<void> {
  await tracker.createRun({ runType: 'sync', trigger: 'cron', input: charges });
  await tracker.finishRun('r1', { output: charges });
  await tracker.createStep('r1', { stepType: 'fetch', input: charges, context: new Cursor() });
  await tracker.finishStep('s1', { output: charges });
  await tracker.createCall('s1', {
    tool: 'api',
    operation: 'GET',
    input: charges,
    metadata: charges,
  });
  await tracker.finishCall('c1', { output: charges, metadata: new Cursor() });
  await tracker.executeRun({ runType: 'sync', trigger: 'cron', input: charges }, () => charges);
  await tracker.createRun({ runType: 'sync', trigger: 'cron', input: charges.charges });
  await tracker.createRun({ runType: 'sync', trigger: 'cron', input: null });
  // @ts-expect-error: a payload is an object
  await tracker.finishRun('r1', { output: 'done' });
  // @ts-expect-error: a payload is an object
  await tracker.createCall('s1', { tool: 'api', operation: 'GET', input: 5 });
  mergeOutputIncrements(charges, { fetched: 1 });
}

export async function missingIsUndefined(): Promise<void> {
  const run: Required<CreateRunParams> = {
    id: undefined,
    runType: 'sync',
    trigger: 'cron',
    actorType: undefined,
    actorId: undefined,
    input: undefined,
  };
  const step: Required<CreateStepParams> = {
    id: undefined,
    stepType: 'fetch',
    parentStepId: undefined,
    stepIndex: undefined,
    actorType: undefined,
    actorId: undefined,
    entityType: undefined,
    entityId: undefined,
    context: undefined,
    input: undefined,
    itemsTotal: undefined,
    retryOf: undefined,
    maxRetries: undefined,
  };
  const call: Required<CreateCallParams> = {
    id: undefined,
    tool: 'api',
    operation: 'GET',
    input: undefined,
    metadata: undefined,
    retryOf: undefined,
  };
  const link: Required<LinkStepParams> = {
    linkType: 'input',
    entityType: 'charge',
    entityId: 'ch_1',
    externalId: undefined,
  };
  const progress: Required<StepProgress> = {
    itemsTotal: undefined,
    itemsProcessed: undefined,
    itemsSucceeded: undefined,
    itemsFailed: undefined,
  };
  const finish: Required<FinishParams> = { output: undefined };
  const finishCall: Required<FinishCallParams> = { output: undefined, metadata: undefined };
  const options: Required<RunTrackerOptions> = {
    store: plainStore,
    linkStore: undefined,
    generateId: undefined,
    onTrackingError: undefined,
    bestEffort: undefined,
    redact: undefined,
    maxPayloadBytes: undefined,
    now: undefined,
  };
  const tracker = new RunTracker(options);
  await tracker.createRun(run);
  await tracker.createStep('r1', step);
  await tracker.createStep(null, { ...step, parentStepId: null, actorId: null, retryOf: null });
  await tracker.createCall('s1', call);
  await tracker.linkStep('s1', link);
  await tracker.updateStepProgress('s1', progress);
  await tracker.updateStepProgress('s1', { itemsTotal: null });
  await tracker.updateStepProgress('s1', {});
  await tracker.finishRun('r1', finish);
  await tracker.finishRun('r1', undefined);
  await tracker.finishStep('s1', undefined);
  await tracker.finishCall('c1', finishCall);
  await tracker.finishCall('c1');
  await tracker.cancelRun('r1', undefined);
  await tracker.cancelStep('s1');
  await tracker.skipStep('s1', undefined);
  await tracker.updateRunProgress('r1', null);
}

export async function wrongNamesDoNotCompile(): Promise<void> {
  // @ts-expect-error: no trigger of this name
  await tracker.createRun({ runType: 'sync', trigger: 'timer' });
  // @ts-expect-error: a run has a trigger
  await tracker.createRun({ runType: 'sync' });
  // @ts-expect-error: no parameter of this name
  await tracker.createRun({ runType: 'sync', trigger: 'cron', userId: 'u1' });
  // @ts-expect-error: no actor of this type
  await tracker.createRun({ runType: 'sync', trigger: 'cron', actorType: 'robot' });
  // @ts-expect-error: a step has a type
  await tracker.createStep('r1', {});
  // @ts-expect-error: a step has a run, or null
  await tracker.createStep(undefined, { stepType: 'fetch' });
  // @ts-expect-error: a call has a step
  await tracker.createCall(null, { tool: 'api', operation: 'GET' });
  // @ts-expect-error: a call has an operation
  await tracker.createCall('s1', { tool: 'api' });
  // @ts-expect-error: no link of this type
  await tracker.linkStep('s1', { linkType: 'touched', entityType: 'charge', entityId: 'ch_1' });
  // @ts-expect-error: counters are numbers
  await tracker.incrementRunOutput('r1', { fetched: '5' });
  // @ts-expect-error: progress is a number
  await tracker.updateStepProgress('s1', { itemsProcessed: '5' });
  // @ts-expect-error: only steps are skipped
  await tracker.skipRun('r1');
  // @ts-expect-error: no status of this name
  isRunComplete('done');
  // @ts-expect-error: a run is never skipped
  isRunComplete('skipped');
  // @ts-expect-error: a call ends in success
  isCallComplete('completed');
  // @ts-expect-error: a step completes
  isStepComplete('success');
  // @ts-expect-error: no status of this name
  await plainStore.updateRun('r1', { status: 'done' });
  // @ts-expect-error: no field of this name
  await plainStore.updateCall('c1', { updatedAt: new Date() });
  // @ts-expect-error: no status of this name
  await plainStore.updateStep('s1', {}, { ifStatus: ['success'] });
  // @ts-expect-error: no code of this name
  new RunsError('unknown', 'message');
  // @ts-expect-error: a tracker has a store
  new RunTracker({});
  // @ts-expect-error: no option of this name
  new RunTracker({ store: plainStore, retries: 3 });
}

export function resultsAreInferred(): void {
  const sync = { runType: 'sync', trigger: 'cron' } as const;
  const fetch = { stepType: 'fetch' };
  const get = { tool: 'api', operation: 'GET' };
  expectTypeOf(tracker.executeRun(sync, () => 5)).resolves.toEqualTypeOf<number>();
  expectTypeOf(tracker.executeRun(sync, async () => 5)).resolves.toEqualTypeOf<number>();
  expectTypeOf(tracker.executeRun(sync, () => charges)).resolves.toEqualTypeOf<Charges>();
  expectTypeOf(tracker.executeRun(sync, async () => charges)).resolves.toEqualTypeOf<Charges>();
  expectTypeOf(tracker.executeRun(sync, () => {})).resolves.toEqualTypeOf<void>();
  expectTypeOf(tracker.executeRun(sync, async () => {})).resolves.toEqualTypeOf<void>();
  expectTypeOf(tracker.executeStep('r1', fetch, () => 'a')).resolves.toEqualTypeOf<string>();
  expectTypeOf(tracker.executeStep(null, fetch, async () => [1])).resolves.toEqualTypeOf<
    number[]
  >();
  expectTypeOf(tracker.executeCall('s1', get, () => null)).resolves.toEqualTypeOf<null>();
  expectTypeOf(
    tracker.executeCall('s1', get, async () => charges),
  ).resolves.toEqualTypeOf<Charges>();

  interface Client {
    list(options?: { limit: number }): Promise<Charge[]>;
  }
  const client = {} as Client;
  expectTypeOf(tracker.executeCall('s1', get, client.list)).resolves.toEqualTypeOf<Charge[]>();

  const thenable = {} as PromiseLike<Charge>;
  expectTypeOf(tracker.executeCall('s1', get, () => thenable)).resolves.toEqualTypeOf<Charge>();

  tracker.executeRun(sync, (runId) => expectTypeOf(runId).toEqualTypeOf<string>());
  tracker.executeStep('r1', fetch, (stepId) => expectTypeOf(stepId).toEqualTypeOf<string>());
  // @ts-expect-error: the function of a call is given nothing
  tracker.executeCall('s1', get, (callId: string) => callId);

  const nested = tracker.executeRun(sync, (runId) =>
    tracker.executeStep(runId, fetch, (stepId) =>
      tracker.executeCall(stepId, get, async () => charges),
    ),
  );
  expectTypeOf(nested).resolves.toEqualTypeOf<Charges>();
}

export function methodsResolveTo(): void {
  expectTypeOf<RunTracker['createRun']>().returns.resolves.toEqualTypeOf<string>();
  expectTypeOf<RunTracker['createStep']>().returns.resolves.toEqualTypeOf<string>();
  expectTypeOf<RunTracker['createCall']>().returns.resolves.toEqualTypeOf<string>();
  expectTypeOf<RunTracker['linkStep']>().returns.resolves.toEqualTypeOf<string | null>();
  expectTypeOf<RunTracker['getStepLinks']>().returns.resolves.toEqualTypeOf<StepLink[]>();
  expectTypeOf<RunTracker['finishRun']>().returns.resolves.toEqualTypeOf<void>();
  expectTypeOf<RunTracker['incrementRunOutput']>().returns.resolves.toEqualTypeOf<void>();
  expectTypeOf(formatDuration).returns.toEqualTypeOf<string>();
  expectTypeOf(calculateDuration).returns.toEqualTypeOf<number | null>();
  expectTypeOf(getRunSummary(run)).toEqualTypeOf<string>();
  expectTypeOf(mergeOutputIncrements(run.output, { a: 1 })).toEqualTypeOf<Payload>();
  expectTypeOf(isRunComplete(run)).toEqualTypeOf<boolean>();
  expectTypeOf(isStepComplete(step.status)).toEqualTypeOf<boolean>();
  expectTypeOf(isCallComplete(call)).toEqualTypeOf<boolean>();
}

export function unionsAreComplete(): void {
  type Open = 'pending' | 'running';
  type Ended = 'completed' | 'failed' | 'cancelled';
  expectTypeOf<RunStatus>().toEqualTypeOf<Open | Ended>();
  expectTypeOf<StepStatus>().toEqualTypeOf<Open | Ended | 'skipped'>();
  expectTypeOf<CallStatus>().toEqualTypeOf<Open | 'success' | 'error'>();
  expectTypeOf<TriggerType>().toEqualTypeOf<
    'cron' | 'user' | 'webhook' | 'chat' | 'agent' | 'manual' | 'system'
  >();
  expectTypeOf<ActorType>().toEqualTypeOf<'user' | 'agent' | 'system'>();
  expectTypeOf<StepLinkType>().toEqualTypeOf<'input' | 'output' | 'affected'>();
  expectTypeOf<RecordKind>().toEqualTypeOf<'run' | 'step' | 'call'>();
  expectTypeOf<RunsErrorCode>().toEqualTypeOf<
    'not_found' | 'invalid_transition' | 'invalid_argument' | 'unsupported'
  >();
  expectTypeOf<TrackingErrorInfo['work']>().toEqualTypeOf<
    'not_started' | 'running' | 'succeeded' | 'failed'
  >();
}

export function recordsHaveEveryField(): void {
  expectTypeOf<keyof Run>().toEqualTypeOf<
    | ('id' | 'runType' | 'trigger' | 'actorType' | 'actorId' | 'status' | 'currentStep')
    | ('startedAt' | 'completedAt' | 'durationMs' | 'input' | 'output' | 'error')
    | ('createdAt' | 'updatedAt')
  >();
  expectTypeOf<keyof Step>().toEqualTypeOf<
    | ('id' | 'runId' | 'parentStepId' | 'stepIndex' | 'actorType' | 'actorId' | 'stepType')
    | ('status' | 'entityType' | 'entityId' | 'context' | 'input' | 'output')
    | ('itemsTotal' | 'itemsProcessed' | 'itemsSucceeded' | 'itemsFailed')
    | ('attempt' | 'retryOf' | 'maxRetries' | 'error')
    | ('startedAt' | 'completedAt' | 'durationMs' | 'createdAt' | 'updatedAt')
  >();
  expectTypeOf<keyof Call>().toEqualTypeOf<
    | ('id' | 'stepId' | 'tool' | 'operation' | 'input' | 'output' | 'status' | 'error')
    | ('attempt' | 'retryOf' | 'durationMs' | 'metadata' | 'createdAt')
  >();
  expectTypeOf<keyof StepLink>().toEqualTypeOf<
    'id' | 'stepId' | 'linkType' | 'entityType' | 'entityId' | 'externalId' | 'createdAt'
  >();
  // Nothing is undefined, nothing may be missing.
  expectTypeOf<Run>().toEqualTypeOf<Required<Run>>();
  expectTypeOf<Step>().toEqualTypeOf<Required<Step>>();
  expectTypeOf<Call>().toEqualTypeOf<Required<Call>>();
  expectTypeOf<
    Extract<Run[keyof Run] | Step[keyof Step] | Call[keyof Call], undefined>
  >().toBeNever();
  expectTypeOf<Run['output']>().toEqualTypeOf<Record<string, unknown> | null>();
  expectTypeOf<Step['context']>().toEqualTypeOf<Record<string, unknown> | null>();
  expectTypeOf<Call['metadata']>().toEqualTypeOf<Record<string, unknown> | null>();
}

type IsAny<T> = 0 extends 1 & T ? true : false;

/** Whether there is an `any` in a type: itself, in its members, parameters or results, some levels deep. */
type HasAny<T, Depth extends 0[] = []> =
  IsAny<T> extends true
    ? true
    : Depth['length'] extends 5
      ? false
      : T extends Date | AbortSignal
        ? false
        : T extends (...args: infer Args) => infer Result
          ? HasAny<Args[number], [...Depth, 0]> | HasAny<Result, [...Depth, 0]>
          : T extends Promise<infer Value>
            ? HasAny<Value, [...Depth, 0]>
            : T extends readonly (infer Item)[]
              ? HasAny<Item, [...Depth, 0]>
              : T extends Iterable<unknown> | AsyncIterable<unknown>
                ? false
                : T extends object
                  ? { [Name in keyof T]-?: HasAny<T[Name], [...Depth, 0]> }[keyof T]
                  : false;

/** The names of the members of a type in which there is an `any`. */
type AnyMembers<T> = {
  [Name in keyof T]-?: true extends HasAny<T[Name]> ? Name : never;
}[keyof T];

export function thereIsNoAny(): void {
  // The helper finds what it looks for.
  // biome-ignore lint/suspicious/noExplicitAny: something to find
  type Any = any;
  expectTypeOf<
    AnyMembers<{
      a: Any;
      b: () => Promise<Any[]>;
      c: (a: string, b: { c: Any }) => void;
      d: string;
    }>
  >().toEqualTypeOf<'a' | 'b' | 'c'>();

  expectTypeOf<AnyMembers<RunTracker>>().toBeNever();
  expectTypeOf<AnyMembers<RunTrackerOptions>>().toBeNever();
  expectTypeOf<AnyMembers<RunStore>>().toBeNever();
  expectTypeOf<AnyMembers<StepLinkStore>>().toBeNever();
  expectTypeOf<AnyMembers<MemoryStore>>().toBeNever();
  expectTypeOf<AnyMembers<Run & Step & Call>>().toBeNever();
  expectTypeOf<AnyMembers<StepLink>>().toBeNever();
  expectTypeOf<AnyMembers<CreateRunParams & CreateStepParams>>().toBeNever();
  expectTypeOf<AnyMembers<CreateCallParams & LinkStepParams>>().toBeNever();
  expectTypeOf<AnyMembers<FinishCallParams & StepProgress>>().toBeNever();
  expectTypeOf<AnyMembers<{ redact: Redact; hook: OnTrackingError }>>().toBeNever();
  expectTypeOf<AnyMembers<TrackingErrorInfo>>().toBeNever();
  expectTypeOf<AnyMembers<RunsError>>().toBeNever();
  type Exported = typeof import('../src/index.js');
  // Without the class of errors, which inherits static members from Node's types of Error.
  expectTypeOf<AnyMembers<Omit<Exported, 'RunsError'>>>().toBeNever();
}
