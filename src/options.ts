import { invalidArgument } from './errors.js';

/** What the work is given after its id, when options are given. */
export interface ExecuteContext {
  /** Aborts when the caller's signal does, when the time is up, or when somebody cancels the record. */
  readonly signal: AbortSignal;
  /** Which attempt this is, from 1; goes on counting from a record named by `retryOf`. */
  readonly attempt: number;
}

/** What `executeRun`, `executeStep` and `executeCall` have in common. */
interface ExecuteOptions<T> {
  /**
   * What to record instead of `{ result: value }`: what the function makes of the
   * value, or nothing (`null`, `false`). A function that throws is reported to
   * `onTrackingError`, and nothing of the value is stored.
   */
  output?: ((value: T) => object | null | undefined) | false | undefined;
  /**
   * Asks the work to stop: it is passed on in the context. Work that rejects after
   * that ends as cancelled (a call: in error); work that completes all the same
   * has completed. When it aborts before the start, nothing is recorded.
   */
  signal?: AbortSignal | undefined;
  /**
   * How long an attempt may take, in milliseconds. What takes longer rejects with
   * a `TimeoutError`, which is the reason of the context's signal too, and ends as failed.
   */
  timeoutMs?: number | undefined;
}

interface HeartbeatOption {
  /**
   * How often to say that the work goes on, in milliseconds: moves `updatedAt` of
   * the run, and of the step. A beat that finds the record cancelled by somebody
   * else aborts the context's signal.
   */
  heartbeatMs?: number | undefined;
}

interface RetryOption {
  /** Runs work that fails again, each attempt in a record of its own. */
  retry?: RetryOptions | undefined;
}

/** When failed work is tried again. */
export interface RetryOptions {
  /** How often the work runs at most, the first time included. */
  maxAttempts: number;
  /**
   * How long to wait after an attempt, in milliseconds.
   *
   * @param attempt the number of attempts so far
   * @default random, up to 200 ms after the first attempt, twice that after each further one, 30 s at most
   */
  delayMs?: number | ((attempt: number) => number) | undefined;
  /** Whether to try again after this error. @default always */
  shouldRetry?: ((error: unknown, attempt: number) => boolean | PromiseLike<boolean>) | undefined;
}

/** Options of `executeRun`. */
export interface ExecuteRunOptions<T = unknown> extends ExecuteOptions<T>, HeartbeatOption {}

/** Options of `executeStep`. */
export interface ExecuteStepOptions<T = unknown>
  extends ExecuteOptions<T>,
    HeartbeatOption,
    RetryOption {}

/** Options of `executeCall`. */
export interface ExecuteCallOptions<T = unknown> extends ExecuteOptions<T>, RetryOption {}

/** Options of any `execute*`. */
export interface AnyOptions<T> extends ExecuteOptions<T>, HeartbeatOption, RetryOption {}

/** Where each option belongs, and the least that it may be if it is a number. */
const OPTIONS: Record<string, [where: string, least?: number]> = {
  output: ['run step call'],
  signal: ['run step call items'],
  timeoutMs: ['run step call', 1],
  heartbeatMs: ['run step', 1],
  retry: ['step call'],
  maxAttempts: ['retry', 1],
  delayMs: ['retry', 0],
  shouldRetry: ['retry'],
  concurrency: ['items', 1],
  total: ['items', 0],
  progressMs: ['items', 1],
  stopOnError: ['items'],
};

/**
 * Checks names and values, for they are read only when it is too late to refuse them.
 *
 * @throws {RunsError} `invalid_argument` for an option that does not belong there, or has no such value
 */
export function checkOptions(where: string, options: object, kind: string = where): void {
  const operation = `execute ${kind}`;
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const [places, least] = OPTIONS[name] ?? [''];
    if (!places.includes(where)) throw invalidArgument(operation, name, 'left out', value);
    if (least === undefined || (name === 'delayMs' && typeof value === 'function')) continue;
    // No timer waits longer than this (HTML, timers: the delay is a signed 32-bit integer).
    if (typeof value === 'number' && value >= least && value < 2 ** 31) continue;
    throw invalidArgument(operation, name, `from ${least} to 2147483647`, value);
  }
}
