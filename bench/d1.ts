/**
 * How many round trips calls take to a D1 database, in miniflare:
 *
 *   npm run build --silent && node bench/d1.ts
 */
import { type D1Statement, D1Store } from '@systemoperator/runs/d1';
import { convertV4MiniflareOptions, Miniflare } from 'miniflare';
import { printAim, printRow } from './report.ts';
import { insertParents, type Job, newJobs, type Parent, uuid4, write } from './store-records.ts';

type Original = ReturnType<Awaited<ReturnType<Miniflare['getD1Database']>>['prepare']>;

const CALLS = 100;

const miniflare = new Miniflare(
  convertV4MiniflareOptions({
    compatibilityDate: '2026-07-01',
    modules: true,
    script: 'export default { fetch: () => new Response() };',
    d1Databases: ['DB'],
  }),
);

/** Stores calls, all at once, and counts the round trips; and the calls that were refused. */
async function count(jobs: Job[]): Promise<{ trips: number; statements: number; refused: number }> {
  let trips = 0;
  let statements = 0;
  const originals = new WeakMap<D1Statement, Original>();
  const counted = (original: Original): D1Statement => {
    const statement: D1Statement = {
      bind: (...values) => counted(original.bind(...values)),
      all() {
        trips += 1;
        statements += 1;
        return original.all();
      },
    };
    originals.set(statement, original);
    return statement;
  };
  const store = new D1Store({
    prepare: (query) => counted(database.prepare(query)),
    batch(batch) {
      trips += 1;
      statements += batch.length;
      return database.batch(batch.map((statement) => originals.get(statement) as Original));
    },
  });
  const outcomes = await Promise.allSettled(jobs.map((job) => write(store, job)));
  const refused = outcomes.filter(({ status }) => status === 'rejected').length;
  return { trips, statements, refused };
}

const database = await miniflare.getD1Database('DB');
try {
  const store = new D1Store(database);
  await store.migrate();
  const parents = await insertParents(store, 10, uuid4);
  const unknown: Parent[] = [{ runId: uuid4(), stepId: uuid4() }];
  const good = () => newJobs(CALLS, parents, uuid4);
  const [duplicate] = good() as [Job];
  await store.insertCall(duplicate.call);

  console.log(`D1 in miniflare: ${CALLS} calls at once, an insert and a conditional update each`);
  printRow('', ['round trips', 'statements', 'refused']);
  const base = await count(good());
  printRow('no bad row', [String(base.trips), String(base.statements), String(base.refused)]);
  let most = 0;
  for (const [name, [bad]] of [
    ['one of an unknown step', newJobs(1, unknown, uuid4)],
    ['one whose id exists', [duplicate]],
  ] as const) {
    const jobs = good();
    jobs[CALLS / 2] = bad as Job;
    const { trips, statements, refused } = await count(jobs);
    printRow(name, [String(trips), String(statements), String(refused)]);
    most = Math.max(most, trips - base.trips);
  }
  printAim('round trips', base.trips, { atMost: 6 });
  printAim('round trips more for one bad row', most, { atMost: 16 });
} finally {
  await miniflare.dispose();
}
