import type {
  Call,
  CallStatus,
  Run,
  RunStatus,
  Step,
  StepLink,
  StepStatus,
  TriggerType,
} from './types.js';

/** What must hold for an update to happen. Only stores with `conditionalUpdates` are given one. */
export interface UpdateConditions<Status extends string> {
  /** Update only while the stored status is one of these. */
  ifStatus?: readonly Status[];
  /** Update only while the stored error is exactly this text. */
  ifError?: string;
}

/** The conditions of a run's update. */
export interface UpdateRunConditions extends UpdateConditions<RunStatus> {
  /**
   * Lays the given `output` over the stored one instead of replacing it: one
   * level deep, the given members win, members that are null are kept.
   */
  mergeOutput?: true;
}

/**
 * The tables that a tracker writes to: nine methods, over your own database.
 *
 * What a tracker relies on: a promise resolves when the row is stored, and
 * rejects when it is not. Nothing is listed, deleted or queried by anything
 * but the primary key. Every method may also be called by several processes at
 * once.
 *
 * Two optional abilities make the guarantees hold across processes and save
 * round trips: {@link RunStore.conditionalUpdates} and
 * {@link RunStore.incrementRunOutput}. A store without them works.
 */
export interface RunStore {
  /**
   * Says that the three update methods honour their third argument, in one
   * atomic statement, and resolve to whether a row matched. Then exactly one of
   * several competing finishers wins, in whatever process each of them is.
   *
   * A wrapper around such a store must pass the third argument on and return
   * what it was given, or leave this unset.
   *
   * @default false
   */
  readonly conditionalUpdates?: boolean;

  /** Stores a new run whole. Rejects when the id exists already: this is what makes an own `id` idempotent. */
  insertRun(run: Run): Promise<unknown>;
  /** Resolves to the run as it is stored now, with every field, or to null (or undefined) for an unknown id. */
  getRun(id: string): Promise<Run | null | undefined>;
  /**
   * Changes the given fields of a run and leaves the others alone.
   *
   * @param conditions given only to stores with `conditionalUpdates`, which
   * resolve to whether a row matched; `false` for an unknown id too
   */
  updateRun(id: string, fields: Partial<Run>, conditions?: UpdateRunConditions): Promise<unknown>;

  /** Stores a new step whole. Rejects when the id exists already. */
  insertStep(step: Step): Promise<unknown>;
  /** Resolves to the step as it is stored now, with every field, or to null (or undefined) for an unknown id. */
  getStep(id: string): Promise<Step | null | undefined>;
  /** Changes the given fields of a step and leaves the others alone; conditions as for runs. */
  updateStep(
    id: string,
    fields: Partial<Step>,
    conditions?: UpdateConditions<StepStatus>,
  ): Promise<unknown>;

  /** Stores a new call whole. Rejects when the id exists already. */
  insertCall(call: Call): Promise<unknown>;
  /** Resolves to the call as it is stored now, with every field, or to null (or undefined) for an unknown id. */
  getCall(id: string): Promise<Call | null | undefined>;
  /** Changes the given fields of a call and leaves the others alone; conditions as for runs. */
  updateCall(
    id: string,
    fields: Partial<Call>,
    conditions?: UpdateConditions<CallStatus>,
  ): Promise<unknown>;

  /**
   * Adds to numbers in a run's output, in the database, in one atomic
   * statement: a member that is missing or no number counts as 0, and the other
   * members stay. Sets `updatedAt`. Resolves to `false` for an unknown run.
   *
   * With it, increments from several processes all count. Without it a tracker
   * reads, adds and writes, one increment of a run after the other.
   */
  incrementRunOutput?(
    id: string,
    increments: Record<string, number>,
    updatedAt: Date,
  ): Promise<boolean>;

  /**
   * Ends stale records with an error, in one transaction, and resolves to their
   * ids. Checks what is stale in the very statements that write, so that a
   * heartbeat in between saves the record.
   *
   * - A running run is stale when neither it nor a step of it was updated since
   *   `before`, and no call was created in it.
   * - A running step is stale when it was not updated since, and no call was
   *   created in it; whatever its run.
   * - A running call is stale when it is older than that, and its step has ended or is stale.
   */
  closeStale?(sweep: StaleSweep): Promise<StaleIds>;
}

/** What ends records that are stale. */
export interface StaleSweep {
  /** Records that did not move since this time are stale. */
  before: Date;
  /** What becomes their `error`; runs and steps become `failed`, calls `error`. */
  error: string;
  /** The time that becomes their `completedAt` and `updatedAt`, and gives their durations. */
  now: Date;
  /** How many runs, steps and calls at most, of each the oldest first. */
  limit: number;
}

/** The ids of the records that a sweep has ended. */
export interface StaleIds {
  runs: string[];
  steps: string[];
  calls: string[];
}

/** Where step links are kept: optional, and apart from {@link RunStore}. */
export interface StepLinkStore {
  /** Stores a new link. */
  insertStepLink(link: StepLink): Promise<unknown>;
  /** Resolves to the links of a step, oldest first; empty when there are none. */
  getStepLinks(stepId: string): Promise<StepLink[]>;
}

/** One page of a list. */
export interface Page<T> {
  items: T[];
  /** Where the next page begins; `null` on the last one. */
  nextCursor: string | null;
}

/** Which page of a list. */
export interface PageQuery {
  /** How many items at most, from 1 to 500; a page also ends at about 4 MB of payload. @default 50 */
  limit?: number | undefined;
  /** The `nextCursor` of the page before. */
  cursor?: string | undefined;
}

/** Which runs, and which page of them. What is left out is not asked for. */
export interface RunQuery extends PageQuery {
  /** One status, or several. An empty list finds nothing. */
  status?: RunStatus | readonly RunStatus[] | undefined;
  runType?: string | undefined;
  trigger?: TriggerType | undefined;
  actorId?: string | undefined;
  /** Only runs created later than this. */
  createdAfter?: Date | undefined;
  /** Only runs created earlier than this. */
  createdBefore?: Date | undefined;
  /** Only runs last updated earlier than this. */
  updatedBefore?: Date | undefined;
}

/** Which steps of a run, and which page of them. */
export interface StepQuery extends PageQuery {
  /** One status, or several. An empty list finds nothing. */
  status?: StepStatus | readonly StepStatus[] | undefined;
}

/** Which calls or links of a run, and which page of them. */
export interface StepRecordQuery extends PageQuery {
  /** Only those of this step. */
  stepId?: string | undefined;
}

/**
 * Reads what was recorded: for viewers, reports and exports. Never writes.
 *
 * A cursor neither repeats nor skips a record while others are added. A cursor,
 * a limit or a filter that makes no sense rejects with a {@link RunsError},
 * `invalid_argument`.
 */
export interface RunReader {
  /** Resolves to the run, or to null (or undefined) for an unknown id. */
  getRun(id: string): Promise<Run | null | undefined>;
  /** Resolves to the step, or to null (or undefined) for an unknown id. */
  getStep(id: string): Promise<Step | null | undefined>;
  /** Resolves to the links of a step, oldest first. */
  getStepLinks?(stepId: string): Promise<StepLink[]>;
  /** Lists runs, newest first: by `createdAt`, then by `id`. */
  listRuns(query?: RunQuery): Promise<Page<Run>>;
  /** Lists the steps of a run, oldest first; with `null`, those that stand alone. */
  listSteps(runId: string | null, query?: StepQuery): Promise<Page<Step>>;
  /** Lists the calls of all steps of a run, oldest first; with `null`, those of steps that stand alone. */
  listCalls(runId: string | null, query?: StepRecordQuery): Promise<Page<Call>>;
  /** Lists the links of all steps of a run, oldest first; with `null`, those of steps that stand alone. */
  listLinks(runId: string | null, query?: StepRecordQuery): Promise<Page<StepLink>>;
}
