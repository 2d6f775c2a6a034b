import type { Counts } from './helpers.js';

/** Increments of one run that wait for their turn, and go out as one write. */
export interface Batch {
  counts: Counts;
  written?: Promise<void>;
}

interface Turn {
  batch: Batch | undefined;
  result?: Promise<unknown>;
}

/** The last turn at each record that somebody is busy with or waits for. */
export type Turns = Map<string, Turn>;

/** Does the tasks of one record one after the other. */
export function takeTurn<T>(
  turns: Turns,
  key: string,
  task: () => T | PromiseLike<T>,
  batch?: Batch,
): Promise<T> {
  const ahead = turns.get(key)?.result;
  const turn: Turn = { batch };
  const perform = async () => {
    if (ahead) await ahead.catch(() => {});
    // What is counted from now on comes after this.
    turn.batch = undefined;
    try {
      return await task();
    } finally {
      if (turns.get(key) === turn) turns.delete(key);
    }
  };
  turns.set(key, turn);
  const result = perform();
  turn.result = result;
  return result;
}
