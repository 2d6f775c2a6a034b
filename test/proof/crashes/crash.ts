import { RunsError, RunTracker } from '../../../src/index.js';
import { examine, type Findings } from './checks.js';
import type { Found } from './databases.js';
import type { Line } from './journal.js';
import { HOUR_MS, sweep } from './sweep.js';
import { differencesOf, type Tables, without } from './tables.js';

/** What came of a crash. */
export interface Result extends Findings {
  /** How many records the sweep has closed, and how many runs that were pending were worked on afterwards. */
  swept: number;
  restarted: number;
  /** What is stored at last. */
  tables: Tables;
}

/**
 * Examines what a killed worker has left behind; then sweeps, and asks for the work
 * of its runs once more.
 *
 * @param before what was stored before that worker came
 */
export async function examineCrash(lines: Line[], found: Found, before: Tables): Promise<Result> {
  const all = await found.read();
  const own = without(before, all);
  const findings = examine({ lines, tables: own });
  const problems = [...found.damage, ...findings.problems];
  problems.push(...differencesOf(before, without(own, all)));

  const now = new Date(Date.now() + HOUR_MS);
  const tracker = new RunTracker({ store: found.store, now: () => now });
  const swept = await sweep(tracker, now, found, all, problems);
  const restarted = await restart(tracker, own, problems);
  return { ...findings, problems, swept, restarted, tables: await found.read() };
}

/** Asks twice for the work of every run: it is done for those that were never begun, and once. */
async function restart(tracker: RunTracker, { runs }: Tables, problems: string[]): Promise<number> {
  let restarted = 0;
  for (const [id, { status }] of runs) {
    let performed = 0;
    const work = () => {
      performed += 1;
    };
    const tries = await Promise.allSettled([1, 2].map(() => tracker.executeRun(id, work)));
    const refusals = tries.filter(
      (each) =>
        each.status === 'rejected' &&
        each.reason instanceof RunsError &&
        each.reason.code === 'invalid_transition',
    );
    const expected = status === 'pending' ? 1 : 0;
    restarted += expected;
    if (performed !== expected || refusals.length !== 2 - expected) {
      problems.push(`the work of run ${id}, which was ${status}, ran ${performed} times more`);
    }
  }
  return restarted;
}
