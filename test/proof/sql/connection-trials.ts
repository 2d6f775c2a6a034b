import type pg from 'pg';
import { expect, vi } from 'vitest';
import { type PostgresClient, PostgresStore } from '../../../src/sql/postgres.js';
import type { StaleIds, StaleSweep } from '../../../src/store.js';
import {
  aCall,
  aLink,
  aRun,
  aStep,
  at,
  calls,
  idOf,
  runs,
  TABLES,
  type Table,
} from '../../../src/testing/tables.js';
import type { StepStatus } from '../../../src/types.js';
import { several, shapeOf, watched } from '../../support/postgres-client.js';
import { MINE, THEIRS } from './owners.js';

/** What is only seen by a second connection, or by what is sent. */
export interface ConnectionTrial {
  name: string;
  /** Does it with a client of the store under test, and with a pool of its own. */
  run(client: PostgresClient, pool: pg.Pool): Promise<void>;
}

const BEFORE = at(60_000);
const SWEEP = { before: BEFORE, error: 'abandoned', now: at(90_000), limit: 1000 };
const ids = several(20, (n) => idOf(1000 + n));

export const connectionTrials: ConnectionTrial[] = [
  {
    name: 'what is inserted together is one statement, and so is what is there already',
    async run(client) {
      const { client: watching, sent } = watched(client);
      const store = new PostgresStore(watching, { owner: MINE });
      await store.insertRun(aRun());
      await store.insertStep(aStep());
      const recordsOf = (number: number) => {
        const id = idOf(number);
        const fields = { id, durationMs: number, output: { number }, createdAt: at(number) };
        const run = aRun({ ...fields, status: number % 2 ? 'failed' : 'pending' });
        const step = aStep({ ...fields, runId: number % 2 ? null : aRun().id, attempt: number });
        return { run, step, call: aCall(fields), link: aLink({ id, entityId: id }) };
      };
      const insertAll = async (numbers: number[]) => {
        sent.length = 0;
        const first = store.updateRun(idOf(404), {});
        const results = await Promise.allSettled(
          numbers
            .map(recordsOf)
            .flatMap(({ run, step, call, link }) => [
              store.insertRun(run),
              store.insertStep(step),
              store.insertCall(call),
              store.insertStepLink(link),
            ]),
        );
        await first;
        return results.map(({ status }) => status === 'fulfilled');
      };
      const kinds = ['runs', 'run_steps', 'run_calls', 'run_step_links'];
      expect(await insertAll([100, 101, 102])).not.toContain(false);
      expect(sent.map(shapeOf)).toEqual([
        'update runs',
        ...kinds.map((kind) => `insert ${kind} × 3`),
      ]);
      expect((await insertAll([102, 103])).filter((isStored) => isStored)).toHaveLength(4);
      expect(sent.map(shapeOf)).toEqual([
        'update runs',
        ...kinds.flatMap((kind) => [`insert ${kind} × 2`, `insert ${kind}`]),
      ]);
      const links = await store.getStepLinks(aStep().id);
      for (const number of [100, 101, 102, 103]) {
        const { run, step, call, link } = recordsOf(number);
        expect(await store.getRun(run.id)).toEqual(run);
        expect(await store.getStep(step.id)).toEqual(step);
        expect(await store.getCall(call.id)).toEqual(call);
        expect(links).toContainEqual(link);
      }
    },
  },
  {
    name: 'a write waits for no row but its own',
    async run(client, pool) {
      const store = new PostgresStore(client, { owner: MINE });
      const [first, second, ...rest] = ids as [string, string, ...string[]];
      for (const owner of [MINE, THEIRS]) {
        const each = new PostgresStore(pool, { owner });
        await Promise.all(ids.map((id) => each.insertRun(aRun({ id }))));
        await Promise.all(ids.map((id) => each.insertStep(aStep({ id, runId: null }))));
      }
      await holding(pool, async (other) => {
        const lock = 'select 1 from runs where user_id = $1 and id = any($2) for update';
        await other.query(lock, [THEIRS.user_id, ids]);
        await other.query(lock, [MINE.user_id, rest]);
        // A row that is pointed to is locked too, but less.
        const inserting = new PostgresStore(other, { owner: MINE });
        await inserting.insertStep(aStep({ runId: first }));
        await inserting.insertCall(aCall({ stepId: first }));
        const writes = [
          store.updateRun(idOf(404), {}),
          store.updateRun(first, { error: 'e' }, { ifStatus: ['running'] }),
          store.updateRun(second, { currentStep: 's' }),
          store.incrementRunOutput(first, { n: 1 }, at(1)),
          store.incrementRunOutput(second, { n: 2 }, at(1)),
          store.updateStep(first, { error: 'e' }),
          store.updateStep(second, { itemsTotal: 2 }),
        ];
        expect(await Promise.all(writes)).toEqual([false, true, true, true, true, true, true]);
        const steps = [
          aStep({ id: first, runId: null, error: 'e' }),
          aStep({ id: second, runId: null, itemsTotal: 2 }),
        ];
        expect([await store.getStep(first), await store.getStep(second)]).toEqual(steps);
      });
    },
  },
  ...TABLES.flatMap((table) => [
    lockingTrial(table, false),
    ...(table === runs ? [lockingTrial(table, true)] : []),
  ]),
  ...TABLES.map((table) =>
    insertingTrial(table === runs ? 'runs' : `run_${table.kind}s`, (store, id) =>
      table.insert(store, table.bare({ id })),
    ),
  ),
  insertingTrial('run_step_links', (store, id) => store.insertStepLink(aLink({ id }))),
  {
    name: 'a sweep passes over what somebody else is writing, without waiting for it',
    async run(client, pool) {
      const store = new PostgresStore(client, { owner: MINE });
      await fillStale(new PostgresStore(pool, { owner: MINE }), 'completed');
      await fillStale(new PostgresStore(pool, { owner: THEIRS }), 'running');
      await holding(pool, async (other) => {
        const move = (table: string, changes: string, ...moved: unknown[]) =>
          other.query(`update ${table} set ${changes} where user_id = $1 and id = any($2)`, [
            MINE.user_id,
            moved,
          ]);
        await move('runs', `current_step = 'moving'`, ids[1]);
        await move('run_steps', 'step_index = 1', ids[1], ids[3]);
        await move('run_calls', `tool = 't'`, ids[2]);
        const writing = new PostgresStore(other, { owner: MINE });
        await writing.insertStep(aStep({ id: idOf(3), runId: ids[2] as string }));
        await writing.insertCall(aCall({ id: idOf(3), stepId: ids[4] as string }));
        const closed = await store.closeStale(SWEEP);
        expect(closed).toMatchObject({ runs: [ids[2]] });
        expect(closed.steps.sort()).toEqual([ids[2], ids[4]]);
        // One in a step that somebody is writing is left alone like that step.
        expect(closed.calls.sort()).toEqual([ids[5], ids[12]]);
      });
    },
  },
  {
    name: 'a sweep ends a call though its step is left for another sweep, unless somebody is writing that',
    async run(client, pool) {
      const store = new PostgresStore(client, { owner: MINE });
      await fillCrossed(new PostgresStore(pool, { owner: MINE }));
      await holding(pool, async (other) => {
        await other.query('update run_steps set step_index = 1 where id = $1', [ids[3]]);
        const closed = await store.closeStale({ ...SWEEP, limit: 1 });
        expect(closed).toEqual({ runs: [], steps: [ids[1]], calls: [] });
      });
      await holding(pool, async (other) => {
        // Makes a call in the step that is left, and so holds its key.
        const writing = new PostgresStore(other, { owner: MINE });
        await writing.insertCall(aCall({ id: idOf(3), stepId: ids[3] as string }));
        const closed = await store.closeStale({ ...SWEEP, limit: 1 });
        expect(closed).toEqual({ runs: [], steps: [ids[2]], calls: [ids[3]] });
      });
    },
  },
  {
    name: 'a sweep spares what has moved or ended since it began',
    async run(client, pool) {
      const store = new PostgresStore(client, { owner: MINE });
      const others = new PostgresStore(pool, { owner: MINE });
      await fillStale(others, 'completed');
      const closed = await sweptMeanwhile(store, SWEEP, pool, async () => {
        await others.updateStep(ids[1] as string, { updatedAt: BEFORE });
        await others.updateStep(ids[3] as string, { status: 'completed' });
        await others.updateCall(ids[1] as string, { status: 'success' });
        await others.updateCall(ids[2] as string, { status: 'success' });
      });
      expect(closed.steps.sort()).toEqual([ids[2], ids[4]]);
      expect(closed.calls.sort()).toEqual([ids[5], ids[12]]);
      expect(await others.getStep(ids[1] as string)).toMatchObject({ status: 'running' });
      expect(await others.getStep(ids[3] as string)).toMatchObject({ status: 'completed' });
      expect(await others.getCall(ids[1] as string)).toMatchObject({ status: 'success' });
      expect(await others.getCall(ids[2] as string)).toMatchObject({ status: 'success' });
    },
  },
  {
    name: 'a sweep spares the calls of a step that has moved since it began, though it would not end that',
    async run(client, pool) {
      const store = new PostgresStore(client, { owner: MINE });
      const others = new PostgresStore(pool, { owner: MINE });
      await others.insertRun(aRun({ id: ids[1] as string }));
      await fillCrossed(others);
      const closed = await sweptMeanwhile(store, { ...SWEEP, limit: 1 }, pool, () =>
        others.updateStep(ids[3] as string, { updatedAt: BEFORE }),
      );
      expect(closed).toEqual({ runs: [ids[1]], steps: [ids[1]], calls: [] });
    },
  },
];

/** Updates or increments several records of a table, of which somebody else locks one after the other. */
function lockingTrial(table: Table, isCounting: boolean): ConnectionTrial {
  const name = table === runs ? 'runs' : `run_${table.kind}s`;
  const what = isCounting ? 'increments' : 'updates';
  return {
    name: `${what} of ${name} lock rows in the order of their ids, wherever Postgres keeps them`,
    async run(client, pool) {
      const { client: watching, errors } = withErrors(client);
      const store = new PostgresStore(watching, { owner: MINE });
      const filling = new PostgresStore(pool, { owner: MINE });
      await table.insertParents(filling);
      // More than are written: then Postgres takes them as they are kept, and looks for each among those.
      const more = several(300, (number) => idOf(2000 + number));
      for (const id of [...ids, ...more].toReversed())
        await table.insert(filling, table.bare({ id }));
      await holding(pool, async (other) => {
        const lock = (id?: string) =>
          other.query(`update ${name} set error = 'theirs' where id = $1`, [id]);
        await lock(ids[0]);
        const writing = Promise.all([
          store.updateCall(idOf(404), {}),
          // Neither as they are kept nor as they are asked for.
          ...ids
            .toReversed()
            .map((id) =>
              isCounting
                ? store.incrementRunOutput(id, { n: 1 }, at(1))
                : table.update(store, id, { output: { n: 1 } }),
            ),
        ]);
        writing.catch(() => {});
        await isWaiting(pool, `wait_event_type = 'Lock'`, 'pg_stat_activity');
        // What comes later in that order nobody has locked yet.
        for (const id of ids) await lock(id);
        await other.query('commit');
        expect(await writing).toEqual([false, ...ids.map(() => true)]);
        expect(errors).toEqual([]);
      });
    },
  };
}

/** Inserts several records, of which somebody else inserts one after the other. */
function insertingTrial(
  name: string,
  insert: (store: PostgresStore, id: string) => Promise<unknown>,
): ConnectionTrial {
  return {
    name: `inserts of ${name} take ids in their order`,
    async run(client, pool) {
      const { client: watching, errors } = withErrors(client);
      const store = new PostgresStore(watching, { owner: MINE });
      await calls.insertParents(new PostgresStore(pool, { owner: MINE }));
      await holding(pool, async (other) => {
        const theirs = new PostgresStore(other, { owner: MINE });
        await insert(theirs, ids[0] as string);
        const writing = Promise.all([
          store.updateCall(idOf(404), {}),
          ...ids.toReversed().map((id) => insert(store, id)),
        ]);
        writing.catch(() => {});
        await isWaiting(pool, `wait_event_type = 'Lock'`, 'pg_stat_activity');
        // What comes later in that order nobody has inserted yet.
        for (const id of ids.slice(1)) await insert(theirs, id);
        await other.query('rollback');
        await writing;
        expect(errors).toEqual([]);
      });
    },
  };
}

/** The same client, and what it rejects with: the store would send again what a deadlock has undone. */
function withErrors(client: PostgresClient): { client: PostgresClient; errors: unknown[] } {
  const errors: unknown[] = [];
  const watching = watched(client, (_, proceed) =>
    proceed().catch((error) => {
      errors.push(error.code);
      throw error;
    }),
  );
  return { client: watching.client, errors };
}

const GATE = 42;
/** A sweep that ends a run waits before it does, as long as somebody holds the gate. */
const CREATE_GATE = `
  create or replace function wait_at_gate() returns trigger language plpgsql as
    $$ begin perform pg_advisory_xact_lock_shared(${GATE}); return new; end $$;
  create trigger gate before update on runs for each row
    when (new.id = '${ids[1]}' and new.status = 'failed') execute function wait_at_gate()`;

/** Sweeps, and acts when the sweep has seen all and is about to end the first run. */
async function sweptMeanwhile(
  store: PostgresStore,
  sweep: StaleSweep,
  pool: pg.Pool,
  act: () => Promise<unknown>,
): Promise<StaleIds> {
  const gate = await pool.connect();
  try {
    await gate.query('select pg_advisory_lock($1)', [GATE]);
    await gate.query(CREATE_GATE, []);
    const sweeping = store.closeStale(sweep);
    sweeping.catch(() => {});
    await isWaiting(pool, `locktype = 'advisory' and not granted`, 'pg_locks');
    await act();
    await gate.query('select pg_advisory_unlock($1)', [GATE]);
    return await sweeping;
  } finally {
    await gate.query('select pg_advisory_unlock_all()');
    await gate.query('drop function if exists wait_at_gate cascade');
    gate.release();
  }
}

/**
 * Two runs with a step of two calls each, two steps without a run, and one that has ended, with
 * a call: none has moved for long but the last, which another owner may not have ended.
 */
async function fillStale(store: PostgresStore, lastStatus: StepStatus): Promise<void> {
  for (const [index, id] of ids.slice(1, 3).entries()) {
    await store.insertRun(aRun({ id }));
    await store.insertStep(aStep({ id, runId: id }));
    await store.insertCall(aCall({ id, stepId: id }));
    await store.insertCall(aCall({ id: ids[11 + index] as string, stepId: id }));
  }
  for (const id of ids.slice(3, 5)) await store.insertStep(aStep({ id, runId: null }));
  const last = { id: ids[5] as string, runId: null, status: lastStatus, updatedAt: BEFORE };
  await store.insertStep(aStep(last));
  await store.insertCall(aCall({ id: last.id, stepId: last.id }));
}

/** Stale steps with a call each: the older a step, the newer its call. */
async function fillCrossed(store: PostgresStore): Promise<void> {
  for (const [index, id] of ids.slice(1, 4).entries()) {
    await store.insertStep(aStep({ id, runId: null, createdAt: at(index) }));
    await store.insertCall(aCall({ id, stepId: id, createdAt: at(10 - index) }));
  }
}

/** Acts while a transaction of another connection goes on. */
async function holding(
  pool: pg.Pool,
  act: (other: pg.PoolClient) => Promise<unknown>,
): Promise<void> {
  const other = await pool.connect();
  try {
    await other.query('begin');
    await act(other);
  } finally {
    await other.query('rollback');
    other.release();
  }
}

async function isWaiting(pool: pg.Pool, condition: string, table: string): Promise<void> {
  const text = `select 1 from ${table} where ${condition}`;
  const check = async () => (await pool.query(text)).rows.length > 0;
  await vi.waitUntil(check, { timeout: 2_500, interval: 10 });
}
