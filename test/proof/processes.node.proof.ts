import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { Run } from '../../src/index.js';
import { PostgresStore } from '../../src/sql/postgres.js';
import { SqliteStore, type SqlStore } from '../../src/sql/sqlite.js';
import { aRun } from '../../src/testing/tables.js';
import { type PostgresServer, startPostgres } from '../support/postgres-server.js';
import type { Fault } from './planted-faults.js';
import type { Place } from './processes/database.js';
import { startTeam } from './processes/team.js';
import type { Counted, Finished } from './processes/worker.js';
import { bundle } from './programs.js';

const COUNTERS = 8;
const FINISHERS = 4;
/** How many runs the finishers are let loose on at once. */
const ROUND = 100;

const count = inject('count');
const folder = mkdtempSync(join(tmpdir(), 'runs-processes-'));
let program: string;
let server: PostgresServer;

beforeAll(async () => {
  program = await bundle(join(import.meta.dirname, 'processes/worker.ts'));
  server = await startPostgres();
});

afterAll(async () => {
  await server?.stop();
  rmSync(folder, { recursive: true });
  rmSync(program);
});

let files = 0;

/** A database with empty tables. */
async function create(name: string): Promise<{ place: Place; store: SqlStore }> {
  if (name === 'Postgres') {
    const pool = server.pool(4);
    await pool.query('drop table if exists runs, run_steps, run_calls, run_step_links');
    const store = new PostgresStore(pool);
    await store.migrate();
    return { place: { kind: 'postgres', at: server.url }, store };
  }
  files += 1;
  const place: Place = { kind: 'sqlite', at: join(folder, `${files}.db`) };
  const database = new DatabaseSync(place.at);
  database.exec(`pragma journal_mode = ${name.endsWith('WAL') ? 'wal' : 'delete'}`);
  const store = new SqliteStore(database);
  await store.migrate();
  return { place, store };
}

/** Lets every process count as often as it is told, on one run; gives what is wrong with the result. */
async function countTogether(name: string, each: number, fault?: Fault): Promise<string[]> {
  const { place, store } = await create(name);
  await store.insertRun(aRun());
  const team = await startTeam(program, COUNTERS, { place, fault });
  const started = performance.now();
  const results = await team.perform<Counted>({ type: 'count', runId: aRun().id, count: each });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  await team.dismiss();

  const problems = results.flatMap(({ errors }) => errors);
  const output = (await store.getRun(aRun().id))?.output ?? {};
  const expected = { total: COUNTERS * each } as Record<string, number>;
  for (const [index, { counted }] of results.entries()) {
    expected[`by${index}`] = each;
    if (counted !== each) problems.push(`process ${index} counted ${counted} times`);
  }
  for (const key of new Set([...Object.keys(output), ...Object.keys(expected)])) {
    if (output[key] !== expected[key]) {
      problems.push(`${key} is ${output[key]}, not ${expected[key]}`);
    }
  }
  const refusals = results.reduce((sum, result) => sum + result.refusals, 0);
  console.log(
    `${name}: ${COUNTERS} × ${each} increments, total ${output.total}, ` +
      `${refusals} refused as busy and sent again, ${seconds} s`,
  );
  return problems;
}

/** What is stored of a run, by which of the processes has ended it. */
const ENDS = [
  { status: 'completed', output: { by: 0 }, error: null },
  { status: 'failed', output: null, error: 'by 1' },
  { status: 'cancelled', output: null, error: 'by 2' },
  { status: 'completed', output: { by: 3 }, error: null },
];

/** Lets every process end every run; gives what is wrong with the result. */
async function finishTogether(name: string, runs: number, fault?: Fault): Promise<string[]> {
  const { place, store } = await create(name);
  const ids = Array.from({ length: runs }, (_, index) => `run-${index}`);
  await Promise.all(ids.map((id) => store.insertRun(aRun({ id }))));
  const team = await startTeam(program, FINISHERS, { place, fault });
  const problems: string[] = [];
  const wins = Array.from({ length: FINISHERS }, () => 0);
  let races = 0;
  const started = performance.now();
  for (let start = 0; start < runs; start += ROUND) {
    const some = ids.slice(start, start + ROUND);
    const results = await team.perform<Finished>({ type: 'finish', ids: some });
    for (const [index, result] of results.entries()) {
      wins[index] = (wins[index] ?? 0) + result.won.length;
      races += result.races;
      problems.push(...result.errors);
    }
    const stored = await Promise.all(some.map((id) => store.getRun(id)));
    problems.push(...some.flatMap((id, index) => problemsOfEnd(id, stored[index], results)));
  }
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  await team.dismiss();
  console.log(
    `${name}: ${runs} runs, each ended by ${FINISHERS} processes: won ${wins.join(' + ')}, ` +
      `${races} times somebody else was faster between look and write, ${seconds} s`,
  );
  return problems;
}

function problemsOfEnd(id: string, run: Run | null | undefined, results: Finished[]): string[] {
  const whose = (key: 'won' | 'refused' | 'repeated') =>
    results.flatMap((result, index) => (result[key].includes(id) ? [index] : []));
  const winners = whose('won');
  const end = ENDS[winners[0] ?? -1];
  const losers = [...whose('refused'), ...whose('repeated')];
  const problems: string[] = [];
  if (winners.length !== 1) problems.push(`${id} was won by ${winners.length}`);
  if (losers.length !== FINISHERS - 1) problems.push(`${id} was lost by ${losers.length}`);
  for (const index of losers) {
    const isRepeat = ENDS[index]?.status === end?.status;
    if (whose('repeated').includes(index) !== isRepeat) {
      problems.push(`${id} was lost by process ${index} in the wrong way`);
    }
  }
  const stored = { status: run?.status, output: run?.output, error: run?.error };
  if (!isDeepStrictEqual(stored, end)) {
    problems.push(`${id} is ${JSON.stringify(stored)}, and was ended as ${JSON.stringify(end)}`);
  }
  return problems;
}

const DATABASES = ['Postgres', 'SQLite in WAL', 'SQLite with a rollback journal'];

describe.for(DATABASES)('%s', (name) => {
  it(`counts exactly what ${COUNTERS} processes count on one run`, async () => {
    expect(await countTogether(name, count)).toEqual([]);
  });

  it(`lets one of ${FINISHERS} processes end each run, and stores its end`, async () => {
    expect(await finishTogether(name, count)).toEqual([]);
  });
});

describe('the proof itself', () => {
  it.for(['Postgres', 'SQLite in WAL'])('finds lost increments: %s', async (name) => {
    const problems = await countTogether(name, 100, 'counts by reading and writing');
    expect(problems).toContainEqual(expect.stringMatching(/^total is \d+, not 800$/));
  });

  it.for(['Postgres', 'SQLite in WAL'])('finds two winners: %s', async (name) => {
    const problems = await finishTogether(name, 500, 'updates without a condition');
    expect(problems).toContainEqual(expect.stringMatching(/^run-\d+ was won by [234]$/));
  });
});
