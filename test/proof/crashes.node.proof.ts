import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { type PostgresServer, startPostgres } from '../support/postgres-server.js';
import { randomOf } from './chance.js';
import { examine, type Remains } from './crashes/checks.js';
import { examineCrash, type Result } from './crashes/crash.js';
import { DAMAGES } from './crashes/damages.js';
import { createPostgres, createSqlite, type Victim } from './crashes/databases.js';
import { kill, type Moment, randomMoment } from './crashes/kill.js';
import type { Tables } from './crashes/tables.js';
import { type Fault, withFault } from './planted-faults.js';
import { bundle } from './programs.js';

/** After so many crashes a database is replaced by a new one. */
const LIVES = 10;

/** So late that a worker has done some of everything. */
const LATE: Moment = { signalAt: 300, delayMs: 0 };

const count = inject('count');
const seed = inject('seed');
const folder = mkdtempSync(join(tmpdir(), 'runs-crashes-'));
let program: string;
let server: PostgresServer;
let pool: pg.Pool;

beforeAll(async () => {
  program = await bundle(join(import.meta.dirname, 'crashes/worker.ts'));
  server = await startPostgres();
  pool = server.pool(2);
});

afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true });
  rmSync(program);
});

let files = 0;

/** New databases, of SQLite in turns with either journal. */
const DATABASES = {
  SQLite: () => {
    files += 1;
    return createSqlite(join(folder, `${files}.db`), files % 2 === 0 ? 'wal' : 'delete');
  },
  Postgres: () => createPostgres(server, pool),
};
type Name = keyof typeof DATABASES;

const EMPTY: Tables = {
  runs: new Map(),
  run_steps: new Map(),
  run_calls: new Map(),
  run_step_links: new Map(),
};

let kills = 0;

/** Kills a worker, and gives what it wrote down and its database as it is found then. */
async function crash(victim: Victim, moment: Moment, fault?: Fault) {
  kills += 1;
  const name = `w${seed}-${kills}`;
  const setup = {
    place: victim.place,
    journal: join(folder, `${name}.journal`),
    name,
    seed: seed + kills,
    groupCommit: randomOf(seed + kills)() < 0.7,
    fault,
  };
  const lines = await kill(program, setup, moment);
  return { lines, found: await victim.open(name) };
}

describe.for(Object.keys(DATABASES) as Name[])('%s', (name) => {
  it(`holds all that was acknowledged, and nothing torn, after each of ${count} crashes`, async () => {
    const random = randomOf(seed);
    const results: Result[] = [];
    let unfinished = 0;
    let victim: Victim | undefined;
    let before = EMPTY;
    for (let index = 0; index < count; index += 1) {
      if (!victim || index % LIVES === 0) {
        victim = await DATABASES[name]();
        before = EMPTY;
      }
      const { lines, found } = await crash(victim, randomMoment(random, index % 2 === 0));
      const result = await examineCrash(lines, found, before);
      found.close();
      expect(result.problems, `kill ${index}`).toEqual([]);
      before = result.tables;
      results.push({ ...result, tables: EMPTY });
      if (found.isUnfinished) unfinished += 1;
    }
    report(name, results, unfinished);
  });

  describe('the proof itself finds a store that', () => {
    it.for<[Fault, RegExp]>([
      ['answers before it has stored', /^run_step_links \S+ cannot be undefined after/],
      ['counts by reading and writing', /^n\S+ is not counted in/],
      ['updates without a condition', /^the work of runs \S+ ran twice$/],
      ['writes an end in two parts', /^runs \S+ is \w+, and took null ms$/],
    ])('%s', async ([fault, problem]) => {
      expect(await findProblem(name, problem, { worker: fault })).toMatch(problem);
    });

    it.for<[Fault, RegExp]>([
      ['forgets the calls when it sweeps', /^run_calls \S+ is .*"running".*, not .*"abandoned: /],
      ['sweeps what has ended', /^runs \S+ is .*"completed".*"abandoned: .*, not/],
    ])('%s', async ([fault, problem]) => {
      expect(await findProblem(name, problem, { sweep: fault })).toMatch(problem);
    });
  });
});

/** Lets a worker, or the sweep after it, use a broken store, until that shows; gives the problem. */
async function findProblem(
  name: Name,
  problem: RegExp,
  fault: { worker?: Fault; sweep?: Fault },
): Promise<string | undefined> {
  for (let tries = 0; tries < 10; tries += 1) {
    const { lines, found } = await crash(await DATABASES[name](), LATE, fault.worker);
    const store = withFault(found.store, fault.sweep);
    const { problems } = await examineCrash(lines, { ...found, store }, EMPTY);
    found.close();
    const wanted = problems.find((each) => problem.test(each));
    if (wanted) return wanted;
  }
  return undefined;
}

describe('the proof itself finds', () => {
  let remains: Remains;

  /** Until a worker has come far enough to leave something behind of everything. */
  beforeAll(async () => {
    do {
      const { lines, found } = await crash(await DATABASES.SQLite(), LATE);
      remains = { lines, tables: await found.read() };
      found.close();
    } while (!isSpoilable(remains));
    expect(examine(remains).problems).toEqual([]);
  });

  it.for(Object.entries(DAMAGES))('%s', ([, { damage, problem }]) => {
    const { lines, tables } = structuredClone(remains);
    damage(lines, tables);
    expect(examine({ lines, tables }).problems).toContainEqual(expect.stringMatching(problem));
  });
});

/** Whether there is something for each damage to be done to. */
function isSpoilable(remains: Remains): boolean {
  try {
    for (const { damage } of Object.values(DAMAGES)) {
      const { lines, tables } = structuredClone(remains);
      damage(lines, tables);
    }
    return true;
  } catch {
    return false;
  }
}

function report(name: string, results: Result[], unfinished: number): void {
  const sum = (key: Exclude<keyof Result, 'problems' | 'tables'>) =>
    results.reduce((total, result) => total + result[key], 0);
  const [stored, notStored] = [sum('stored'), sum('notStored')];
  const figures = [
    `${results.length} kills, ${unfinished} of them seen to leave a transaction unfinished`,
    `${sum('records')} records and ${sum('acknowledged')} acknowledged writes checked`,
    `of ${stored + notStored} writes in flight ${stored} stored, ${notStored} not`,
    `${sum('increments')} acknowledged increments in ${sum('countedRuns')} runs, ${sum('strictRuns')} of them with none in flight`,
    `${sum('performed')} pieces of work, each run once`,
    `${sum('swept')} records swept`,
    `${sum('restarted')} pending runs taken up afterwards`,
  ];
  console.log(`${name}: ${figures.join('; ')}`);
}
