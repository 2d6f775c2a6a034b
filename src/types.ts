/**
 * The records that a tracker writes, and the parameters that create them.
 *
 * Every field of a record is always present: "nothing" is `null`, never
 * `undefined`. Times are `Date`, durations whole milliseconds.
 */

/** Where a run stands. `completed`, `failed` and `cancelled` are final. */
export type RunStatus = 'pending' | 'running' | 'completed' | 'failed' | 'cancelled';

/** Where a step stands: the statuses of a run, plus `skipped`, which is final too. */
export type StepStatus = RunStatus | 'skipped';

/** Where a call stands. `success` and `error` are final. */
export type CallStatus = 'pending' | 'running' | 'success' | 'error';

/** What set a run off. */
export type TriggerType = 'cron' | 'user' | 'webhook' | 'chat' | 'agent' | 'manual' | 'system';

/** Who is behind a run or a step. */
export type ActorType = 'user' | 'agent' | 'system';

/** What a step did with an entity: read it, produced it, or touched it in another way. */
export type StepLinkType = 'input' | 'output' | 'affected';

/** Which of the three levels a record is on. */
export type RecordKind = 'run' | 'step' | 'call';

/** A JSON object as it is stored. */
export type Payload = Record<string, unknown>;

/** A top-level execution: a sync, a chat turn, a cron task. */
export interface Run {
  id: string;
  runType: string;
  trigger: TriggerType;
  actorType: ActorType;
  actorId: string | null;
  status: RunStatus;
  /** The `stepType` of the step that started last; `null` before the first and after the end. */
  currentStep: string | null;
  startedAt: Date | null;
  completedAt: Date | null;
  /** From `startedAt` to `completedAt`; `null` while it runs, and when it never started. */
  durationMs: number | null;
  input: Payload | null;
  /** Counters and results, merged. */
  output: Payload | null;
  /** Why it failed or was cancelled; at most 8 192 characters. */
  error: string | null;
  createdAt: Date;
  updatedAt: Date;
}

/** An operation inside a run, or standing alone with `runId: null`. */
export interface Step {
  id: string;
  runId: string | null;
  parentStepId: string | null;
  stepIndex: number;
  actorType: ActorType;
  actorId: string | null;
  stepType: string;
  status: StepStatus;
  /** The one entity this step is about; step links name any number of them. */
  entityType: string | null;
  entityId: string | null;
  context: Payload | null;
  input: Payload | null;
  output: Payload | null;
  itemsTotal: number | null;
  itemsProcessed: number | null;
  itemsSucceeded: number | null;
  itemsFailed: number | null;
  /** Counts from 1. */
  attempt: number;
  /** The step that this one tries again. */
  retryOf: string | null;
  /** How many further attempts are allowed after the first. */
  maxRetries: number;
  error: string | null;
  startedAt: Date | null;
  completedAt: Date | null;
  durationMs: number | null;
  createdAt: Date;
  updatedAt: Date;
}

/** One invocation of a tool, an API or a database inside a step. */
export interface Call {
  id: string;
  stepId: string;
  tool: string;
  operation: string;
  input: Payload | null;
  output: Payload | null;
  status: CallStatus;
  error: string | null;
  /** Counts from 1. */
  attempt: number;
  /** The call that this one tries again. */
  retryOf: string | null;
  /** Counts from `createdAt`: a call is running as soon as it exists. */
  durationMs: number | null;
  metadata: Payload | null;
  createdAt: Date;
}

/** Says that a step touched an entity. */
export interface StepLink {
  id: string;
  stepId: string;
  linkType: StepLinkType;
  entityType: string;
  entityId: string;
  /** The entity's id in the system it came from. */
  externalId: string | null;
  createdAt: Date;
}

/** What a new run is told. */
export interface CreateRunParams {
  /** An id of your own. Creating the same id twice rejects, which makes creation idempotent. @default generateId() */
  id?: string | undefined;
  runType: string;
  trigger: TriggerType;
  /** @default 'system' */
  actorType?: ActorType | undefined;
  actorId?: string | null | undefined;
  input?: object | null | undefined;
}

/** What a new step is told. */
export interface CreateStepParams {
  /** An id of your own. Creating the same id twice rejects, which makes creation idempotent. @default generateId() */
  id?: string | undefined;
  stepType: string;
  /** The step that this one is part of. */
  parentStepId?: string | null | undefined;
  /** @default 0 */
  stepIndex?: number | undefined;
  /** @default 'system' */
  actorType?: ActorType | undefined;
  actorId?: string | null | undefined;
  entityType?: string | null | undefined;
  entityId?: string | null | undefined;
  context?: object | null | undefined;
  input?: object | null | undefined;
  itemsTotal?: number | null | undefined;
  /** The step that this one tries again: its `attempt` plus one becomes this one's. */
  retryOf?: string | null | undefined;
  /** @default 0 */
  maxRetries?: number | undefined;
}

/** What a new call is told. */
export interface CreateCallParams {
  /** An id of your own. Creating the same id twice rejects, which makes creation idempotent. @default generateId() */
  id?: string | undefined;
  tool: string;
  operation: string;
  input?: object | null | undefined;
  metadata?: object | null | undefined;
  /** The call that this one tries again: its `attempt` plus one becomes this one's. */
  retryOf?: string | null | undefined;
}

/** What a new link is told. */
export interface LinkStepParams {
  linkType: StepLinkType;
  entityType: string;
  entityId: string;
  externalId?: string | null | undefined;
}

/** How far a step got. A field that is missing stays as it was; `null` clears it. */
export interface StepProgress {
  itemsTotal?: number | null | undefined;
  itemsProcessed?: number | null | undefined;
  itemsSucceeded?: number | null | undefined;
  itemsFailed?: number | null | undefined;
}

/** What the end of a run or of a step is told. */
export interface FinishParams {
  output?: object | null | undefined;
}

/** What the end of a call is told. */
export interface FinishCallParams extends FinishParams {
  metadata?: object | null | undefined;
}
