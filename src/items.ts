import { checkOptions } from './options.js';
import type { StepProgress } from './types.js';

/** Options of `executeItems`. */
export interface ExecuteItemsOptions {
  /** How many items are worked on at a time. @default 1 */
  concurrency?: number | undefined;
  /** How many items there are, where the source does not know it. @default its `length` or `size` */
  total?: number | undefined;
  /** The shortest time between two progress writes, in milliseconds. @default 1000 */
  progressMs?: number | undefined;
  /** Whether the first item that fails ends the whole. @default false */
  stopOnError?: boolean | undefined;
  /** Asks to stop: nothing new is begun, and what was begun is waited for. */
  signal?: AbortSignal | undefined;
}

/** What became of the items. */
export interface ItemsResult {
  processed: number;
  succeeded: number;
  failed: number;
  /** What the first 100 items that failed threw. */
  errors: ItemError[];
}

/** What one item threw. */
export interface ItemError {
  /** The place of the item in the source, from 0. */
  index: number;
  error: unknown;
}

/** Works through items, a few at a time, and keeps account of them. */
export async function executeItems<T>(
  /** Stores the counts; never rejects. */
  write: (progress: StepProgress) => Promise<void>,
  items: Iterable<T> | AsyncIterable<T>,
  fn: (item: T, index: number, context: { signal: AbortSignal }) => unknown,
  options: ExecuteItemsOptions = {},
): Promise<ItemsResult> {
  const { concurrency = 1, progressMs = 1000, stopOnError } = options;
  const source = items as AsyncIterable<T> & Iterable<T> & { length: unknown; size: unknown };
  const known = [source?.length, source?.size].find(Number.isInteger) as number | undefined;
  const { signal = new AbortController().signal, total = known } = options;
  checkOptions('items', options);

  const result: ItemsResult = { processed: 0, succeeded: 0, failed: 0, errors: [] };
  let failure: { error: unknown } | undefined;
  let running = 0;
  let iterator: AsyncIterator<T> | Iterator<T> | undefined;
  /** Whether the source may have more, and whether it is being asked. */
  let isOpen = true;
  let isBusy = false;
  let halt: (() => void) | undefined;
  let free: (() => void) | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let writing: Promise<void> | undefined;

  function stop(error: unknown): void {
    failure ??= { error };
    halt?.();
  }

  /** Works on one item. Never rejects. */
  async function perform(item: T, index: number): Promise<void> {
    running += 1;
    try {
      await fn(item, index, { signal });
      result.succeeded += 1;
      result.processed += 1;
    } catch (error) {
      if (!signal.aborted) {
        result.failed += 1;
        result.processed += 1;
        if (result.errors.length < 100) result.errors.push({ index, error });
        if (stopOnError) stop(error);
      }
    }
    running -= 1;
    schedule();
    free?.();
  }

  /** Resolves when no more than so many items are worked on. */
  async function settle(limit: number): Promise<void> {
    while (running > limit) {
      await new Promise<void>((resolve) => {
        free = resolve;
      });
    }
  }

  async function ask(iterator: AsyncIterator<T> | Iterator<T>): Promise<IteratorResult<T>> {
    isOpen = false;
    isBusy = true;
    try {
      const next = await iterator.next();
      isOpen = !next.done;
      return next;
    } finally {
      isBusy = false;
    }
  }

  function save(): Promise<void> {
    return write({
      itemsTotal: total,
      itemsProcessed: result.processed,
      itemsSucceeded: result.succeeded,
      itemsFailed: result.failed,
    });
  }

  function schedule(): void {
    timer ??= setTimeout(async () => {
      const { processed } = result;
      writing = save();
      await writing;
      timer = undefined;
      if (result.processed > processed) schedule();
    }, progressMs);
  }

  const abort = () => stop(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort);
  try {
    iterator = source[Symbol.asyncIterator]?.() ?? source[Symbol.iterator]();
    for (let index = 0; !failure; index += 1) {
      const next = await Promise.race([
        // First, since the source itself may abort.
        new Promise<undefined>((resolve) => {
          halt = resolve as () => void;
        }),
        ask(iterator),
      ]);
      if (failure || !isOpen) break;
      perform(next?.value as T, index);
      await settle(concurrency - 1);
    }
  } catch (error) {
    stop(error);
  }
  await settle(0);
  signal.removeEventListener('abort', abort);
  if (isOpen || isBusy) {
    const closing = (async () => iterator?.return?.())().catch(() => {});
    // A generator that is busy closes only when it has done what it was asked for.
    if (isOpen) await closing;
  }
  await writing;
  clearTimeout(timer);
  await save();
  if (failure) throw failure.error;
  return result;
}
