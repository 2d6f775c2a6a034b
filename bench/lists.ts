/**
 * How long a page of runs takes among a million, the first one and one from the
 * middle:
 *
 *   npm run build --silent && node bench/lists.ts [postgres | sqlite]
 */
import type { Run, RunQuery } from '@systemoperator/runs';
import { createViewer } from '@systemoperator/runs/viewer';
import { type Database, openDatabase, type Place, withPlaces } from './databases.ts';
import { type Benchmark, formatCount, median, print, type Table } from './report.ts';
import { newRun, outputOf, uuid4 } from './store-records.ts';

const FULL = 1_000_000;
const QUICK = 20_000;
const GROUP = 2000;
const RUNS_OF_AN_ACTOR = 500;
/** A run starts every ten seconds. */
const INTERVAL_MS = 10_000;
const FIRST_AT = Date.UTC(2026, 0, 1);
const ROUNDS = 101;
const WARM_UP_ROUNDS = 10;
const MAX_MS = 2;

const QUERIES: Record<string, RunQuery> = {
  'all runs': {},
  "status: 'failed'": { status: 'failed' },
  "status: 'completed'": { status: 'completed' },
  "status: ['failed', 'running']": { status: ['failed', 'running'] },
  "runType: 'sync_7'": { runType: 'sync_7' },
  "actorId: 'user_7'": { actorId: 'user_7' },
};

/** One of twenty types and, every other one, of so many actors; 3 of 100 failed, 1 of 1 000 goes on. */
function runAt(index: number, actors: number): Run {
  const createdAt = new Date(FIRST_AT + index * INTERVAL_MS);
  const id = uuid4();
  const fields = {
    runType: `sync_${index % 20}`,
    actorId: index % 2 === 0 ? null : `user_${((index - 1) / 2) % actors}`,
  };
  if (index % 1000 === 500) return newRun(id, createdAt, fields);
  const completedAt = new Date(createdAt.getTime() + 3_000);
  const isFailure = index % 100 < 3;
  return newRun(id, createdAt, {
    ...fields,
    status: isFailure ? 'failed' : 'completed',
    error: isFailure ? 'The API answered 503' : null,
    completedAt,
    durationMs: 3_000,
    output: outputOf(id),
    updatedAt: completedAt,
  });
}

async function fill({ store, sqlite, execute }: Database, count: number): Promise<void> {
  sqlite?.exec('pragma synchronous = off');
  const actors = count / 2 / RUNS_OF_AN_ACTOR;
  for (let start = 0; start < count; start += GROUP) {
    const runs = Array.from({ length: GROUP }, (_, offset) => runAt(start + offset, actors));
    await Promise.all(runs.map((run) => store.insertRun(run)));
  }
  await execute('analyze runs');
}

/** Milliseconds a page. */
async function measure({ store }: Database, query: RunQuery): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round += 1) {
    const start = process.hrtime.bigint();
    const { items } = await store.listRuns(query);
    const elapsed = Number(process.hrtime.bigint() - start) / 1e6;
    if (items.length !== 50) throw new Error(`A page of ${items.length} runs`);
    if (round >= WARM_UP_ROUNDS) times.push(elapsed);
  }
  return median(times);
}

/** Milliseconds that the viewer takes for its first page, as HTML; it reads one page of runs for it. */
async function measureViewer({ store }: Database): Promise<number> {
  const viewer = createViewer({ reader: store, authorize: () => true });
  const times: number[] = [];
  for (let round = 0; round < WARM_UP_ROUNDS + ROUNDS; round += 1) {
    const start = process.hrtime.bigint();
    const response = await viewer(new Request('http://localhost/'));
    const html = await response.text();
    const elapsed = Number(process.hrtime.bigint() - start) / 1e6;
    if (!html.includes('rel="next"')) throw new Error('A page without a next one');
    if (round >= WARM_UP_ROUNDS) times.push(elapsed);
  }
  return median(times);
}

async function compare(title: string, place: Place, count: number): Promise<Table> {
  const database = await openDatabase(place);
  await fill(database, count);
  const middle = new Date(FIRST_AT + (count / 2) * INTERVAL_MS);
  const rows: [name: string, first: number, deep: number][] = [];
  for (const [name, query] of Object.entries(QUERIES)) {
    const first = await measure(database, query);
    const { nextCursor } = await database.store.listRuns({ ...query, createdBefore: middle });
    const deep = await measure(database, { ...query, cursor: nextCursor ?? undefined });
    rows.push([name, first, deep]);
  }
  const viewer = await measureViewer(database);
  await database.close();
  return {
    title,
    columns: ['ms a page', 'the first', 'in the middle'],
    rows: [...rows, ['the list in the viewer, as HTML', viewer, undefined]],
    aimed: [
      {
        name: 'the slowest page of runs',
        value: Math.max(...rows.flatMap(([, first, deep]) => [first, deep])),
        aim: { atMost: MAX_MS },
        unit: ' ms',
      },
    ],
  };
}

export const lists: Benchmark = {
  title: 'What a page of runs costs among a million',
  about: `Time of \`listRuns\` for a page of 50: the first page, and one that a cursor leads to in the middle. The table
holds ${formatCount(FULL)} runs of twenty types and a thousand actors, of which 3 in 100 failed and 1 in 1 000 still runs.
And the time of the first page of the viewer, from the request to the last byte of HTML. Figures are medians of
${ROUNDS} pages.`,
  async measure({ isQuick, only }, tell) {
    const count = isQuick ? QUICK : FULL;
    await withPlaces(async (postgres, fileOf) => {
      if (only !== 'sqlite') {
        tell(await compare('PostgreSQL', { kind: 'postgres', at: await postgres() }, count));
      }
      if (only !== 'postgres') {
        tell(await compare('SQLite file', { kind: 'sqlite', at: fileOf('runs.db') }, count));
      }
    });
  },
};

if (import.meta.main) await print(lists);
