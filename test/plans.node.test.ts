import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunQuery } from '../src/index.js';
import type { SqlStoreOptions } from '../src/sql/options.js';
import type { SqlStore } from '../src/sql/sql-store.js';
import { aCall, aLink, aRun, aStep, at } from '../src/testing/tables.js';
import { oneByOne } from './support/node-databases.js';
import { type PlannedDatabase, plannedPostgres, plannedSqlite } from './support/plans.js';
import { type PostgresServer, startPostgres } from './support/postgres-server.js';

let server: PostgresServer;
let connection: pg.PoolClient;
let client: pg.ClientBase;

beforeAll(async () => {
  server = await startPostgres(['-c', 'fsync=off', '-c', 'autovacuum=off', '-c', 'jit=off']);
  connection = await server.pool(1).connect();
  client = oneByOne(connection);
}, 60_000);

afterAll(async () => {
  connection?.release();
  await server?.stop();
}, 60_000);

const OWNED: SqlStoreOptions = { tablePrefix: 'o_', owner: { space_id: 'mine', order: 'o' } };
const DATABASES: Record<
  string,
  [options: SqlStoreOptions, lastSecond: number, open: () => Promise<PlannedDatabase>]
> = {
  SQLite: [{}, 2000, () => plannedSqlite({}, false)],
  'SQLite with owner columns': [OWNED, 2000, () => plannedSqlite(OWNED, false)],
  'SQLite that was analyzed': [{}, 2000, () => plannedSqlite({}, true)],
  'SQLite with owner columns that was analyzed': [OWNED, 2000, () => plannedSqlite(OWNED, true)],
  Postgres: [{}, 100_000, () => plannedPostgres(client, {})],
  'Postgres with owner columns': [OWNED, 100_000, () => plannedPostgres(client, OWNED)],
};

/** A position in a list, as a store that answers with one row gives it. */
function cursorAt(seconds: number): string {
  return btoa(`${at(seconds * 1000).getTime()} r${seconds}`).replaceAll('=', '');
}

/** Whether only runs are wanted that have not completed. */
function isOpen({ status }: RunQuery): boolean {
  return status !== undefined && ![status].flat().includes('completed');
}

function isSame(query: RunQuery, other: RunQuery): boolean {
  return JSON.stringify(query) === JSON.stringify(other);
}

/** Every combination of some of these. */
function subsets<T>([first, ...rest]: T[]): T[][] {
  if (first === undefined) return [[]];
  return subsets(rest).flatMap((subset) => [subset, [first, ...subset]]);
}

describe.for(Object.entries(DATABASES))('%s', ([, [{ owner }, lastSecond, open]]) => {
  let database: PlannedDatabase;
  const time = (share: number) => at(share * lastSecond * 1000);

  beforeAll(async () => {
    database = await open();
  }, 120_000);

  /** What is wrong with the plans of what a store sends. */
  async function problemsOf(
    use: (store: SqlStore) => Promise<unknown>,
    { mayScanIndex = false, mayBeFew = false, asks = true } = {},
  ): Promise<string[]> {
    const statements = await database.statementsOf(use, asks);
    if (statements.length === 0) return ['nothing was sent'];
    const problems: string[] = [];
    for (const statement of statements) {
      const lines = await database.explain(statement);
      const conditions = lines.filter((line) => database.isCondition.test(line));
      const isOwned = (line: string) =>
        Object.keys(owner ?? {}).every((name) => line.includes(name));
      const found = [
        lines.some((line) => database.isScan.test(line)) && 'scans a table',
        !mayBeFew && lines.some((line) => database.isSort.test(line)) && 'sorts',
        !mayScanIndex && conditions.length === 0 && 'reads a whole index',
        !conditions.every(isOwned) && 'reads what is another owner’s',
        owner && conditions.length === 0 && 'reads every owner’s',
      ].filter(Boolean);
      if (found.length > 0) {
        const text = statement.text.replace(/^select .*? from/, 'select … from');
        problems.push([found.join(', '), text, ...lines].join('\n'));
      }
    }
    return problems;
  }

  const FILTERS = () =>
    [
      { runType: 'type_1' },
      { actorId: 'actor_1' },
      { trigger: 'cron' },
      { createdAfter: time(0.1) },
      { createdBefore: time(0.9) },
      { updatedBefore: time(0.95) },
    ] satisfies RunQuery[];
  const STATUSES: RunQuery[] = [
    {},
    { status: 'failed' },
    { status: ['failed', 'pending', 'cancelled'] },
    { status: 'completed' },
    { status: ['failed', 'completed'] },
  ];

  it('lists of runs walk an index in its order, whatever the filters, and on every page', async () => {
    const cursors = [{}, { cursor: cursorAt(lastSecond * 0.8) }, { cursor: cursorAt(lastSecond) }];
    const problems: string[] = [];
    for (const filters of subsets(FILTERS())) {
      for (const status of STATUSES) {
        for (const cursor of cursors) {
          const query: RunQuery = Object.assign({}, ...filters, status, cursor);
          // These have no index of their own: they are met on the way through all runs.
          const { trigger: _, updatedBefore: __, ...others } = query;
          const isAll = STATUSES.some((any) => !isOpen(any) && isSame(any, others));
          const mayScanIndex = database.isWeighing || isAll;
          const found = await problemsOf((store) => store.listRuns(query), { mayScanIndex });
          problems.push(...found.map((text) => `${JSON.stringify(query)} ${text}`));
        }
      }
    }
    expect(problems).toEqual([]);
  }, 60_000);

  it('lists of runs of which there are few use an index, with every filter that has one', async () => {
    const problems: string[] = [];
    const few: RunQuery[] = [{ status: 'running' }, { runType: 'rare' }, { actorId: 'rare' }];
    for (const filters of subsets(FILTERS())) {
      for (const filter of few) {
        const query: RunQuery = Object.assign({}, ...filters, filter);
        // Postgres sorts what it takes for less than a page.
        const found = await problemsOf((store) => store.listRuns(query), { mayBeFew: true });
        problems.push(...found.map((text) => `${JSON.stringify(query)} ${text}`));
      }
    }
    expect(problems).toEqual([]);
  }, 60_000);

  it('runs of several open statuses are merged from the index of each', async () => {
    const status = ['failed', 'pending', 'cancelled'] as const;
    const [statement] = await database.statementsOf((store) => store.listRuns({ status }));
    const lines = await database.explain(statement!);
    expect(lines.join('\n')).toMatch(/MERGE \(UNION ALL\)|Merge Append/);
    expect(lines.filter((line) => /runs_status_idx/.test(line))).toHaveLength(3);
  });

  it('of a cursor and createdBefore only the earlier is asked for, where the walk begins', async () => {
    const [early, late] = [0.3, 0.7];
    for (const [before, cursor] of [
      [early, late],
      [late, early],
    ] as const) {
      const query = { createdBefore: time(before), cursor: cursorAt(cursor * lastSecond) };
      const [statement] = await database.statementsOf((store) => store.listRuns(query));
      const lines = (await database.explain(statement!))
        .join('\n')
        .replaceAll(/["' ]|ROW|t\./g, '');
      expect(lines.includes('(created_at,id)<')).toBe(cursor === early);
      expect(/created_at<[^ ]/.test(lines)).toBe(before === early);
    }
  });

  it('lists of what is below a run, or below none, walk an index in its order', async () => {
    const problems: string[] = [];
    for (const runId of ['r5', null]) {
      for (const cursor of [undefined, cursorAt(lastSecond * 0.2)]) {
        const uses: ((store: SqlStore) => Promise<unknown>)[] = [
          (store) => store.listSteps(runId, { cursor }),
          (store) => store.listSteps(runId, { cursor, status: 'completed' }),
          (store) => store.listSteps(runId, { cursor, status: ['completed', 'failed'] }),
          (store) => store.listCalls(runId, { cursor }),
          (store) => store.listCalls(runId, { cursor, stepId: 's9' }),
          (store) => store.listLinks(runId, { cursor }),
          (store) => store.listLinks(runId, { cursor, stepId: 's9' }),
        ];
        for (const use of uses) problems.push(...(await problemsOf(use)));
      }
    }
    expect(problems).toEqual([]);
  });

  it('lists of what is below one step of a run walk the index of steps: runs have more', async () => {
    for (const list of ['listCalls', 'listLinks'] as const) {
      for (const runId of ['r5', null]) {
        const [statement] = await database.statementsOf((store) =>
          store[list](runId, { stepId: 's9' }),
        );
        expect((await database.explain(statement!)).join('\n')).toMatch(/run_\w+_step_idx/);
      }
    }
  });

  it('one record, and the links of one step, are found by an index', async () => {
    const uses: ((store: SqlStore) => Promise<unknown>)[] = [
      (store) => store.getRun('r5'),
      (store) => store.getStep('s5'),
      (store) => store.getCall('c5'),
      (store) => store.getStepLinks('s5'),
    ];
    for (const use of uses) expect(await problemsOf(use)).toEqual([]);
  });

  it('what is written is found by an index, one by one and many together', async () => {
    const inserts = (store: SqlStore) => [
      ...['a', 'b', 'c'].map((id) => store.insertRun(aRun({ id }))),
      ...['a', 'b'].map((id) => store.insertStep(aStep({ id, runId: 'r5' }))),
      ...['a', 'b'].map((id) => store.insertCall(aCall({ id, stepId: 's5' }))),
      ...['a', 'b'].map((id) => store.insertStepLink(aLink({ id, stepId: 's5' }))),
    ];
    const conditions = { ifStatus: ['running' as const, 'pending' as const], ifError: 'e' };
    const updates = (store: SqlStore) => [
      ...['r1', 'r2', 'r3'].map((id) =>
        store.updateRun(id, { output: { a: 1 } }, { ...conditions, mergeOutput: true }),
      ),
      ...['r4', 'r5'].map((id) => store.incrementRunOutput(id, { charges: 1 }, at(1))),
      ...['s1', 's2'].map((id) => store.updateStep(id, { error: 'e' }, conditions)),
      ...['c1', 'c2'].map((id) => store.updateCall(id, { error: 'e' })),
    ];
    for (const writes of [inserts, updates]) {
      const statements = await database.statementsOf((store) => Promise.all(writes(store)), false);
      expect(statements.length).toBeGreaterThan(4);
      for (const statement of statements) {
        const lines = await database.explain(statement);
        const tables = /\b(Seq Scan on|SCAN) (o_)?(runs|run_\w+|t)\b(?! USING)/;
        expect(lines.filter((line) => tables.test(line))).toEqual([]);
        const isFound = statement.text.includes('update ');
        if (isFound) expect(lines.some((line) => database.isCondition.test(line))).toBe(true);
      }
    }
  });

  it('a sweep finds what is stale by an index', async () => {
    const sweep = { before: time(0.9), error: 'abandoned', now: time(1), limit: 100 };
    const use = (store: SqlStore) => store.closeStale(sweep);
    const statements = await database.statementsOf(use);
    const plans = await Promise.all(statements.map((each) => database.explain(each)));
    const lines = plans.flat().join('\n');
    for (const index of ['runs_status_idx', 'run_steps_running_idx', 'run_calls_running_idx']) {
      expect(lines).toContain(index);
    }
    expect(await problemsOf(use, { mayBeFew: true })).toEqual([]);
  });

  it('a deletion finds what is to be deleted by an index, and in its order', async () => {
    const use = (store: SqlStore) => store.deleteRuns({ completedBefore: time(0.2), limit: 120 });
    const statements = await database.statementsOf(use, false);
    const texts = new Set(statements.map(({ text }) => text));
    // Runs, their links, calls and steps; standalone steps, their links and calls.
    expect(texts.size).toBe(9);
    const problems = await problemsOf(use, { asks: false });
    expect(problems).toEqual([]);
  }, 60_000);
});
