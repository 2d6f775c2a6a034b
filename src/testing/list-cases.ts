import type { Page, PageQuery, RunQuery, StepQuery, StepRecordQuery } from '../store.js';
import { expectRecords, expectRejection, expectSame, idsOf, mismatch } from './expect.js';
import { type AbleStore, type Check, checkThat } from './store-case.js';
import { aCall, aLink, aRun, aStep, at, idOf, UNKNOWN_ID } from './tables.js';

/** One of the lists of a `RunReader`, so that a case can be told once for all of them. */
interface List {
  name: 'listRuns' | 'listSteps' | 'listCalls' | 'listLinks';
  needs: Check['needs'];
  order: string;
  /** Inserts what the records of the list belong to. */
  insertParents(store: AbleStore): Promise<void>;
  insert(store: AbleStore, number: number, createdAt: Date): Promise<object>;
  list(store: AbleStore, query?: PageQuery): Promise<Page<object>>;
  /** Members of a query that must be refused, apart from those that every list refuses. */
  refused: [name: string, value: unknown][];
}

const RUN_ID = idOf(1);

const LISTS: List[] = [
  {
    name: 'listRuns',
    needs: ['listRuns'],
    order: 'newest first',
    async insertParents() {},
    async insert(store, number, createdAt) {
      const run = aRun({ id: idOf(number), createdAt, output: { number } });
      await store.insertRun(run);
      return run;
    },
    list: (store, query) => store.listRuns(query),
    refused: [
      ['status', 'done'],
      ['status', ['running', 'skipped']],
      ['createdAfter', new Date(Number.NaN)],
      ['createdBefore', new Date(Number.NaN)],
      ['updatedBefore', new Date(Number.NaN)],
    ],
  },
  {
    name: 'listSteps',
    needs: ['listSteps'],
    order: 'oldest first',
    insertParents: async (store) => void (await store.insertRun(aRun())),
    async insert(store, number, createdAt) {
      const step = aStep({ id: idOf(number), createdAt, output: { number } });
      await store.insertStep(step);
      return step;
    },
    list: (store, query) => store.listSteps(RUN_ID, query),
    refused: [
      ['status', 'done'],
      ['status', ['running', 'success']],
    ],
  },
  {
    name: 'listCalls',
    needs: ['listCalls'],
    order: 'oldest first',
    insertParents: insertStep,
    async insert(store, number, createdAt) {
      const call = aCall({ id: idOf(number), createdAt, output: { number } });
      await store.insertCall(call);
      return call;
    },
    list: (store, query) => store.listCalls(RUN_ID, query),
    refused: [],
  },
  {
    name: 'listLinks',
    needs: ['listLinks', 'insertStepLink'],
    order: 'oldest first',
    insertParents: insertStep,
    async insert(store, number, createdAt) {
      const link = aLink({ id: idOf(number), createdAt });
      await store.insertStepLink(link);
      return link;
    },
    list: (store, query) => store.listLinks(RUN_ID, query),
    refused: [],
  },
];

/** What holds for the lists of a `RunReader`. */
export const listCases: Check[] = [
  ...LISTS.flatMap(casesOf),
  ...runCases(),
  ...stepCases(),
  ...stepRecordCases('listCalls'),
  ...stepRecordCases('listLinks'),
];

function casesOf({ name, needs, order, insertParents, insert, list, refused }: List): Check[] {
  const listing = checkThat(needs);

  /** Twelve records, four of each time, inserted in another order; resolves to them in the order of the list. */
  async function fill(store: AbleStore): Promise<object[]> {
    await insertParents(store);
    const records: object[] = [];
    for (let index = 0; index < 12; index += 1) {
      const number = (index * 5) % 12;
      records[number] = await insert(store, 100 + number, at(Math.floor(number / 4) * 1000));
    }
    return order === 'newest first' ? records.reverse() : records;
  }

  return [
    listing(
      `${name}: an empty list is a page without items and without a next one`,
      'a page of another shape than { items, nextCursor }',
      async (store) => {
        await insertParents(store);
        expectSame(await list(store), { items: [], nextCursor: null }, `${name} of nothing`);
      },
    ),
    listing(
      `${name}: whole records, ${order}, by id where the time is the same`,
      `a list without order, in the other direction, or ordered by createdAt alone`,
      async (store) => {
        const records = await fill(store);
        expectRecords((await list(store)).items, records, name);
      },
    ),
    listing(
      `${name}: a page has a next one exactly when there is more`,
      'a nextCursor as soon as a page is full; read one record more than the limit',
      async (store) => {
        const records = await fill(store);
        for (const limit of [11, 12, 13]) {
          const { items, nextCursor } = await list(store, { limit });
          const what = `${name} of 12 records with the limit ${limit}`;
          expectRecords(items, records.slice(0, limit), what);
          if (limit > 11) expectSame(nextCursor, null, `${what}, its nextCursor`);
          else if (typeof nextCursor !== 'string') {
            throw mismatch(`${what}, its nextCursor`, 'a string', nextCursor);
          }
        }
      },
    ),
    listing(
      `${name}: cursors neither repeat nor skip while records are added`,
      'a cursor that is an offset, or holds createdAt without the id, or a comparison of times less exact than the order',
      async (store) => {
        const records = await fill(store);
        const walked: unknown[] = [];
        let cursor: string | null | undefined;
        for (let page = 1; cursor !== null; page += 1) {
          const limit = 1 + (page % 3);
          const { items, nextCursor } = await list(store, { limit, ...(cursor && { cursor }) });
          walked.push(...idsOf(items));
          if (items.length > limit || page > 50) {
            const found = `${items.length} items on page ${page}`;
            throw mismatch(`${name} page by page`, `at most ${limit} and an end`, found);
          }
          if (page < 6) await insert(store, 200 + page, at(-page));
          if (page < 6) await insert(store, 300 + page, at(5000 + page));
          cursor = nextCursor;
        }
        const what = `${name} page by page, while records are added`;
        expectSame(walked, [...new Set(walked)], `${what}, no id twice`);
        const known = idsOf(records);
        expectSame(
          walked.filter((id) => known.includes(id)),
          known,
          `${what}, the ids that were there before`,
        );
      },
    ),
    listing(
      `${name}: a page has 50 items unless it is told otherwise, up to 500`,
      'a limit that is ignored, or has another default or maximum',
      async (store) => {
        await insertParents(store);
        for (let batch = 0; batch < 501; batch += 50) {
          const numbers = Array.from(
            { length: Math.min(50, 501 - batch) },
            (_, index) => batch + index,
          );
          await Promise.all(numbers.map((number) => insert(store, 1000 + number, at(number))));
        }
        for (const [query, length] of [[{}, 50] as const, [{ limit: 500 }, 500] as const]) {
          const { items } = await list(store, query);
          expectSame(
            items.length,
            length,
            `${name} of 501, with ${JSON.stringify(query)}, its length`,
          );
        }
      },
    ),
    listing(
      `${name}: changes to what a list gave do not reach the store`,
      'a list that hands out the stored objects; hand out copies (structuredClone)',
      async (store) => {
        const records = await fill(store);
        for (const item of (await list(store)).items) Object.assign(item, { createdAt: at(7) });
        expectRecords((await list(store)).items, records, `${name}, after its items were changed`);
      },
    ),
    listing(
      `${name}: a query that makes no sense is refused`,
      "a query that is not checked, or refused with another error; throw new RunsError('invalid_argument', …)",
      async (store) => {
        await fill(store);
        const limits = [0, -1, 501, 1.5, Number.NaN].map((limit) => ['limit', limit] as const);
        const cursors = ['nonsense', ''].map((cursor) => ['cursor', cursor] as const);
        for (const [member, value] of [...limits, ...cursors, ...refused]) {
          const query = { [member]: value };
          const what = `${name} with the ${member} ${String(value) || '""'}`;
          await expectRejection(async () => list(store, query), what, 'invalid_argument');
        }
      },
    ),
  ];
}

function runCases(): Check[] {
  const [a, b, c, d, e] = [idOf(10), idOf(11), idOf(12), idOf(13), idOf(14)] as const;
  const queries: [RunQuery, unknown[]][] = [
    [{ status: 'failed' }, [e, b]],
    [{ status: 'completed' }, [a]],
    [{ status: ['completed', 'failed'] }, [e, b, a]],
    [{ status: ['failed', 'cancelled'] }, [e, d, b]],
    [{ status: ['pending'] }, []],
    [{ status: [] }, []],
    [{ runType: 'import' }, [d, b]],
    [{ runType: 'imp' }, []],
    [{ trigger: 'user' }, [c, b]],
    [{ actorId: 'user_1' }, [e, c]],
    [{ createdAfter: at(2000) }, [e, d]],
    [{ createdBefore: at(2000) }, [b, a]],
    [{ createdAfter: at(1999), createdBefore: at(2001) }, [c]],
    [{ updatedBefore: at(9000) }, [e, c, a]],
    [{ status: 'failed', runType: 'import' }, [b]],
    [{ trigger: 'user', actorId: 'user_1', updatedBefore: at(9000) }, [c]],
    [{ status: ['failed', 'running'], createdAfter: at(0), createdBefore: at(4000) }, [c, b]],
    [{ runType: undefined, status: undefined, limit: 2 }, [e, d]],
  ];
  const fill = async (store: AbleStore) => {
    const runs = [
      aRun({ id: a, createdAt: at(0), status: 'completed' }),
      aRun({ id: b, createdAt: at(1000), status: 'failed', runType: 'import', trigger: 'user' }),
      aRun({ id: c, createdAt: at(2000), trigger: 'user', actorId: 'user_1' }),
      aRun({ id: d, createdAt: at(3000), status: 'cancelled', runType: 'import' }),
      aRun({ id: e, createdAt: at(4000), status: 'failed', actorId: 'user_1' }),
    ] as const;
    for (const run of runs) {
      const updatedAt = run.id === b || run.id === d ? at(9000) : at(8999);
      await store.insertRun({ ...run, updatedAt });
    }
  };
  return [
    checkThat(['listRuns'])(
      'listRuns: every filter holds, alone and with others',
      'a filter that is ignored or that replaces another; createdAfter, createdBefore and updatedBefore leave out the very time that they name',
      async (store) => {
        await fill(store);
        for (const [query, ids] of queries) {
          const { items } = await store.listRuns(query);
          expectSame(idsOf(items), ids, `listRuns with ${JSON.stringify(query)}, its ids`);
        }
      },
    ),
    checkThat(['listRuns'])(
      'listRuns: filters hold on every page',
      'a cursor whose condition is joined to the filters by `or`, or replaces them',
      async (store) => {
        await fill(store);
        const query: RunQuery = { status: ['failed', 'cancelled'], limit: 1 };
        const first = await store.listRuns(query);
        const second = await store.listRuns({ ...query, cursor: String(first.nextCursor) });
        const third = await store.listRuns({ ...query, cursor: String(second.nextCursor) });
        const pages = [first, second, third].map(({ items }) => idsOf(items));
        expectSame(pages, [[e], [d], [b]], 'listRuns with two statuses and the limit 1, its pages');
        expectSame(third.nextCursor, null, 'the nextCursor of the last of them');
      },
    ),
  ];
}

function stepCases(): Check[] {
  const [a, b, c, alone] = [idOf(20), idOf(21), idOf(22), idOf(23)] as const;
  const queries: [string | null, StepQuery, unknown[]][] = [
    [RUN_ID, {}, [a, b]],
    [idOf(5), {}, [c]],
    [null, {}, [alone]],
    [UNKNOWN_ID, {}, []],
    [RUN_ID, { status: 'skipped' }, [b]],
    [RUN_ID, { status: ['skipped', 'running'] }, [a, b]],
    [RUN_ID, { status: 'failed' }, []],
    [RUN_ID, { status: [] }, []],
    [null, { status: 'failed' }, [alone]],
    [null, { status: 'running' }, []],
  ];
  return [
    checkThat(['listSteps'])(
      'listSteps: those of the run, with null those that stand alone, by status',
      'a filter that is ignored, or `run_id = null`, which is never true in SQL; use `run_id is null`',
      async (store) => {
        for (const id of [RUN_ID, idOf(5)]) await store.insertRun(aRun({ id }));
        await store.insertStep(aStep({ id: a }));
        await store.insertStep(aStep({ id: b, status: 'skipped' }));
        await store.insertStep(aStep({ id: c, runId: idOf(5) }));
        await store.insertStep(aStep({ id: alone, runId: null, status: 'failed' }));
        for (const [runId, query, ids] of queries) {
          const { items } = await store.listSteps(runId, query);
          const what = `listSteps of ${nameOf(runId)} with ${JSON.stringify(query)}, its ids`;
          expectSame(idsOf(items), ids, what);
        }
      },
    ),
  ];
}

function stepRecordCases(name: 'listCalls' | 'listLinks'): Check[] {
  const { needs, insert } = {
    listCalls: {
      needs: ['listCalls'] as const,
      insert: (store: AbleStore, id: string, stepId: string, createdAt: Date) =>
        store.insertCall(aCall({ id, stepId, createdAt })),
    },
    listLinks: {
      needs: ['listLinks', 'insertStepLink'] as const,
      insert: (store: AbleStore, id: string, stepId: string, createdAt: Date) =>
        store.insertStepLink(aLink({ id, stepId, createdAt })),
    },
  }[name];
  const OTHER_RUN_ID = idOf(5);
  const stepIds = [idOf(2), idOf(3), idOf(6), idOf(7)] as const;
  const [first, second, ofOther, alone] = stepIds;
  const of = (...numbers: number[]) => numbers.map(idOf);
  const queries: [string | null, StepRecordQuery, string[]][] = [
    [RUN_ID, {}, of(30, 40, 31, 41)],
    [RUN_ID, { stepId: first }, of(30, 31)],
    [RUN_ID, { stepId: second }, of(40, 41)],
    [RUN_ID, { stepId: ofOther }, []],
    [OTHER_RUN_ID, {}, of(50, 51)],
    [null, {}, of(60, 61)],
    [null, { stepId: alone }, of(60, 61)],
    [null, { stepId: first }, []],
    [UNKNOWN_ID, {}, []],
  ];
  return [
    checkThat(needs)(
      `${name}: those of all steps of the run or of one, with null those of steps that stand alone`,
      'a filter that is ignored, or a join that loses or doubles rows',
      async (store) => {
        for (const id of [RUN_ID, OTHER_RUN_ID]) await store.insertRun(aRun({ id }));
        for (const [index, id] of stepIds.entries()) {
          const runId = [RUN_ID, RUN_ID, OTHER_RUN_ID, null][index] as string | null;
          await store.insertStep(aStep({ id, runId }));
        }
        for (const [index, stepId] of stepIds.entries()) {
          for (const time of [0, 1]) {
            await insert(store, idOf(30 + 10 * index + time), stepId, at(time));
          }
        }
        for (const [runId, query, ids] of queries) {
          const { items } = await store[name](runId, query);
          const what = `${name} of ${nameOf(runId)} with ${JSON.stringify(query)}, its ids`;
          expectSame(idsOf(items), ids, what);
        }
      },
    ),
  ];
}

function nameOf(runId: string | null): string {
  return runId === null ? 'null' : `run ${runId}`;
}

async function insertStep(store: AbleStore): Promise<void> {
  await store.insertRun(aRun());
  await store.insertStep(aStep());
}
