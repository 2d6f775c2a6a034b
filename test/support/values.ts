import { expect } from 'vitest';
import type { Call, Run, RunStatus, Step, StepLink } from '../../src/index.js';
import type { SqlStore } from '../../src/sql/sql-store.js';
import { aCall, aLink, aRun, aStep, at, idOf } from '../../src/testing/tables.js';
import type { Database } from './databases.js';

/** In every value, so that it is found wherever one of them gets to. */
const MARK = 'h0stile';

/** What breaks a statement that values are written into, as they are or in quotes. */
const TEXTS: Record<string, string> = {
  'an end of a name and a statement': `${MARK}"; drop table runs; --`,
  'an end of a text and a statement': `${MARK}'; drop table runs; --`,
  'a condition that always holds': `${MARK}' or '1' = '1`,
  'an end of a body and a statement': `${MARK}$migrate$; drop table runs; --`,
  'an end of a comment': `${MARK} */ drop table runs; /*`,
  placeholders: `${MARK} $1 ? ?1 :a @a %s {0}`,
  'signs that JSON and regular expressions escape': `${MARK} \\ \\" \\u0000 \\' \b\f\n\r\t \u2028`,
  'signs that JSON paths are made of': `$.${MARK}[0].a.*`,
  'names of functions': `${MARK} null now() current_user`,
  'signs of many bytes': `${MARK} \u{1f600} é e\u0301 \ufffd \uffff \u202e`,
  patterns: `${MARK} %_*?[a-z]^`,
  'a long text': `${MARK}"'`.repeat(400),
};

/** Members that mean something to a dialect, to JSON or to JavaScript. */
const NAMES = ['', '#id', '#merge', '__proto__', '$', 'a.b', '[0]', '0', 'key', 'value', 'id'];

/** An object with a member by each of these names: by assignment `__proto__` would be none. */
function withNames<T>(value: T, ...more: string[]): Record<string, T> {
  return Object.fromEntries([...NAMES, ...more].map((name) => [name, value]));
}

/** What holds for any value that is stored, and how it is tried out. */
export interface ValueCase {
  name: string;
  run(database: Database): Promise<void>;
}

export const valueCases: ValueCase[] = [
  ...Object.entries(TEXTS).map(([what, text]) => ({
    name: `${what}: stored, found and read back exactly, and in the text of no statement`,
    run: (database: Database) => tryOut(database, text),
  })),
  {
    name: 'the longest names and the most columns of an owner',
    async run(database) {
      const columns = Array.from({ length: 8 }, (_, index) => `${index}`.padStart(63, 'o'));
      const owner = Object.fromEntries(columns.map((column) => [column, 'x']));
      const tablePrefix = 'p'.repeat(34);
      const store = database.store({ tablePrefix, owner });
      await store.migrate();
      await store.migrate();
      await emptyTables(database, tablePrefix);
      await useEverything(store, 'sync');
      // D1 takes a hundred parameters a statement.
      const status = Array.from({ length: 120 }, () => 'failed' as const);
      expect((await store.listRuns({ status })).items).toEqual([]);
      expect((await store.listSteps('1', { status })).items).toEqual([]);
      expect((await store.listRuns({ status: [] })).items).toEqual([]);
      expect((await store.listSteps('1', { status: [] })).items).toEqual([]);
    },
  },
  {
    name: 'fields that a record leaves out, of every type',
    async run(database) {
      const store = database.store({ tablePrefix: 'w_' });
      await store.migrate();
      await emptyTables(database, 'w_');
      const none = { currentStep: null, startedAt: null, durationMs: null, output: null };
      const runs = [1, 2, 3].map((number) => {
        const left = Object.entries(aRun({ id: idOf(number) })).filter(([name]) => !(name in none));
        return Object.fromEntries(left) as unknown as Run;
      });
      await Promise.all(runs.map((run) => store.insertRun(run)));
      for (const run of runs) expect(await store.getRun(run.id)).toEqual({ ...run, ...none });
    },
  },
];

async function tryOut(database: Database, text: string): Promise<void> {
  const tablePrefix = 'v_';
  const owners = [short(text), `${short(text)} `];
  const [store, other] = owners.map((value) =>
    database.store({ tablePrefix, owner: { space_id: value } }),
  ) as [SqlStore, SqlStore];
  await store.migrate();
  await emptyTables(database, tablePrefix);
  await useEverything(store, text, async () => {
    expect((await other.listRuns()).items).toEqual([]);
  });
  expect(database.texts.length).toBeGreaterThan(50);
  for (const statement of database.texts) expect(statement).not.toContain(MARK);
}

/** Postgres has no index for values longer than a third of a page; ids and owners are in all of them. */
function short(text: string): string {
  return text.slice(0, 200);
}

/** Uses every method with every kind of argument, and a text and its like wherever one may be. */
async function useEverything(
  store: SqlStore,
  text: string,
  afterInserts: () => Promise<void> = async () => {},
): Promise<void> {
  const ids = [1, 2, 3].map((number) => `${number} ${short(text)}`) as [string, string, string];
  const payload = { [text]: text, list: [text, { [text]: [text] }], ...withNames<unknown>(text) };
  const trees = ids.map((id, index) => treeOf(id, text, payload, index));
  await Promise.all(trees.map(({ run }) => store.insertRun(run)));
  await Promise.all(trees.map(({ step }) => store.insertStep(step)));
  await Promise.all(
    trees.flatMap(({ call, link }) => [store.insertCall(call), store.insertStepLink(link)]),
  );
  await expectStored(store, trees);
  await afterInserts();

  // Alone, and together with the like of it.
  for (const parts of [[0], [1, 2]]) {
    const some = parts.map((index) => trees[index]!);
    const counts = withNames(1, text);
    const increments = some.map(({ run }) => [
      store.incrementRunOutput(run.id, counts, at(5)),
      store.incrementRunOutput(run.id, withNames(0.5, text), at(5)),
    ]);
    expect(await Promise.all(increments.flat())).not.toContain(false);
    // Texts are no numbers to add to.
    for (const tree of some) {
      tree.run = {
        ...tree.run,
        output: { ...payload, ...withNames(1.5, text) },
        updatedAt: at(5),
      };
    }
    const conditions = { ifStatus: ['running' as const], ifError: text };
    await expectStored(store, trees);
    const merges = some.map(({ run }) =>
      store.updateRun(
        run.id,
        { output: withNames({ [text]: text }, text), currentStep: text },
        { ...conditions, mergeOutput: true },
      ),
    );
    expect(await Promise.all(merges)).not.toContain(false);
    const others = some.flatMap(({ run, step, call }) => [
      store.updateRun(run.id, { output: {} }, { ifError: `${text} ` }),
      store.updateStep(step.id, { output: {} }, { ifError: text.toUpperCase() }),
      store.updateCall(call.id, { output: {} }, { ifError: '' }),
    ]);
    expect(new Set(await Promise.all(others))).toEqual(new Set([false]));
    const updates = some.flatMap(({ step, call }) => [
      store.updateStep(step.id, { context: payload, entityId: text }, conditions),
      store.updateCall(call.id, { metadata: payload }, conditions),
    ]);
    expect(await Promise.all(updates)).not.toContain(false);
    for (const tree of some) {
      tree.run.output = { ...payload, ...withNames({ [text]: text }, text) };
      tree.run.currentStep = text;
      tree.step = { ...tree.step, context: payload, entityId: text };
      tree.call = { ...tree.call, metadata: payload };
    }
    await expectStored(store, trees);
  }

  await expect(store.insertRun(trees[0]!.run)).rejects.toThrow();
  await expect(store.insertStep({ ...trees[0]!.step, id: text, runId: text })).rejects.toThrow();
  await closeAndDelete(store, text, trees);
}

interface Tree {
  run: Run;
  step: Step;
  call: Call;
  link: StepLink;
}

function treeOf(id: string, text: string, payload: object, index: number): Tree {
  const common = { error: text, input: { ...payload }, output: { ...payload } };
  const createdAt = at(index);
  return {
    run: aRun({ id, runType: text, actorId: text, currentStep: text, createdAt, ...common }),
    step: aStep({
      id,
      runId: id,
      parentStepId: id,
      actorId: text,
      stepType: text,
      entityType: text,
      entityId: text,
      retryOf: id,
      createdAt,
      ...common,
    }),
    call: aCall({
      id,
      stepId: id,
      tool: text,
      operation: text,
      retryOf: id,
      createdAt,
      ...common,
    }),
    link: aLink({
      id,
      stepId: id,
      entityType: text,
      entityId: text,
      externalId: text,
      createdAt,
    }),
  };
}

async function expectStored(store: SqlStore, trees: Tree[]): Promise<void> {
  for (const { run, step, call, link } of trees) {
    const { id } = run;
    expect(await store.getRun(id)).toEqual(run);
    expect(await store.getStep(id)).toEqual(step);
    expect(await store.getCall(id)).toEqual(call);
    expect(await store.getStepLinks(id)).toEqual([link]);
    expect((await store.listSteps(id)).items).toEqual([step]);
    expect((await store.listCalls(id, { stepId: id })).items).toEqual([call]);
    expect((await store.listLinks(id, { stepId: id })).items).toEqual([link]);
  }
  const { runType, actorId, trigger } = trees[0]!.run;
  const statuses: RunStatus[] = ['pending', 'running', 'failed', 'cancelled'];
  const times = { createdAfter: at(-1), createdBefore: at(9), updatedBefore: at(9) };
  const filters = { runType, actorId: actorId as string, trigger, ...times };
  for (const status of ['running' as const, statuses]) {
    const found: Run[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.listRuns({ status, ...filters, limit: 1, cursor });
      found.push(...page.items);
      cursor = page.nextCursor ?? undefined;
    } while (cursor);
    expect(found).toEqual(trees.map(({ run }) => run).reverse());
  }
  for (const other of [`${runType} `, runType.slice(1), runType.toUpperCase()]) {
    expect((await store.listRuns({ runType: other })).items).toEqual([]);
    expect((await store.listRuns({ actorId: other })).items).toEqual([]);
  }
}

async function closeAndDelete(store: SqlStore, text: string, trees: Tree[]): Promise<void> {
  const ids = trees.map(({ run }) => run.id);
  const closed = await store.closeStale({ before: at(9), error: text, now: at(10), limit: 9 });
  for (const kind of ['runs', 'steps', 'calls'] as const) {
    expect(closed[kind].sort()).toEqual(ids);
  }
  for (const id of ids) {
    expect(await store.getRun(id)).toMatchObject({ status: 'failed', error: text });
  }
  const alone = aStep({ id: idOf(1), runId: null, status: 'failed', completedAt: at(10) });
  await store.insertStep(alone);
  expect(await store.deleteRuns({ completedBefore: at(11) })).toBe(ids.length);
  for (const page of [await store.listRuns(), await store.listSteps(null)]) {
    expect(page.items).toEqual([]);
  }
}

async function emptyTables(database: Database, prefix: string): Promise<void> {
  for (const table of ['run_step_links', 'run_calls', 'run_steps', 'runs']) {
    await database.query(`delete from ${prefix}${table}`);
  }
}
