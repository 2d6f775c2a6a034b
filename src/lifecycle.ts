import type { CallStatus, RunStatus, StepStatus } from './types.js';

/** Any status of a run, a step or a call. */
export type Status = RunStatus | StepStatus | CallStatus;

/**
 * What may happen to a record that stands at `status` and is to become `target`:
 * `write` it, leave it since it is the `same` already, or `refuse`, because it
 * ended in another way.
 */
export function transition(status: Status, target: Status): 'write' | 'same' | 'refuse' {
  if (status === target) return 'same';
  return isOpen(status) ? 'write' : 'refuse';
}

/** Whether a record can still change its status. */
export function isOpen(status: Status): boolean {
  return status === 'pending' || status === 'running';
}

const ABANDONED = /^abandoned: no update since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/**
 * Whether the record was ended by the sweep for stale records rather than by
 * its own work. The end was inferred then, so the work's own end replaces it.
 */
export function isAbandoned(record: { status: Status; error: string | null }): boolean {
  const { status, error } = record;
  return (status === 'failed' || status === 'error') && ABANDONED.test(error ?? '');
}
