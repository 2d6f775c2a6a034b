import { expect } from 'vitest';
import { RunTracker } from '../../src/index.js';
import type { SqlRow } from '../../src/sql/dialect.js';
import type { Owner } from '../../src/sql/options.js';
import type { SqlStore } from '../../src/sql/sql-store.js';
import { aCall, aLink, aRun, aStep, UNKNOWN_ID } from '../../src/testing/tables.js';
import type { Database } from './databases.js';
import { ATTEMPTS, type Attempt, inTurn, outcomeOf } from './owner-attempts.js';
import {
  type Age,
  callId,
  cursorsOf,
  fill,
  fillTheirs,
  linkId,
  NEW,
  runId,
  SHARED,
  stepId,
} from './owner-records.js';

/*
 * One owner against another, in the same tables. The question is always the same: is
 * what a method does to mine the same whether or not there is anything of theirs, and
 * is theirs left as it was?
 */

/** Owners who are easily taken for each other. */
export const OWNERS: Record<string, [mine: Owner, theirs: Owner]> = {
  'who differ in the second column': [
    { space_id: 'sp_1', order: `it's "1"` },
    { space_id: 'sp_1', order: `it's "2"` },
  ],
  'who differ in the first column': [
    { space_id: 'sp_1', order: 'o' },
    { space_id: 'Sp_1', order: 'o' },
  ],
  'whose values are the same when joined': [
    { key: 'a', value: 'b c', select: ' ' },
    { key: 'a b', value: 'c', select: ' ' },
  ],
  'of one column': [{ user_id: '1' }, { user_id: '1 ' }],
};

const TABLES = ['run_step_links', 'run_calls', 'run_steps', 'runs'];
export const PREFIX = 'o_';

/** What mine and theirs hold: records of the same ids in another state, or in the same one. */
const STATES: [mine: Age, theirs: Age][] = [
  ['nothing', 'old'],
  ['old', 'new'],
  ['new', 'old'],
  ['old', 'old'],
];

/** Attempts that come to nothing, whatever I have. */
const IDLE = ['migrate', 'before any of mine'];

/** The methods that a store has, those of its own class included. */
function methodsOf(store: object): string[] {
  const names = new Set<string>();
  for (let each = store; each !== Object.prototype; each = Object.getPrototypeOf(each)) {
    for (const [name, { value, get }] of Object.entries(Object.getOwnPropertyDescriptors(each))) {
      if (name !== 'constructor' && (typeof value === 'function' || get)) names.add(name);
    }
  }
  return [...names];
}

/** What holds for two owners in the same tables, as sentences, and how it is tried out. */
export interface OwnerCase {
  name: string;
  run(database: Database, mine: Owner, theirs: Owner): Promise<void>;
}

export const ownerCases: OwnerCase[] = [
  {
    name: 'every method that a store has is tried on the records of another owner',
    run: async (database, mine) => {
      const methods = methodsOf(database.store({ owner: mine }));
      expect(Object.keys(ATTEMPTS).sort()).toEqual(methods.sort());
    },
  },
  ...Object.entries(ATTEMPTS).flatMap(([method, attempts]) =>
    Object.entries(attempts).map(([how, attempt]) => attemptCase(method, how, attempt)),
  ),
  {
    name: 'a parent of another owner is refused exactly like one that nobody has',
    run: async (database, mine, theirs) => {
      const [my, their] = await open(database, mine, theirs);
      await fillTheirs(their, 'old');
      const [run, step] = [runId(8), stepId(8)];
      await my.insertStep(aStep({ id: stepId(1), runId: null }));
      await my.insertCall(aCall({ id: callId(1), stepId: stepId(1) }));
      const inserts: ((run: string, step: string) => Promise<unknown>)[] = [
        (run) => my.insertStep(aStep({ id: stepId(2), runId: run })),
        (_, step) => my.insertCall(aCall({ id: callId(2), stepId: step })),
        (_, step) => my.insertStepLink(aLink({ id: linkId(2), stepId: step })),
        (run) => my.updateStep(stepId(1), { runId: run }),
        (_, step) => my.updateCall(callId(1), { stepId: step }),
      ];
      for (const insert of inserts) {
        const [refusal, unknown] = await inTurn(['theirs', 'nobody’s'], (whose) =>
          whose === 'theirs' ? insert(run, step) : insert(UNKNOWN_ID, UNKNOWN_ID),
        );
        expect(refusal).toHaveProperty('error.message');
        // Postgres repeats the id that it was given.
        const text = JSON.stringify(refusal).replaceAll(run, UNKNOWN_ID);
        expect(JSON.parse(text.replaceAll(step, UNKNOWN_ID))).toEqual(
          JSON.parse(JSON.stringify(unknown)),
        );
      }
    },
  },
  {
    name: 'two owners use the same ids for whole jobs at the same time, without noticing each other',
    run: async (database, mine, theirs) => {
      const stores = await open(database, mine, theirs);
      const jobs = stores.map((store, index) => trackJob(store, index + 1));
      await Promise.all(jobs);
      for (const [index, store] of stores.entries()) {
        const charges = index + 1;
        const { items: runs } = await store.listRuns();
        expect(runs).toMatchObject([
          index === 0
            ? { id: runId(1), status: 'completed', output: { charges } }
            : { id: runId(1), status: 'failed', error: 'refused', output: { charges } },
        ]);
        const { items: steps } = await store.listSteps(runId(1));
        expect(steps).toMatchObject([{ id: stepId(1), output: { result: charges } }]);
        const { items: calls } = await store.listCalls(runId(1));
        expect(calls).toHaveLength(5);
        expect(new Set(calls.map(({ output }) => output?.result))).toEqual(new Set([charges]));
        const { items: links } = await store.listLinks(runId(1), { stepId: stepId(1) });
        expect(links).toMatchObject([{ entityId: `ch_${charges}` }]);
      }
    },
  },
  {
    name: 'writes of two owners that are issued together are stored each as its own, and fail alone',
    run: async (database, mine, theirs) => {
      const stores = await open(database, mine, theirs);
      await Promise.all(stores.map((store) => store.insertRun(aRun({ id: runId(1) }))));
      const numbers = Array.from({ length: 20 }, (_, index) => index);
      const outcomes = await Promise.all(
        numbers.flatMap((number) =>
          stores.flatMap((store, index) => [
            // The first is there already, and the fifth of mine has no run.
            outcomeOf(() => store.insertRun(aRun({ id: runId(1 + number), error: `${index}` }))),
            outcomeOf(() =>
              store.insertStep(
                aStep({
                  id: stepId(number),
                  runId: number === 5 && index === 0 ? UNKNOWN_ID : runId(1 + number),
                  error: `${index}`,
                }),
              ),
            ),
            outcomeOf(() => store.incrementRunOutput(runId(1), { charges: 1 + index }, NEW)),
          ]),
        ),
      );
      const failures = outcomes.filter((outcome) => 'error' in (outcome as object));
      expect(failures).toHaveLength(3);
      for (const [index, store] of stores.entries()) {
        const { items: runs } = await store.listRuns({ limit: 500 });
        expect(runs).toHaveLength(20);
        expect(await store.getRun(runId(1))).toMatchObject({
          error: null,
          output: { charges: 20 * (1 + index) },
        });
        for (const number of numbers) {
          const whose = number === 0 ? null : `${index}`;
          expect(await store.getRun(runId(1 + number))).toMatchObject({ error: whose });
          const step = await store.getStep(stepId(number));
          if (number === 5 && index === 0) expect(step).toBeNull();
          else expect(step).toMatchObject({ error: `${index}` });
        }
      }
    },
  },
  {
    name: 'a table of owners is opened only with the columns of its owners',
    run: async (database, mine, theirs) => {
      const [, their] = await open(database, mine, theirs);
      await fillTheirs(their, 'old');
      const before = await rowsOf(database, theirs);
      const others = [undefined, { other_id: 'o' }, { ...mine, other_id: 'o' }];
      for (const owner of others) {
        const store = database.store({ tablePrefix: PREFIX, owner });
        await expect(store.migrate()).rejects.toMatchObject({
          name: 'RunsError',
          code: 'unsupported',
          message: expect.stringContaining(`"${PREFIX}runs"`),
        });
      }
      const plain = database.store({ tablePrefix: 'plain_' });
      await plain.migrate();
      const owned = database.store({ tablePrefix: 'plain_', owner: mine });
      await expect(owned.migrate()).rejects.toMatchObject({
        code: 'unsupported',
        message: expect.stringContaining(Object.keys(mine)[0] as string),
      });
      expect(await rowsOf(database, theirs)).toEqual(before);
    },
  },
];

function attemptCase(method: string, how: string, attempt: Attempt): OwnerCase {
  return {
    name: `${method} does the same whatever another owner has, and leaves that alone: ${how}`,
    async run(database, mine, theirs) {
      const [my, their] = await open(database, mine, theirs);
      await fillTheirs(their, 'old');
      const cursors = await cursorsOf(their);
      /** What comes of it, and the statements that it takes. */
      const attempted = async () => {
        const count = database.texts.length;
        const outcome = await outcomeOf(() => attempt(my, cursors));
        return [outcome, database.texts.slice(count)];
      };
      const effects = new Map<Age, unknown>();
      for (const [myAge, theirAge] of STATES) {
        await clear(database);
        await fill(my, myAge);
        const [alone, sentAlone] = await attempted();
        const mineAlone = await rowsOf(database, mine);
        effects.set(myAge, alone);

        await clear(database);
        await fillTheirs(their, theirAge);
        await fill(my, myAge);
        const before = await rowsOf(database, theirs);
        const [beside, sentBeside] = await attempted();
        const state = `mine is ${myAge}, theirs is ${theirAge}`;
        expect(beside, `${method} where ${state}`).toEqual(alone);
        expect(sentBeside, `what is sent, where ${state}`).toEqual(sentAlone);
        expect(await rowsOf(database, theirs), `theirs, where ${state}`).toEqual(before);
        expect(await rowsOf(database, mine), `mine, where ${state}`).toEqual(mineAlone);
      }
      // What is never seen to do anything cannot be seen to do too much.
      const isIdle = IDLE.includes(method) || IDLE.includes(how);
      if (!isIdle) expect(effects.get('old')).not.toEqual(effects.get('nothing'));
    },
  };
}

async function trackJob(store: SqlStore, charges: number): Promise<void> {
  const tracker = new RunTracker({ store, linkStore: store });
  const run = { id: runId(1), runType: 'sync', trigger: 'cron' } as const;
  const job = tracker.executeRun(run, async () => {
    await tracker.executeStep(runId(1), { id: stepId(1), stepType: 'fetch' }, async () => {
      const call = { tool: 'stripe', operation: 'GET /charges' };
      const ids = SHARED.map(callId);
      await Promise.all(
        ids.map((id) => tracker.executeCall(stepId(1), { id, ...call }, async () => charges)),
      );
      const entityId = `ch_${charges}`;
      await tracker.linkStep(stepId(1), { linkType: 'output', entityType: 'charge', entityId });
      await tracker.incrementRunOutput(runId(1), { charges });
      return charges;
    });
    if (charges === 2) throw new Error('refused');
  });
  await (charges === 2 ? expect(job).rejects.toThrow('refused') : job);
}

/** A store of each owner, on tables with nothing in them. */
async function open(
  database: Database,
  mine: Owner,
  theirs: Owner,
): Promise<[mine: SqlStore, theirs: SqlStore]> {
  const stores = [mine, theirs].map((owner) => database.store({ tablePrefix: PREFIX, owner }));
  for (const store of stores) await store.migrate();
  await clear(database);
  return stores as [SqlStore, SqlStore];
}

async function clear(database: Database): Promise<void> {
  for (const table of TABLES) await database.query(`delete from ${PREFIX}${table}`);
}

/** The rows of an owner, as the database has them. */
async function rowsOf(database: Database, owner: Owner): Promise<SqlRow[][]> {
  const tables: SqlRow[][] = [];
  for (const table of TABLES) {
    const rows = await database.query(`select * from ${PREFIX}${table} order by id`);
    tables.push(
      rows.filter((row) => Object.entries(owner).every(([column, value]) => row[column] === value)),
    );
  }
  return tables;
}
