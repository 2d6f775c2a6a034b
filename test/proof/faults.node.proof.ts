import { setTimeout } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest';
import { RunTracker } from '../../src/index.js';
import type { Row } from '../../src/rows.js';
import { PostgresStore } from '../../src/sql/postgres.js';
import { type PostgresServer, startPostgres } from '../support/postgres-server.js';
import { chanceOf } from './chance.js';
import { balanceOf } from './faults/balance.js';
import { Disturbances } from './faults/disturbances.js';
import { type Entry, keyOf, Ledger, type LedgerTable } from './faults/ledger.js';
import { Witness } from './faults/witness.js';
import { recordRun } from './faults/work.js';

const COUNT = inject('count');
const SEED = inject('seed');
const WORKERS = 8;
const TABLES: Record<LedgerTable, string> = {
  run: 'runs',
  step: 'run_steps',
  call: 'run_calls',
  link: 'run_step_links',
};

let server: PostgresServer;

beforeAll(async () => {
  server = await startPostgres();
  await new PostgresStore(server.pool()).migrate();
}, 60_000);

beforeEach(async () => {
  await server.pool(1).query('truncate runs, run_steps, run_calls, run_step_links');
});

afterAll(() => server?.stop(), 60_000);

/** What is stored of the records that a ledger knows. */
async function storedOf(store: PostgresStore, ledger: Ledger): Promise<Map<string, Row | null>> {
  const stored = new Map<string, Row | null>();
  const get = async (key: string, { table, id, given }: Entry) => {
    if (table === 'run') stored.set(key, (await store.getRun(id)) as Row | null);
    else if (table === 'step') stored.set(key, (await store.getStep(id)) as Row | null);
    else if (table === 'call') stored.set(key, (await store.getCall(id)) as Row | null);
    else {
      const links = await store.getStepLinks(given.stepId as string);
      stored.set(key, (links.find((each) => each.id === id) as unknown as Row) ?? null);
    }
  };
  const records = [...ledger.records].map(([key, [first]]) => [key, first as Entry] as const);
  while (records.length > 0) {
    await Promise.all(records.splice(0, 200).map((each) => get(...each)));
  }
  return stored;
}

/** Where a record says something else than its work came to, though nobody was told that it does. */
function contradictions(witness: Witness, stored: Map<string, Row | null>): string[] {
  const found: string[] = [];
  for (const { table, id, outcome } of witness.endings) {
    const row = stored.get(keyOf(table, id));
    const isSuccess = 'value' in outcome;
    const [success, failure] = table === 'call' ? ['success', 'error'] : ['completed', 'failed'];
    const isSo = row?.status === (isSuccess ? success : failure);
    const isOpen = !row || row.status === 'running' || row.status === 'pending';
    const result = isSuccess ? outcome.value : undefined;
    if (!isSo && !(isOpen && witness.reported.has(id))) {
      found.push(`${table} "${id}" is ${row?.status}`);
    } else if (isSo && !isDeepStrictEqual(row.output?.result, result)) {
      found.push(`${table} "${id}" has another result`);
    }
  }
  const sums = new Map<string, number>();
  for (const { runId, key, isTold } of witness.counts) {
    const row = stored.get(keyOf('run', runId));
    const value = row?.output?.[key];
    if (value === 1) sums.set(runId, (sums.get(runId) ?? 0) + 1);
    // At its best effort a tracker counts in memory, and says so when the run cannot be stored.
    const isLost = witness.reported.has(runId) && witness.isBestEffort;
    if (value !== 1 && (value !== undefined || (isTold && !isLost))) {
      found.push(`run "${runId}" has counted ${value}`);
    }
  }
  for (const [runId, sum] of sums) {
    const all = stored.get(keyOf('run', runId))?.output?.all;
    if (all !== sum) found.push(`run "${runId}" has counted ${all} of ${sum}`);
  }
  for (const id of witness.links.keys()) {
    if (!stored.get(keyOf('link', id))) found.push(`link "${id}" is not there`);
  }
  return found;
}

/** Sweeps an hour later: all that was left running ends, but for the calls of a step that never began. */
async function expectSwept(store: PostgresStore, stored: Map<string, Row | null>): Promise<void> {
  const isLeft = (row: Row) => stored.get(keyOf('step', row.stepId ?? ''))?.status === 'pending';
  const left = [...stored].flatMap(([key, row]) =>
    row?.status === 'running' && !isLeft(row) ? [key] : [],
  );
  const tracker = new RunTracker({ store, now: () => new Date(Date.now() + 3_600_000) });
  const ended: string[] = [];
  for (let before = -1; before < ended.length; ) {
    before = ended.length;
    const { runs, steps, calls } = await tracker.failStale({ olderThanMs: 60_000 });
    ended.push(...runs.map((id) => keyOf('run', id)), ...steps.map((id) => keyOf('step', id)));
    ended.push(...calls.map((id) => keyOf('call', id)));
  }
  expect(ended.sort()).toEqual(left.sort());
}

describe.for([
  ['a tracker', false],
  ['a tracker that works at its best effort', true],
] as const)('%s, while Postgres restarts and its connections are terminated,', ([, bestEffort]) => {
  it('reports every write that is lost, and the books balance', async () => {
    const chance = chanceOf(SEED + Number(bestEffort));
    const pool = server.pool(WORKERS);
    const ledger = new Ledger();
    const witness = new Witness(ledger, bestEffort);
    const open = (groupCommit: boolean) => {
      const store = ledger.around(new PostgresStore(pool, { groupCommit }));
      const onTrackingError = witness.hook;
      return new RunTracker({ store, linkStore: store, bestEffort, onTrackingError });
    };
    const unhandled: unknown[] = [];
    const onUnhandled = (reason: unknown) => unhandled.push(reason);
    process.on('unhandledRejection', onUnhandled);

    const disturbances = new Disturbances(server, chance.of(-1));
    ledger.onWrite = disturbances.onWrite;
    const shared = open(true);
    let recorded = 0;
    let ids = 0;
    const work = async (worker: number) => {
      // Half of them write together, and half each by itself.
      const tracker = worker % 2 === 0 ? shared : open(false);
      for (let run = 0; recorded < COUNT; run += 1) {
        const newId = () => `${worker}-${run}-${++ids}`;
        const own = chance.of(worker * 1_000_000 + run);
        const { id, began } = await recordRun({ tracker, witness, chance: own, newId });
        if (began && ledger.isStored('run', id)) recorded += 1;
        else await setTimeout(50);
      }
    };
    await Promise.all(Array.from({ length: WORKERS }, (_, worker) => work(worker)));
    await disturbances.stop();

    // Nothing is under way any more, and no connection was kept.
    const asked = ledger.entries;
    expect(asked.filter(({ answeredAt }) => answeredAt === Infinity)).toEqual([]);
    expect(await pool.query('select 1 as one')).toMatchObject({ rows: [{ one: 1 }] });
    expect([pool.waitingCount, pool.idleCount]).toEqual([0, pool.totalCount]);

    // What was rejected was told, and what callers were told is so.
    const rejected = asked.flatMap(({ rejection }) => rejection ?? []);
    const untold = rejected.filter(
      (each) => !witness.toldCallers.has(each) && !witness.toldHook.has(each),
    );
    expect(untold.map(({ message }) => message)).toEqual([]);
    expect(witness.problems).toEqual([]);

    const store = new PostgresStore(pool);
    const stored = await storedOf(store, ledger);
    let unknownStored = 0;
    const problems: string[] = [];
    for (const [key, history] of ledger.records) {
      const balance = balanceOf(history, stored.get(key) ?? null);
      unknownStored += balance.unknownStored;
      if (balance.problem) problems.push(`${key} ${balance.problem}`);
    }
    expect(problems).toEqual([]);
    for (const table of Object.keys(TABLES) as LedgerTable[]) {
      const { rows } = await pool.query(`select count(*)::int as n from ${TABLES[table]}`);
      const known = [...stored].filter(([key, row]) => row && key.startsWith(`${table} `));
      expect([table, rows[0].n]).toEqual([table, known.length]);
    }

    expect(contradictions(witness, stored)).toEqual([]);
    await expectSwept(store, stored);

    const writes = asked.filter(({ kind }) => kind !== 'read');
    const lost = writes.flatMap(({ rejection }) => rejection ?? []);
    const count = (some: unknown[], told: Set<unknown>) =>
      some.filter((each) => told.has(each)).length;
    const fates = Object.groupBy(lost, ({ fate }) => fate);
    const { fast, immediate } = disturbances.restarts;
    console.log(
      [
        `${bestEffort ? 'best effort: ' : ''}${recorded} runs; ${writes.length} writes asked, ` +
          `${writes.length - lost.length} acknowledged, ${lost.length} rejected ` +
          `(${count(lost, witness.toldCallers)} told to callers, ${count(lost, witness.toldHook)} to the hook)`,
        `${fast + immediate} restarts (${immediate} immediate), ${disturbances.terminated} connections terminated; ` +
          `of ${fates.unknown?.length ?? 0} writes of unknown fate ${unknownStored} were stored, ` +
          `${fates.unsent?.length ?? 0} not sent, ${(fates.refused?.length ?? 0) + (fates.exists?.length ?? 0)} refused`,
      ].join('\n'),
    );
    process.off('unhandledRejection', onUnhandled);
    expect(unhandled).toEqual([]);
    // Enough went wrong, and the work went on.
    expect(lost.length).toBeGreaterThan(COUNT / 4);
    expect(fates.unknown?.length).toBeGreaterThan(COUNT / 40);
    expect(fast + immediate).toBeGreaterThanOrEqual(Math.floor(COUNT / 200));
    expect(writes.length - lost.length).toBeGreaterThan(10 * COUNT);
  });
});
