import { isDeepStrictEqual } from 'node:util';
import type { RunTracker } from '../../../src/index.js';
import type { TableName } from '../../../src/sql/tables.js';
import type { Found } from './databases.js';
import { differencesOf, type Tables } from './tables.js';

export const HOUR_MS = 3_600_000;

/** Sweeps twice: the first time closes all that was left open, and changes nothing else. */
export async function sweep(
  tracker: RunTracker,
  now: Date,
  found: Found,
  before: Tables,
  problems: string[],
): Promise<number> {
  const options = { olderThanMs: HOUR_MS / 2, limit: 100_000 };
  const since = new Date(now.getTime() - options.olderThanMs).toISOString();
  const expected = sweptOf(before, now, `abandoned: no update since ${since}`);
  const { runs, steps, calls } = await tracker.failStale(options);
  problems.push(...differencesOf(expected, await found.read()));
  const open = [before.runs, before.run_steps, before.run_calls].map((table) =>
    [...table.values()].flatMap(({ status, id }) => (status === 'running' ? [id] : [])).sort(),
  );
  const closed = [runs, steps, calls].map((ids) => ids.sort());
  if (!isDeepStrictEqual(closed, open)) problems.push(`the sweep says that it closed ${closed}`);
  const more = Object.values(await tracker.failStale(options)).flat();
  if (more.length > 0) problems.push(`a second sweep closed ${more}`);
  problems.push(...differencesOf(expected, await found.read()));
  return open.flat().length;
}

const OPEN = { runs: 'failed', run_steps: 'failed', run_calls: 'error' } as const;

/** What a sweep at that time must make of all that is stored. */
function sweptOf(tables: Tables, now: Date, error: string): Tables {
  const swept = structuredClone(tables);
  for (const [table, status] of Object.entries(OPEN)) {
    for (const record of swept[table as TableName].values()) {
      if (record.status !== 'running') continue;
      const durationMs =
        now.getTime() - Date.parse((record.startedAt ?? record.createdAt) as string);
      Object.assign(record, { status, error, durationMs });
      if (table === 'run_calls') continue;
      const at = now.toISOString();
      Object.assign(record, { completedAt: at, updatedAt: at });
      if (table === 'runs') record.currentStep = null;
    }
  }
  return swept;
}
