import { calculateDuration, formatDuration, getProgress, isNothing } from '../helpers.js';
import { isOpen } from '../lifecycle.js';
import type { Payload, StepLink } from '../types.js';
import { startOf, type TraceEntry } from './entries.js';
import { cleanLine } from './text.js';
import type { TraceCut } from './trace.js';

/** How many of a list are shown. */
const FEW = 3;

/** How a status is shown: those that mean the same look the same. */
export interface Mark {
  mark: string;
  state: 'success' | 'error' | 'running' | 'cancelled' | 'idle';
}

const MARKS = new Map<string, Mark>([
  ['pending', { mark: '○', state: 'idle' }],
  ['running', { mark: '●', state: 'running' }],
  ['completed', { mark: '✔', state: 'success' }],
  ['success', { mark: '✔', state: 'success' }],
  ['failed', { mark: '✖', state: 'error' }],
  ['error', { mark: '✖', state: 'error' }],
  ['cancelled', { mark: '⊘', state: 'cancelled' }],
  ['skipped', { mark: '↷', state: 'idle' }],
]);

/** How the status of a record is shown. A store of your own may have others. */
export function markOf({ status }: TraceEntry['record']): Mark {
  return MARKS.get(status) ?? { mark: '?', state: 'idle' };
}

/** What a record is called: its type, or its tool and operation. */
export function nameOf({ kind, record }: TraceEntry): string {
  const name =
    kind === 'run'
      ? record.runType
      : kind === 'step'
        ? record.stepType
        : `${record.tool} ${record.operation}`;
  return cleanLine(name) || '(no name)';
}

/** Which attempt a record is, when it is not the first. */
export function attemptOf({ kind, record }: TraceEntry): string {
  return kind !== 'run' && record.attempt > 1 ? `attempt ${record.attempt}` : '';
}

/** How long a record took, or takes so far; empty when it never started. */
export function durationOf(entry: TraceEntry, now: Date): string {
  const { kind, record } = entry;
  const start = startOf(entry);
  let durationMs = record.durationMs;
  if (isOpen(record.status)) durationMs = calculateDuration(start, now);
  else if (kind !== 'call') durationMs ??= calculateDuration(start, record.completedAt);
  return isNothing(durationMs) ? '' : formatDuration(durationMs);
}

/** Counts of a batch. */
export interface ProgressText {
  /** From 0 to 1; `null` when the total is not known. */
  fraction: number | null;
  /** Such as `120/612 · 118 succeeded · 2 failed`. */
  counts: string;
}

/** How far a record is with its items, or nothing when it counts none: only steps do. */
export function progressOf({ kind, record }: TraceEntry, now: Date): ProgressText | null {
  if (kind !== 'step') return null;
  const { itemsTotal, itemsProcessed, itemsSucceeded, itemsFailed } = record;
  if (isNothing(itemsTotal) && isNothing(itemsProcessed)) return null;
  const { fraction, etaMs } = getProgress({ ...record, itemsProcessed: itemsProcessed ?? 0 }, now);
  const counts = [
    isNothing(itemsTotal) ? `${itemsProcessed} processed` : `${itemsProcessed ?? 0}/${itemsTotal}`,
    ...(isNothing(itemsSucceeded) ? [] : [`${itemsSucceeded} succeeded`]),
    ...(isNothing(itemsFailed) ? [] : [`${itemsFailed} failed`]),
    ...(etaMs ? [`${formatDuration(etaMs)} left`] : []),
  ];
  return {
    fraction: Number.isFinite(fraction) ? fraction : null,
    counts: cleanLine(counts.join(' · ')),
  };
}

/** What a step touched, such as `→ affected package left-pad (1.3.0)`. */
export function linkText({ linkType, entityType, entityId, externalId }: StepLink): string {
  const external = isNothing(externalId) ? '' : ` (${externalId})`;
  return cleanLine(`→ ${linkType} ${entityType} ${entityId}${external}`);
}

/** What a record resulted in. */
export interface OutputText {
  /** Its counters and other members, on one line; empty when there are none. */
  members: string;
  /** The items of a result that is a list; of a skipped step, why it was skipped. */
  items: string[];
}

export function outputOf({ record: { status, output } }: TraceEntry): OutputText {
  const { result, ...others } = output ?? {};
  if (status === 'skipped' && typeof others.reason === 'string') {
    return { members: '', items: [cleanLine(others.reason)] };
  }
  if (Array.isArray(result)) return { members: membersText(others), items: result.map(valueText) };
  const isObject = Object(result) === result;
  const members = isObject ? { ...others, ...(result as Payload) } : (output ?? {});
  return { members: membersText(members), items: [] };
}

function membersText(payload: Payload): string {
  const maxMembers = 100;
  const members = Object.entries(payload).slice(0, maxMembers);
  return members.map(([name, value]) => `${cleanLine(name)} ${valueText(value)}`).join(' · ');
}

function valueText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.length}]`;
  return Object(value) === value ? '{…}' : cleanLine(value);
}

/** The first lines of many, and how many more there are. */
export function few(lines: string[], ofWhat = ''): string[] {
  // A line that says "1 more" takes no less room than the one.
  if (lines.length <= FEW + 1) return lines;
  return [...lines.slice(0, FEW), `… and ${lines.length - FEW} more${ofWhat}`];
}

/** What a trace says at its end when there is more than it shows. */
export function cutNote({ steps, calls, links }: TraceCut): string {
  const kinds = [
    ...(steps ? ['steps'] : []),
    ...(calls ? ['calls'] : []),
    ...(links ? ['links'] : []),
  ];
  if (kinds.length === 0) return '';
  const list = kinds.join(', ').replace(/, (\w+)$/, ' and $1');
  return `… there are more ${list} than are shown here`;
}
