import type { AnyOptions, ExecuteContext } from './options.js';
import type { Row } from './rows.js';
import type { RecordKind } from './types.js';

/** Says that the work of a record goes on; resolves to the status of one that has ended. */
export type Beat = (kind: RecordKind, id: string) => Promise<string | undefined>;

/** The work of one attempt, watched over as its options say. */
export interface Supervision<T> extends Pick<AnyOptions<T>, 'output'> {
  /** The record of this attempt, as soon as its start is stored. */
  row?: Row;
  /** The number of this attempt, where it is known before. */
  attempt?: number | undefined;
  /** How far the work is when the attempt rejects. */
  work: 'not_started' | 'failed';
  /** Whether the work was asked to stop, by something else than its timeout, or somebody else had ended its record. */
  isCancelled?: boolean;
  /** What the work was told when somebody had cancelled its very record. */
  cancellation?: unknown;
  perform(row: Row): Promise<T>;
}

/** Calls the work under its options, and lets go of every timer and listener when it has settled. */
export function supervise<T>(
  kind: RecordKind,
  fn: (...args: never[]) => T | PromiseLike<T>,
  { output, signal, timeoutMs, heartbeatMs }: AnyOptions<T>,
  beat: Beat,
): Supervision<T> {
  let controller: AbortController | undefined;
  let isOver = false;
  let pulse: ReturnType<typeof setTimeout> | undefined;
  let beating: Promise<void> | undefined;

  function cancel(reason: unknown): void {
    if (isOver || controller?.signal.aborted) return;
    supervision.isCancelled = true;
    control().abort(reason);
  }

  function control(): AbortController {
    controller ??= new AbortController();
    return controller;
  }

  /** Lets the heart beat once more after a while: never twice at a time, and not for the process to live on. */
  function schedule(row: Row): void {
    pulse = setTimeout(() => {
      beating = pulsate(row);
    }, heartbeatMs);
    (pulse as { unref?: () => void }).unref?.();
  }

  async function pulsate(row: Row): Promise<void> {
    const { id, runId } = row;
    const own = await beat(kind, id);
    const status = own ?? (runId && (await beat('run', runId)));
    if (status === 'cancelled') {
      const reason = new DOMException(`${own ? kind : 'run'} was cancelled`, 'AbortError');
      if (own) supervision.cancellation = reason;
      cancel(reason);
    } else if (!status && !isOver) {
      schedule(row);
    }
  }

  const supervision: Supervision<T> = {
    output,
    work: 'not_started',
    async perform(row) {
      supervision.row = row;
      const { id, attempt = 1 } = row;
      const follow = () => cancel((signal as AbortSignal).reason);
      if (signal?.aborted) {
        follow();
        throw signal.reason;
      }
      supervision.work = 'failed';
      signal?.addEventListener('abort', follow);
      let timer: ReturnType<typeof setTimeout> | undefined;
      const timeout = new Promise<never>((_, reject) => {
        const expire = () => {
          const message = `${kind} "${id}" took longer than ${timeoutMs} ms`;
          const error = new DOMException(message, 'TimeoutError');
          reject(error);
          control().abort(error);
        };
        if (timeoutMs) timer = setTimeout(expire, timeoutMs);
      });
      if (heartbeatMs) schedule(row);
      const context: ExecuteContext = {
        attempt,
        get signal() {
          return control().signal;
        },
      };
      const work = fn as (...args: unknown[]) => T;
      try {
        return await Promise.race([kind === 'call' ? work(context) : work(id, context), timeout]);
      } finally {
        isOver = true;
        clearTimeout(timer);
        clearTimeout(pulse);
        signal?.removeEventListener('abort', follow);
        await beating;
      }
    },
  };
  return supervision;
}
