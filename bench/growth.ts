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
import { type Database, openDatabase, type Place, withPlaces } from './databases.ts';
import { type Benchmark, formatCount, median, print, type Table } from './report.ts';
import { insertParents, newJobs, uuid4, uuid7, write } from './store-records.ts';

const IDS = { 'random ids (UUIDv4)': uuid4, 'time-ordered ids (UUIDv7)': uuid7 };
/** How many times the cost of a write may grow from the smallest table to the largest. */
const AIMS = { postgres: 1.8, sqlite: 8 };
const TITLES = { postgres: 'PostgreSQL', sqlite: 'SQLite file, WAL, synchronous = FULL' };
const GROUP = 1000;
const CALLS_OF_A_STEP = 100;
const FULL = { sizes: [10_000, 100_000, 1_000_000], warmUps: 4, turns: 21 };
const QUICK = { sizes: [1_000, 2_000, 4_000], warmUps: 1, turns: 3 };

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
  { sizes, warmUps, turns }: typeof FULL,
): Promise<number[][]> {
  const tables: [prefix: string, Database][] = [];
  for (const size of sizes) {
    const prefix = `${newId.name}_${size}_`;
    tables.push([prefix, await openFilled(placeOf(prefix), size, newId)]);
  }
  const costs: number[][] = sizes.map(() => []);
  for (let turn = 0; turn < warmUps + turns; turn += 1) {
    for (const [index, [prefix, database]] of tables.entries()) {
      const cost = await measure(database, prefix, newId);
      if (turn >= warmUps) costs[index]?.push(cost);
    }
  }
  for (const [, database] of tables) await database.close();
  return costs;
}

async function compare(
  kind: keyof typeof AIMS,
  placeOf: (tablePrefix: string) => Place,
  extent: typeof FULL,
): Promise<Table> {
  const names = extent.sizes.map(formatCount);
  const table: Table = {
    title: TITLES[kind],
    columns: ['µs a write, among rows', ...names],
    rows: [],
    aimed: [],
  };
  for (const [name, newId] of Object.entries(IDS)) {
    const costs = await grow(placeOf, newId, extent);
    const [small = [], large = []] = [costs[0], costs.at(-1)];
    table.rows.push([name, ...costs.map(median)]);
    table.aimed.push({
      name: `${name}, from ${names[0]} rows to ${names.at(-1)}`,
      value: median(large.map((cost, turn) => cost / (small[turn] as number))),
      aim: { atMost: AIMS[kind] },
      unit: ' ×',
    });
  }
  return table;
}

export const growth: Benchmark = {
  title: 'What a write costs as the tables grow',
  about: `Time of one write among the calls that are there already. Calls are written in groups of ${GROUP} at once, an
insert and a conditional update each, and deleted again, so that a table keeps its size. The three tables take turns;
figures are medians of ${FULL.turns} groups. With random ids every write meets another part of the index, with
time-ordered ids the end of it.`,
  async measure({ isQuick, only }, tell) {
    const extent = isQuick ? QUICK : FULL;
    await withPlaces(async (postgres, fileOf) => {
      if (only !== 'sqlite') {
        const at = await postgres();
        const placeOf = (tablePrefix: string) => ({ kind: 'postgres' as const, at, tablePrefix });
        tell(await compare('postgres', placeOf, extent));
      }
      if (only !== 'postgres') {
        const placeOf = (tablePrefix: string) => {
          return { kind: 'sqlite' as const, at: fileOf(`${tablePrefix}.db`), tablePrefix };
        };
        tell(await compare('sqlite', placeOf, extent));
      }
    });
  },
};

if (import.meta.main) await print(growth);
