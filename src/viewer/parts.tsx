import type { VNode } from 'preact';
import { calculateDuration, formatDuration, getProgress } from '../helpers.js';
import type { Status } from '../lifecycle.js';
import type { Step } from '../types.js';

const SYMBOLS: Record<Status, string> = {
  pending: '○',
  running: '◐',
  completed: '✓',
  success: '✓',
  failed: '✗',
  error: '✗',
  cancelled: '⊘',
  skipped: '↷',
};

/** A status as a sign and as a word. */
export function StatusBadge({ status }: { status: Status }): VNode {
  return (
    <span class={`status ${status in SYMBOLS ? status : 'unknown'}`}>
      <span aria-hidden="true">{SYMBOLS[status] ?? '?'}</span> {status}
    </span>
  );
}

/** A point in time: in UTC here, and in the reader's own zone as soon as the script has run. */
export function Time({ at }: { at: Date }): VNode {
  if (Number.isNaN(at.getTime())) return <span>unknown</span>;
  const iso = at.toISOString();
  return (
    <time datetime={iso} title={iso}>
      {iso.replace('T', ' ').replace(/\.\d+Z$/, ' UTC')}
    </time>
  );
}

interface DurationProps {
  record: { startedAt?: Date | null; createdAt: Date; durationMs: number | null; status: Status };
  now: Date;
}

/** How long something took, or has taken so far: the script goes on counting. */
export function Duration({ record, now }: DurationProps): VNode | null {
  const { durationMs, status } = record;
  if (durationMs !== null) return <span>{formatDuration(durationMs)}</span>;
  const startedAt = 'startedAt' in record ? record.startedAt : record.createdAt;
  const soFar = calculateDuration(startedAt, now);
  if (status !== 'running' || !startedAt || soFar === null) return null;
  return <span data-since={startedAt.toISOString()}>{formatDuration(soFar)}</span>;
}

/** How far a step is with its items, how fast, and how long it still takes. */
export function Progress({ step, now }: { step: Step; now: Date }): VNode | null {
  const { itemsTotal, itemsProcessed, itemsSucceeded, itemsFailed, startedAt, status } = step;
  if (itemsProcessed === null && itemsTotal === null) return null;
  const processed = itemsProcessed ?? 0;
  const elapsed = step.durationMs ?? calculateDuration(startedAt, now);
  const { etaMs } = getProgress({ ...step, itemsProcessed: processed }, now);
  const figures = [
    itemsTotal === null ? `${format(processed)}` : `${format(processed)} of ${format(itemsTotal)}`,
    itemsSucceeded !== null && `${format(itemsSucceeded)} succeeded`,
    itemsFailed !== null && itemsFailed > 0 && `${format(itemsFailed)} failed`,
    elapsed !== null && elapsed > 0 && processed > 0 && `${rateOf(processed, elapsed)}/s`,
    status === 'running' && etaMs !== null && etaMs > 0 && `${formatDuration(etaMs)} left`,
  ];
  return (
    <span class="progress">
      {itemsTotal !== null && itemsTotal > 0 && (
        <progress
          aria-label={`${step.stepType}: items processed`}
          value={Math.min(processed, itemsTotal)}
          max={itemsTotal}
        />
      )}{' '}
      <span>{figures.filter(Boolean).join(' · ')}</span>
    </span>
  );
}

function rateOf(count: number, elapsedMs: number): string {
  const rate = (count * 1000) / elapsedMs;
  return format(rate >= 10 ? Math.round(rate) : Number(rate.toPrecision(2)));
}

/** A number with its thousands apart. */
export function format(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 6 });
}

/** The first line of a text. */
export function firstLine(text: string): string {
  return text.replace(/\n.*/s, '');
}
