import { isDeepStrictEqual } from 'node:util';
import type { Asked, Fields, Line } from './journal.js';

/** A write, and what came of it. */
export interface Write extends Asked {
  /** When it was asked for and acknowledged, as the number of a line; never, if it was in flight. */
  askedAt: number;
  answeredAt: number;
  isMatch?: boolean;
}

/** The writes of a journal. */
export function writesOf(lines: Line[]): Write[] {
  const writes = new Map<number, Write>();
  for (const [at, line] of lines.entries()) {
    if (line.type === 'asked') {
      writes.set(line.number, { ...line, askedAt: at, answeredAt: Number.POSITIVE_INFINITY });
    } else if (line.type === 'answered') {
      Object.assign(writes.get(line.number) as Write, { answeredAt: at, isMatch: line.isMatch });
    }
  }
  return [...writes.values()];
}

export function isAnswered({ answeredAt }: Write): boolean {
  return answeredAt < Number.POSITIVE_INFINITY;
}

/** A way in which a record may have come about. */
interface State {
  row: Fields | undefined;
  /** How many writes of each store are done. */
  done: number[];
}

/**
 * Finds out how a record came about: by all that was acknowledged, with the answers
 * that were given, and by as little as possible of what was in flight. Gives how many
 * of the latter, or undefined when there is no such way.
 *
 * One store writes a record in the order in which it was asked, and what was asked
 * for after an acknowledgement comes after what was acknowledged.
 */
export function explain(writes: Write[], stored: Fields | undefined): number | undefined {
  const lanes = [...Map.groupBy(writes, ({ lane }) => lane).values()];
  const acknowledged = writes.filter(isAnswered).length;
  const countOf = ({ done }: State) => done.reduce((sum, each) => sum + each, 0);
  const isComplete = ({ done }: State) =>
    lanes.every((lane, index) => !lane.slice(done[index]).some(isAnswered));

  let states: State[] = [{ row: undefined, done: lanes.map(() => 0) }];
  while (states.length > 0) {
    const found = states.find((state) => isComplete(state) && isDeepStrictEqual(state.row, stored));
    if (found) return countOf(found) - acknowledged;
    const next = new Map<string, State>();
    for (const state of states) {
      for (const further of statesAfter(state, lanes)) next.set(JSON.stringify(further), further);
    }
    states = [...next.values()];
  }
  return undefined;
}

/** What a record may be like after one more write. */
function statesAfter({ row, done }: State, lanes: Write[][]): State[] {
  const missing = lanes.flatMap((lane, index) => lane.slice(done[index]));
  const firstAnswer = Math.min(...missing.map(({ answeredAt }) => answeredAt));
  return lanes.flatMap((lane, index) => {
    const write = lane[done[index] as number];
    if (!write || firstAnswer < write.askedAt) return [];
    const after = apply(row, write);
    if (isAnswered(write) && after.isMatch !== write.isMatch) return [];
    return [{ row: after.row, done: done.with(index, (done[index] as number) + 1) }];
  });
}

/** What a write makes of a record, and what its store answers: said apart from every store. */
function apply(
  row: Fields | undefined,
  { kind, fields, extra }: Write,
): { row: Fields | undefined; isMatch: boolean } {
  if (kind === 'insert') return { row: row ?? fields, isMatch: row === undefined };
  if (!row) return { row, isMatch: false };
  if (kind === 'increment') {
    const output = { ...(row.output as Record<string, number> | null) };
    for (const [key, value] of Object.entries(fields as Record<string, number>)) {
      output[key] = (output[key] ?? 0) + value;
    }
    return { row: { ...row, output: sorted(output), updatedAt: extra }, isMatch: true };
  }
  const { ifStatus, ifError, mergeOutput } = (extra ?? {}) as {
    ifStatus?: unknown[];
    ifError?: string;
    mergeOutput?: boolean;
  };
  if (ifStatus && !ifStatus.includes(row.status)) return { row, isMatch: false };
  if (ifError !== undefined && ifError !== row.error) return { row, isMatch: false };
  const changed = { ...row, ...fields };
  if (mergeOutput && fields.output) {
    changed.output = sorted({ ...(row.output as Fields | null), ...(fields.output as Fields) });
  }
  return { row: changed, isMatch: true };
}

/** In one order, so that ways which lead to the same record are seen to. */
function sorted(output: Fields): Fields {
  return Object.fromEntries(Object.entries(output).sort());
}
