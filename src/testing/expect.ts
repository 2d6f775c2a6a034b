import { type Timestamp, toMilliseconds } from '../helpers.js';

/** Says what a store did, what was expected of it, and what usually causes that. */
export class StoreCaseError extends Error {
  override name = 'StoreCaseError';
}

/**
 * Compares what a store gave with what it must give.
 *
 * Members may come in any order. A time may be a `Date`, an ISO string or epoch
 * milliseconds, as for the tracker.
 *
 * @throws {StoreCaseError} saying where they differ
 */
export function expectSame(actual: unknown, expected: unknown, what: string): void {
  const found = findDifference(actual, expected, '');
  if (!found) return;
  const [path, wanted, given] = found;
  throw new StoreCaseError(`${what}${path && ` at ${path}`}: expected ${wanted}, but got ${given}`);
}

/** As {@link expectSame}, for a whole record: it may have columns of the application's own. */
export function expectRecord(actual: unknown, expected: object, what: string): void {
  expectSame(isObject(actual) ? onlyFieldsOf(expected, actual) : actual, expected, what);
}

/** As {@link expectRecord}, for a list of them. */
export function expectRecords(actual: unknown, expected: object[], what: string): void {
  if (!Array.isArray(actual)) throw mismatch(what, 'a list', actual);
  expectSame(idsOf(actual), idsOf(expected), `${what}, its ids`);
  for (const [index, record] of expected.entries()) {
    expectRecord(actual[index], record, `${what}, item ${index}`);
  }
}

/** @throws {StoreCaseError} when something that must be refused is not, or not with this code */
export async function expectRejection(
  act: () => Promise<unknown>,
  what: string,
  code?: string,
): Promise<void> {
  let value: unknown;
  try {
    value = await act();
  } catch (error) {
    const isExpected = code === undefined || (isObject(error) && error.code === code);
    if (isExpected) return;
    throw new StoreCaseError(
      `${what}: expected a rejection with the code ${code}, but it was ${describe(error)}`,
    );
  }
  throw new StoreCaseError(`${what}: expected a rejection, but it resolved to ${describe(value)}`);
}

export function mismatch(what: string, expected: string, actual: unknown): StoreCaseError {
  return new StoreCaseError(`${what}: expected ${expected}, but got ${describe(actual)}`);
}

/** A value in a message: recognisable, and of bounded length. */
export function describe(value: unknown): string {
  if (value instanceof Error) return `"${value.message.slice(0, 500)}"`;
  if (typeof value === 'bigint') return `${value}n`;
  if (isObject(value)) return Array.isArray(value) ? `a list of ${value.length}` : 'an object';
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value);
  if (text.length <= 100) return text;
  return `${text.slice(0, 60)}… (${(value as string).length} characters)`;
}

export function idsOf(records: readonly object[]): unknown[] {
  return records.map((record) => (record as { id?: unknown } | null)?.id);
}

type Difference = [path: string, expected: string, actual: string];

function findDifference(actual: unknown, expected: unknown, path: string): Difference | undefined {
  const isSame =
    expected instanceof Date && typeof actual !== 'bigint'
      ? toMilliseconds(actual as Timestamp) === expected.getTime()
      : actual === expected;
  if (isSame) return undefined;
  const isList = Array.isArray(expected);
  const areAlike = isObject(actual) && isObject(expected) && Array.isArray(actual) === isList;
  if (!areAlike || expected instanceof Date) {
    return [path, describeExpected(expected), describeTime(actual, expected)];
  }
  for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
    const at = path ? `${path}.${key}` : key;
    if (!Object.hasOwn(expected, key)) return [at, 'nothing there', describe(actual[key])];
    if (!Object.hasOwn(actual, key)) return [at, describeExpected(expected[key]), 'nothing'];
    const found = findDifference(actual[key], expected[key], at);
    if (found) return found;
  }
  return undefined;
}

function describeExpected(value: unknown): string {
  return value instanceof Date ? value.toISOString() : describe(value);
}

function describeTime(actual: unknown, expected: unknown): string {
  const isTime = actual instanceof Date && expected instanceof Date;
  return isTime && actual.getTime() ? actual.toISOString() : describe(actual);
}

function onlyFieldsOf(expected: object, actual: Record<string, unknown>): Record<string, unknown> {
  const fields = Object.keys(expected).filter((field) => field in actual);
  return Object.fromEntries(fields.map((field) => [field, actual[field]]));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
