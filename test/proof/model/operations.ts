import type { DeleteRunsOptions } from '../../../src/deletion.js';
import type { Code } from './code.js';
import type { ListName } from './lists.js';
import type { Ended, Kind, Model } from './model.js';

/** A method of a tracker with its arguments. */
export interface Call {
  do: 'call';
  method: Exclude<keyof Model & keyof import('../../../src/index.js').RunTracker, `execute${Kind}`>;
  args: unknown[];
  /** Which of the trackers is asked. */
  via: 0 | 1;
}

/** Methods that are called at once, before any of them has settled. */
interface Together {
  do: 'together';
  calls: Call[];
}

/** One attempt at a piece of work: what it does, and how it ends. */
export interface Attempt {
  body: Operation[];
  /** What it asks for last of all, and does not wait for; if it is not tried again. */
  meanwhile: Call[];
  /** Whether it is asked to stop at its end, if it can be. */
  isStopped: boolean;
  ends: Ended['ends'];
}

/** Work that is recorded by `executeRun`, `executeStep` or `executeCall`. */
export interface Execute {
  do: 'execute';
  kind: Kind;
  /** The run of a step, the step of a call. */
  parentId: string | null;
  params: object | string;
  /** What happens each time, if it is tried so often. */
  attempts: Attempt[];
  options?: ExecuteOptions | undefined;
  via: 0 | 1;
}

interface ExecuteOptions {
  output?: Code;
  /** Whether the work is tried again, as often as there are attempts. */
  isRetried?: boolean;
  /** A signal that has aborted before, or one that may abort at the end of an attempt. */
  signal?: 'aborted' | 'live';
  /** Options that are refused. */
  wrong?: object;
}

/** Moves the clock. */
export interface Advance {
  do: 'advance';
  ms: number;
}

/** Reads a list, page by page. */
export interface List {
  do: 'list';
  list: ListName;
  runId: string | null;
  query: { limit?: number };
}

/** Deletes what has ended. */
export interface Delete {
  do: 'delete';
  options: DeleteRunsOptions;
}

export type Operation = Call | Together | Execute | Advance | List | Delete;
