import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { RunTracker } from '../src/index.js';
import type { SqlStoreOptions } from '../src/sql/options.js';
import { SqliteStore } from '../src/sql/sqlite.js';
import { aCall, aLink, aRun, aStep, at } from '../src/testing/tables.js';
import { DRIVERS } from './support/drivers.js';
import { recorded } from './support/recorded.js';

interface Opened {
  store: SqliteStore;
  database: DatabaseSync;
  /** What kind of statement was executed since, one word each. */
  executed(): string[];
}

async function open(
  connect = DRIVERS['node:sqlite']!,
  options: SqlStoreOptions = {},
  file = ':memory:',
): Promise<Opened> {
  const database = new DatabaseSync(file);
  const { connection, statements } = recorded(connect(database));
  const store = new SqliteStore(connection, options);
  await store.migrate();
  statements.length = 0;
  const executed = () => statements.splice(0).map(({ text }) => text.split(' ')[0] as string);
  return { store, database, executed };
}

/** The ids of the runs that are stored, as another statement of the connection sees them. */
function storedIn(database: DatabaseSync, table = 'runs'): unknown[] {
  return database
    .prepare(`select id from ${table} order by id`)
    .all()
    .map(({ id }) => id);
}

const ids = (count: number) => Array.from({ length: count }, (_, index) => `${1000 + index}`);

/** Makes a statement fail, as a constraint of the application's would: the run whose id is `bad`. */
function refuseBad(database: DatabaseSync, action: string): void {
  database.exec(
    `create trigger refuse before insert on runs when new.id = 'bad' begin select ${action}; end`,
  );
}

/** Inserts runs together, and gives the ids of those that were stored and the errors of the others. */
async function insertAll(
  store: SqliteStore,
  all: readonly string[],
  input: object | null = null,
): Promise<{ stored: string[]; errors: Record<string, Error> }> {
  const runs = all.map((id) => aRun({ id, input: input as Record<string, unknown> | null }));
  const results = await Promise.allSettled(runs.map((run) => store.insertRun(run)));
  const stored = all.filter((_, index) => results[index]?.status === 'fulfilled');
  const errors: Record<string, Error> = {};
  for (const [index, result] of results.entries()) {
    if (result.status === 'rejected') errors[all[index]!] = result.reason;
  }
  return { stored, errors };
}

describe('writes', () => {
  it('that are issued before the next microtask share one transaction, in their order', async () => {
    const { store, database, executed } = await open();
    await Promise.all([
      store.insertRun(aRun({ id: 'r' })),
      store.insertStep(aStep({ id: 's', runId: 'r' })),
      store.insertCall(aCall({ id: 'c', stepId: 's' })),
      store.insertStepLink(aLink({ id: 'l', stepId: 's' })),
      store.updateRun('r', { error: 'first' }),
      store.updateRun('r', { error: 'second' }, { ifError: 'first' }),
      store.incrementRunOutput('r', { charges: 1 }, at(1)),
      store.incrementRunOutput('r', { charges: 1 }, at(2)),
    ]);
    const writes = [...Array(4).fill('insert'), ...Array(4).fill('update')];
    expect(executed()).toEqual(['begin', ...writes, 'commit']);
    expect(database.isTransaction).toBe(false);
    expect(await store.getRun('r')).toMatchObject({ error: 'second', output: { charges: 2 } });
    expect(await store.listCalls('r')).toMatchObject({ items: [{ id: 'c' }] });
  });

  it('take the lock for writing at once', async () => {
    const { connection, statements } = recorded(
      DRIVERS['node:sqlite']!(new DatabaseSync(':memory:')),
    );
    const store = new SqliteStore(connection);
    await store.migrate();
    await insertAll(store, ids(2));
    await store.closeStale({ before: at(1), error: 'abandoned', now: at(2), limit: 1 });
    const begins = statements.filter(({ text }) => text.startsWith('begin'));
    expect(begins.map(({ text }) => text)).toEqual(Array(3).fill('begin immediate'));
  });

  it('need no transaction one at a time', async () => {
    const { store, executed } = await open();
    await store.insertRun(aRun({ id: 'a' }));
    const second = store.insertRun(aRun({ id: 'b' }));
    await Promise.resolve();
    const third = store.insertRun(aRun({ id: 'c' }));
    await Promise.all([second, third]);
    expect(executed()).toEqual(['insert', 'insert', 'insert']);
  });

  it('are as they were when they were issued', async () => {
    const { store } = await open();
    const run = aRun({ id: 'a', input: { page: 1 } });
    const fields = { output: { charges: 1 } };
    const writes = [store.insertRun(run), store.updateRun('a', fields)];
    run.status = 'failed';
    run.input = { page: 2 };
    fields.output.charges = 2;
    await Promise.all(writes);
    expect(await store.getRun('a')).toMatchObject({
      status: 'running',
      input: { page: 1 },
      output: { charges: 1 },
    });
  });

  it('of 2 000 calls that run at the same time are two transactions', async () => {
    const { store, database, executed } = await open();
    await store.insertStep(aStep({ id: 's', runId: null }));
    executed();
    const tracker = new RunTracker({ store });
    const call = { tool: 'stripe', operation: 'GET /charges' };
    const calls = ids(2000).map((id) => tracker.executeCall('s', { id, ...call }, async () => id));
    expect(await Promise.all(calls)).toEqual(ids(2000));
    const words = executed();
    expect(words.filter((word) => word === 'begin')).toHaveLength(2);
    expect(words.filter((word) => word === 'commit')).toHaveLength(2);
    expect(words.filter((word) => word === 'insert')).toHaveLength(2000);
    expect(words.filter((word) => word === 'update')).toHaveLength(2000);
    expect(words).toHaveLength(4004);
    const [row] = database
      .prepare(`select count(*) as n from run_calls where status = 'success'`)
      .all();
    expect(row).toEqual({ n: 2000 });
  });

  it('resolve when other connections see them, and not before', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'runs-')), 'runs.db');
    const { store } = await open(undefined, {}, file);
    const other = new DatabaseSync(file);
    const seen: unknown[][] = [];
    await Promise.all(
      ['a', 'b'].map((id) => store.insertRun(aRun({ id })).then(() => seen.push(storedIn(other)))),
    );
    expect(seen).toEqual([
      ['a', 'b'],
      ['a', 'b'],
    ]);
  });
});

describe.for(Object.entries(DRIVERS))('over %s, a write', ([, connect]) => {
  const refusals: Record<string, [prepare: (database: DatabaseSync) => void, message: string]> = {
    'of an id that exists': [
      (database) => {
        const columns = 'run_type, trigger, actor_type, status, created_at, updated_at';
        database.exec(`insert into runs (id, ${columns}) values ('bad', '', '', '', '', 0, 0)`);
      },
      'UNIQUE constraint failed: runs.id',
    ],
    'that a constraint refuses': [
      (database) => database.exec(`create unique index one on runs (id) where id = 'bad'`),
      'UNIQUE constraint failed',
    ],
    'that a trigger refuses and undoes': [
      (database) => refuseBad(database, `raise(abort, 'no bad runs')`),
      'no bad runs',
    ],
    'that a trigger refuses': [
      (database) => refuseBad(database, `raise(fail, 'no bad runs')`),
      'no bad runs',
    ],
  };
  // Two of them, for the one that needs a second.
  const all = ['a', 'bad', 'c', 'bad', 'd'];

  it.for(Object.entries(refusals))(
    '%s fails alone, with the error of the database',
    async ([, [prepare, message]]) => {
      const { store, database, executed } = await open(connect);
      prepare(database);
      const { errors } = await insertAll(store, all);
      expect(Object.keys(errors)).toEqual(['bad']);
      expect(errors.bad).toMatchObject({ code: 'ERR_SQLITE_ERROR' });
      expect(errors.bad?.message).toContain(message);
      expect(storedIn(database).filter((id) => id !== 'bad')).toEqual(['a', 'c', 'd']);
      expect(executed().filter((word) => word === 'commit')).toHaveLength(1);
      expect(database.isTransaction).toBe(false);
    },
  );

  it('of a child without its parent fails alone, with the error of the database', async () => {
    const { store, database } = await open(connect);
    const results = await Promise.allSettled([
      store.insertRun(aRun({ id: 'r' })),
      store.insertStep(aStep({ id: 'lost', runId: 'nobody' })),
      store.insertCall(aCall({ id: 'lost', stepId: 'lost' })),
      store.insertStep(aStep({ id: 's', runId: 'r' })),
      store.insertStepLink(aLink({ id: 'lost', stepId: 'lost' })),
      store.insertStepLink(aLink({ id: 'l', stepId: 's' })),
    ]);
    const reasons = results.map((result) => (result as { reason?: Error }).reason?.message);
    const refusal = 'FOREIGN KEY constraint failed';
    expect(reasons).toEqual([undefined, refusal, refusal, undefined, refusal, undefined]);
    expect(storedIn(database, 'run_steps')).toEqual(['s']);
    expect(storedIn(database, 'run_calls')).toEqual([]);
    expect(storedIn(database, 'run_step_links')).toEqual(['l']);
  });

  it('that a trigger of the application’s refuses on an update fails alone', async () => {
    const { store, database } = await open(connect);
    await insertAll(store, all.slice(0, 3));
    database.exec(
      `create trigger refuse before update on runs when new.id = 'bad' begin select raise(abort, 'no'); end`,
    );
    const updates = ['a', 'bad', 'c', 'nobody'].map((id) => store.updateRun(id, { error: id }));
    const results = await Promise.allSettled(updates);
    expect(results).toMatchObject([
      { value: true },
      { reason: { message: 'no' } },
      { value: true },
      { value: false },
    ]);
    expect(await store.getRun('c')).toMatchObject({ error: 'c' });
  });

  it('that undoes the whole transaction fails with everything in it, and nothing is stored', async () => {
    const { store, database } = await open(connect);
    refuseBad(database, `raise(rollback, 'all of it')`);
    const { stored, errors } = await insertAll(store, ['a', 'b', 'bad', 'c', 'd']);
    expect(stored).toEqual([]);
    for (const error of Object.values(errors)) expect(error.message).toBe('all of it');
    expect(storedIn(database)).toEqual([]);
    expect(database.isTransaction).toBe(false);
    // The store goes on.
    expect(await insertAll(store, ['a', 'b'])).toMatchObject({ stored: ['a', 'b'], errors: {} });
    expect(storedIn(database)).toEqual(['a', 'b']);
  });

  it('to a database that is full rejects exactly what is not stored', async () => {
    const { store, database } = await open(connect);
    const { page_count: pages } = database.prepare('pragma page_count').get() as {
      page_count: number;
    };
    database.exec(`pragma max_page_count = ${pages + 12}`);
    const { stored, errors } = await insertAll(store, ids(20), { text: 'x'.repeat(8000) });
    expect(storedIn(database)).toEqual(stored);
    expect(Object.keys(errors).length).toBeGreaterThan(0);
    for (const error of Object.values(errors)) {
      expect(error.message).toBe('database or disk is full');
    }
    expect(database.isTransaction).toBe(false);
    database.exec('pragma max_page_count = 100000');
    const again = await insertAll(store, Object.keys(errors));
    expect(again.errors).toEqual({});
    expect(storedIn(database)).toEqual(ids(20));
  });

  it('that makes the commit fail rejects everything in the transaction, and nothing is stored', async () => {
    const { store, database, executed } = await open(connect);
    database.exec(`
      create table accounts (id text primary key);
      create table bills (account text references accounts (id) deferrable initially deferred);
      create trigger bill after insert on runs when new.id = 'bad'
        begin insert into bills values ('nobody'); end;
    `);
    for (const all of [['a', 'bad', 'c'], ['bad']]) {
      const { stored, errors } = await insertAll(store, all);
      expect(stored).toEqual([]);
      for (const error of Object.values(errors)) {
        expect(error.message).toBe('FOREIGN KEY constraint failed');
      }
      expect(storedIn(database)).toEqual([]);
      expect(database.isTransaction).toBe(false);
    }
    executed();
    expect((await insertAll(store, ['a', 'c'])).stored).toEqual(['a', 'c']);
    expect(executed().filter((word) => word === 'rollback' || word === 'commit')).toContain(
      'commit',
    );
  });

  it('that waits too long for another process rejects with all of its transaction', async () => {
    const file = join(mkdtempSync(join(tmpdir(), 'runs-')), 'runs.db');
    const { store, database } = await open(connect, {}, file);
    database.exec('pragma busy_timeout = 1');
    const other = new DatabaseSync(file);
    other.exec('begin immediate');
    for (const all of [['a', 'b'], ['a']]) {
      const { stored, errors } = await insertAll(store, all);
      expect(stored).toEqual([]);
      for (const error of Object.values(errors)) expect(error.message).toBe('database is locked');
    }
    other.exec('rollback');
    expect((await insertAll(store, ['a', 'b'])).stored).toEqual(['a', 'b']);
  });
});

describe.for(Object.entries(DRIVERS))(
  'over %s, in a transaction that the application has opened',
  ([, connect]) => {
    it('group commit joins it, and neither ends it nor undoes it', async () => {
      for (const [end, expected] of [
        ['commit', ['a', 'b', 'c', 'mine']],
        ['rollback', []],
      ] as const) {
        const { store, database, executed } = await open(connect);
        database.exec('begin');
        await store.insertRun(aRun({ id: 'mine' }));
        executed();
        const { stored, errors } = await insertAll(store, ['a', 'mine', 'b', 'c']);
        expect(stored).toEqual(['a', 'b', 'c']);
        expect(errors.mine?.message).toBe('UNIQUE constraint failed: runs.id');
        expect(executed()).not.toContain('commit');
        expect(database.isTransaction).toBe(true);
        database.exec(end);
        expect(storedIn(database)).toEqual(expected);
      }
    });

    it('what undoes it rejects everything that was to be stored with it', async () => {
      const { store, database } = await open(connect);
      refuseBad(database, `raise(rollback, 'all of it')`);
      database.exec('begin');
      const { stored, errors } = await insertAll(store, ['a', 'bad', 'c']);
      expect(stored).toEqual([]);
      for (const error of Object.values(errors)) expect(error.message).toBe('all of it');
      expect(database.isTransaction).toBe(false);
      expect(storedIn(database)).toEqual([]);
    });

    it('a sweep, a deletion and a migration are part of it', async () => {
      const { store, database } = await open(connect);
      await store.insertRun(aRun({ id: 'a', completedAt: at(0), status: 'failed' }));
      await store.insertRun(aRun({ id: 'b' }));
      database.exec('begin');
      const sweep = { before: at(9), error: 'abandoned', now: at(10), limit: 9 };
      expect(await store.closeStale(sweep)).toMatchObject({ runs: ['b'] });
      expect(await store.deleteRuns({ completedBefore: at(11) })).toBe(2);
      database.exec('drop table run_step_links');
      await store.migrate();
      expect(storedIn(database, 'run_step_links')).toEqual([]);
      expect(database.isTransaction).toBe(true);
      database.exec('rollback');
      expect(storedIn(database)).toEqual(['a', 'b']);
      expect(await store.getRun('b')).toMatchObject({ status: 'running' });
    });

    it('without group commit, a write is done when its method returns', async () => {
      const { store, database, executed } = await open(connect, { groupCommit: false });
      database.exec('begin');
      const writes = [
        store.insertRun(aRun({ id: 'a' })),
        store.insertStep(aStep({ id: 's', runId: 'a' })),
        store.incrementRunOutput('a', { charges: 1 }, at(1)),
        store.updateRun('a', { error: 'e' }),
      ];
      const refused = store.insertRun(aRun({ id: 'a' }));
      expect(executed()).toEqual(['insert', 'insert', 'update', 'update', 'insert']);
      expect(database.prepare('select error from runs').all()).toEqual([{ error: 'e' }]);
      database.exec('rollback');
      await Promise.all(writes);
      await expect(refused).rejects.toThrow('UNIQUE constraint failed: runs.id');
      expect(storedIn(database)).toEqual([]);
    });
  },
);

it('without group commit, what is issued together is stored one by one', async () => {
  const { store, executed } = await open(undefined, { groupCommit: false });
  expect((await insertAll(store, ['a', 'b', 'a'])).errors).toHaveProperty('a');
  expect(executed()).toEqual(['insert', 'insert', 'insert']);
});
