import { isNothing } from './helpers.js';
import { cleanText, preparePayload } from './payload.js';
import type { RecordKind } from './types.js';

/** Why the library refused an operation. */
export type RunsErrorCode = 'not_found' | 'invalid_transition' | 'invalid_argument' | 'unsupported';

/**
 * The one error class of this library; errors of a store and of your own work
 * are never wrapped in it.
 *
 * - `not_found`: there is no record with this id
 * - `invalid_transition`: the record ended already, in another way
 * - `invalid_argument`: a parameter cannot be recorded
 * - `unsupported`: the store cannot do, or does not do, what it promises
 */
export class RunsError extends Error {
  override name = 'RunsError';
  readonly code: RunsErrorCode;

  constructor(code: RunsErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}

/** The error for a parameter that cannot be recorded: which, what it must be, and what it is. */
export function invalidArgument(
  operation: string,
  name: string,
  expected: string,
  value: unknown,
): RunsError {
  const actual = typeof value === 'string' ? JSON.stringify(value) : describeError(value);
  const message = `Cannot ${operation}: ${name} must be ${expected}, not ${actual.slice(0, 100)}`;
  return new RunsError('invalid_argument', message);
}

/** @throws {RunsError} `invalid_argument` for what is no finite number */
export function checkNumber(operation: string, name: string, value: unknown): void {
  if (!Number.isFinite(value)) throw invalidArgument(operation, name, 'a finite number', value);
}

/** The error for a record that does not allow an operation: `Cannot finish run "r1": it already failed`. */
export function refusal(
  code: RunsErrorCode,
  operation: string,
  kind: RecordKind,
  id: string,
  fact: string,
): RunsError {
  return new RunsError(code, `Cannot ${operation} ${kind} "${id}": ${fact}`);
}

/** The error for an id that the store does not know. */
export function notFound(operation: string, kind: RecordKind, id: string): RunsError {
  return refusal('not_found', operation, kind, id, 'it does not exist');
}

/**
 * What a thrown value says, as text that any store can take, of at most 8 192
 * characters: an error's exact message, then a line `caused by: …` for each
 * error below it. Never throws.
 */
export function describeError(error: unknown): string {
  const maxLength = 8192;
  const maxLines = 100;
  const errors = [error];
  const lines: string[] = [];
  for (const current of errors) {
    let line: unknown;
    try {
      line = (current as Error).message;
      const { cause, errors: others } = current as AggregateError;
      const below: unknown[] = Array.isArray(others) ? others.slice(0, maxLines) : [];
      const news = [cause, ...below].filter((one) => !isNothing(one) && !errors.includes(one));
      errors.splice(lines.length + 1, 0, ...news);
    } catch {}
    if (!line || typeof line !== 'string') {
      const isObject = Object(current) === current;
      line = isObject ? JSON.stringify(preparePayload(current, maxLength)) : String(current);
    }
    if (lines.push((line as string).slice(0, maxLength)) === maxLines) break;
  }
  return cleanText(lines.join('\ncaused by: ').slice(0, maxLength));
}
