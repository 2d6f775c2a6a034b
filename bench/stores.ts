/**
 * What the SQL stores cost, beside statements that are written by hand:
 *
 *   npm run build --silent && node bench/stores.ts [postgres | sqlite]
 *
 * A call is what the tracker writes of one: an insert, and a conditional update at
 * its end. Every way of writing has a process of its own, and they take turns, so
 * that a machine that is slow for a while is slow for everybody; a ratio is the
 * median of the ratios within one turn.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { type Place, withPlaces } from './databases.ts';
import { type Aim, type Benchmark, median, print, type Table } from './report.ts';
import { newJobs, uuid4 } from './store-records.ts';
import type { Request } from './store-subject.ts';

interface Situation {
  title: string;
  place: Omit<Place, 'at'>;
  bulks: string[];
  /** How many times slower single statements should be than this store, 2 000 calls at once. */
  gain: number;
}

const POSTGRES_BULKS = ['bulk, unnest', 'bulk, json_to_recordset'];
const SQLITE_BULKS = ['bulk, one transaction', 'bulk, json_each'];
const SITUATIONS: Situation[] = [
  {
    title: 'PostgreSQL, a pool of 1',
    place: { kind: 'postgres', pool: 1 },
    bulks: POSTGRES_BULKS,
    gain: 8,
  },
  {
    title: 'PostgreSQL, a pool of 10',
    place: { kind: 'postgres', pool: 10 },
    bulks: POSTGRES_BULKS,
    gain: 3,
  },
  {
    title: 'SQLite file, WAL, synchronous = FULL',
    place: { kind: 'sqlite', synchronous: 'FULL' },
    bulks: SQLITE_BULKS,
    gain: 20,
  },
  {
    title: 'SQLite file, WAL, synchronous = NORMAL',
    place: { kind: 'sqlite', synchronous: 'NORMAL' },
    bulks: SQLITE_BULKS,
    gain: 6,
  },
];
const STORE = 'this store';
const SINGLE = 'single statements';
const SEQUENTIAL: Request = { mode: 'sequential', count: 500 };
const CONCURRENT: Request = { mode: 'concurrent', count: 2000 };
const FULL = { warmUpMs: 3000, turns: 11 };
const QUICK = { warmUpMs: 100, turns: 3 };

/** Microseconds a call, turn by turn. */
type Times = Map<string, number[]>;

async function start(subject: string, place: Place): Promise<ChildProcess> {
  const program = new URL('./store-subject.ts', import.meta.url);
  const child = fork(program, [subject, JSON.stringify(place)]);
  await answerOf(child);
  return child;
}

/** What a child says next; it must not end before that. */
function answerOf(child: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = () => reject(new Error('A subject has ended'));
    child.once('exit', fail);
    child.once('message', (answer) => {
      child.off('exit', fail);
      resolve(answer);
    });
  });
}

async function takeTurns(
  children: Map<string, ChildProcess>,
  request: Request,
  { warmUpMs, turns }: typeof FULL,
): Promise<Times> {
  const times: Times = new Map([...children.keys()].map((name) => [name, []]));
  for (const child of children.values()) {
    child.send({ ...request, milliseconds: warmUpMs });
    await answerOf(child);
  }
  for (let turn = 0; turn < turns; turn += 1) {
    // Nobody always comes after the same one.
    const order = [...children].toSorted(() => Math.random() - 0.5);
    for (const [name, child] of order) {
      child.send(request);
      times.get(name)?.push((await answerOf(child)) as number);
    }
  }
  return times;
}

function medianOf(times: Times, name: string): number {
  return median(times.get(name) ?? []);
}

function ratio(times: Times, name: string, base: string): number {
  const bases = times.get(base) ?? [];
  const values = times.get(name) ?? [];
  return median(values.map((time, turn) => time / (bases[turn] as number)));
}

async function compare(
  { title, bulks, gain }: Situation,
  place: Place,
  extent: typeof FULL,
): Promise<Table> {
  const each = [STORE, 'without group commit', SINGLE];
  const children = new Map<string, ChildProcess>();
  for (const name of [...each, ...bulks]) children.set(name, await start(name, place));
  const sequentials = new Map([...children].filter(([name]) => each.includes(name)));
  const sequential = await takeTurns(sequentials, SEQUENTIAL, extent);
  const concurrent = await takeTurns(children, CONCURRENT, extent);
  for (const child of children.values()) {
    child.disconnect();
    await once(child, 'exit');
  }

  const [bulk = ''] = bulks.toSorted((a, b) => medianOf(concurrent, a) - medianOf(concurrent, b));
  const aimed = (name: string, value: number, aim: Aim) => ({ name, value, aim, unit: ' ×' });
  return {
    title,
    columns: ['µs a call', 'one by one', `${CONCURRENT.count} at once`],
    rows: [...children.keys()].map((name) => {
      const isEach = each.includes(name);
      return [name, isEach ? medianOf(sequential, name) : undefined, medianOf(concurrent, name)];
    }),
    aimed: [
      aimed('one by one, to single statements', ratio(sequential, STORE, SINGLE), { atMost: 1.1 }),
      aimed(`at once, to ${bulk}`, ratio(concurrent, STORE, bulk), { atMost: 1.5 }),
      aimed('single statements at once, to this store', ratio(concurrent, SINGLE, STORE), {
        atLeast: gain,
      }),
    ],
  };
}

const [JOB] = newJobs(1, [{ runId: uuid4(), stepId: uuid4() }], uuid4);
const [INPUT_BYTES, OUTPUT_BYTES] = [JOB?.call.input, JOB?.end.output].map(
  (payload) => JSON.stringify(payload).length,
);

export const stores: Benchmark = {
  title: 'What the SQL stores cost',
  about: `Time to write a call as a tracked one is written: an insert before the work, and a conditional update after it,
with ${INPUT_BYTES} bytes of input and ${OUTPUT_BYTES} of output. It is compared with
[statements written by hand](hand-written.ts) for the same columns of the same tables: _single statements_, prepared
once, and _bulk_, all calls in as few statements as there can be, which an application could write only if it knew of
all calls beforehand. _One by one_ each write waits for the one before; _at once_ none does, and the store sends
together what was issued together (but not with \`groupCommit: false\`). Every way of writing has a process of its own, and they take turns in changing
order; figures are medians of ${FULL.turns} turns, and ratios medians of the ratios within a turn.`,
  async measure({ isQuick, only }, tell) {
    await withPlaces(async (postgres, fileOf) => {
      for (const situation of SITUATIONS.filter(({ place }) => !only || place.kind === only)) {
        const { place } = situation;
        const at = place.kind === 'postgres' ? await postgres() : fileOf(`${place.synchronous}.db`);
        tell(await compare(situation, { ...place, at }, isQuick ? QUICK : FULL));
      }
    });
  },
};

if (import.meta.main) await print(stores);
