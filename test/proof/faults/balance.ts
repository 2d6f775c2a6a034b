import { isDeepStrictEqual } from 'node:util';
import { mergeOutputIncrements } from '../../../src/index.js';
import type { Row } from '../../../src/rows.js';
import type { Entry } from './ledger.js';

/** What may be stored of a record, and how many writes of unknown fate that takes. */
interface State {
  row: Row | null;
  unknownStored: number;
}

/** What a record's history says of what the database has. */
export interface Balance {
  /** What cannot be; undefined when the books balance. */
  problem?: string;
  /** How many writes that were rejected with unknown fate are in nonetheless. */
  unknownStored: number;
}

/** Fields that writes set which may overtake each other: each has one of the last values. */
const REGISTERS = ['updatedAt', 'currentStep'] as const;

/**
 * Follows a record through what was asked of the store: what it acknowledged has
 * happened, wholly and once; what it refused has not; a write that was rejected with
 * unknown fate has or has not. One of the rows that remain is the one that is stored.
 */
export function balanceOf(history: Entry[], stored: Row | null): Balance {
  const writes = history.filter(({ kind }) => kind !== 'read');
  let states: State[] = [{ row: null, unknownStored: 0 }];
  for (const write of writes) {
    const next = new Map<string, State>();
    for (const state of states.flatMap((each) => statesAfter(each, write))) {
      const key = JSON.stringify(state.row);
      if (!(Number(next.get(key)?.unknownStored) < state.unknownStored)) next.set(key, state);
    }
    if (next.size === 0) return { problem: `cannot be: ${textOf(write)}`, unknownStored: 0 };
    states = [...next.values()];
  }
  const found = states.filter(({ row }) => isDeepStrictEqual(settled(row), settled(stored)));
  const unknownStored = Math.min(...found.map((state) => state.unknownStored));
  if (found.length === 0) {
    return { problem: `has ${textOf(stored)}, not ${textOf(states)}`, unknownStored: 0 };
  }
  for (const field of REGISTERS) {
    if (!stored || !(field in stored)) continue;
    const value = (stored as unknown as Record<string, unknown>)[field];
    const possible = lastValues(writes, field);
    if (!possible.some((each) => isDeepStrictEqual(each, value))) {
      return { problem: `has ${field} ${textOf(value)}, not ${textOf(possible)}`, unknownStored };
    }
  }
  return { unknownStored };
}

function statesAfter(state: State, write: Entry): State[] {
  const row = rowAfter(state.row, write);
  const fate = write.rejection?.fate;
  if (fate === 'unknown') {
    return row ? [state, { row, unknownStored: state.unknownStored + 1 }] : [state];
  }
  if (fate === 'exists') return state.row ? [state] : [];
  if (fate) return [state];
  const isMatch = write.kind === 'insert' || write.answer === true;
  if (isMatch) return row ? [{ ...state, row }] : [];
  return row ? [] : [state];
}

/** The row after a write, or null when that cannot be stored or does not match. */
function rowAfter(row: Row | null, { kind, given, conditions = {} }: Entry): Row | null {
  if (kind === 'insert') return row ? null : (given as unknown as Row);
  if (!row) return null;
  if (kind === 'increment') {
    const output = mergeOutputIncrements(row.output, given.counts as Record<string, number>);
    return { ...row, output };
  }
  const { ifStatus, ifError, mergeOutput } = conditions;
  if (ifStatus && !ifStatus.includes(row.status)) return null;
  if (ifError !== undefined && row.error !== ifError) return null;
  const output = mergeOutput ? { output: { ...row.output, ...given.output } } : {};
  return { ...row, ...given, ...output };
}

/** What a field may hold: what nothing was acknowledged to have been written over later. */
function lastValues(writes: Entry[], field: (typeof REGISTERS)[number]): unknown[] {
  const isTold = ({ kind, answer, rejection }: Entry) =>
    !rejection && (kind === 'insert' || answer === true);
  const setting = writes.filter(
    (write) => field in write.given && (isTold(write) || write.rejection?.fate === 'unknown'),
  );
  const told = setting.filter(isTold);
  return setting
    .filter(({ answeredAt }) => !told.some(({ askedAt }) => askedAt > answeredAt))
    .map(({ given }) => given[field]);
}

function settled(row: Row | null): object | null {
  return row && { ...row, updatedAt: undefined, currentStep: undefined };
}

function textOf(value: unknown): string {
  return JSON.stringify(value, (key, each) => (key === 'rejection' ? String(each) : each));
}
