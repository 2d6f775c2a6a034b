import { describeError } from './errors.js';
import { isNothing } from './helpers.js';
import { preparePayload } from './payload.js';
import { type Operation, type Report, workAt } from './tracking-errors.js';
import type { Payload, RecordKind } from './types.js';

/** What `redact` is told about the value that it sees. */
export interface RedactInfo {
  record: RecordKind;
  field: 'input' | 'output' | 'context' | 'metadata' | 'error';
}

/**
 * Takes out what must not be stored. It is given a copy, which it may change: a
 * payload, or the text of an error (`field: 'error'`). What it returns is stored
 * instead, and `null` stores nothing. When it throws, or returns a promise, only a
 * marker is stored.
 */
export type Redact = (value: Payload | string, info: RedactInfo) => object | string | null;

/** Turns what a caller hands over into what is stored: safe, bounded and redacted. Never throws. */
export type Capture = <Field extends RedactInfo['field']>(
  value: unknown,
  field: Field,
  record: RecordKind,
  id: string,
  operation?: Operation,
) => (Field extends 'error' ? string : Payload) | null;

export function createCapture(
  redact: Redact | undefined,
  maxBytes: number,
  report: Report,
): Capture {
  const capture = (
    value: unknown,
    field: RedactInfo['field'],
    record: RecordKind,
    id: string,
    operation: Operation = 'create',
  ): Payload | string | null => {
    const prepare = field === 'error' ? describeError : preparePayload;
    const prepared = prepare(value, maxBytes);
    if (!redact || prepared === null) return prepared;
    let redacted: unknown;
    try {
      redacted = redact(prepared, { record, field });
      if (isNothing(redacted)) return null;
      refusePromise(redacted, 'redact');
    } catch (error) {
      report(error, 'redact', record, id, workAt(operation));
      redacted = '[redact failed]';
    }
    // What redact returned is as foreign as what the caller handed over.
    return prepare(redacted, maxBytes);
  };
  return capture as Capture;
}

/** @throws {TypeError} for a promise, which what records the value cannot wait for */
export function refusePromise(value: unknown, name: string): void {
  if (!(value instanceof Promise)) return;
  value.catch(() => {});
  throw new TypeError(`${name} is async`);
}
