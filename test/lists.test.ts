import { describe, expect, it } from 'vitest';
import type { Page, PageQuery, RunQuery } from '../src/index.js';
import { MemoryStore } from '../src/memory.js';
import { aCall, aRun, aStep } from './support/records.js';

const at = (seconds: number) => new Date(Date.UTC(2026, 2, 1, 12, 0, seconds));

/** Walks a list to its end, page by page. */
async function all<T>(
  list: (query: PageQuery) => Promise<Page<T>>,
  limit?: number,
): Promise<{ items: T[]; pages: number }> {
  const items: T[] = [];
  let pages = 0;
  let cursor: string | null | undefined;
  do {
    const query = { ...(cursor ? { cursor } : {}), ...(limit ? { limit } : {}) };
    const page = await list(query);
    items.push(...page.items);
    cursor = page.nextCursor;
    pages += 1;
  } while (cursor);
  return { items, pages };
}

const idsOf = (page: Page<{ id: string }>) => page.items.map(({ id }) => id);

describe('listRuns', () => {
  async function filled(): Promise<MemoryStore> {
    const store = new MemoryStore();
    await store.insertRun(aRun({ id: 'a', createdAt: at(1), status: 'failed', actorId: 'ann' }));
    await store.insertRun(aRun({ id: 'b', createdAt: at(2), runType: 'import' }));
    await store.insertRun(aRun({ id: 'd', createdAt: at(2), trigger: 'user', updatedAt: at(9) }));
    await store.insertRun(aRun({ id: 'c', createdAt: at(2), status: 'running' }));
    await store.insertRun(aRun({ id: 'e', createdAt: at(3), status: 'failed' }));
    return store;
  }

  it('lists the newest first, and by id those of the same time', async () => {
    const store = await filled();
    const page = await store.listRuns();
    expect(idsOf(page)).toEqual(['e', 'd', 'c', 'b', 'a']);
    expect(page.nextCursor).toBe(null);
    expect(page.items[0]).toEqual(await store.getRun('e'));
    expect(await new MemoryStore().listRuns()).toEqual({ items: [], nextCursor: null });
  });

  const FILTERS: [RunQuery, string[]][] = [
    [{ status: 'failed' }, ['e', 'a']],
    [{ status: ['failed', 'running'] }, ['e', 'c', 'a']],
    [{ status: [] }, []],
    [{ runType: 'import' }, ['b']],
    [{ trigger: 'user' }, ['d']],
    [{ actorId: 'ann' }, ['a']],
    [{ createdAfter: at(1) }, ['e', 'd', 'c', 'b']],
    [{ createdBefore: at(2) }, ['a']],
    [{ createdAfter: at(1), createdBefore: at(3) }, ['d', 'c', 'b']],
    [{ updatedBefore: at(9) }, ['e', 'c', 'b', 'a']],
    [{ status: 'failed', createdAfter: at(1) }, ['e']],
    [{ status: 'failed', runType: 'import' }, []],
    [{ limit: 2 }, ['e', 'd']],
    [{ status: undefined, limit: undefined, cursor: undefined }, ['e', 'd', 'c', 'b', 'a']],
  ];
  for (const [query, ids] of FILTERS) {
    it(`finds ${ids.join(' ') || 'nothing'} by ${JSON.stringify(query)}`, async () => {
      const store = await filled();
      expect(idsOf(await store.listRuns(query))).toEqual(ids);
    });
  }

  it('pages by a cursor, which neither repeats nor skips while runs are added', async () => {
    for (const limit of [1, 2, 3, 4, 5, 6]) {
      const store = await filled();
      let added = 0;
      const { items, pages } = await all(async (query) => {
        added += 1;
        await store.insertRun(aRun({ id: `new-${added}`, createdAt: at(10 + added) }));
        return store.listRuns({ ...query, createdBefore: at(10) });
      }, limit);
      expect(items.map(({ id }) => id)).toEqual(['e', 'd', 'c', 'b', 'a']);
      expect(pages).toBe(Math.ceil(5 / limit));
    }
  });

  it('has 50 runs on a page unless it is told otherwise, and 500 at most', async () => {
    const store = new MemoryStore();
    for (let index = 0; index < 501; index += 1) {
      await store.insertRun(aRun({ id: `run ${index} \u{1f600} "ü"`, createdAt: at(index % 7) }));
    }
    expect((await store.listRuns()).items).toHaveLength(50);
    const page = await store.listRuns({ limit: 500 });
    expect(page.items).toHaveLength(500);
    const { items, pages } = await all((query) => store.listRuns(query));
    expect(new Set(items.map(({ id }) => id)).size).toBe(501);
    expect(pages).toBe(11);
    const rest = await store.listRuns({ cursor: page.nextCursor as string });
    expect(rest.items).toHaveLength(1);
    expect(rest.nextCursor).toBe(null);
  });

  it('ends a page at about 4 MB, never before its first run', async () => {
    const store = new MemoryStore();
    for (const id of ['a', 'b', 'c', 'd', 'e']) {
      await store.insertRun(aRun({ id, input: { text: 'x'.repeat(1_500_000) } }));
    }
    await store.insertRun(aRun({ id: 'f', input: { text: 'x'.repeat(5_000_000) } }));
    const sizes: number[] = [];
    const { items } = await all(async (query) => {
      const page = await store.listRuns(query);
      sizes.push(page.items.length);
      return page;
    });
    expect(items.map(({ id }) => id)).toEqual(['f', 'e', 'd', 'c', 'b', 'a']);
    expect(sizes).toEqual([1, 2, 2, 1]);
  });

  it('hands out copies', async () => {
    const store = await filled();
    const [run] = (await store.listRuns()).items;
    Object.assign(run as object, { runType: 'changed' });
    expect((await store.getRun('e'))?.runType).toBe('sync');
  });
});

describe('the lists of a run', () => {
  async function filled(): Promise<MemoryStore> {
    const store = new MemoryStore();
    await store.insertStep(aStep({ id: 's1', createdAt: at(2), status: 'failed' }));
    await store.insertStep(aStep({ id: 's2', createdAt: at(1) }));
    await store.insertStep(aStep({ id: 's3', createdAt: at(1), status: 'skipped' }));
    await store.insertStep(aStep({ id: 'other', runId: 'r2' }));
    await store.insertStep(aStep({ id: 'alone', runId: null }));
    for (const stepId of ['s1', 's2', 'other', 'alone', 'nobody']) {
      for (const second of [2, 1]) {
        const id = `${stepId}-${second}`;
        await store.insertCall(aCall({ id, stepId, createdAt: at(second) }));
        await store.insertStepLink({
          id,
          stepId,
          linkType: 'output',
          entityType: 'charge',
          entityId: 'ch_1',
          externalId: null,
          createdAt: at(second),
        });
      }
    }
    return store;
  }

  it('list steps, oldest first', async () => {
    const store = await filled();
    expect(idsOf(await store.listSteps('r1'))).toEqual(['s2', 's3', 's1']);
    expect(idsOf(await store.listSteps(null))).toEqual(['alone']);
    expect(idsOf(await store.listSteps('nobody'))).toEqual([]);
    const query = { status: ['failed', 'skipped'] } as const;
    expect(idsOf(await store.listSteps('r1', query))).toEqual(['s3', 's1']);
    const { items, pages } = await all((page) => store.listSteps('r1', page), 1);
    expect([items.map(({ id }) => id), pages]).toEqual([['s2', 's3', 's1'], 3]);
  });

  for (const list of ['listCalls', 'listLinks'] as const) {
    it(`${list} lists those of its steps, oldest first`, async () => {
      const store = await filled();
      expect(idsOf(await store[list]('r1'))).toEqual(['s1-1', 's2-1', 's1-2', 's2-2']);
      expect(idsOf(await store[list](null))).toEqual(['alone-1', 'alone-2']);
      expect(idsOf(await store[list]('r1', { stepId: 's1' }))).toEqual(['s1-1', 's1-2']);
      expect(idsOf(await store[list]('r1', { stepId: 'other' }))).toEqual([]);
      const { items } = await all<{ id: string }>((page) => store[list]('r1', page), 3);
      expect(items.map(({ id }) => id)).toEqual(['s1-1', 's2-1', 's1-2', 's2-2']);
    });
  }
});

describe('a query that makes no sense is refused', () => {
  const store = new MemoryStore();
  const forged = (text: string) => btoa(text).replaceAll('=', '');
  const REFUSED: [list: string, query: object, message: string][] = [
    ...[0, -1, 501, 1.5, Number.NaN, '5', null].map((limit): [string, object, string] => [
      'runs',
      { limit },
      `limit must be a whole number from 1 to 500, not ${JSON.stringify(limit) === 'null' ? String(limit) : JSON.stringify(limit)}`,
    ]),
    ...['', 'x', '***', forged('no time'), forged('12'), forged('12 '), forged('1.5 a')].map(
      (cursor): [string, object, string] => [
        'steps',
        { cursor },
        `cursor must be the nextCursor of a page, not ${JSON.stringify(cursor)}`,
      ],
    ),
    ['calls', { cursor: 5 }, 'cursor must be the nextCursor of a page, not 5'],
    [
      'runs',
      { status: 'skipped' },
      'status must be one of pending, running, completed, failed, cancelled, or a list of them, not "skipped"',
    ],
    [
      'steps',
      { status: ['failed', 'error'] },
      'status must be one of pending, running, completed, failed, cancelled, skipped, or a list of them, not {"value":["failed","error"]}',
    ],
    ['runs', { runType: 5 }, 'runType must be a string, not 5'],
    [
      'runs',
      { trigger: 'hook' },
      'trigger must be one of cron, user, webhook, chat, agent, manual, system, not "hook"',
    ],
    ['runs', { createdAfter: '2026-01-01' }, 'createdAfter must be a valid Date, not "2026-01-01"'],
    [
      'runs',
      { updatedBefore: new Date(Number.NaN) },
      'updatedBefore must be a valid Date, not {"value":null}',
    ],
    ['links', { stepId: null }, 'stepId must be a string, not null'],
    ['calls', { status: 'error' }, 'status must be left out, not "error"'],
    ['runs', { toString: 5 }, 'toString must be left out, not 5'],
  ];
  for (const [list, query, message] of REFUSED) {
    it(`Cannot list ${list}: ${message}`, async () => {
      const listing = {
        runs: () => store.listRuns(query),
        steps: () => store.listSteps('r1', query),
        calls: () => store.listCalls('r1', query),
        links: () => store.listLinks('r1', query),
      }[list] as () => Promise<unknown>;
      await expect(listing()).rejects.toMatchObject({
        name: 'RunsError',
        code: 'invalid_argument',
        message: `Cannot list ${list}: ${message}`,
      });
    });
  }
});
