import { describeError } from './errors.js';
import type { RecordKind } from './types.js';

/** What was to be recorded. */
export type Operation =
  | 'create'
  | 'start'
  | 'finish'
  | 'fail'
  | 'cancel'
  | 'skip'
  | 'update'
  | 'increment'
  | 'redact';

/** How far the work itself was; a failure to record it does not change that. */
export type Work = 'not_started' | 'running' | 'succeeded' | 'failed';

/** What `onTrackingError` is told beside the error. */
export interface TrackingErrorInfo {
  operation: Operation;
  record: RecordKind;
  id: string;
  work: Work;
}

/** Hears of every failure and refusal that the caller does not. */
export type OnTrackingError = (error: unknown, info: TrackingErrorInfo) => unknown;

export type Report = (
  error: unknown,
  operation: Operation,
  record: RecordKind,
  id: string,
  work?: Work,
) => void;

const WORK: Partial<Record<Operation, Work>> = {
  create: 'not_started',
  finish: 'succeeded',
  fail: 'failed',
};

/** How far the work is when an operation is recorded. */
export function workAt(operation: Operation): Work {
  return WORK[operation] ?? 'running';
}

/** Calls the hook without waiting for it; what it throws or rejects with must not break the work. */
export function reportTo(hook: OnTrackingError | undefined): Report {
  return (error, operation, record, id, work = workAt(operation)) => {
    new Promise((resolve) => {
      if (hook) return resolve(hook(error, { operation, record, id, work }));
      const text = `${operation} ${record} "${id}" (work ${work}): ${describeError(error)}`;
      console.error(`[@systemoperator/runs] ${text.replace(/\s+/g, ' ')}`);
    }).catch(() => {});
  };
}
