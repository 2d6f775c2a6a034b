import { calculateDuration, type Timestamp } from './helpers.js';
import type { RowFields } from './rows.js';
import type { CallStatus, RecordKind, RunStatus, StepStatus } from './types.js';

/** Any status of a run, a step or a call. */
export type Status = RunStatus | StepStatus | CallStatus;

export type EndOperation = 'finish' | 'fail' | 'cancel' | 'skip';
export type MoveOperation = EndOperation | 'start';

const OUTCOMES = {
  start: 'running',
  finish: 'completed',
  fail: 'failed',
  cancel: 'cancelled',
  skip: 'skipped',
} as const;

/** What starts or ends a record, beside its result. */
export function fieldsAfter(
  kind: RecordKind,
  operation: MoveOperation,
  startedAt: Timestamp | null | undefined,
  time: number,
): RowFields {
  const durationMs = calculateDuration(startedAt, time);
  if (kind === 'call') return { status: operation === 'finish' ? 'success' : 'error', durationMs };
  const status = OUTCOMES[operation];
  const at = new Date(time);
  if (operation === 'start') return { status, startedAt: at, updatedAt: at };
  if (kind === 'step') return { status, durationMs, completedAt: at, updatedAt: at };
  return { status, durationMs, completedAt: at, updatedAt: at, currentStep: null };
}

/** Whether a record can still change its status. */
export function isOpen(status: Status): boolean {
  return status === 'pending' || status === 'running';
}

/** The error of a record that the sweep ends. */
export function abandonedSince(time: Date): string {
  return `abandoned: no update since ${time.toISOString()}`;
}

const ABANDONED = /^abandoned: no update since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/**
 * Whether a record with this error was ended by the sweep for stale records rather
 * than by its own work. The end was inferred then, so the work's own end replaces it.
 */
export function isAbandoned(error: string | null): boolean {
  return ABANDONED.test(String(error));
}
