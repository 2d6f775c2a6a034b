import { env } from 'cloudflare:test';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Run } from '../src/index.js';
import { type D1Binding, type D1Statement, D1Store } from '../src/sql/d1.js';
import type { SqlStoreOptions } from '../src/sql/options.js';
import { aRun, at, idOf } from '../src/testing/tables.js';

interface Bound extends D1Statement {
  bound: D1Statement;
}

type Batch = D1Binding['batch'];

/** A store that writes down what it sends: 'alone', or how many statements a batch has. */
function open(
  around: (proceed: () => ReturnType<Batch>) => ReturnType<Batch> = (proceed) => proceed(),
  options?: SqlStoreOptions,
): { store: D1Store; sent: (number | 'alone')[] } {
  const sent: (number | 'alone')[] = [];
  const binding: D1Binding = {
    prepare(text) {
      const bind = (...values: unknown[]): Bound => {
        const bound = env.DB.prepare(text).bind(...values);
        const all = () => {
          sent.push('alone');
          return bound.all();
        };
        return { bound, bind, all };
      };
      return bind();
    },
    batch(statements) {
      sent.push(statements.length);
      return around(() => env.DB.batch(statements.map((each) => (each as Bound).bound)));
    },
  };
  return { store: new D1Store(binding, options), sent };
}

/** One after the other: whether it was stored or changed, or what it was rejected with. */
async function answersOf(writes: Promise<unknown>[]): Promise<unknown[]> {
  const results = await Promise.allSettled(writes);
  return results.map((each) => (each.status === 'fulfilled' ? each.value : String(each.reason)));
}

const count = async () => (await env.DB.prepare('select count(*) as n from runs').all()).results;

const inserts = (store: D1Store, first: number, amount: number) =>
  Array.from({ length: amount }, (_, index) => store.insertRun(aRun({ id: idOf(first + index) })));

beforeEach(async () => {
  await new D1Store(env.DB).migrate();
  await env.DB.prepare('delete from runs').all();
});

describe('writes of a D1Store that are issued together', () => {
  it('go in one batch, after the first of them', async () => {
    const { store, sent } = open();
    await Promise.all(inserts(store, 1, 20));
    expect(sent).toEqual(['alone', 19]);
    expect(await count()).toEqual([{ n: 20 }]);
  });

  it('go one by one without group commit', async () => {
    const { store, sent } = open(undefined, { groupCommit: false });
    await Promise.all(inserts(store, 1, 3));
    expect(sent).toEqual(['alone', 'alone', 'alone']);
  });

  it('are sent again by themselves when their id exists, and no others', async () => {
    const { store, sent } = open();
    await store.insertRun(aRun({ id: idOf(5) }));
    const answers = await answersOf(inserts(store, 1, 8));
    expect(sent).toEqual(['alone', 'alone', 7, 'alone']);
    const stored = Array(4).fill(undefined);
    const refused = expect.stringContaining('UNIQUE constraint failed: runs.id');
    expect(answers).toEqual([...stored, refused, ...stored.slice(1)]);
    expect(await count()).toEqual([{ n: 8 }]);
  });

  it('that match nothing are answered by their batch', async () => {
    const { store, sent } = open();
    await store.insertRun(aRun({ id: idOf(1) }));
    const change: Partial<Run> = { status: 'completed', completedAt: at(9) };
    const answers = await answersOf([
      ...inserts(store, 2, 2),
      store.updateRun(idOf(1), change),
      store.updateRun(idOf(99), change),
      store.incrementRunOutput(idOf(98), { rows: 1 }, at(9)),
    ]);
    expect(sent).toEqual(['alone', 'alone', 4]);
    expect(answers).toEqual([undefined, undefined, true, false, false]);
  });

  it('are sent again in halves, when one of them is refused, until that one stands alone', async () => {
    const { store, sent } = open();
    const runs = [1, 2, 3, 4, 5].map((n) => aRun({ id: idOf(n) }));
    Object.assign(runs[3] as Run, { status: null });
    const answers = await answersOf(runs.map((run) => store.insertRun(run)));
    expect(sent).toEqual(['alone', 4, 2, 2, 'alone', 'alone']);
    const refused = expect.stringContaining('NOT NULL constraint failed: runs.status');
    expect(answers).toEqual([undefined, undefined, undefined, refused, undefined]);
    expect(await count()).toEqual([{ n: 4 }]);
  });

  it('are sent once, when the connection is lost, since they may have been stored', async () => {
    const lost = new Error('D1_ERROR: Network connection lost.');
    const { store, sent } = open(async (proceed) => {
      await proceed();
      throw lost;
    });
    await store.insertRun(aRun({ id: idOf(1) }));
    const writes = [...inserts(store, 2, 3), store.incrementRunOutput(idOf(1), { rows: 1 }, at(9))];
    const answers = await answersOf(writes);
    expect(sent).toEqual(['alone', 'alone', 3]);
    expect(answers).toEqual([undefined, String(lost), String(lost), String(lost)]);
    expect((await store.getRun(idOf(1)))?.output).toEqual({ rows: 1 });
    expect(await count()).toEqual([{ n: 4 }]);
  });

  it('are sent once, when their table does not exist', async () => {
    const { store, sent } = open(undefined, { tablePrefix: 'missing_' });
    const answers = await answersOf(inserts(store, 1, 5));
    expect(sent).toEqual(['alone', 4]);
    expect(answers).toEqual(Array(5).fill(expect.stringContaining('no such table: missing_runs')));
  });
});
