/**
 * One of several processes that write to one database:
 *
 *   node worker.mjs '{ "index": 0, "place": … }'
 *
 * Does each task that it is sent, and sends back what came of it.
 */
import { RunsError, RunTracker } from '../../../src/index.js';
import { type Fault, withFault, withMethods } from '../planted-faults.js';
import { open, type Place } from './database.js';

/** What a process is told when it starts. */
export interface Setup {
  /** Which of the processes this is. */
  index: number;
  place: Place;
  fault?: Fault | undefined;
}

export type Task =
  | { type: 'count'; runId: string; count: number }
  | { type: 'finish'; ids: string[] };

/** What came of a task. */
interface Result {
  /** How often SQLite refused a write because others were faster for five seconds; it was sent again. */
  refusals: number;
  errors: string[];
}

export interface Counted extends Result {
  /** How many increments were acknowledged. */
  counted: number;
}

export interface Finished extends Result {
  /** The runs that this process has ended, as far as it was told. */
  won: string[];
  /** Those that it was told had ended in another way. */
  refused: string[];
  /** Those that had ended in the same way already: the output given here was reported as lost. */
  repeated: string[];
  /** How many runs were still running when it looked, and not any more when it wrote. */
  races: number;
}

const { index, place, fault } = JSON.parse(process.argv[2] as string) as Setup;
const store = withFault(open(place), fault);
const reported = new Set<string>();
/** Of the task that is being done. */
let races = 0;
let refusals = 0;
let errors: string[] = [];
const tracker = new RunTracker({
  store: withMethods(store, {
    async updateRun(...args) {
      const isMatch = await store.updateRun(...args);
      if (!isMatch) races += 1;
      return isMatch;
    },
  }),
  onTrackingError(error, { id }) {
    if (isRefusal(error)) reported.add(id);
    else errors.push(String(error));
  },
});

function isRefusal(error: unknown): boolean {
  return error instanceof RunsError && error.code === 'invalid_transition';
}

/** Writes until SQLite gives way: what it rejected it did not store, or it would be stored twice now. */
async function insist(write: () => Promise<void>): Promise<void> {
  for (;;) {
    try {
      return await write();
    } catch (error) {
      if (!/database is locked/.test(String(error))) throw error;
      refusals += 1;
    }
  }
}

/** Counts as applications do: many increments side by side, then some one after the other. */
async function count(runId: string, total: number): Promise<Counted> {
  let counted = 0;
  const add = async () => {
    try {
      await insist(() => tracker.incrementRunOutput(runId, { total: 1, [`by${index}`]: 1 }));
      counted += 1;
    } catch (error) {
      errors.push(String(error));
    }
  };
  for (let done = 0; done < total; done += 100) {
    const together = Math.min(90, total - done);
    const alone = Math.min(10, total - done - together);
    await Promise.all(Array.from({ length: together }, add));
    for (let each = 0; each < alone; each += 1) await add();
  }
  return { counted, refusals, errors };
}

/** Two of every four processes finish, one fails and one cancels: repeats, and other outcomes. */
function end(id: string): Promise<void> {
  if (index % 4 === 1) return tracker.failRun(id, new Error(`by ${index}`));
  if (index % 4 === 2) return tracker.cancelRun(id, `by ${index}`);
  return tracker.finishRun(id, { output: { by: index } });
}

async function finish(ids: string[]): Promise<Finished> {
  const ended = { won: [] as string[], refused: [] as string[], repeated: [] as string[] };
  const ends = ids.map(async (id) => {
    try {
      await insist(() => end(id));
      ended[reported.has(id) ? 'repeated' : 'won'].push(id);
    } catch (error) {
      if (isRefusal(error)) ended.refused.push(id);
      else errors.push(String(error));
    }
  });
  await Promise.all(ends);
  return { ...ended, races, refusals, errors };
}

process.on('message', async (task: Task) => {
  races = 0;
  refusals = 0;
  errors = [];
  const result =
    task.type === 'count' ? await count(task.runId, task.count) : await finish(task.ids);
  process.send?.(result);
});
// Whom it works for may be gone.
process.on('disconnect', () => process.exit());
process.send?.('ready');
