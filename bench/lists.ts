/**
 * How long a page of runs takes among a million, the first one and one from the
 * middle:
 *
 *   npm run build --silent && node bench/lists.ts [postgres | sqlite]
 */
import type { Run, RunQuery } from '@systemoperator/runs';
import { createViewer } from '@systemoperator/runs/viewer';
import { type Database, describeMachine, openDatabase, withPlaces } from './databases.ts';
import { median, printAim } from './report.ts';
import { newRun, outputOf, uuid4 } from './store-records.ts';

const RUNS = 1_000_000;
const GROUP = 2000;
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

/** One of twenty types and, for every other run, of a thousand actors; 3 of 100 failed, 1 of 1 000 goes on. */
function runAt(index: number): Run {
  const createdAt = new Date(FIRST_AT + index * INTERVAL_MS);
  const id = uuid4();
  const fields = {
    runType: `sync_${index % 20}`,
    actorId: index % 2 === 0 ? null : `user_${((index - 1) / 2) % 1000}`,
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

async function fill({ store, sqlite, execute }: Database): Promise<void> {
  sqlite?.exec('pragma synchronous = off');
  for (let start = 0; start < RUNS; start += GROUP) {
    const runs = Array.from({ length: GROUP }, (_, offset) => runAt(start + offset));
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

const [only] = process.argv.slice(2);
const middle = new Date(FIRST_AT + (RUNS / 2) * INTERVAL_MS);
await withPlaces(async (postgres, fileOf) => {
  const url = only === 'sqlite' ? undefined : await postgres();
  console.log(await describeMachine(url));
  for (const kind of ['postgres', 'sqlite'] as const) {
    if (only && kind !== only) continue;
    const at = kind === 'postgres' ? (url as string) : fileOf('runs.db');
    const database = await openDatabase({ kind, at });
    await fill(database);
    console.log(`\n${kind}: a page of 50 of ${RUNS} runs, medians of ${ROUNDS}`);
    for (const [name, query] of Object.entries(QUERIES)) {
      printAim(`${name}, first page`, await measure(database, query), { atMost: MAX_MS }, ' ms');
      const { nextCursor } = await database.store.listRuns({ ...query, createdBefore: middle });
      const deep = { ...query, cursor: nextCursor ?? undefined };
      printAim(`${name}, in the middle`, await measure(database, deep), { atMost: MAX_MS }, ' ms');
    }
    const time = await measureViewer(database);
    console.log(`  the first page of the viewer, as HTML: ${time.toFixed(2)} ms`);
    await database.close();
  }
});
