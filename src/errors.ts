import { isNothing } from './helpers.js';
import type { Status } from './lifecycle.js';
import { cleanText, cutText, preparePayload } from './payload.js';
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
  const message = `Cannot ${operation}: ${name} must be ${expected}, not ${cutText(actual, 100)}`;
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

/** The error for a record that stands where the operation is not allowed. */
export function conflict(
  operation: string,
  kind: RecordKind,
  id: string,
  status: Status,
): RunsError {
  const isVerb = status === 'completed' || status === 'failed';
  return refusal(
    'invalid_transition',
    operation,
    kind,
    id,
    `it ${isVerb ? 'already' : 'is'} ${status}`,
  );
}

const MAX_LENGTH = 8192;
const MAX_LINES = 100;

/**
 * What a thrown value says, as text that any store can take, of at most 8 192
 * characters: an error's exact message, then a line `caused by: …` for each
 * error below it. Never throws.
 */
export function describeError(error: unknown): string {
  const lines: string[] = [];
  const above: unknown[] = [];
  const visit = (current: unknown): void => {
    if (lines.length === MAX_LINES || above.includes(current)) return;
    lines.push(cutText(messageOf(current), MAX_LENGTH));
    above.push(current);
    causesOf(current).forEach(visit);
    above.pop();
  };
  visit(error);
  return cutText(cleanText(lines.join('\ncaused by: ')), MAX_LENGTH);
}

function messageOf(error: unknown): string {
  if (Object(error) !== error) return String(error);
  try {
    const { message, name } = error as Error;
    // Only an error may say nothing but its name.
    const text: unknown = message || (error instanceof Error && name);
    if (text && typeof text === 'string') return text;
  } catch {}
  return JSON.stringify(preparePayload(error, MAX_LENGTH));
}

function causesOf(error: unknown): unknown[] {
  try {
    const { cause, errors } = error as { cause?: unknown; errors?: unknown };
    const below = [cause];
    for (let index = 0; Array.isArray(errors) && index < MAX_LINES; index += 1) {
      below.push(errors[index]);
    }
    return below.filter((error) => !isNothing(error));
  } catch {
    return [];
  }
}
