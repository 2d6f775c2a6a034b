import { invalidArgument } from './errors.js';
import { toMilliseconds } from './helpers.js';
import type { Page, PageQuery } from './store.js';

/** Where a record stands in a list: lists are ordered by time of creation, then by id. */
interface Position {
  createdAt: number;
  id: string;
}

/** Which page is asked for, checked. */
export interface PageRequest {
  limit: number;
  /** The last record of the page before. */
  after: Position | null;
}

/** How much payload a page holds at most, about, in characters of JSON. */
export const MAX_PAGE_SIZE = 4_000_000;

const RUN_STATUSES = ['pending', 'running', 'completed', 'failed', 'cancelled'];
const TRIGGERS = ['cron', 'user', 'webhook', 'chat', 'agent', 'manual', 'system'];

/** What a filter must be, in words and as a check. */
type Check = readonly [expected: string, isRight: (value: unknown) => boolean];

const TEXT: Check = ['a string', (value) => typeof value === 'string'];
const TIME: Check = [
  'a valid Date',
  (value) => value instanceof Date && !Number.isNaN(value.getTime()),
];

function oneOf(values: string[]): Check {
  return [`one of ${values.join(', ')}`, (value) => values.includes(value as string)];
}

function someOf(values: string[]): Check {
  const [expected, isRight] = oneOf(values);
  return [`${expected}, or a list of them`, (value) => [value].flat().every(isRight)];
}

const PAGE: Record<string, Check> = {
  limit: ['a whole number from 1 to 500', isLimit],
  cursor: ['the nextCursor of a page', (value) => readCursor(value) !== undefined],
};

/** What each query may hold. */
const QUERIES: Record<'runs' | 'steps' | 'calls' | 'links', Record<string, Check>> = {
  runs: {
    ...PAGE,
    status: someOf(RUN_STATUSES),
    runType: TEXT,
    trigger: oneOf(TRIGGERS),
    actorId: TEXT,
    createdAfter: TIME,
    createdBefore: TIME,
    updatedBefore: TIME,
  },
  steps: { ...PAGE, status: someOf([...RUN_STATUSES, 'skipped']) },
  calls: { ...PAGE, stepId: TEXT },
  links: { ...PAGE, stepId: TEXT },
};

/**
 * Reads what every query has in common, and checks the rest of it.
 *
 * @throws {RunsError} `invalid_argument` for what makes no sense
 */
export function readQuery(list: keyof typeof QUERIES, query: PageQuery): PageRequest {
  const checks = new Map(Object.entries(QUERIES[list]));
  for (const [name, value] of Object.entries(query)) {
    const [expected, isRight] = checks.get(name) ?? ['left out', () => false];
    if (value === undefined || isRight(value)) continue;
    throw invalidArgument(`list ${list}`, name, expected, value);
  }
  const { limit = 50, cursor } = query;
  return { limit, after: readCursor(cursor) ?? null };
}

/**
 * Makes a page of records in order.
 *
 * @param records those of the page and, if there are any, records after them: one is enough
 * @param sizeOf how many characters of JSON a record holds
 */
export function toPage<T extends { id: string; createdAt: Date }>(
  records: T[],
  limit: number,
  sizeOf: (record: T) => number,
): Page<T> {
  const items: T[] = [];
  let size = 0;
  for (const record of records) {
    size += sizeOf(record);
    if (items.length === limit || (items.length > 0 && size > MAX_PAGE_SIZE)) break;
    items.push(record);
  }
  const last = items.at(-1);
  const isLast = items.length === records.length || !last;
  return { items, nextCursor: isLast ? null : writeCursor(last) };
}

function writeCursor({ id, createdAt }: { id: string; createdAt: Date }): string {
  const bytes = new TextEncoder().encode(`${toMilliseconds(createdAt)} ${id}`);
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

function readCursor(cursor: unknown): Position | undefined {
  if (typeof cursor !== 'string') return undefined;
  try {
    const text = atob(cursor.replaceAll('-', '+').replaceAll('_', '/'));
    const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    const [, createdAt, id] = /^(-?\d{1,16}) (.+)/s.exec(new TextDecoder().decode(bytes)) ?? [];
    return id === undefined ? undefined : { createdAt: Number(createdAt), id };
  } catch {
    return undefined;
  }
}

function isLimit(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= 500;
}
