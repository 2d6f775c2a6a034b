import { describeError } from './errors.js';
import { isNothing } from './helpers.js';
import { preparePayload } from './payload.js';
import type { Report, Work } from './report.js';
import type { Payload, RecordKind } from './types.js';

/** What `redact` is told about the value that it sees. */
export interface RedactInfo {
  record: RecordKind;
  field: 'input' | 'output' | 'context' | 'metadata' | 'error';
}

/**
 * Takes out what must not be stored. It is given a copy, which it may change: a
 * payload, or the text of an error (`field: 'error'`). What it returns is stored
 * instead, and `null` stores nothing. When it throws, only a marker is stored.
 */
export type Redact = (value: Payload | string, info: RedactInfo) => object | string | null;

/** Turns what a caller hands over into what is stored: safe, bounded and redacted. Never throws. */
export type Capture = <Field extends RedactInfo['field']>(
  value: unknown,
  field: Field,
  record: RecordKind,
  id: string,
  work: Work,
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
    work: Work,
  ): Payload | string | null => {
    // What redact returns is as foreign as what the caller handed over.
    const prepare = (raw: unknown) =>
      field === 'error' ? describeError(raw) : preparePayload(raw, maxBytes);
    const prepared = prepare(value);
    if (!redact || prepared === null) return prepared;
    try {
      const redacted = redact(prepared, { record, field });
      return isNothing(redacted) ? null : prepare(redacted);
    } catch (error) {
      report(error, 'redact', record, id, work);
      return prepare('[redact failed]');
    }
  };
  return capture as Capture;
}
