import { formatDuration, toMilliseconds } from '../helpers.js';
import type { Run, StepLink } from '../types.js';
import { linksOf, startOf } from './entries.js';
import { type Part, type Style, writeLine } from './line.js';
import {
  attemptOf,
  cutNote,
  durationOf,
  few,
  linkText,
  type Mark,
  markOf,
  nameOf,
  outputOf,
  progressOf,
} from './record-text.js';
import { cleanLine, cleanLines, columnsOf, cutText, padText, wrapText } from './text.js';
import { measureTimeline, type Timeline, type TimelineRow } from './timeline.js';
import type { Trace } from './trace.js';

export interface RunTreeOptions {
  /** Whether to colour it, with escape sequences. @default whether `width` is given */
  color?: boolean | undefined;
  /** How many columns a line may take: `process.stdout.columns`, which a file or a pipe has none of. @default 80 */
  width?: number | undefined;
  /** Until when the work that still goes on has lasted. @default the time now */
  now?: Date | undefined;
}

const STYLES: Record<Mark['state'], Style> = {
  success: 'green',
  error: 'red',
  running: 'cyan',
  cancelled: 'yellow',
  idle: 'dim',
};

/**
 * A run as text, for a terminal or a log: a line for each record, with its
 * status, how long it took and when, and below it what else there is to know.
 *
 * Nothing in the records can break a line or reach the terminal as anything but
 * text, and no line is wider than `width`.
 *
 * @example
 * console.log(formatRunTree(trace, { width: process.stdout.columns }));
 */
export function formatRunTree(trace: Trace, options: RunTreeOptions = {}): string {
  const { width = 80, color = options.width !== undefined, now = new Date() } = options;
  // Some terminals say that they have no columns at all.
  const columns = width >= 1 ? Math.floor(width) : 80;
  const timeline = measureTimeline(trace, now);
  const layout = layOut(timeline, columns, now);
  const links = linksOf(trace);
  const lines: Part[][] = [];
  for (const row of timeline.rows) {
    const axis = row.depth === 0 ? scaleOf(timeline, layout) : barOf(row, layout);
    const indent = { text: ' '.repeat(indentOf(row, layout) + 2) };
    lines.push(recordParts(row, layout, axis, now));
    for (const detail of detailsOf(row, layout, links, now)) lines.push([indent, ...detail]);
  }
  const note = 'isCut' in trace ? cutNote(trace.isCut) : '';
  if (note) lines.push([{ text: note, style: 'yellow' }]);
  return lines.map((line) => writeLine(line, columns, color)).join('\n');
}

/** How many columns each part of a record's line has; 0 for what is left out. */
interface Layout {
  /** The whole line. */
  width: number;
  /** The indentation, the mark and the name. */
  name: number;
  status: number;
  duration: number;
  axis: number;
  /** How far names are indented at most. */
  maxIndent: number;
  /** The bar of a batch. */
  bar: number;
}

function layOut({ rows }: Timeline, width: number, now: Date): Layout {
  const statuses = widest(rows, ({ record }) => columnsOf(cleanLine(record.status)));
  const layout: Layout = {
    width,
    name: 0,
    status: width >= 40 ? Math.min(9, statuses) : 0,
    duration: widest(rows, (row) => durationOf(row, now).length),
    axis: width >= 60 ? Math.min(40, Math.floor(width / 4)) : 0,
    maxIndent: Math.floor(width / 4),
    bar: Math.min(20, Math.floor(width / 4)),
  };
  const { status, duration, axis } = layout;
  const others = [status, duration, axis].reduce((sum, part) => sum + (part && part + 2), 0);
  const needed = widest(rows, (row) => indentOf(row, layout) + columnsOf(`x ${labelOf(row)}`));
  layout.name = Math.min(needed, Math.max(8, width - others));
  return layout;
}

function widest(rows: TimelineRow[], columns: (row: TimelineRow) => number): number {
  return rows.reduce((most, row) => Math.max(most, columns(row)), 0);
}

function indentOf({ depth }: TimelineRow, { maxIndent }: Layout): number {
  return Math.min(depth * 2, maxIndent);
}

/** The name and the attempt; of the name what there is room for. */
function labelOf(row: TimelineRow, columns: number = Number.POSITIVE_INFINITY): string {
  const attempt = attemptOf(row) && ` · ${attemptOf(row)}`;
  return cutText(nameOf(row), Math.max(1, columns - columnsOf(attempt))) + attempt;
}

function recordParts(row: TimelineRow, layout: Layout, axis: string, now: Date): Part[] {
  const { mark, state } = markOf(row.record);
  const style = STYLES[state];
  const indent = indentOf(row, layout);
  const room = layout.name - indent - 2;
  const parts: Part[] = [
    { text: ' '.repeat(indent) },
    { text: `${mark} `, style },
    { text: padText(labelOf(row, room), room), style: row.depth === 0 ? 'bold' : undefined },
  ];
  if (layout.status > 0) {
    parts.push({ text: `  ${padText(cleanLine(row.record.status), layout.status)}`, style });
  }
  if (layout.duration > 0) {
    parts.push({ text: `  ${durationOf(row, now).padStart(layout.duration)}` });
  }
  parts.push({ text: `  ${axis}`, style: row.depth === 0 ? 'dim' : style });
  return parts;
}

/** The whole time, which the bars below lie in. */
function scaleOf({ spanMs }: Timeline, { axis }: Layout): string {
  if (spanMs === null || axis === 0) return '';
  const length = ` ${formatDuration(spanMs)} `;
  const left = axis - 2 - length.length;
  const right = 1;
  return `├${'─'.repeat(Math.max(0, left - right))}${length}${'─'.repeat(right)}┤`;
}

/** When a record was at work. */
function barOf(row: TimelineRow, { axis }: Layout): string {
  if (startOf(row) === null || axis === 0) return '';
  const start = Math.min(axis - 1, Math.round(row.start * axis));
  const end = Math.max(start + 1, Math.round(row.end * axis));
  return ' '.repeat(start) + '━'.repeat(end - start);
}

/** What there is to know of a record beside its own line. */
function detailsOf(
  row: TimelineRow,
  layout: Layout,
  links: Map<string, StepLink[]>,
  now: Date,
): Part[][] {
  const maxLines = 3;
  const columns = layout.width - indentOf(row, layout) - 2;
  const wrap = (texts: string[]) => texts.flatMap((text) => wrapText(text, columns, maxLines));
  const linked = row.kind === 'step' ? (links.get(row.record.id) ?? []) : [];
  const { members, items } = outputOf(row);
  const style = STYLES[markOf(row.record).state];
  const lines = (texts: string[], style?: Style) => texts.map((text): Part[] => [{ text, style }]);
  return [
    ...lines(row.kind === 'run' ? [aboutRun(row.record)] : [], 'dim'),
    ...lines(wrap(few(cleanLines(row.record.error ?? ''), ' lines')), style),
    ...progressParts(row, layout, now),
    ...lines(few(linked.map(linkText))),
    ...lines(members ? [members] : []),
    ...lines(wrap(few(items))),
  ];
}

/** Which run it was, what set it off, and when. */
function aboutRun({ id, trigger, actorType, actorId, startedAt, createdAt }: Run): string {
  const actor = actorId === null ? [] : [`${actorType} ${actorId}`];
  const time = new Date(toMilliseconds(startedAt ?? createdAt));
  const when = Number.isNaN(time.getTime()) ? [] : [time.toISOString()];
  return cleanLine([id, trigger, ...actor, ...when].join(' · '));
}

/** The bar of a batch, and its counts. */
function progressParts(row: TimelineRow, { bar }: Layout, now: Date): Part[][] {
  const progress = progressOf(row, now);
  if (progress === null) return [];
  const { fraction, counts } = progress;
  if (fraction === null) return [[{ text: counts }]];
  const done = Math.floor(fraction * bar);
  return [
    [
      { text: '█'.repeat(done), style: 'cyan' },
      { text: '░'.repeat(bar - done), style: 'dim' },
      { text: ` ${counts}` },
    ],
  ];
}
