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
import { describeMachine, type Place, withPlaces } from './databases.ts';
import { type Aim, median, printAim, printRow } from './report.ts';
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
const WARM_UP_MS = 3000;
const TURNS = 15;

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

async function takeTurns(children: Map<string, ChildProcess>, request: Request): Promise<Times> {
  const times: Times = new Map([...children.keys()].map((name) => [name, []]));
  for (const child of children.values()) {
    child.send({ ...request, milliseconds: WARM_UP_MS });
    await answerOf(child);
  }
  for (let turn = 0; turn < TURNS; turn += 1) {
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

async function compare({ title, bulks, gain }: Situation, place: Place): Promise<void> {
  const each = [STORE, 'without group commit', SINGLE];
  const children = new Map<string, ChildProcess>();
  for (const name of [...each, ...bulks]) children.set(name, await start(name, place));
  const sequentials = new Map([...children].filter(([name]) => each.includes(name)));
  const sequential = await takeTurns(sequentials, SEQUENTIAL);
  const concurrent = await takeTurns(children, CONCURRENT);
  for (const child of children.values()) {
    child.disconnect();
    await once(child, 'exit');
  }

  console.log(`\n${title}: µs a call`);
  printRow('', ['sequential', `${CONCURRENT.count} at once`]);
  for (const name of children.keys()) {
    const isEach = each.includes(name);
    printRow(name, [isEach ? medianOf(sequential, name) : undefined, medianOf(concurrent, name)]);
  }
  const [bulk = ''] = bulks.toSorted((a, b) => medianOf(concurrent, a) - medianOf(concurrent, b));
  const aim = (name: string, value: number, limit: Aim) => printAim(name, value, limit, ' ×');
  aim('sequential, to single statements', ratio(sequential, STORE, SINGLE), { atMost: 1.1 });
  aim(`at once, to ${bulk}`, ratio(concurrent, STORE, bulk), { atMost: 1.5 });
  aim('single statements at once, to this store', ratio(concurrent, SINGLE, STORE), {
    atLeast: gain,
  });
}

const [only] = process.argv.slice(2);
await withPlaces(async (postgres, fileOf) => {
  const chosen = SITUATIONS.filter(({ place }) => !only || place.kind === only);
  const url = only === 'sqlite' ? undefined : await postgres();
  console.log(await describeMachine(url));
  const [job] = newJobs(1, [{ runId: uuid4(), stepId: uuid4() }], uuid4);
  const sizes = [job?.call.input, job?.end.output].map((payload) => JSON.stringify(payload).length);
  console.log(
    `medians of ${TURNS} turns; a call of ${sizes[0]} bytes of input and ${sizes[1]} of output`,
  );
  for (const situation of chosen) {
    const { place } = situation;
    const at = url && place.kind === 'postgres' ? url : fileOf(`${place.synchronous}.db`);
    await compare(situation, { ...place, at });
  }
});
