import { isOpen } from './lifecycle.js';
import type { CallStatus, Payload, Run, RunStatus, Step, StepStatus } from './types.js';

export type Counts = Record<string, number>;

/** A point in time, as databases hand it out: a `Date`, an ISO string, or milliseconds since 1970. */
export type Timestamp = Date | string | number;

function isComplete<S extends StepStatus | CallStatus>(record: S | { status: S }): boolean {
  return !isOpen(typeof record === 'string' ? record : record.status);
}

/** Whether a run has ended: completed, failed or cancelled. Takes the run or its status. */
export const isRunComplete: (run: RunStatus | { status: RunStatus }) => boolean = isComplete;

/** Whether a step has ended: completed, failed, cancelled or skipped. Takes the step or its status. */
export const isStepComplete: (step: StepStatus | { status: StepStatus }) => boolean = isComplete;

/** Whether a call has ended, in success or error. Takes the call or its status. */
export const isCallComplete: (call: CallStatus | { status: CallStatus }) => boolean = isComplete;

/**
 * The whole milliseconds between two points in time, never negative; `null`
 * when one of them is missing or no valid time.
 *
 * @param endedAt @default now
 */
export function calculateDuration(
  startedAt: Timestamp | null | undefined,
  endedAt: Timestamp | null | undefined = Date.now(),
): number | null {
  const duration = toMilliseconds(endedAt) - toMilliseconds(startedAt);
  return Number.isFinite(duration) ? Math.max(0, Math.round(duration)) : null;
}

/** Milliseconds since 1970, or NaN for what is no valid time. */
export function toMilliseconds(time: Timestamp | null | undefined): number {
  return new Date(time ?? Number.NaN).getTime();
}

export function isNothing(value: unknown): value is null | undefined {
  return value === null || value === undefined;
}

/**
 * Adds increments to the counters in an output, into a new object.
 *
 * A value that is no finite number counts as 0; the other members of the output
 * stay as they are. A sum beyond the largest number is not taken.
 */
export function mergeOutputIncrements(
  current: object | null | undefined,
  increments: Record<string, number>,
): Payload {
  // Without a prototype, `__proto__` is a member like any other.
  const output: Payload = Object.assign(Object.create(null), current);
  for (const [key, increment] of Object.entries(increments)) {
    const sum = asCount(output[key]) + asCount(increment);
    if (Number.isFinite(sum)) output[key] = sum;
  }
  return { ...output };
}

function asCount(value: unknown): number {
  return Number.isFinite(value) ? (value as number) : 0;
}

/**
 * A duration to read: `500ms`, `3.5s`, `2m 5s`, `1h 1m`.
 *
 * @param durationMs milliseconds; negative and invalid ones count as 0
 */
export function formatDuration(durationMs: number): string {
  const ms = Math.max(0, Math.round(asCount(durationMs)));
  if (ms < 1000) return `${ms}ms`;
  const tenths = Math.round(ms / 100);
  if (tenths < 600) return `${(tenths / 10).toFixed(1)}s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${seconds % 60}s`;
  return `${Math.floor(seconds / 3600)}h ${Math.floor((seconds % 3600) / 60)}m`;
}

/** How far a step is, and how long it still takes; `null` for what is not known. */
export interface ProgressEstimate {
  /** From 0 to 1. */
  fraction: number | null;
  /** How many items are still to do. */
  remaining: number | null;
  /** The time that they take, in milliseconds, when they go on as those before; only while the step runs. */
  etaMs: number | null;
}

/**
 * How far a step is with its items.
 *
 * @param now @default the time now
 */
export function getProgress(
  step: Pick<Step, 'status' | 'itemsTotal' | 'itemsProcessed'> & { startedAt: Timestamp | null },
  now?: Timestamp,
): ProgressEstimate {
  const { status, itemsTotal: total, itemsProcessed: processed, startedAt } = step;
  if (isNothing(total) || isNothing(processed)) {
    return { fraction: null, remaining: null, etaMs: null };
  }
  const remaining = Math.max(0, total - processed);
  const fraction = total > 0 ? Math.max(0, (total - remaining) / total) : 1;
  const elapsed = processed > 0 && calculateDuration(startedAt, now);
  const etaMs = elapsed ? Math.round((elapsed / processed) * remaining) : null;
  return { fraction, remaining, etaMs: status === 'running' ? (remaining ? etaMs : 0) : null };
}

/** A run in one line: `sync running: fetch_data`, `sync completed in 3.5s`, `sync failed: timeout`. */
export function getRunSummary(
  run: Pick<Run, 'runType' | 'status' | 'currentStep' | 'durationMs' | 'error'>,
): string {
  const { runType, status, currentStep, durationMs, error } = run;
  let summary = `${runType} ${status === 'pending' ? 'waiting to start' : status}`;
  if (status === 'completed' && durationMs !== null) summary += ` in ${formatDuration(durationMs)}`;
  const detail = status === 'running' ? currentStep : status === 'failed' ? error : null;
  if (detail) summary += `: ${detail.split('\n')[0]}`;
  return summary;
}
