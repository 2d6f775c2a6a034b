import type { RecordKind, TrackingErrorInfo } from '../../../src/index.js';
import { type Ledger, Rejection } from './ledger.js';

export type Outcome<T = unknown> = { value: T } | { error: unknown };

/** How a piece of work ended whose record is to say so. */
export interface Ending {
  table: RecordKind;
  id: string;
  outcome: Outcome;
}

/** An increment, of a counter of its own, and whether its caller was told that it counts. */
export interface Count {
  runId: string;
  key: string;
  isTold: boolean;
}

/** Sees what callers are told, and compares it with what they did. */
export class Witness {
  readonly toldCallers = new Set<unknown>();
  readonly toldHook = new Set<unknown>();
  /** The ids of records of which the hook has heard. */
  readonly reported = new Set<string>();
  readonly endings: Ending[] = [];
  readonly counts: Count[] = [];
  /** The ids of the links whose callers were told that they are stored, with their steps. */
  readonly links = new Map<string, string>();
  readonly problems: string[] = [];
  readonly ledger: Ledger;
  readonly isBestEffort: boolean;
  readonly #calls = new Map<string, number>();

  constructor(ledger: Ledger, isBestEffort: boolean) {
    this.ledger = ledger;
    this.isBestEffort = isBestEffort;
  }

  /** To be the tracker's `onTrackingError`. */
  readonly hook = (error: unknown, { id }: TrackingErrorInfo): void => {
    this.toldHook.add(error);
    this.reported.add(id);
    if (!(error instanceof Rejection)) this.problems.push(`reported of "${id}": ${error}`);
  };

  /** Waits for what a caller was promised who does nothing but record. */
  async ask<T>(promise: Promise<T>): Promise<Outcome<T>> {
    const outcome = await outcomeOf(promise);
    if ('error' in outcome) {
      this.toldCallers.add(outcome.error);
      if (!(outcome.error instanceof Rejection)) this.problems.push(`rejected: ${outcome.error}`);
    }
    return outcome;
  }

  /** Waits for an `execute*` whose work is this; `id` is that of the record, where the work is not told it. */
  async execute<T>(
    table: RecordKind,
    id: string,
    start: (fn: (id?: string) => Promise<T>) => Promise<T>,
    work: (id: string) => Promise<T>,
  ): Promise<Outcome<T>> {
    let last: Outcome<T> | undefined;
    const outcome = await outcomeOf(
      start(async (ownId = id) => {
        this.#noteCall(table, ownId);
        last = await outcomeOf(work(ownId));
        this.endings.push({ table, id: ownId, outcome: last });
        if ('error' in last) throw last.error;
        return last.value;
      }),
    );
    if (last === undefined) {
      this.#noteRefusal(table, id, outcome);
    } else if (!isSame(last, outcome)) {
      this.problems.push(`the caller of ${table} "${id}" did not get what its work came to`);
    }
    return outcome;
  }

  #noteCall(table: RecordKind, id: string): void {
    const calls = (this.#calls.get(table + id) ?? 0) + 1;
    this.#calls.set(table + id, calls);
    if (calls > 1) this.problems.push(`the work of ${table} "${id}" was done ${calls} times`);
    if (!this.isBestEffort && !this.ledger.isStored(table, id, 'running')) {
      this.problems.push(`the work of ${table} "${id}" began unrecorded`);
    }
  }

  /** Work that was not done: because its start was not stored, as the caller is told. */
  #noteRefusal(table: RecordKind, id: string, outcome: Outcome): void {
    const error = 'error' in outcome && outcome.error;
    this.toldCallers.add(error);
    const isStart = error instanceof Rejection && error.entry.id === id;
    if (this.isBestEffort || !isStart) {
      this.problems.push(`the work of ${table} "${id}" was not done: ${error}`);
    }
  }
}

async function outcomeOf<T>(promise: Promise<T>): Promise<Outcome<T>> {
  try {
    return { value: await promise };
  } catch (error) {
    return { error };
  }
}

function isSame(one: Outcome, other: Outcome): boolean {
  if ('error' in one) return 'error' in other && Object.is(one.error, other.error);
  return 'value' in other && Object.is(one.value, other.value);
}
