/**
 * How many round trips calls take to a D1 database, in miniflare:
 *
 *   npm run build --silent && node bench/d1.ts
 */
import { type D1Statement, D1Store } from '@systemoperator/runs/d1';
import { convertV4MiniflareOptions, Miniflare } from 'miniflare';
import { type Benchmark, print, type Row } from './report.ts';
import { insertParents, type Job, newJobs, type Parent, uuid4, write } from './store-records.ts';

type Database = Awaited<ReturnType<Miniflare['getD1Database']>>;
type Original = ReturnType<Database['prepare']>;

interface Count {
  trips: number;
  statements: number;
  refused: number;
}

const CALLS = 100;

/** Stores calls, all at once, and counts the round trips; and the calls that were refused. */
async function count(database: Database, jobs: Job[]): Promise<Count> {
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

export const d1: Benchmark = {
  title: 'How many round trips calls take to D1',
  about: `Requests that \`D1Store\` sends for ${CALLS} calls at once, an insert and a conditional update each, to a D1 in
miniflare; D1 is far away, so trips are what counts. Beside them, the same with one bad row among them, which D1
refuses together with all that was sent with it.`,
  async measure(_options, tell) {
    const miniflare = new Miniflare(
      convertV4MiniflareOptions({
        compatibilityDate: '2026-07-01',
        modules: true,
        script: 'export default { fetch: () => new Response() };',
        d1Databases: ['DB'],
      }),
    );
    try {
      const database = await miniflare.getD1Database('DB');
      const store = new D1Store(database);
      await store.migrate();
      const parents = await insertParents(store, 10, uuid4);
      const unknown: Parent[] = [{ runId: uuid4(), stepId: uuid4() }];
      const good = () => newJobs(CALLS, parents, uuid4);
      const [duplicate] = good() as [Job];
      await store.insertCall(duplicate.call);

      const base = await count(database, good());
      const rows = [rowOf('no bad row', base)];
      let most = 0;
      for (const [name, [bad]] of [
        ['one of an unknown step', newJobs(1, unknown, uuid4)],
        ['one whose id exists', [duplicate]],
      ] as const) {
        const jobs = good();
        jobs[CALLS / 2] = bad as Job;
        const counted = await count(database, jobs);
        rows.push(rowOf(name, counted));
        most = Math.max(most, counted.trips - base.trips);
      }
      tell({
        title: `${CALLS} calls at once`,
        columns: ['', 'round trips', 'statements', 'calls refused'],
        rows,
        aimed: [
          { name: 'round trips', value: base.trips, aim: { atMost: 6 }, unit: '' },
          { name: 'more of them for one bad row', value: most, aim: { atMost: 16 }, unit: '' },
        ],
      });
    } finally {
      await miniflare.dispose();
    }
  },
};

function rowOf(name: string, { trips, statements, refused }: Count): Row {
  return [name, trips, statements, refused];
}

if (import.meta.main) await print(d1);
