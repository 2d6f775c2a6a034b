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
import { type Database, openDatabase, type Place, withPlaces } from './databases.ts';
import { type Benchmark, formatCount, median, print, type Table } from './report.ts';
import { insertParents, newJobs, type Parent, uuid4 } from './store-records.ts';

const FULL = { calls: 200_000, rounds: 3 };
const QUICK = { calls: 10_000, rounds: 1 };
const STEPS = 200;
const GROUP = 2000;
const MAX_MS = 100;
const QUIET_MS = 2000;

/** Writes single rows until it is told to stop; resolves to the milliseconds that each took. */
async function writeOn({ store }: Database, isOver: () => boolean): Promise<number[]> {
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
  return times;
}

/** Starts writing from another process; resolves to what ends it. */
async function startWriter(place: Place): Promise<() => Promise<number[]>> {
  const child = fork(new URL(import.meta.url), ['writer', JSON.stringify(place)]);
  await once(child, 'message');
  return async () => {
    child.send('stop');
    const [times] = await once(child, 'message');
    child.disconnect();
    return times as number[];
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

/** A run that has ended, of so many calls in two hundred steps. */
async function fill({ store }: Database, calls: number): Promise<void> {
  const parents: Parent[] = await insertParents(store, STEPS, uuid4);
  const [first] = parents as [Parent];
  for (let count = 0; count < calls; count += GROUP) {
    const jobs = newJobs(GROUP, parents, uuid4);
    await Promise.all(jobs.map(({ call, end }) => store.insertCall({ ...call, ...end })));
  }
  await store.updateRun(first.runId, { status: 'completed', completedAt: new Date(0) });
}

async function compare(
  title: string,
  place: Place,
  { calls, rounds }: typeof FULL,
): Promise<Table> {
  const database = await openDatabase(place);
  const quiet: number[] = [];
  const others: number[] = [];
  const own: number[] = [];
  const seconds: number[] = [];
  const deleteAll = async () => {
    const start = performance.now();
    const deleted = await database.store.deleteRuns({ completedBefore: new Date(1) });
    seconds.push((performance.now() - start) / 1000);
    if (deleted !== 1) throw new Error(`${deleted} runs were deleted`);
  };
  for (let round = 0; round < rounds; round += 1) {
    const stopQuiet = await startWriter(place);
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS));
    quiet.push(...(await stopQuiet()));

    await fill(database, calls);
    const stop = await startWriter(place);
    await deleteAll();
    others.push(...(await stop()));

    await fill(database, calls);
    let isOver = false;
    const writing = writeOn(database, () => isOver);
    await deleteAll();
    isOver = true;
    own.push(...(await writing));
  }
  await database.close();

  const rowOf = (name: string, times: number[]): Table['rows'][number] => [
    name,
    median(times),
    Math.max(...times),
    times.length,
  ];
  return {
    title: `${title}: deleting takes ${median(seconds).toFixed(1)} s`,
    columns: ['ms that a write takes', 'median', 'longest', 'writes'],
    rows: [
      rowOf('nothing is deleted', quiet),
      rowOf('from another process', others),
      rowOf('from the process that deletes', own),
    ],
    aimed: [
      {
        name: 'the longest while something is deleted',
        value: Math.max(...others, ...own),
        aim: { atMost: MAX_MS },
        unit: ' ms',
      },
    ],
  };
}

export const deleting: Benchmark = {
  title: 'How long others wait while a large run is deleted',
  about: `\`deleteRuns\` deletes one run of ${formatCount(FULL.calls)} calls, while somebody writes one row after the other with a
pause of a millisecond: from another process, or from the one that deletes. Figures are of all writes of
${FULL.rounds} rounds together; the longest is what the slowest of them took.`,
  async measure({ isQuick, only }, tell) {
    const extent = isQuick ? QUICK : FULL;
    await withPlaces(async (postgres, fileOf) => {
      if (only !== 'sqlite') {
        const place: Place = { kind: 'postgres', at: await postgres(), pool: 10 };
        tell(await compare('PostgreSQL, a pool of 10', place, extent));
      }
      if (only !== 'postgres') {
        const place: Place = { kind: 'sqlite', at: fileOf('runs.db') };
        tell(await compare('SQLite file, WAL, synchronous = FULL', place, extent));
      }
    });
  },
};

const [mode, place = ''] = process.argv.slice(2);
if (import.meta.main && mode === 'writer') await beWriter(JSON.parse(place) as Place);
else if (import.meta.main) await print(deleting);
