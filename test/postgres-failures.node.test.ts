import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PostgresStore, type PostgresStoreOptions } from '../src/sql/postgres.js';
import { aCall, aRun, aStep, at, idOf } from '../src/testing/tables.js';
import { outcomesOf, type Sent, several, shapeOf, watched } from './support/postgres-client.js';
import { startPostgresTables } from './support/postgres-tables.js';

const { server, pool, count, blocked } = await startPostgresTables();

type Around = Parameters<typeof watched>[1];

function open(around?: Around, options?: PostgresStoreOptions, client: pg.Pool | pg.Client = pool) {
  const watch = watched(client, around);
  return { store: new PostgresStore(watch.client, options), sent: watch.sent };
}

/** 1 000 runs under new ids, after one that makes them wait; the bad one, of this number, has these fields. */
const RUNS = (bad: number, fields: object) =>
  several(1000, (n) => aRun({ id: idOf(1000 + n), ...(n === bad && fields) }));

describe('a row that Postgres refuses among 1 000', () => {
  beforeAll(async () => {
    await pool.query(
      `alter table runs add constraint sane check (run_type <> 'bad' and error <> 'bad')`,
    );
  });
  afterAll(() => pool.query('alter table runs drop constraint sane'));

  /** 1 000 rows, two halves ten times over, and no more: of the last halves one is the row itself. */
  const SPLIT = 1 + 10 * 2;
  const ROWS: Record<string, [bad: number, fields: object, code: string, statements: number]> = {
    'has a text with NUL': [0, { runType: 'a\0b' }, '22021', SPLIT],
    'has a payload with NUL': [498, { input: { text: 'a\0b' } }, '22P05', SPLIT],
    'has no value where one must be': [500, { status: null }, '23502', SPLIT],
    'breaks a constraint of the application': [998, { runType: 'bad' }, '23514', SPLIT],
    'has a time that Postgres does not know': [
      77,
      { startedAt: new Date(-8.64e15) },
      '22008',
      SPLIT,
    ],
    'exists already': [623, { id: idOf(1) }, '23505', 2],
  };

  for (const [name, [bad, fields, code, statements]] of Object.entries(ROWS)) {
    it(`fails alone when it ${name}, with the error of Postgres`, async () => {
      const { store, sent } = open();
      const writes = [aRun(), ...RUNS(bad, fields)].map((run) => store.insertRun(run));
      const { stored, errors } = await outcomesOf(writes);
      expect(errors).toEqual([expect.any(pg.DatabaseError)]);
      expect(errors[0]).toMatchObject({ code });
      await expect(writes[1 + bad]).rejects.toBe(errors[0]);
      expect(stored).toBe(1000);
      expect(await count('runs')).toBe(1000);
      expect(sent).toHaveLength(1 + statements);
      // The row itself went out as a statement of its own.
      expect(sent.filter((each) => shapeOf(each) === 'insert runs').length).toBeGreaterThanOrEqual(
        2,
      );
    });
  }

  it('fails alone when its parent does not exist, in every table that has one', async () => {
    const { store, sent } = open();
    await store.insertRun(aRun());
    await store.insertStep(aStep());
    sent.length = 0;
    const stepOf = (n: number) => ({ stepId: n === 333 ? idOf(404) : aStep().id });
    const writes = [
      store.insertRun(aRun({ id: idOf(9) })),
      ...several(500, (n) =>
        store.insertStep(aStep({ id: idOf(1000 + n), runId: n === 111 ? idOf(404) : aRun().id })),
      ),
      ...several(500, (n) => store.insertCall(aCall({ id: idOf(1000 + n), ...stepOf(n) }))),
    ];
    const { stored, errors } = await outcomesOf(writes);
    expect(errors).toEqual([expect.any(pg.DatabaseError), expect.any(pg.DatabaseError)]);
    expect(errors).toMatchObject([
      { code: '23503', table: 'run_steps' },
      { code: '23503', table: 'run_calls' },
    ]);
    await expect(writes[1 + 111]).rejects.toBe(errors[0]);
    await expect(writes[501 + 333]).rejects.toBe(errors[1]);
    expect(stored).toBe(999);
    expect([await count('run_steps'), await count('run_calls')]).toEqual([500, 499]);
    expect(sent).toHaveLength(1 + 2 * (1 + 9 * 2));
  });

  it('fails alone when it is updated or counted', async () => {
    const { store, sent } = open();
    await outcomesOf([...RUNS(-1, {}), aRun()].map((run) => store.insertRun(run)));
    sent.length = 0;
    const updates = [
      store.updateRun(idOf(404), {}),
      ...several(1000, (n) => store.updateRun(idOf(1000 + n), { error: n === 640 ? 'bad' : 'e' })),
    ];
    const { errors } = await outcomesOf(updates);
    expect(errors).toMatchObject([{ code: '23514', constraint: 'sane' }]);
    await expect(updates[1 + 640]).rejects.toBe(errors[0]);
    expect(await count('runs', `error = 'e'`)).toBe(999);
    expect(sent).toHaveLength(1 + SPLIT);
    sent.length = 0;
    const increments = [
      store.updateRun(idOf(404), {}),
      ...several(1000, (n) =>
        store.incrementRunOutput(idOf(1000 + n), { [n === 3 ? 'a\0b' : 'n']: 1 }, at(1)),
      ),
    ];
    const counted = await outcomesOf(increments);
    expect(counted.errors).toMatchObject([{ code: '22P05' }]);
    await expect(increments[1 + 3]).rejects.toBe(counted.errors[0]);
    expect(await count('runs', `output = '{"n": 1}'`)).toBe(999);
    expect(sent).toHaveLength(1 + SPLIT);
  });

  it('does not fail alone: each of several gets its own error', async () => {
    const { store } = open();
    const bad = { 3: { runType: 'bad' }, 4: { input: { text: '\0' } }, 997: { id: idOf(1) } };
    const runs = [aRun(), ...several(1000, (n) => aRun({ id: idOf(1000 + n), ...bad[n as 3] }))];
    const { stored, errors } = await outcomesOf(runs.map((run) => store.insertRun(run)));
    expect(errors).toMatchObject([{ code: '23514' }, { code: '22P05' }, { code: '23505' }]);
    expect(stored).toBe(998);
    expect(await count('runs')).toBe(998);
  });

  it('fails alone by itself too, and what comes after it is stored', async () => {
    for (const options of [{}, { groupCommit: false }]) {
      const { store, sent } = open(undefined, options);
      await expect(store.insertRun(aRun({ runType: 'bad' }))).rejects.toMatchObject({
        code: '23514',
      });
      await store.insertRun(aRun({ id: idOf(options.groupCommit === false ? 1 : 2) }));
      expect(sent).toHaveLength(2);
    }
  });
});

describe('a database that refuses everything', () => {
  it('without a table is asked once for each statement, and the other tables are written', async () => {
    const { store, sent } = open();
    await pool.query('alter table run_calls rename to gone');
    const { errors } = await outcomesOf([
      store.insertCall(aCall()),
      ...several(500, (n) => store.insertCall(aCall({ id: idOf(1000 + n) }))),
      ...several(10, (n) => store.insertRun(aRun({ id: idOf(1000 + n) }))),
      ...several(10, (n) => store.updateCall(idOf(1000 + n), { error: 'e' })),
      ...several(10, (n) => store.insertStep(aStep({ id: idOf(1000 + n), runId: idOf(1000 + n) }))),
    ]);
    await pool.query('alter table gone rename to run_calls');
    expect(errors).toEqual(several(511, () => expect.any(pg.DatabaseError)));
    expect(errors).toMatchObject(several(511, () => ({ code: '42P01' })));
    expect(sent.map(shapeOf)).toEqual([
      'insert run_calls',
      'insert runs × 10',
      'insert run_steps × 10',
      'insert run_calls × 500',
      'update run_calls × 10',
    ]);
    expect([await count('runs'), await count('run_steps')]).toEqual([10, 10]);
  });

  it('without a column, or without the right to write, is asked once too', async () => {
    for (const [breaks, mends, code] of [
      [
        'alter table runs rename error to failure',
        'alter table runs rename failure to error',
        '42703',
      ],
      // A role of every server, which may write into no table.
      ['set role pg_monitor', 'reset role', '42501'],
    ] as const) {
      const client = new pg.Client({ connectionString: server.url });
      await client.connect();
      const { store, sent } = open(undefined, {}, client);
      await client.query(breaks);
      const writes = [aRun(), ...RUNS(-1, {})].map((run) => store.insertRun(run));
      const { errors } = await outcomesOf(writes);
      await client.query(mends);
      expect(errors).toMatchObject(several(1001, () => ({ code })));
      expect(sent).toHaveLength(2);
      await client.end();
    }
  });

  it('that cannot be reached rejects every write with what the driver says', async () => {
    const unreachable = new pg.Pool({ host: '127.0.0.1', port: 1 });
    const { store, sent } = open(undefined, {}, unreachable);
    const { errors } = await outcomesOf(
      [aRun(), ...RUNS(-1, {})].map((run) => store.insertRun(run)),
    );
    expect(errors).toMatchObject(several(1001, () => ({ code: 'ECONNREFUSED' })));
    expect(sent).toHaveLength(2);
  });
});

describe('a connection that is lost while a statement is under way', () => {
  /** Locks a table, lets writes block on that, and ends the connection that they are on. */
  async function loseWhile(table: string, text: string, write: () => Promise<unknown>[]) {
    const locking = await pool.connect();
    await locking.query(`begin; lock table ${table} in access exclusive mode`);
    const writing = outcomesOf(write());
    await vi.waitUntil(async () => (await blocked(text)) === 1, { timeout: 20_000, interval: 10 });
    await pool.query(
      `select pg_terminate_backend(pid) from pg_stat_activity where wait_event_type = 'Lock' and query like '%${text}%'`,
    );
    const outcomes = await writing;
    await locking.query('rollback');
    locking.release();
    return outcomes;
  }

  it('rejects everything in it, of which nothing is sent again, and what comes later is stored', async () => {
    const { store, sent } = open();
    await store.insertRun(aRun());
    sent.length = 0;
    const insertSteps = () => several(300, (n) => store.insertStep(aStep({ id: idOf(1000 + n) })));
    const { stored, errors } = await loseWhile('run_steps', 'insert into "run_steps"', () => [
      store.updateRun(aRun().id, { error: 'e' }),
      ...insertSteps(),
      store.insertRun(aRun({ id: idOf(9) })),
    ]);
    expect(errors).toEqual(several(300, () => errors[0]));
    expect(errors[0]).toMatchObject({ code: '57P01' });
    expect(stored).toBe(2);
    expect(sent.map(shapeOf)).toEqual(['update runs', 'insert runs', 'insert run_steps × 300']);
    expect(await count('run_steps')).toBe(0);
    expect(await outcomesOf(insertSteps())).toEqual({ stored: 300, errors: [] });
    expect(await count('run_steps')).toBe(300);
  });

  it('rejects a write that went out by itself, and what waited for it is sent', async () => {
    const { store, sent } = open();
    const { stored, errors } = await loseWhile('run_steps', 'insert into "run_steps"', () => [
      store.insertStep(aStep({ runId: null })),
      ...several(300, (n) => store.insertRun(aRun({ id: idOf(1000 + n) }))),
    ]);
    expect(errors).toMatchObject([{ code: '57P01' }]);
    expect(stored).toBe(300);
    expect(sent.map(shapeOf)).toEqual(['insert run_steps', 'insert runs × 300']);
    expect([await count('run_steps'), await count('runs')]).toEqual([0, 300]);
  });

  /** Loses the answer to a statement that has been committed. */
  const lost = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });
  const losing =
    (isLost: (sent: Sent) => boolean): Around =>
    async (sent, proceed) => {
      const answer = await proceed();
      if (isLost(sent)) throw lost;
      return answer;
    };

  it.for([
    ['together', true, 200, ['insert runs', 'insert runs × 200']],
    ['by itself', false, 1, ['insert runs', 'insert runs × 200']],
  ] as const)(
    'rejects what was sent %s though it was committed, and does not repeat it',
    async ([, isTogether, rejected, shapes]) => {
      const { store, sent } = open(losing((each) => shapeOf(each).includes('×') === isTogether));
      const writes = [aRun(), ...several(200, (n) => aRun({ id: idOf(1000 + n) }))];
      const { errors } = await outcomesOf(writes.map((run) => store.insertRun(run)));
      expect(errors).toHaveLength(rejected);
      expect(new Set(errors)).toEqual(new Set([lost]));
      expect(sent.map(shapeOf)).toEqual(shapes);
      expect(await count('runs')).toBe(201);
    },
  );

  it('rejects increments once, which are not counted twice', async () => {
    const { store, sent } = open(losing((each) => shapeOf(each).startsWith('increment')));
    await store.insertRun(aRun());
    await store.insertRun(aRun({ id: idOf(9) }));
    const { errors } = await outcomesOf([
      store.updateRun(idOf(404), {}),
      ...several(50, (n) => store.incrementRunOutput(idOf(n % 2 === 0 ? 1 : 9), { n: 1 }, at(1))),
    ]);
    expect(errors).toEqual(several(50, () => lost));
    expect(sent.slice(2).map(shapeOf)).toEqual(['update runs', 'increment runs × 2']);
    expect(await store.getRun(aRun().id)).toMatchObject({ output: { n: 25 } });
  });

  it('while a bad row is looked for rejects what was in that part, and the rest is stored', async () => {
    // The first half is committed and its answer lost; the other half has the bad row.
    const { store, sent } = open(losing((each) => shapeOf(each) === 'insert runs × 500'));
    const runs = [aRun(), ...RUNS(700, { runType: 'a\0b' })];
    const { errors } = await outcomesOf(runs.map((run) => store.insertRun(run)));
    expect(errors.filter((error) => error === lost)).toHaveLength(500);
    expect(errors.filter((error) => error !== lost)).toMatchObject([{ code: '22021' }]);
    expect(sent.filter((each) => shapeOf(each) === 'insert runs × 500')).toHaveLength(2);
    expect(await count('runs')).toBe(1000);
  });
});
