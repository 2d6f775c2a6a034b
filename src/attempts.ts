import { type AnyOptions, checkOptions } from './options.js';
import type { Row } from './rows.js';
import { type Beat, type Supervision, supervise } from './supervision.js';
import type { Report } from './tracking-errors.js';
import type { RecordKind } from './types.js';

interface AttemptParams {
  id?: string | undefined;
  maxRetries?: number | undefined;
  retryOf?: string | null | undefined;
}

/** Runs work as often as its options say, each time in a record of its own. */
export async function executeAttempts<T, P extends AttemptParams>(
  kind: RecordKind,
  params: P | string,
  fn: (...args: never[]) => T | PromiseLike<T>,
  options: AnyOptions<T>,
  beat: Beat,
  report: Report,
  attempt: (params: P | string, supervision: Supervision<T>) => Promise<T>,
): Promise<T> {
  const { retry, signal } = options;
  checkOptions(kind, options);
  if (retry) checkOptions('retry', { maxAttempts: null, ...(retry as object) }, kind);
  const { maxAttempts = 1, delayMs = exponential, shouldRetry = () => true } = retry ?? {};
  if (signal?.aborted) throw signal.reason;
  let next = params;
  // Calls have no such field, and runs are not tried again.
  if (retry) next = { ...(params as P), maxRetries: Math.ceil(maxAttempts) - 1 };
  let previous: Row | undefined;
  let failure: unknown;
  for (let count = 1; ; count += 1) {
    const supervision = supervise(kind, fn, options, beat);
    if (previous) supervision.attempt = (previous.attempt as number) + 1;
    try {
      return await attempt(next, supervision);
    } catch (error) {
      const { row } = supervision;
      if (supervision.work === 'not_started') {
        // What the work has thrown tells the caller more than what kept it from running again.
        if (previous && !row) report(error, 'start', kind, previous.id, 'not_started');
        throw previous ? failure : error;
      }
      failure = error;
      previous = row as Row;
    }
    try {
      const isLast = count >= maxAttempts || supervision.isCancelled;
      if (isLast || !(await shouldRetry(failure, count)) || signal?.aborted) throw failure;
      const wait = typeof delayMs === 'function' ? delayMs(count) : delayMs;
      // Ends as soon as the signal aborts.
      await new Promise<void>((resolve) => {
        const end = () => {
          clearTimeout(timer);
          signal?.removeEventListener('abort', end);
          resolve();
        };
        const timer = setTimeout(end, Math.min(wait, 2 ** 31 - 1));
        signal?.addEventListener('abort', end);
      });
    } catch (error) {
      if (error !== failure) report(error, 'start', kind, previous.id, 'failed');
      throw failure;
    }
    if (signal?.aborted) throw failure;
    next = { ...(next as P), id: undefined, retryOf: previous.id };
  }
}

/** Full jitter: attempts that failed together do not come again together. */
const exponential = (attempt: number): number =>
  Math.random() * Math.min(30_000, 100 * 2 ** attempt);
