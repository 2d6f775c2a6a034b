/**
 * What a write costs as the table of calls grows, with random ids and with
 * time-ordered ones:
 *
 *   npm run build --silent && node bench/growth.ts [postgres | sqlite]
 *
 * Calls are written in groups at once, each an insert and a conditional update, and
 * deleted again, so that a table keeps its size. The tables take turns, so that a
 * machine that is slow for a while is slow for each of them.
 */
import {
  type Database,
  describeMachine,
  openDatabase,
  type Place,
  withPlaces,
} from './databases.ts';
import { median, printAim, printRow } from './report.ts';
import { insertParents, newJobs, uuid4, uuid7, write } from './store-records.ts';

const SIZES = [10_000, 100_000, 1_000_000];
const IDS = { 'random ids (UUIDv4)': uuid4, 'time-ordered ids (UUIDv7)': uuid7 };
/** How many times the cost of a write may grow from the smallest table to the largest. */
const AIMS = { postgres: 1.8, sqlite: 8 };
const GROUP = 1000;
const CALLS_OF_A_STEP = 100;
const WARM_UP_TURNS = 4;
const TURNS = 21;

/** A table of so many calls that have ended. */
async function openFilled(place: Place, size: number, newId: () => string): Promise<Database> {
  const database = await openDatabase(place);
  const { store, sqlite, execute } = database;
  sqlite?.exec('pragma synchronous = off');
  for (let filled = 0; filled < size; filled += GROUP) {
    const jobs = newJobs(GROUP, await insertParents(store, GROUP / CALLS_OF_A_STEP, newId), newId);
    await Promise.all(jobs.map(({ call, end }) => store.insertCall({ ...call, ...end })));
  }
  sqlite?.exec('pragma synchronous = full');
  await execute(`analyze ${place.tablePrefix}run_calls`);
  return database;
}

/** Microseconds a write, of one group of calls. */
async function measure(
  { store, execute }: Database,
  tablePrefix: string,
  newId: () => string,
): Promise<number> {
  const parents = await insertParents(store, GROUP / CALLS_OF_A_STEP, newId);
  const jobs = newJobs(GROUP, parents, newId);
  const start = process.hrtime.bigint();
  await Promise.all(jobs.map((job) => write(store, job)));
  const elapsed = Number(process.hrtime.bigint() - start) / 1000;
  await execute(`delete from ${tablePrefix}run_calls where run_id = '${parents[0]?.runId}'`);
  return elapsed / (2 * GROUP);
}

/** Microseconds a write at each size, turn by turn. */
async function grow(
  placeOf: (tablePrefix: string) => Place,
  newId: () => string,
): Promise<number[][]> {
  const tables: [prefix: string, Database][] = [];
  for (const size of SIZES) {
    const prefix = `${newId.name}_${size}_`;
    tables.push([prefix, await openFilled(placeOf(prefix), size, newId)]);
  }
  const costs: number[][] = SIZES.map(() => []);
  for (let turn = 0; turn < WARM_UP_TURNS + TURNS; turn += 1) {
    for (const [index, [prefix, database]] of tables.entries()) {
      const cost = await measure(database, prefix, newId);
      if (turn >= WARM_UP_TURNS) costs[index]?.push(cost);
    }
  }
  for (const [, database] of tables) await database.close();
  return costs;
}

const [only] = process.argv.slice(2);
await withPlaces(async (postgres, fileOf) => {
  const url = only === 'sqlite' ? undefined : await postgres();
  console.log(await describeMachine(url));
  console.log(`µs a write, medians of ${TURNS} groups of ${GROUP} calls at once`);
  printRow('rows', SIZES.map(String));
  for (const kind of ['postgres', 'sqlite'] as const) {
    if (only && kind !== only) continue;
    for (const [name, newId] of Object.entries(IDS)) {
      const costs = await grow((tablePrefix) => {
        const at = kind === 'postgres' ? (url as string) : fileOf(`${tablePrefix}.db`);
        return { kind, at, tablePrefix };
      }, newId);
      printRow(`${kind}, ${name}`, costs.map(median));
      const [small = [], large = []] = [costs[0], costs.at(-1)];
      const ratio = median(large.map((cost, turn) => cost / (small[turn] as number)));
      printAim(`from ${SIZES[0]} to ${SIZES.at(-1)} rows`, ratio, { atMost: AIMS[kind] }, ' ×');
    }
  }
});
