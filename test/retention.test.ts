import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Statement } from '../src/sql/dialect.js';
import { readOptions } from '../src/sql/options.js';
import { deleteEnded } from '../src/sql/retention.js';
import { sqlite } from '../src/sql/sqlite-dialect.js';

beforeEach(() => vi.useFakeTimers({ toFake: ['Date', 'setTimeout'] }));
afterEach(() => vi.useRealTimers());

const RUNS = 'from "runs" where "status" in (\'completed\'';

/** Deletes these runs, which have so many calls, where a call takes so long; tells what was asked. */
async function deleteRuns(ids: string[], calls: number, msPerCall: number) {
  const statements: Statement[] = [];
  const sizes: number[] = [];
  const times: { start: number; end: number }[] = [];
  let left = calls;
  const execute = async (statement: Statement) => {
    const { text, values } = statement;
    if (text.startsWith('select')) return text.includes(RUNS) ? ids.map((id) => ({ id })) : [];
    statements.push(statement);
    if (!text.startsWith('delete from "run_calls"')) return [];
    const size = values.at(-1) as number;
    const rows = Array.from({ length: Math.min(size, left) }, (_, id) => ({ id }));
    left -= rows.length;
    sizes.push(size);
    const start = Date.now();
    vi.setSystemTime(start + rows.length * msPerCall);
    times.push({ start, end: Date.now() });
    return rows;
  };
  const names = readOptions('delete', {});
  let isDone = false;
  const deleting = deleteEnded({ dialect: sqlite, names, execute }, new Date(), 1000);
  void deleting.finally(() => {
    isDone = true;
  });
  while (!isDone) await vi.advanceTimersByTimeAsync(1);
  return { statements, sizes, times };
}

describe('a deletion', () => {
  it('takes ever more rows at a time where they are quick, up to a limit', async () => {
    const { sizes } = await deleteRuns(['a'], 9000, 0);
    // The links before them were 100 at a time.
    expect(sizes).toEqual([200, 400, 800, ...Array(8).fill(1000)]);
  });

  it('takes so few at a time where they are slow that others wait no longer', async () => {
    const { sizes } = await deleteRuns(['a'], 260, 1);
    expect(sizes).toEqual([200, 20, 20, 20, 20]);
  });

  it('leaves the database to others for as long as it has had it', async () => {
    const { times } = await deleteRuns(['a'], 400, 0.5);
    for (const [index, { start, end }] of times.slice(0, -1).entries()) {
      expect((times[index + 1]?.start ?? 0) - end).toBeGreaterThanOrEqual(end - start);
    }
  });

  it('takes a few runs after the others, and asks nothing more where there are none', async () => {
    const ids = Array.from({ length: 250 }, (_, index) => `r${index}`);
    const { statements } = await deleteRuns(ids, 0, 0);
    const given = statements.map(({ values }) => JSON.parse(values[0] as string) as string[]);
    expect(given.flat()).toHaveLength(4 * ids.length);
    expect(Math.max(...given.map(({ length }) => length))).toBeLessThan(ids.length);
    expect((await deleteRuns([], 0, 0)).statements).toEqual([]);
  });
});
