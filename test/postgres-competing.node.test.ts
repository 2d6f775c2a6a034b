import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { StaleSweep } from '../src/index.js';
import { PostgresStore } from '../src/sql/postgres.js';
import { aCall, aRun, aStep, at, idOf } from '../src/testing/tables.js';
import { outcomesOf, several, shapeOf, watched } from './support/postgres-client.js';
import { startPostgresTables } from './support/postgres-tables.js';

const { server, pool, count } = await startPostgresTables(['-c', 'deadlock_timeout=20ms']);
const store = new PostgresStore(pool);

describe('several stores that write the same records', () => {
  const errors: unknown[] = [];

  beforeEach(() => {
    errors.length = 0;
  });

  /** A store of its own connections, as in a process of its own, whose errors are written down. */
  const open = () => {
    const { client, sent } = watched(server.pool(3), (_, proceed) =>
      proceed().catch((error) => {
        errors.push(error.code);
        throw error;
      }),
    );
    return { store: new PostgresStore(client), sent };
  };
  const ids = several(900, (n) => idOf(1000 + n));
  /** The ids in the order in which the process of that number writes them. */
  const orderOf = (index: number) => (index % 2 === 0 ? ids : ids.toReversed());

  it('update them in opposite orders without a deadlock, and every write is answered', async () => {
    await Promise.all(ids.map((id) => store.insertRun(aRun({ id }))));
    const processes = several(3, open);
    for (let round = 0; round < 4; round += 1) {
      const answers = await Promise.all(
        processes.flatMap(({ store: own }, index) => [
          ...orderOf(index).map((id) => own.updateRun(id, { currentStep: `${round} ${index}` })),
          ...orderOf(index + 1).map((id) => own.incrementRunOutput(id, { n: 1 }, at(round))),
        ]),
      );
      expect(answers).toEqual(answers.map(() => true));
    }
    expect(errors).toEqual([]);
    expect(await count('runs', `output = '{"n": 12}' and current_step like '3 %'`)).toBe(900);
    const shapes = new Set(processes.flatMap(({ sent }) => sent.map(shapeOf)));
    expect(shapes).toContain('update runs × 899');
    expect(shapes).toContain('increment runs × 899');
  });

  it.for(['updates', 'increments'])(
    'lock them in the order of their ids, wherever Postgres keeps them: %s',
    async (kind) => {
      const some = ids.slice(0, 20);
      for (const id of some.toReversed()) await store.insertRun(aRun({ id }));
      const { store: own } = open();
      const other = await pool.connect();
      const lock = (id?: string) =>
        other.query(`update runs set current_step = 'theirs' where id = $1`, [id]);
      await other.query('begin');
      await lock(some[0]);
      const writing = Promise.all([
        own.updateRun(idOf(404), {}),
        ...some.map((id) =>
          kind === 'updates'
            ? own.updateRun(id, { error: 'e' })
            : own.incrementRunOutput(id, { n: 1 }, at(1)),
        ),
      ]);
      const isWaiting = async () =>
        (await count('pg_stat_activity', `wait_event_type = 'Lock'`)) === 1;
      await vi.waitUntil(isWaiting, { timeout: 20_000, interval: 10 });
      // What comes later in that order nobody has locked yet.
      for (const id of some) await lock(id);
      await other.query('commit');
      other.release();
      expect(await writing).toEqual([false, ...some.map(() => true)]);
      expect(errors).toEqual([]);
    },
  );

  it('end each of them once, whoever comes first', async () => {
    await Promise.all(ids.map((id) => store.insertRun(aRun({ id }))));
    const answers = await Promise.all(
      several(3, open).map(({ store: own }, index) => {
        const fields = { status: 'completed', error: String(index) } as const;
        const ends = orderOf(index).map(async (id) => ({
          id,
          index,
          isMatch: await own.updateRun(id, fields, { ifStatus: ['running'] }),
        }));
        return Promise.all(ends);
      }),
    );
    expect(errors).toEqual([]);
    const winners = answers.flat().filter(({ isMatch }) => isMatch);
    expect(winners.map(({ id }) => id).sort()).toEqual(ids);
    const { rows } = await pool.query('select id, error::int as index from runs order by id');
    expect(rows).toEqual(
      winners.map(({ id, index }) => ({ id, index })).sort((a, b) => (a.id < b.id ? -1 : 1)),
    );
  });

  it('insert them in opposite orders: each is stored once, and the others hear that it exists', async () => {
    const outcomes = await Promise.all(
      several(2, open).map(({ store: own }, index) => {
        const some = orderOf(index).filter((id) => id < idOf(1100));
        return outcomesOf(some.map((id) => own.insertRun(aRun({ id, runType: String(index) }))));
      }),
    );
    for (const [index, { stored }] of outcomes.entries()) {
      expect(await count('runs', `run_type = '${index}'`)).toBe(stored);
    }
    expect(errors).not.toContain('40P01');
    expect(await count('runs')).toBe(100);
    const refused = outcomes.flatMap((each) => each.errors);
    expect(refused).toMatchObject(several(100, () => ({ code: '23505' })));
  });

  it('insert them in the order of their ids, so that nobody waits in a circle', async () => {
    const some = ids.slice(0, 20);
    const { store: own } = open();
    const other = await pool.connect();
    const insert = (id: string) =>
      other.query(
        `insert into runs (id, run_type, trigger, actor_type, status, created_at, updated_at)
          values ($1, 'theirs', 'cron', 'system', 'running', now(), now())`,
        [id],
      );
    await other.query('begin');
    await insert(some[0]!);
    const writing = Promise.all([
      own.updateRun(idOf(404), {}),
      outcomesOf(some.toReversed().map((id) => own.insertRun(aRun({ id })))),
    ]);
    const isWaiting = async () =>
      (await count('pg_stat_activity', `wait_event_type = 'Lock'`)) === 1;
    await vi.waitUntil(isWaiting, { timeout: 20_000, interval: 10 });
    // What comes later in that order nobody has inserted yet.
    for (const id of some.slice(1)) await insert(id);
    await other.query('commit');
    other.release();
    const [, { stored, errors: refused }] = await writing;
    expect(stored).toBe(0);
    expect(refused).toMatchObject(some.map(() => ({ code: '23505' })));
    expect(errors).not.toContain('40P01');
  });

  it('write children while others update their parents, and nobody waits in a circle', async () => {
    await Promise.all(ids.map((id) => store.insertRun(aRun({ id }))));
    const [first, second, third] = several(3, open).map((each) => each.store);
    const rounds = [0, 1, 2, 3];
    await Promise.all([
      // Postgres locks the parent of each, in this order.
      ...rounds.flatMap((round) =>
        ids.toReversed().map((id) => first?.insertStep(aStep({ id: `${round} ${id}`, runId: id }))),
      ),
      ...rounds.flatMap((round) =>
        ids.map((id) => second?.updateRun(id, { error: String(round) })),
      ),
      ...rounds.flatMap(() => ids.map((id) => third?.incrementRunOutput(id, { n: 1 }, at(1)))),
    ]);
    expect(errors).toEqual([]);
    expect(await count('run_steps')).toBe(3600);
    expect(await count('runs', `error = '3' and output = '{"n": 4}'`)).toBe(900);
  });
});

describe('a sweep', () => {
  const BEFORE = at(60_000);
  const SWEEP: StaleSweep = {
    before: BEFORE,
    error: `abandoned: no update since ${BEFORE.toISOString()}`,
    now: at(90_000),
    limit: 1000,
  };
  const GATE = 42;

  // A sweep that ends the run r1 waits before it does, as long as somebody holds the gate.
  beforeAll(async () => {
    await pool.query(`
      create function wait_at_gate() returns trigger language plpgsql as
        $$ begin perform pg_advisory_xact_lock_shared(${GATE}); return new; end $$;
      create trigger gate before update on runs for each row
        when (new.id = 'r1' and new.status = 'failed') execute function wait_at_gate()`);
  });
  afterAll(() => pool.query('drop function wait_at_gate cascade'));

  /** Sweeps; when the sweep is about to end the first run, acts; then lets it go on. */
  async function sweepAround<T>(act: () => Promise<T>, changes?: Partial<StaleSweep>) {
    const gate = await pool.connect();
    await gate.query('select pg_advisory_lock($1)', [GATE]);
    try {
      const sweeping = store.closeStale({ ...SWEEP, ...changes });
      const isWaiting = async () =>
        (await count('pg_locks', `locktype = 'advisory' and not granted`)) === 1;
      await vi.waitUntil(isWaiting, { timeout: 20_000, interval: 10 });
      const result = await act();
      await gate.query('select pg_advisory_unlock($1)', [GATE]);
      return { closed: await sweeping, result };
    } finally {
      gate.release(true);
    }
  }

  beforeEach(async () => {
    for (const n of [1, 2]) {
      await store.insertRun(aRun({ id: `r${n}` }));
      await store.insertStep(aStep({ id: `s${n}`, runId: `r${n}` }));
      await store.insertStep(aStep({ id: `alone${n}`, runId: null }));
      await store.insertCall(aCall({ id: `c${n}`, stepId: `s${n}` }));
    }
  });

  it('spares what a heartbeat has moved since the sweep began', async () => {
    const { closed, result } = await sweepAround(() =>
      Promise.all([
        store.updateStep('s1', { updatedAt: BEFORE }, { ifStatus: ['running'] }),
        store.updateStep('alone2', { updatedAt: at(61_000) }, { ifStatus: ['running'] }),
      ]),
    );
    expect(result).toEqual([true, true]);
    expect(closed.steps.sort()).toEqual(['alone1', 's2']);
    expect(await store.getStep('s1')).toEqual(aStep({ id: 's1', runId: 'r1', updatedAt: BEFORE }));
    expect(await store.getStep('alone2')).toMatchObject({ status: 'running', error: null });
    // A call goes on while its step does.
    expect(closed.calls).toEqual(['c2']);
    expect(await store.getCall('c1')).toMatchObject({ status: 'running', error: null });
  });

  it('spares the calls of a step that has moved, though it could not have ended that step yet', async () => {
    await store.updateStep('s1', { createdAt: at(1) });
    const { closed, result } = await sweepAround(
      () => store.updateStep('s1', { updatedAt: BEFORE }, { ifStatus: ['running'] }),
      { limit: 1 },
    );
    expect(result).toBe(true);
    expect(closed.steps).not.toContain('s1');
    expect(closed.calls).toEqual([]);
    expect(await store.getCall('c1')).toMatchObject({ status: 'running', error: null });
  });

  it('spares the calls of a step that somebody is just moving', async () => {
    const moving = await pool.connect();
    await moving.query('begin');
    await moving.query(`update run_steps set updated_at = $1 where id = 's1'`, [BEFORE]);
    const closed = await store.closeStale(SWEEP);
    await moving.query('commit');
    moving.release();
    expect(closed.calls).toEqual(['c2']);
    expect(await store.closeStale(SWEEP)).toEqual({ runs: [], steps: [], calls: [] });
  });

  it('leaves alone what has ended since the sweep began', async () => {
    const { closed, result } = await sweepAround(() =>
      Promise.all([
        store.updateCall('c1', { status: 'success' }, { ifStatus: ['running'] }),
        store.updateStep('s1', { status: 'completed' }, { ifStatus: ['running'] }),
      ]),
    );
    expect(result).toEqual([true, true]);
    expect(closed.steps.sort()).toEqual(['alone1', 'alone2', 's2']);
    expect(closed.calls).toEqual(['c2']);
    expect(await store.getCall('c1')).toMatchObject({ status: 'success', error: null });
    expect(await store.getStep('s1')).toMatchObject({ status: 'completed', error: null });
  });

  it('passes over what somebody else is writing, without waiting for it', async () => {
    const writing = await pool.connect();
    await writing.query('begin');
    await writing.query(`update runs set current_step = 'moving' where id = 'r1'`);
    await writing.query(`update run_steps set step_index = 1 where id in ('s1', 'alone1')`);
    await writing.query(`update run_calls set tool = 't' where id = 'c1'`);
    const closed = await store.closeStale(SWEEP);
    await writing.query('rollback');
    writing.release();
    expect(closed).toEqual({ runs: ['r2'], steps: expect.anything(), calls: ['c2'] });
    expect(closed.steps.sort()).toEqual(['alone2', 's2']);
    // Nothing was written after all: the next sweep ends them.
    const next = await store.closeStale(SWEEP);
    expect(next).toEqual({ runs: ['r1'], steps: expect.anything(), calls: ['c1'] });
    expect(next.steps.sort()).toEqual(['alone1', 's1']);
  });

  it('is answered with what it ended, and another one at the same time with the rest', async () => {
    const other = new PostgresStore(server.pool(1));
    const { closed, result } = await sweepAround(() => other.closeStale(SWEEP));
    expect([...closed.runs, ...result.runs].sort()).toEqual(['r1', 'r2']);
    expect([...closed.steps, ...result.steps].sort()).toEqual(['alone1', 'alone2', 's1', 's2']);
    expect([...closed.calls, ...result.calls].sort()).toEqual(['c1', 'c2']);
    // The one that waited had its run already, and the other did not wait for it.
    expect(closed.runs).toContain('r1');
    expect(result.steps).not.toEqual([]);
  });

  it('refuses a heartbeat that comes when its record is as good as ended', async () => {
    const { closed, result } = await sweepAround(async () =>
      // Waits for the sweep.
      [store.updateRun('r1', { updatedAt: BEFORE }, { ifStatus: ['running'] })],
    );
    expect(closed.runs.sort()).toEqual(['r1', 'r2']);
    expect(await Promise.all(result)).toEqual([false]);
    expect(await count('runs', `status = 'failed' and error = '${SWEEP.error}'`)).toBe(2);
  });

  it('against heartbeats, ends and other sweeps leaves of every record one truth', async () => {
    const ids = several(400, (n) => idOf(1000 + n));
    await Promise.all(ids.map((id) => store.insertRun(aRun({ id }))));
    const others = several(3, () => new PostgresStore(server.pool(2)));
    const sweeps: Promise<string[]>[] = [];
    const beats: Promise<{ id: string; isMatch: boolean }>[] = [];
    for (let start = 0; start < 400; start += 40) {
      for (const other of others) {
        sweeps.push(other.closeStale({ ...SWEEP, limit: 10 }).then(({ runs }) => runs));
      }
      const part = ids.slice(start, start + 40).toReversed();
      beats.push(
        ...part.map(async (id) => ({
          id,
          isMatch: await store.updateRun(id, { updatedAt: BEFORE }, { ifStatus: ['running'] }),
        })),
      );
      await Promise.all(beats);
    }
    const closed = (await Promise.all(sweeps)).flat().filter((id) => ids.includes(id));
    const saved = (await Promise.all(beats)).filter(({ isMatch }) => isMatch).map(({ id }) => id);
    expect([...closed, ...saved].sort()).toEqual(ids);
    expect(await count('runs', `status = 'running' and error is null and id like '0196%'`)).toBe(
      saved.length,
    );
    expect(closed.length).toBeGreaterThan(0);
    expect(saved.length).toBeGreaterThan(0);
  });
});
