/**
 * How long others wait while a run of 200 000 calls is deleted:
 *
 *   npm run build --silent && node bench/deleting.ts [postgres | sqlite]
 *
 * They write one row after the other: from another process, and from the one that
 * deletes.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import {
  type Database,
  describeMachine,
  openDatabase,
  type Place,
  withPlaces,
} from './databases.ts';
import { median, printAim, printRow } from './report.ts';
import { insertParents, newJobs, type Parent, uuid4 } from './store-records.ts';

const CALLS = 200_000;
const STEPS = 200;
const GROUP = 2000;
const MAX_MS = 100;
const ROUNDS = 3;
const QUIET_MS = 2000;

interface Waits {
  longest: number;
  median: number;
  writes: number;
}

/** Writes single rows until it is told to stop. */
async function writeOn({ store }: Database, isOver: () => boolean): Promise<Waits> {
  const parents = await insertParents(store, 1, uuid4);
  const times: number[] = [];
  while (!isOver()) {
    const [job] = newJobs(1, parents, uuid4);
    const start = performance.now();
    if (job) await store.insertCall(job.call);
    times.push(performance.now() - start);
    // Nobody writes without a pause, and a driver that is synchronous would leave none to others.
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return { longest: Math.max(...times), median: median(times), writes: times.length };
}

/** Starts writing from another process; resolves to what ends it. */
async function startWriter(place: Place): Promise<() => Promise<Waits>> {
  const child = fork(new URL(import.meta.url), ['writer', JSON.stringify(place)]);
  await once(child, 'message');
  return async () => {
    child.send('stop');
    const [waits] = await once(child, 'message');
    child.disconnect();
    return waits as Waits;
  };
}

async function beWriter(place: Place): Promise<void> {
  const database = await openDatabase(place);
  let isOver = false;
  process.once('message', () => {
    isOver = true;
  });
  process.on('disconnect', () => database.close());
  process.send?.('started');
  process.send?.(await writeOn(database, () => isOver));
}

/** A run that has ended, of a step for every thousand calls. */
async function fill({ store }: Database): Promise<void> {
  const parents: Parent[] = await insertParents(store, STEPS, uuid4);
  const [first] = parents as [Parent];
  for (let count = 0; count < CALLS; count += GROUP) {
    const jobs = newJobs(GROUP, parents, uuid4);
    await Promise.all(jobs.map(({ call, end }) => store.insertCall({ ...call, ...end })));
  }
  await store.updateRun(first.runId, { status: 'completed', completedAt: new Date(0) });
}

async function compare(place: Place): Promise<void> {
  const database = await openDatabase(place);
  const rows: [name: string, waits: Waits, ms: number][] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const stopQuiet = await startWriter(place);
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    rows.push(['nothing is deleted', await stopQuiet(), QUIET_MS]);

    await fill(database);
    let start = performance.now();
    const stop = await startWriter(place);
    await deleteAll(database);
    rows.push(['from another process', await stop(), performance.now() - start]);

    await fill(database);
    start = performance.now();
    let isOver = false;
    const own = writeOn(database, () => isOver);
    await deleteAll(database);
    isOver = true;
    rows.push(['from the same process', await own, performance.now() - start]);
  }
  await database.close();

  console.log(`\n${place.kind}: ms that a writer waits while a run of ${CALLS} calls is deleted`);
  printRow('', ['median', 'longest', 'writes', 'in seconds']);
  for (const [name, waits, ms] of rows) {
    printRow(name, [waits.median, waits.longest, String(waits.writes), (ms / 1000).toFixed(1)]);
  }
  const longest = rows.filter(([, , ms]) => ms !== QUIET_MS).map(([, waits]) => waits.longest);
  printAim('the longest wait', Math.max(...longest), { atMost: MAX_MS }, ' ms');
}

async function deleteAll({ store }: Database): Promise<void> {
  const deleted = await store.deleteRuns({ completedBefore: new Date(1) });
  if (deleted !== 1) throw new Error(`${deleted} runs were deleted`);
}

const [mode, place = ''] = process.argv.slice(2);
if (mode === 'writer') {
  await beWriter(JSON.parse(place) as Place);
} else {
  await withPlaces(async (postgres, fileOf) => {
    const url = mode === 'sqlite' ? undefined : await postgres();
    console.log(await describeMachine(url));
    if (url) await compare({ kind: 'postgres', at: url, pool: 10 });
    if (mode !== 'postgres') await compare({ kind: 'sqlite', at: fileOf('runs.db') });
  });
}
