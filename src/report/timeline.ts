import { toMilliseconds } from '../helpers.js';
import { isOpen } from '../lifecycle.js';
import { entriesOf, startOf, type TraceEntry } from './entries.js';
import type { Trace } from './trace.js';

/** A record, and when it was at work, as fractions of the whole time that the trace took. */
export type TimelineRow = TraceEntry & {
  /** From 0 to 1. */
  start: number;
  /** From `start` to 1. */
  end: number;
};

/** The rows of a trace, and the time that they lie in. */
export interface Timeline {
  rows: TimelineRow[];
  /** How long the whole time is; `null` when nothing has started. */
  spanMs: number | null;
}

/**
 * When each record of a trace was at work: one row for each, above what is in it.
 *
 * What is still at work lasts until now or, when the run has ended, as long as
 * the last that is known of. What never started has no length; neither has what
 * ended before it began, as it may seem when clocks differ.
 */
export function timelineOf(trace: Trace, now: Date): TimelineRow[] {
  return measureTimeline(trace, now).rows;
}

export function measureTimeline(trace: Trace, now: Date): Timeline {
  const entries = entriesOf(trace);
  const works = entries.map(workOf);
  const known = works.flatMap((work) => (work ? [work.start, work.end ?? work.start] : []));
  const from = smallest(known);
  const [root] = entries as [TraceEntry];
  const time = now.getTime();
  const isLive = isOpen(root.record.status) && !Number.isNaN(time);
  const openEnd = isLive ? Math.max(time, largest(known)) : largest(known);
  const hasOpen = works.some((work) => work && work.end === null);
  const to = hasOpen ? openEnd : largest(known);
  const fraction = (at: number) => {
    const part = (at - from) / (to - from);
    return Number.isFinite(part) ? Math.min(1, Math.max(0, part)) : 0;
  };
  const rows = entries.map((entry, index): TimelineRow => {
    const { start, end } = works[index] ?? waitOf(entry);
    return { ...entry, start: fraction(start), end: fraction(end ?? openEnd) };
  });
  return { rows, spanMs: known.length > 0 ? to - from : null };
}

interface Interval {
  start: number;
  /** `null` while it goes on. */
  end: number | null;
}

/** What tells when a record ended: of a call, its duration alone. */
interface Ending {
  durationMs: number | null;
  completedAt?: Date | null;
}

/** When a record was at work, or nothing when it never was. */
function workOf(entry: TraceEntry): Interval | null {
  const start = startOf(entry);
  if (start === null) return null;
  if (isOpen(entry.record.status)) return { start, end: null };
  const { durationMs, completedAt }: Ending = entry.record;
  const duration = start + (durationMs ?? 0);
  const completed = toMilliseconds(completedAt);
  const end = Number.isFinite(completed) ? completed : duration;
  return { start, end: Number.isFinite(end) ? Math.max(start, end) : start };
}

/** When a record that never started was created. */
function waitOf({ record }: TraceEntry): Interval {
  const start = toMilliseconds(record.createdAt);
  return { start, end: start };
}

function smallest(numbers: number[]): number {
  return numbers.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
}

function largest(numbers: number[]): number {
  return numbers.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
}
