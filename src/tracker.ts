import type { Redact } from './capture.js';
import { createEngine, type Engine } from './engine.js';
import type { ExecuteItemsOptions, ItemsResult } from './items.js';
import type {
  ExecuteCallOptions,
  ExecuteContext,
  ExecuteRunOptions,
  ExecuteStepOptions,
} from './options.js';
import type { RunStore, StaleIds, StepLinkStore } from './store.js';
import type { OnTrackingError } from './tracking-errors.js';
import type {
  CreateCallParams,
  CreateRunParams,
  CreateStepParams,
  FinishCallParams,
  FinishParams,
  LinkStepParams,
  StepLink,
  StepProgress,
} from './types.js';

/** What a tracker is made of. */
export interface RunTrackerOptions {
  /** Your tables, or a ready store. */
  store: RunStore;
  /** Where step links are kept. Without it `linkStep` does nothing. */
  linkStore?: StepLinkStore | undefined;
  /** Makes the ids of new records. @default random UUIDs */
  generateId?: (() => string) | undefined;
  /**
   * Hears of every failure and refusal that the caller does not: a store that
   * fails after the work has succeeded, say. Never awaited; what it throws is ignored.
   *
   * @default prints one line with `console.error`
   */
  onTrackingError?: OnTrackingError | undefined;
  /**
   * `false`: `execute*` does no work whose start could not be stored. `true`: it
   * works all the same, and stores the record later if it can.
   *
   * @default false
   */
  bestEffort?: boolean | undefined;
  /** Takes out of payloads and errors what must not be stored. */
  redact?: Redact | undefined;
  /** How much UTF-8 JSON a payload may take, in bytes; what is larger is cut. @default 262144 */
  maxPayloadBytes?: number | undefined;
  /** The clock. @default () => new Date() */
  now?: (() => Date) | undefined;
}

/** Which records a sweep ends. */
export interface FailStaleOptions {
  /** How long a record has not moved, in milliseconds: several heartbeats, and longer than any silent piece of work. */
  olderThanMs: number;
  /** How many runs, steps and calls at most, of each. @default 1000 */
  limit?: number | undefined;
}

/**
 * Records runs, the steps inside them and the calls inside those, in a store of yours.
 *
 * Wrap a job in `executeRun`, `executeStep` and `executeCall`, or drive each
 * record by hand with `create*`, `start*`, `finish*`, `fail*` and `cancel*`.
 *
 * Methods that are driven by hand reject with the store's own error, and with a
 * {@link RunsError}: `not_found` for an unknown id, `invalid_transition` for a
 * record that ended in another way, `invalid_argument` for what cannot be
 * recorded. Ending a record again in the same way does nothing.
 *
 * @example
 * const tracker = new RunTracker({ store: new MemoryStore() });
 * await tracker.executeRun({ runType: 'sync_stripe', trigger: 'cron' }, async (runId) => {
 *   const charges = await tracker.executeStep(runId, { stepType: 'fetch_charges' }, fetchCharges);
 *   await tracker.incrementRunOutput(runId, { fetched: charges.length });
 * });
 */
export class RunTracker {
  readonly #engine: Engine;

  /** @throws {RunsError} `invalid_argument` for a `maxPayloadBytes` that is no finite number */
  constructor(options: RunTrackerOptions) {
    this.#engine = createEngine(options);
  }

  /** Records a run that is to start later, and resolves to its id. */
  createRun(params: CreateRunParams): Promise<string> {
    return this.#engine.create('run', null, params);
  }

  /** Starts a pending run. A run that is running already goes on, and keeps its `startedAt`. */
  startRun(id: string): Promise<void> {
    return this.#engine.start('run', id);
  }

  /**
   * Ends a run as completed. Its `output` is laid over what was counted: on equal
   * keys the output given here wins, everything else stays.
   */
  finishRun(id: string, params?: FinishParams): Promise<void> {
    return this.#engine.end('run', id, 'finish', params?.output);
  }

  /** Ends a run as failed, with a description of what was thrown. */
  failRun(id: string, error: unknown): Promise<void> {
    return this.#engine.end('run', id, 'fail', error);
  }

  /** Ends a run as cancelled; the reason becomes its `error`. */
  cancelRun(id: string, reason?: unknown): Promise<void> {
    return this.#engine.end('run', id, 'cancel', reason);
  }

  /** Sets the run's `currentStep`. An ended run has none, and is left alone. */
  updateRunProgress(id: string, currentStep: string | null): Promise<void> {
    return this.#engine.updateRunProgress(id, currentStep);
  }

  /**
   * Adds to counters in the run's output.
   *
   * Concurrent increments all count: in the database when the store can add
   * atomically, otherwise one after another within this tracker. A key that holds
   * no number yet starts at 0. Applies to ended runs too.
   *
   * @param increments finite numbers by counter name; may be negative
   * @throws {RunsError} `invalid_argument` for a value that is not a finite number, `not_found` for an unknown run
   */
  incrementRunOutput(id: string, increments: Record<string, number>): Promise<void> {
    return this.#engine.increment(id, increments);
  }

  /** Records a step that is to start later, and resolves to its id. */
  createStep(runId: string | null, params: CreateStepParams): Promise<string> {
    return this.#engine.create('step', runId, params);
  }

  /** Starts a pending step, and makes its `stepType` the run's `currentStep`. */
  startStep(id: string): Promise<void> {
    return this.#engine.start('step', id);
  }

  /** Ends a step as completed. */
  finishStep(id: string, params?: FinishParams): Promise<void> {
    return this.#engine.end('step', id, 'finish', params?.output);
  }

  /** Ends a step as failed, with a description of what was thrown. */
  failStep(id: string, error: unknown): Promise<void> {
    return this.#engine.end('step', id, 'fail', error);
  }

  /** Ends a step as cancelled; the reason becomes its `error`. */
  cancelStep(id: string, reason?: unknown): Promise<void> {
    return this.#engine.end('step', id, 'cancel', reason);
  }

  /** Ends a step as skipped; the reason becomes its output, as `{ reason }`. */
  skipStep(id: string, reason?: string): Promise<void> {
    return this.#engine.end('step', id, 'skip', reason ? { reason } : null);
  }

  /**
   * Records how many items of a step are done. Applies to ended steps too.
   *
   * @throws {RunsError} `invalid_argument` for a value that is not a finite number, `not_found` for an unknown step
   */
  updateStepProgress(id: string, progress: StepProgress): Promise<void> {
    return this.#engine.updateStepProgress(id, progress);
  }

  /** Records a call that starts now, and resolves to its id. */
  createCall(stepId: string, params: CreateCallParams): Promise<string> {
    return this.#engine.create('call', stepId, params);
  }

  /** Ends a call in success. */
  finishCall(id: string, params?: FinishCallParams): Promise<void> {
    return this.#engine.end('call', id, 'finish', params?.output, params?.metadata);
  }

  /** Ends a call in error, with a description of what was thrown. */
  failCall(id: string, error: unknown): Promise<void> {
    return this.#engine.end('call', id, 'fail', error);
  }

  /** Records that a step touched an entity, and resolves to the link's id; to null without a `linkStore`. */
  linkStep(stepId: string, params: LinkStepParams): Promise<string | null> {
    return this.#engine.linkStep(stepId, params);
  }

  /** The links of a step; none without a `linkStore`. */
  getStepLinks(stepId: string): Promise<StepLink[]> {
    return this.#engine.getStepLinks(stepId);
  }

  /**
   * Records a run while `fn` does its work, and resolves to what `fn` returns.
   *
   * `fn` is called once, with the run's id, after the start is stored. You get the
   * very value that it returned or threw, whatever the store does afterwards. A
   * value that is not null or undefined is recorded as `output: { result: value }`,
   * beside what was counted. With `options`, `fn` also receives a context: the
   * signal that asks it to stop, and the number of the attempt.
   *
   * @param run what the run is; or the id of a pending run, which is started then
   * @throws the store's own error when the start cannot be stored (`fn` is not called then, unless `bestEffort`)
   * @throws {RunsError} `invalid_argument` for what cannot be recorded and for options that do not belong here;
   * for the id of a run `not_found`, and `invalid_transition` when it is no longer pending
   */
  executeRun<T>(
    run: CreateRunParams | string,
    fn: (runId: string) => T | PromiseLike<T>,
  ): Promise<T>;
  executeRun<T>(
    run: CreateRunParams | string,
    fn: (runId: string, context: ExecuteContext) => T | PromiseLike<T>,
    options: ExecuteRunOptions<T>,
  ): Promise<T>;
  executeRun<T>(
    run: CreateRunParams | string,
    fn: (runId: string, context: ExecuteContext) => T | PromiseLike<T>,
    options?: ExecuteRunOptions<T>,
  ): Promise<T> {
    return this.#engine.execute('run', null, run, fn, options);
  }

  /**
   * Records a step while `fn` does its work, as `executeRun` does. Its `stepType`
   * becomes the run's `currentStep`. With `options.retry`, each attempt is a step
   * of its own, linked to the one before by `retryOf`.
   */
  executeStep<T>(
    runId: string | null,
    params: CreateStepParams,
    fn: (stepId: string) => T | PromiseLike<T>,
  ): Promise<T>;
  executeStep<T>(
    runId: string | null,
    params: CreateStepParams,
    fn: (stepId: string, context: ExecuteContext) => T | PromiseLike<T>,
    options: ExecuteStepOptions<T>,
  ): Promise<T>;
  executeStep<T>(
    runId: string | null,
    params: CreateStepParams,
    fn: (stepId: string, context: ExecuteContext) => T | PromiseLike<T>,
    options?: ExecuteStepOptions<T>,
  ): Promise<T> {
    return this.#engine.execute('step', runId, params, fn, options);
  }

  /**
   * Records a call while `fn` makes it, as `executeRun` does; `fn` is given
   * nothing, and with `options` the context alone.
   */
  executeCall<T>(
    stepId: string,
    params: CreateCallParams,
    fn: () => T | PromiseLike<T>,
  ): Promise<T>;
  executeCall<T>(
    stepId: string,
    params: CreateCallParams,
    fn: (context: ExecuteContext) => T | PromiseLike<T>,
    options: ExecuteCallOptions<T>,
  ): Promise<T>;
  executeCall<T>(
    stepId: string,
    params: CreateCallParams,
    fn: (context: ExecuteContext) => T | PromiseLike<T>,
    options?: ExecuteCallOptions<T>,
  ): Promise<T> {
    return this.#engine.execute('call', stepId, params, fn, options);
  }

  /**
   * Works through items, a few at a time, and keeps the step's `itemsTotal`,
   * `itemsProcessed`, `itemsSucceeded` and `itemsFailed`.
   *
   * An item that fails is counted, and the others go on, unless `stopOnError`. A
   * progress write that fails is reported to `onTrackingError`. Before it rejects,
   * what was begun is waited for, the source is closed and the counts are stored.
   *
   * @param items any iterable or async iterable; what it yields is not kept
   * @throws what an item threw (`stopOnError`), what the source threw, or the signal's reason
   * @throws {RunsError} `invalid_argument` for an option that has no such value
   */
  executeItems<T>(
    stepId: string,
    items: Iterable<T> | AsyncIterable<T>,
    fn: (item: T, index: number, context: { signal: AbortSignal }) => unknown,
    options?: ExecuteItemsOptions,
  ): Promise<ItemsResult> {
    return this.#engine.executeItems(stepId, items, fn, options);
  }

  /**
   * Ends what is still `running` and has not moved for a while, most likely because
   * its process died: runs and steps as `failed`, calls as `error`, each with the
   * error `abandoned: no update since …`. Resolves to the ids of what it ended.
   *
   * A run has moved when it or one of its steps was updated, or a call was created in
   * it; a step, when it was updated or a call was created in it; a call goes on while
   * its step does. Pending records are left alone, and nothing is run again. Whoever
   * did the work may still end such a record, once. May be called by several processes
   * at once.
   *
   * @throws {RunsError} `unsupported` for a store without `closeStale` and conditional updates,
   * `invalid_argument` for a time or a limit that makes no sense
   */
  failStale(options: FailStaleOptions): Promise<StaleIds> {
    return this.#engine.failStale(options);
  }
}
