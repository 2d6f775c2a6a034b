import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import type { Run } from '../src/index.js';
import { SqliteStore } from '../src/sql/sqlite.js';
import { aRun } from './support/records.js';

/** A store, and how many rows it was asked for by each statement that lists runs. */
async function open(): Promise<{ store: SqliteStore; parts: unknown[] }> {
  const database = new DatabaseSync(':memory:');
  const parts: unknown[] = [];
  const store = new SqliteStore({
    exec: (sql) => database.exec(sql),
    prepare(sql) {
      const statement = database.prepare(sql);
      const all = (...values: unknown[]) => {
        if (sql.includes('order by t."created_at"')) parts.push(values.at(-1));
        return statement.all(...(values as string[]));
      };
      return { all, run: (...values) => statement.run(...(values as string[])) };
    },
  });
  await store.migrate();
  return { store, parts };
}

async function fill(store: SqliteStore, count: number, characters: number): Promise<string[]> {
  const ids = Array.from({ length: count }, (_, index) => `r${String(index).padStart(4, '0')}`);
  const output = { text: 'x'.repeat(characters) };
  const runs = ids.map((id, index) => aRun({ id, output, createdAt: new Date(index) }));
  await Promise.all(runs.map((run) => store.insertRun(run)));
  return ids.reverse();
}

describe('a page of a SQL store', () => {
  it('is one statement, unless it is longer than pages usually are', async () => {
    const { store, parts } = await open();
    const ids = await fill(store, 700, 10);
    const idsOf = ({ items }: { items: Run[] }) => items.map(({ id }) => id);
    expect(idsOf(await store.listRuns())).toEqual(ids.slice(0, 50));
    expect(idsOf(await store.listRuns({ limit: 20 }))).toEqual(ids.slice(0, 20));
    expect(idsOf(await store.listRuns({ limit: 500 }))).toEqual(ids.slice(0, 500));
    expect(parts).toEqual([51, 21, 51, 450]);
  });

  it('ends at about 4 MB of payload, and reads little more than it holds', async () => {
    const { store, parts } = await open();
    const ids = await fill(store, 120, 100_000);
    const walked: string[] = [];
    const lengths: number[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await store.listRuns({ limit: 500, cursor });
      walked.push(...page.items.map(({ id }) => id));
      lengths.push(page.items.length);
      cursor = page.nextCursor;
    }
    expect(walked).toEqual(ids);
    expect(lengths).toEqual([39, 39, 39, 3]);
    expect(parts).toEqual([51, 51, 51, 51]);
  });

  it('goes on where records are of middling size, as far as the limit', async () => {
    const { store, parts } = await open();
    const ids = await fill(store, 200, 30_000);
    const page = await store.listRuns({ limit: 100 });
    expect(page.items.map(({ id }) => id)).toEqual(ids.slice(0, 100));
    expect(parts).toEqual([51, 50]);
    const whole = await store.listRuns({ limit: 200 });
    // 133 of 30 011 characters are the most below four million.
    expect(whole.items.map(({ id }) => id)).toEqual(ids.slice(0, 133));
    expect(parts).toEqual([51, 50, 51, 134]);
  });

  it('holds only what was created before a time, wherever its cursor comes from', async () => {
    const { store } = await open();
    for (const [index, id] of ['a', 'b', 'c', 'd', 'e', 'f'].entries()) {
      await store.insertRun(aRun({ id, createdAt: new Date(Math.floor(index / 2)) }));
    }
    const { nextCursor: cursor } = await store.listRuns({ limit: 3 });
    const before = async (time: number) => {
      const query = { cursor: cursor ?? undefined, createdBefore: new Date(time) };
      return (await store.listRuns(query)).items.map(({ id }) => id);
    };
    const found = await Promise.all([0, 1, 2, 3].map(before));
    // The cursor is that of d, which was created at the same time as c.
    expect(found).toEqual([[], ['b', 'a'], ['c', 'b', 'a'], ['c', 'b', 'a']]);
  });

  it('tells that there is more when it ends with what was read at once', async () => {
    const { store } = await open();
    const ids = await fill(store, 52, 10);
    const { items, nextCursor } = await store.listRuns({ limit: 51 });
    expect(items.map(({ id }) => id)).toEqual(ids.slice(0, 51));
    const rest = await store.listRuns({ cursor: nextCursor ?? undefined });
    expect(rest.items.map(({ id }) => id)).toEqual(ids.slice(51));
  });

  it('tells that there is more when what was read at once is just as large as a page may be', async () => {
    const { store } = await open();
    const around = '{"text":""}'.length;
    const [large, rest] = [79_000 - around, 50_000 - around];
    const lengths = [1, ...Array.from({ length: 50 }, () => large), rest];
    for (const [index, length] of lengths.entries()) {
      const output = { text: 'x'.repeat(length) };
      await store.insertRun(aRun({ id: `${index}`, output, createdAt: new Date(index) }));
    }
    const { items, nextCursor } = await store.listRuns({ limit: 100 });
    expect(items).toHaveLength(51);
    const next = await store.listRuns({ limit: 100, cursor: nextCursor ?? undefined });
    expect(next.items.map(({ id }) => id)).toEqual(['0']);
  });

  it('has a limit for payloads, and none for errors', async () => {
    const { store } = await open();
    for (let index = 0; index < 500; index += 1) {
      await store.insertRun(aRun({ id: `${index}`, error: 'x'.repeat(8192) }));
    }
    expect((await store.listRuns({ limit: 500 })).items).toHaveLength(500);
  });

  it('holds at least one record, however large', async () => {
    const { store } = await open();
    const ids = await fill(store, 3, 5_000_000);
    const page = await store.listRuns();
    expect(page.items.map(({ id }) => id)).toEqual(ids.slice(0, 1));
    const { items } = await store.listRuns({ cursor: page.nextCursor ?? undefined });
    expect(items.map(({ id }) => id)).toEqual(ids.slice(1, 2));
  });
});
