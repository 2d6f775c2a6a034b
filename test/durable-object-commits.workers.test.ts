import { env, runInDurableObject } from 'cloudflare:test';
import { expect, it } from 'vitest';
import { type DurableObjectStorage, DurableObjectStore } from '../src/sql/durable-object.js';
import type { SqlStoreOptions } from '../src/sql/options.js';
import { aCall, aRun, aStep, at } from '../src/testing/tables.js';

interface Opened {
  store: DurableObjectStore;
  storage: DurableObjectStorage;
  /** What was executed since, one word each; a transaction is two. */
  executed(): string[];
  storedIn(table: string): unknown[];
}

/** Tries something out in a Durable Object of its own. */
async function inObject(
  use: (opened: Opened) => Promise<void>,
  options: SqlStoreOptions = {},
): Promise<void> {
  const stub = env.RUNS.get(env.RUNS.newUniqueId());
  await runInDurableObject(stub, async (_object, { storage }) => {
    const words: string[] = [];
    const connection: DurableObjectStorage = {
      sql: {
        exec(text, ...values) {
          words.push(text.split(' ')[0] as string);
          return storage.sql.exec(text, ...values);
        },
      },
      transactionSync(closure) {
        words.push('begin');
        try {
          return storage.transactionSync(closure);
        } finally {
          words.push('end');
        }
      },
    };
    const store = new DurableObjectStore(connection, options);
    await store.migrate();
    words.length = 0;
    await use({
      store,
      storage,
      executed: () => words.splice(0),
      storedIn: (table) =>
        storage.sql
          .exec(`select id from ${table} order by id`)
          .toArray()
          .map((row) => (row as { id: unknown }).id),
    });
  });
}

async function insertAll(
  store: DurableObjectStore,
  ids: string[],
): Promise<(string | undefined)[]> {
  const runs = ids.map((id) => store.insertRun(aRun({ id })));
  const results = await Promise.allSettled(runs);
  return results.map((result) => (result as { reason?: Error }).reason?.message);
}

it('writes that are issued together share one transaction, and one alone needs none', () =>
  inObject(async ({ store, executed, storedIn }) => {
    await Promise.all([
      store.insertRun(aRun({ id: 'r' })),
      store.insertStep(aStep({ id: 's', runId: 'r' })),
      store.insertCall(aCall({ id: 'c', stepId: 's' })),
      store.updateRun('r', { error: 'e' }),
      store.incrementRunOutput('r', { charges: 1 }, at(1)),
    ]);
    expect(executed()).toEqual(['begin', 'insert', 'insert', 'insert', 'update', 'update', 'end']);
    expect(storedIn('run_calls')).toEqual(['c']);
    await store.insertRun(aRun({ id: 'alone' }));
    expect(executed()).toEqual(['insert']);
  }));

it('a write that is refused fails alone, with the error of the database', () =>
  inObject(async ({ store, storage, storedIn }) => {
    storage.sql.exec(
      `create trigger refuse before insert on runs when new.id = 'bad' begin select raise(abort, 'no bad runs'); end`,
    );
    const reasons = await insertAll(store, ['a', 'bad', 'b', 'a', 'c']);
    expect(reasons).toEqual([
      undefined,
      expect.stringContaining('no bad runs'),
      undefined,
      expect.stringContaining('UNIQUE constraint failed: runs.id'),
      undefined,
    ]);
    expect(storedIn('runs')).toEqual(['a', 'b', 'c']);
    const steps = ['a', 'nobody', 'b'].map((id) => store.insertStep(aStep({ id, runId: id })));
    const results = await Promise.allSettled(steps);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect(storedIn('run_steps')).toEqual(['a', 'b']);
  }));

it('a transaction that fails as a whole rejects everything in it, and nothing is stored', () =>
  inObject(async ({ storage, storedIn }) => {
    const full: DurableObjectStorage = {
      sql: storage.sql,
      transactionSync: (closure) =>
        storage.transactionSync(() => {
          closure();
          throw new Error('database or disk is full');
        }),
    };
    const reasons = await insertAll(new DurableObjectStore(full), ['a', 'b', 'a']);
    expect(reasons).toEqual(Array(3).fill('database or disk is full'));
    expect(storedIn('runs')).toEqual([]);
  }));

it('without group commit, a write is done when its method returns, in a transaction of the application’s', () =>
  inObject(
    async ({ store, storage, executed, storedIn }) => {
      const writes: Promise<unknown>[] = [];
      const fail = () =>
        storage.transactionSync(() => {
          writes.push(store.insertRun(aRun({ id: 'a' })), store.updateRun('a', { error: 'e' }));
          expect(storedIn('runs')).toEqual(['a']);
          throw new Error('changed my mind');
        });
      expect(fail).toThrow('changed my mind');
      await Promise.all(writes);
      expect(executed()).toEqual(['insert', 'update']);
      expect(storedIn('runs')).toEqual([]);
    },
    { groupCommit: false },
  ));
