/**
 * Writes calls in one way, in a process of its own that `stores.ts` starts: for
 * every message it empties the tables, writes so many calls, and answers how many
 * microseconds each of them took.
 */
import { type Database, empty, openDatabase, type Place } from './databases.ts';
import { handWrittenPostgres, handWrittenSqlite } from './hand-written.ts';
import { insertParents, type Job, newJobs, uuid4, write } from './store-records.ts';

export interface Request {
  mode: 'sequential' | 'concurrent';
  count: number;
  /** Goes on for so long, to warm up. */
  milliseconds?: number;
}

/** How calls are written: each by itself, or all at once. */
type Subject =
  | { each: (job: Job) => Promise<void> | void }
  | { all: (jobs: Job[]) => Promise<void> | void };

const STEPS = 20;

function subjectOf(name: string, database: Database): Subject {
  if (name === 'this store') return { each: (job) => write(database.store, job) };
  if (name === 'without group commit') return { each: (job) => write(database.singly, job) };
  const { pool, sqlite } = database;
  const handWritten = pool ? handWrittenPostgres(pool) : sqlite && handWrittenSqlite(sqlite);
  if (name === 'single statements' && handWritten) return { each: handWritten.single };
  const all = handWritten?.bulk[name.replace('bulk, ', '')];
  if (!all) throw new Error(`Unknown subject "${name}"`);
  return { all };
}

async function measure({ mode, count }: Request): Promise<number> {
  await empty(database);
  const jobs = newJobs(count, await insertParents(database.store, STEPS, uuid4), uuid4);
  // The planner of Postgres must not take the tables for what they were before.
  await database.execute('analyze run_calls');
  const start = process.hrtime.bigint();
  if ('all' in subject) await subject.all(jobs);
  else if (mode === 'concurrent') await Promise.all(jobs.map(subject.each));
  else for (const job of jobs) await subject.each(job);
  return Number(process.hrtime.bigint() - start) / 1000 / count;
}

const [name = '', place = ''] = process.argv.slice(2);
const database = await openDatabase(JSON.parse(place) as Place);
const subject = subjectOf(name, database);
process.on('message', async (request: Request) => {
  const end = performance.now() + (request.milliseconds ?? 0);
  let time: number;
  do time = await measure(request);
  while (performance.now() < end);
  process.send?.(time);
});
process.on('disconnect', () => database.close());
process.send?.('ready');
