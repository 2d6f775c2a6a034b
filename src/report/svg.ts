import { formatDuration } from '../helpers.js';
import { startOf } from './entries.js';
import { type Markup, markup } from './markup.js';
import { attemptOf, cutNote, durationOf, markOf, nameOf, progressOf } from './record-text.js';
import { SVG_STYLE } from './svg-style.js';
import { cleanLine, cleanLines, cutText } from './text.js';
import { measureTimeline, type Timeline, type TimelineRow } from './timeline.js';
import type { Trace } from './trace.js';

export interface TimelineSvgOptions {
  /** In pixels, at least 320. @default 960 */
  width?: number | undefined;
  /** Until when the work that still goes on has lasted. @default the time now */
  now?: Date | undefined;
  /** What stands above it. @default what the run is called, how it ended, and how long it took */
  title?: string | undefined;
}

const MARGIN = 16;
const ROW_HEIGHT = 24;
/** Where the rows begin: below the title, the line below it, and the ticks. */
const TOP = 84;
/** How wide a column of text is at most, about. */
const COLUMN = 7;
const DURATIONS = 72;

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** How far apart ticks may be, in milliseconds. */
const TICKS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 15_000, 30_000].concat(
  [1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  [1, 2, 3, 6, 12, 24].map((hours) => hours * HOUR),
);

/**
 * A run as a drawing that stands alone: a row for each record, and in it a bar
 * for when it was at work.
 *
 * It has no background and follows the reader's light or dark scheme. Bars have
 * tooltips, and the whole a title and a description. It is valid XML whatever
 * the records hold, runs no script and asks for nothing.
 *
 * @example
 * await writeFile('sync-1.svg', renderTimelineSvg(await loadRunTrace(store, 'sync-1')));
 */
export function renderTimelineSvg(trace: Trace, options: TimelineSvgOptions = {}): string {
  const { width = 960, now = new Date() } = options;
  const timeline = measureTimeline(trace, now);
  const { rows } = timeline;
  const [root] = rows as [TimelineRow];
  const layout = layOut(width, rows.length);
  const note = 'isCut' in trace ? cutNote(trace.isCut) : '';
  const title = options.title ?? titleOf(root, now);
  const { left, right, bottom } = layout;
  const height = bottom + MARGIN + (note ? ROW_HEIGHT : 0);
  const svg = markup`<svg xmlns="http://www.w3.org/2000/svg" class="runs-timeline" role="img" width="${layout.width}" height="${height}" viewBox="0 0 ${layout.width} ${height}">
<title>${title}</title>
<desc>${describe(timeline)}</desc>
<style>${SVG_STYLE}</style>
${clipped({ x: left, y: 8, width: right - left }, markup`<text class="text title" y="18">${title}</text>`)}
${clipped({ x: left, y: 32, width: right - left }, markup`<text class="note" y="16">${subtitleOf(root)}</text>`)}
${drawTicks(timeline, layout)}
${rows.map((row, index) => drawRow(row, TOP + index * ROW_HEIGHT, layout, now))}
<text class="note" x="${left}" y="${bottom + 16}">${note}</text>
</svg>`;
  return svg.xml;
}

/** Where things are, in pixels. */
interface Layout {
  width: number;
  left: number;
  right: number;
  /** Where the bars begin, and how wide the widest is. */
  bars: number;
  barsWidth: number;
  /** Where the rows end. */
  bottom: number;
}

function layOut(wanted: number, rows: number): Layout {
  const width = Number.isFinite(wanted) ? Math.max(320, Math.round(wanted)) : 960;
  const left = MARGIN;
  const right = width - MARGIN;
  const bars = left + Math.min(400, Math.round(width * 0.35));
  const barsWidth = right - DURATIONS - bars;
  return { width, left, right, bars, barsWidth, bottom: TOP + rows * ROW_HEIGHT };
}

/** Markup that is not seen outside its place. */
function clipped(place: { x: number; y: number; width: number }, content: Markup): Markup {
  const { x, y, width } = place;
  return markup`<svg x="${x}" y="${y}" width="${width}" height="${ROW_HEIGHT}">${content}</svg>`;
}

/** The times at the top, with a line below each. */
function drawTicks({ spanMs }: Timeline, { bars, barsWidth, bottom }: Layout): Markup[] {
  if (!spanMs) return [];
  const most = Math.max(2, Math.floor(barsWidth / 80));
  const step = TICKS.find((tick) => spanMs / tick <= most) ?? Math.ceil(spanMs / most / DAY) * DAY;
  const count = Math.min(most, Math.floor(spanMs / step)) + 1;
  return Array.from({ length: count }, (_, index) => {
    const x = round(bars + (barsWidth * index * step) / spanMs);
    const text = index === 0 ? '0' : formatDuration(index * step);
    return markup`<path class="grid" d="M${x} ${TOP - 6}V${bottom}"/><text class="note tick" x="${x}" y="${TOP - 12}">${text}</text>`;
  });
}

/** The mark and the name of a record, its bar, and how long it took. */
function drawRow(row: TimelineRow, y: number, layout: Layout, now: Date): Markup {
  const { left, right, bars } = layout;
  const indent = Math.min(row.depth * 14, (bars - left) / 2);
  const { mark, state } = markOf(row.record);
  const attempt = attemptOf(row) && ` · ${attemptOf(row)}`;
  const place = { x: round(left + indent), y, width: round(bars - left - indent - 8) };
  const room = Math.floor((place.width - 18) / COLUMN) - attempt.length;
  const name = cutText(nameOf(row), Math.max(1, room)) + attempt;
  const label = markup`<text class="${state}" y="16">${mark}</text><text class="text" x="18" y="16">${name}</text>`;
  const duration = durationOf(row, now);
  return markup`<g>${clipped(place, label)}${drawBar(row, y, layout, now)}<text class="note duration" x="${right}" y="${y + 16}">${duration}</text></g>`;
}

/** When a record was at work; a ring for one that never was. */
function drawBar(row: TimelineRow, y: number, { bars, barsWidth }: Layout, now: Date): Markup {
  const { state } = markOf(row.record);
  const title = markup`<title>${tooltipOf(row, now)}</title>`;
  const x = bars + row.start * barsWidth;
  if (startOf(row) === null) {
    const middle = Math.min(Math.max(x, bars + 4), bars + barsWidth - 4);
    return markup`<circle class="${state}" cx="${round(middle)}" cy="${y + 12}" r="3.5">${title}</circle>`;
  }
  const least = 3;
  const width = Math.max(least, (row.end - row.start) * barsWidth);
  const from = Math.min(x, bars + barsWidth - width);
  return markup`<rect class="${state}" x="${round(from)}" y="${y + 6}" width="${round(width)}" height="12" rx="2">${title}</rect>`;
}

/** Name, status, duration, counts and error, on one line. */
function tooltipOf(row: TimelineRow, now: Date): string {
  const { status, error } = row.record;
  const progress = progressOf(row, now);
  const [firstLine] = cleanLines(error ?? '');
  const parts = [nameOf(row), attemptOf(row), status, durationOf(row, now), progress?.counts];
  return [...parts, firstLine].filter(Boolean).join(' · ');
}

function titleOf(root: TimelineRow, now: Date): string {
  const duration = durationOf(root, now);
  return `${nameOf(root)} ${root.record.status}${duration && ` · ${duration}`}`;
}

/** What went wrong, or else which record it is. */
function subtitleOf({ record }: TimelineRow): string {
  const [firstLine] = cleanLines(record.error ?? '');
  return firstLine ?? record.id;
}

/** The whole in words, for those who do not see it. */
function describe({ rows, spanMs }: Timeline): string {
  const count = (kind: string) => {
    const { length } = rows.filter((row) => row.kind === kind);
    return `${length} ${kind}${length === 1 ? '' : 's'}`;
  };
  const time = spanMs === null ? 'none of them started' : `in ${formatDuration(spanMs)}`;
  const failed = rows.filter(
    ({ record }) => record.status === 'failed' || record.status === 'error',
  );
  const names = failed.slice(0, 10).map((row) => nameOf(row));
  if (failed.length > names.length) names.push(`${failed.length - names.length} more`);
  const failures = names.length > 0 ? ` Failed: ${names.join(', ')}.` : '';
  return cleanLine(`${count('step')} and ${count('call')}, ${time}.${failures}`);
}

function round(pixels: number): number {
  return Math.round(pixels * 10) / 10;
}
