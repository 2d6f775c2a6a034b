import { openSync, readFileSync, writeSync } from 'node:fs';
import type { RecordKind, RunStore, StepLinkStore } from '../../../src/index.js';
import type { SqlStore } from '../../../src/sql/sqlite.js';
import type { TableName } from '../../../src/sql/tables.js';
import { withMethods } from '../planted-faults.js';

/** A record, or some of its fields, as JSON has it: times are texts. */
export type Fields = Record<string, unknown>;

/** What a store is asked to write. */
export interface Asked {
  type: 'asked';
  number: number;
  /** Which of the worker's stores is asked. */
  lane: number;
  kind: 'insert' | 'update' | 'increment';
  table: TableName;
  id: string;
  /** The record, or the fields that are set; of an increment the counts. */
  fields: Fields;
  /** Of an update what must hold, of an increment the time that is set. */
  extra?: unknown;
}

/** What a worker writes down, when it happens. */
export type Line =
  /** A store is about to be asked, has answered, or has rejected. */
  | Asked
  | { type: 'answered'; number: number; isMatch: boolean }
  | { type: 'rejected'; number: number; error: string }
  /** The work of a record runs; of a call that is tried again `id` is that of its first record. */
  | { type: 'performing'; kind: RecordKind; id: string; attempt: number }
  /** A counter of its own is about to be counted, and is acknowledged. */
  | { type: 'counting'; runId: string; key: string }
  | { type: 'counted'; runId: string; key: string }
  /** The application was told that it has ended a record. */
  | { type: 'ended'; kind: RecordKind; id: string; status: string }
  /** Something has happened that must not. */
  | { type: 'unexpected'; error: string };

export type Journal = (line: Line) => void;

/** Opens a journal. What is written is the system's as soon as the call returns: no signal takes it back. */
export function openJournal(path: string): Journal {
  const file = openSync(path, 'a');
  return (line) => void writeSync(file, `${JSON.stringify(line)}\n`);
}

/** Reads what a worker has written down; a line that it was killed in has not happened. */
export function readJournal(path: string): Line[] {
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line));
}

const WRITES = {
  insertRun: ['insert', 'runs'],
  updateRun: ['update', 'runs'],
  incrementRunOutput: ['increment', 'runs'],
  insertStep: ['insert', 'run_steps'],
  updateStep: ['update', 'run_steps'],
  insertCall: ['insert', 'run_calls'],
  updateCall: ['update', 'run_calls'],
  insertStepLink: ['insert', 'run_step_links'],
} as const satisfies Partial<
  Record<keyof RunStore | keyof StepLinkStore, readonly [Asked['kind'], TableName]>
>;

let count = 0;

/** The same store, which writes down what it is asked, and its answer as soon as there is one. */
export function journaled(store: SqlStore, lane: number, write: Journal): SqlStore {
  const entries = Object.entries(WRITES).map(([method, [kind, table]]) => [
    method,
    async (...args: unknown[]) => {
      count += 1;
      const number = count;
      const [id, fields, extra] = (
        kind === 'insert' ? [(args[0] as Fields).id, args[0]] : args
      ) as [string, Fields, unknown];
      write({ type: 'asked', number, lane, kind, table, id, fields, extra });
      try {
        const ask = store[method as 'insertRun'] as (...args: unknown[]) => Promise<unknown>;
        const answer = await ask.apply(store, args);
        write({ type: 'answered', number, isMatch: answer !== false });
        return answer;
      } catch (error) {
        write({ type: 'rejected', number, error: String(error) });
        throw error;
      }
    },
  ]);
  return withMethods(store, Object.fromEntries(entries));
}
