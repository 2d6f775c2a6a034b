import { invalidArgument } from './errors.js';
import type { Status } from './lifecycle.js';
import type { RunStore } from './store.js';
import type { Payload, RecordKind } from './types.js';

/** A record of any kind, as far as the tracker looks into it. */
export interface Row {
  id: string;
  status: Status;
  output: Payload | null;
  error: string | null;
  createdAt: Date;
  startedAt?: Date | null;
  attempt?: number;
  retryOf?: string | null;
  /** Steps only. */
  runId?: string | null;
  /** Steps only. */
  parentStepId?: string | null;
  /** Steps only. */
  stepType?: string;
  /** Calls only. */
  stepId?: string;
}

/** What an update sets. */
export interface RowFields {
  status?: Status;
  output?: Payload | null;
  error?: string | null;
  [field: string]: unknown;
}

/** What must hold for an update: the conditions of {@link RunStore}, for any kind. */
export interface RowConditions {
  ifStatus?: readonly Status[];
  ifError?: string;
  mergeOutput?: true;
}

/** The store's methods for one kind of record, so that one lifecycle serves all three. */
export interface Rows {
  insert(row: Row): unknown;
  get(id: string): unknown;
  /** The conditions reach stores with conditional updates only: others must not see a third argument. */
  update(id: string, fields: RowFields, conditions?: RowConditions): unknown;
}

/** @throws {RunsError} `invalid_argument` when the store lacks a method */
export function rowsOf(store: RunStore): Record<RecordKind, Rows> {
  return { run: bind(store, 'Run'), step: bind(store, 'Step'), call: bind(store, 'Call') };
}

function bind(store: RunStore, kind: 'Run' | 'Step' | 'Call'): Rows {
  const insert = `insert${kind}` as const;
  const get = `get${kind}` as const;
  const update = `update${kind}` as const;
  for (const method of [insert, get, update]) {
    if (typeof store?.[method] === 'function') continue;
    throw invalidArgument('create RunTracker', `store.${method}`, 'a method', store?.[method]);
  }
  return {
    insert: (row) => store[insert](row as never),
    get: (id) => store[get](id),
    update: (id, fields, conditions) =>
      conditions && store.conditionalUpdates
        ? store[update](id, fields as never, conditions as never)
        : store[update](id, fields as never),
  };
}
