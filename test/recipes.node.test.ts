import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { eq } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/pglite';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as drizzleStore from '../examples/drizzle-store.js';
import * as drizzleTables from '../examples/drizzle-tables.js';
import * as kyselyStore from '../examples/kysely-store.js';
import { openDatabase } from '../examples/kysely-tables.js';
import {
  type Call,
  type Run,
  type RunStore,
  RunTracker,
  type Step,
  type StepLink,
  type StepLinkStore,
} from '../src/index.js';
import { aLink, ID, idOf, TABLES, UNKNOWN_ID } from '../src/testing/tables.js';
import { storeCases } from '../src/testing.js';
import { aCall, aRun, aStep } from './support/records.js';

type Store = RunStore & StepLinkStore;

/** The tables of a recipe, in a database of their own. */
interface Tables {
  createStore(spaceId: string): Store;
  deleteRun(id: string): Promise<unknown>;
  clear(): Promise<void>;
  close(): Promise<void>;
}

const RECIPES: Record<string, { open: () => Promise<Tables>; main: typeof kyselyStore.main }> = {
  'drizzle-store.ts': { open: openDrizzle, main: drizzleStore.main },
  'kysely-store.ts': { open: openKysely, main: kyselyStore.main },
};

async function openDrizzle(): Promise<Tables> {
  const { runs, steps, calls, stepLinks, createTables } = drizzleTables;
  const client = new PGlite();
  const db = drizzle(client);
  await createTables(db);
  return {
    createStore: (spaceId) => drizzleStore.createSpaceStore(db, spaceId),
    deleteRun: (id) => db.delete(runs).where(eq(runs.id, id)),
    async clear() {
      for (const table of [stepLinks, calls, steps, runs]) await db.delete(table);
    },
    close: () => client.close(),
  };
}

async function openKysely(): Promise<Tables> {
  const db = openDatabase(':memory:');
  return {
    createStore: (spaceId) => kyselyStore.createSpaceStore(db, spaceId),
    deleteRun: (id) => db.deleteFrom('runs').where('id', '=', id).execute(),
    async clear() {
      for (const table of ['stepLinks', 'calls', 'steps', 'runs'] as const) {
        await db.deleteFrom(table).execute();
      }
    },
    close: () => db.destroy(),
  };
}

describe.for(Object.entries(RECIPES))('examples/%s', ([, { open, main }]) => {
  let tables: Tables;
  let mine: Store;
  let theirs: Store;

  beforeAll(async () => {
    tables = await open();
    mine = tables.createStore('mine');
    theirs = tables.createStore('theirs');
  }, 120_000);
  beforeEach(() => tables.clear());
  afterAll(() => tables?.close());

  describe('passes the kit, with a neighbour whose records have the very ids of its cases', () => {
    for (const { name, run } of storeCases(() => mine)) {
      it(name, async () => {
        await settle(theirs);
        const before = await look(theirs);
        await run();
        expect(await look(theirs)).toStrictEqual(before);
      });
    }
  });

  it('prints what it recorded in two spaces', async () => {
    const lines: string[] = [];
    await main((line) => void lines.push(line));
    expect(lines).toStrictEqual([
      'space_1',
      '  run import_prices completed {"prices":2}',
      '  step fetch_prices completed',
      '  call price_api GET /prices success {"result":[19.9,24.5]}',
      '  link output price_list spring',
      'space_2',
      '  run import_prices completed {"prices":3}',
      '  step fetch_prices completed',
      '  call price_api GET /prices success {"result":[7,8,9]}',
      '  link output price_list autumn',
      'space_1 tries to cancel a run of space_2: Cannot cancel run "import-2": it does not exist',
    ]);
  });

  it('keeps records of the same id apart', async () => {
    await addAll(mine);
    await addAll(theirs, { error: 'theirs' });

    expect(await mine.updateRun('r1', { output: { of: 'mine' } })).toBe(true);
    expect(await mine.updateStep('s1', { output: { of: 'mine' } })).toBe(true);
    expect(await mine.updateCall('c1', { output: { of: 'mine' } })).toBe(true);
    expect(await mine.incrementRunOutput?.('r1', { seen: 1 }, new Date(0))).toBe(true);

    expect(await mine.getRun('r1')).toMatchObject({ error: null, output: { of: 'mine', seen: 1 } });
    expect(await mine.getStep('s1')).toMatchObject({ error: null, output: { of: 'mine' } });
    expect(await mine.getCall('c1')).toMatchObject({ error: null, output: { of: 'mine' } });
    const untouched = { error: 'theirs', output: null };
    expect(await theirs.getRun('r1')).toMatchObject(untouched);
    expect(await theirs.getStep('s1')).toMatchObject(untouched);
    expect(await theirs.getCall('c1')).toMatchObject(untouched);
  });

  it('gives nothing of another space', async () => {
    await addAll(theirs);
    expect(await mine.getRun('r1')).toBeUndefined();
    expect(await mine.getStep('s1')).toBeUndefined();
    expect(await mine.getCall('c1')).toBeUndefined();
    expect(await mine.getStepLinks('s1')).toStrictEqual([]);
  });

  it('changes nothing of another space, whatever the condition', async () => {
    await addAll(theirs, { error: 'stale' });
    const before = await getAll(theirs);
    const at = new Date(0);
    const output = { of: 'mine' };

    for (const conditions of [undefined, {}, { ifStatus: ['pending', 'running'] as const }]) {
      for (const ifError of [undefined, 'stale']) {
        const all = ifError === undefined ? conditions : { ...conditions, ifError };
        const merging = { ...all, mergeOutput: true as const };
        expect(await mine.updateRun('r1', { output, status: 'failed' }, all)).toBe(false);
        expect(await mine.updateRun('r1', { output, status: 'failed' }, merging)).toBe(false);
        expect(await mine.updateStep('s1', { output, status: 'failed' }, all)).toBe(false);
        expect(await mine.updateCall('c1', { output, status: 'error' }, all)).toBe(false);
      }
    }
    expect(await mine.incrementRunOutput?.('r1', { seen: 1 }, at)).toBe(false);

    expect(await getAll(theirs)).toStrictEqual(before);
  });

  it('links nothing to a record of another space', async () => {
    await addAll(theirs);
    await mine.insertRun(aRun({ id: 'own' }));
    await mine.insertStep(aStep({ id: 'own', runId: 'own' }));
    const inserts = {
      'a step in a run': () => mine.insertStep(aStep({ id: 's2', runId: 'r1' })),
      'a step in a step': () =>
        mine.insertStep(aStep({ id: 's2', runId: 'own', parentStepId: 's1' })),
      'a retry of a step': () => mine.insertStep(aStep({ id: 's2', runId: 'own', retryOf: 's1' })),
      'a call in a step': () => mine.insertCall(aCall({ id: 'c2', stepId: 's1' })),
      'a retry of a call': () => mine.insertCall(aCall({ id: 'c2', stepId: 'own', retryOf: 'c1' })),
      'a link of a step': () => mine.insertStepLink(aLink({ id: 'l2', stepId: 's1' })),
    };
    for (const [what, insert] of Object.entries(inserts)) {
      const refusal: unknown = await insert().catch((error: Error) => error.cause ?? error);
      expect(String(refusal), what).toMatch(/foreign key constraint/i);
    }
    expect(await mine.getStep('s2')).toBeUndefined();
    expect(await mine.getCall('c2')).toBeUndefined();
    expect(await mine.getStepLinks('s1')).toStrictEqual([]);
    expect(await theirs.getStepLinks('s1')).toHaveLength(1);
  });

  it('inserts into its own space whatever a record says', async () => {
    await addAll(mine, { spaceId: 'theirs' });
    expect(await getAll(theirs)).toStrictEqual([undefined, undefined, undefined]);
    expect(await theirs.getStepLinks('s1')).toStrictEqual([]);
    expect(await mine.getStepLinks('s1')).toHaveLength(1);
  });

  it('lets a tracker know nothing of another space', async () => {
    await addAll(theirs);
    const before = await getAll(theirs);
    const tracker = new RunTracker({ store: mine, linkStore: mine });
    await mine.insertStep(aStep({ id: 'own', runId: null }));
    const attempts = {
      startRun: () => tracker.startRun('r1'),
      finishRun: () => tracker.finishRun('r1', { output: { done: true } }),
      failRun: () => tracker.failRun('r1', 'mine'),
      cancelRun: () => tracker.cancelRun('r1'),
      executeRun: () => tracker.executeRun('r1', () => expect.unreachable('not my run')),
      updateRunProgress: () => tracker.updateRunProgress('r1', 'load'),
      incrementRunOutput: () => tracker.incrementRunOutput('r1', { seen: 1 }),
      startStep: () => tracker.startStep('s1'),
      finishStep: () => tracker.finishStep('s1', { output: { done: true } }),
      failStep: () => tracker.failStep('s1', 'mine'),
      cancelStep: () => tracker.cancelStep('s1'),
      skipStep: () => tracker.skipStep('s1'),
      updateStepProgress: () => tracker.updateStepProgress('s1', { itemsProcessed: 1 }),
      finishCall: () => tracker.finishCall('c1', { output: { done: true } }),
      failCall: () => tracker.failCall('c1', 'mine'),
      'createStep retryOf': () => tracker.createStep(null, { stepType: 'load', retryOf: 's1' }),
      'createCall retryOf': () =>
        tracker.createCall('own', { tool: 'api', operation: 'GET', retryOf: 'c1' }),
    };
    for (const [method, attempt] of Object.entries(attempts)) {
      const refusal: unknown = await attempt().catch((error: unknown) => error);
      expect(refusal, method).toMatchObject({ code: 'not_found' });
    }
    expect(await getAll(theirs)).toStrictEqual(before);
  });

  it('counts under any name, again and again', async () => {
    const names = [
      '',
      '__proto__',
      '0',
      'a.b',
      '$.a',
      '$',
      'a[0]',
      '"',
      "it's",
      'a\\b',
      'a\nb',
      'ü',
    ];
    const by = (count: number) => Object.fromEntries(names.map((name) => [name, count]));
    await mine.insertRun(aRun());
    for (let count = 1; count <= 3; count += 1) {
      await mine.incrementRunOutput?.('r1', by(1), new Date(count));
      expect((await mine.getRun('r1'))?.output).toStrictEqual(by(count));
    }
    await mine.updateRun('r1', { output: by(7) }, { mergeOutput: true });
    expect((await mine.getRun('r1'))?.output).toStrictEqual(by(7));
  });

  it('merges no output into what is there as nothing', async () => {
    await mine.insertRun(aRun({ output: { seen: 1 } }));
    const fields = { output: null, currentStep: 'load' };
    expect(await mine.updateRun('r1', fields, { mergeOutput: true })).toBe(true);
    expect(await mine.getRun('r1')).toMatchObject({ output: { seen: 1 }, currentStep: 'load' });
  });

  it('takes along what belongs to a run when that is deleted', async () => {
    await addAll(mine);
    await mine.insertStep(aStep({ id: 's2', parentStepId: 's1', retryOf: 's1' }));
    await mine.insertCall(aCall({ id: 'c2', retryOf: 'c1' }));
    await mine.insertStep(aStep({ id: 'alone', runId: null }));

    await tables.deleteRun('r1');

    expect(await getAll(mine)).toStrictEqual([undefined, undefined, undefined]);
    expect(await mine.getStep('s2')).toBeUndefined();
    expect(await mine.getStepLinks('s1')).toStrictEqual([]);
    expect(await mine.getStep('alone')).toMatchObject({ runId: null });
  });
});

describe('examples/kysely-store.ts', () => {
  it('lets one of two connections to a file win, and counts for both', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'kysely-store-'));
    const databases = [1, 2].map(() => openDatabase(join(folder, 'runs.db')));
    const [one, other] = databases.map((database) => {
      return new RunTracker({ store: kyselyStore.createSpaceStore(database, 'mine') });
    }) as [RunTracker, RunTracker];
    const runId = await one.createRun({ runType: 'sync', trigger: 'cron' });
    await other.startRun(runId);
    await Promise.all([one, other].map((each) => each.incrementRunOutput(runId, { seen: 1 })));
    const ends = await Promise.allSettled([one.finishRun(runId), other.failRun(runId, 'late')]);
    await Promise.all(databases.map((database) => database.destroy()));

    // A file that is opened again has its tables already.
    const again = openDatabase(join(folder, 'runs.db'));
    const run = await kyselyStore.createSpaceStore(again, 'mine').getRun(runId);
    await again.destroy();
    rmSync(folder, { recursive: true });
    expect(run?.output).toStrictEqual({ seen: 2 });
    expect(ends.map(({ status }) => status).sort()).toStrictEqual(['fulfilled', 'rejected']);
    expect(run?.status).toBe(ends[0]?.status === 'fulfilled' ? 'completed' : 'failed');
  });
});

/** Gives a neighbour records with the ids that the cases of the kit use, also as unknown ones. */
async function settle(store: Store): Promise<void> {
  const [, , calls] = TABLES;
  await calls?.insertParents(store);
  for (const table of TABLES) {
    for (const id of [ID, UNKNOWN_ID]) await table.insert(store, table.full({ id }));
  }
  const stepIds = [idOf(2), UNKNOWN_ID];
  for (const [index, stepId] of stepIds.entries()) {
    await store.insertStepLink(aLink({ id: idOf(10 + index), stepId }));
  }
}

/** All that {@link settle} has inserted, as it is now. */
async function look(store: Store): Promise<unknown[]> {
  const rows = TABLES.flatMap((table) => [ID, UNKNOWN_ID].map((id) => table.get(store, id)));
  const links = [idOf(2), UNKNOWN_ID].map((id) => store.getStepLinks(id));
  const parents = [store.getRun(idOf(1)), store.getStep(idOf(2)), store.getCall(idOf(3))];
  return Promise.all([...rows, ...links, ...parents]);
}

/** A run, a step in it, a call in that, and a link of the step. */
async function addAll(store: Store, fields: { error?: string; spaceId?: string } = {}) {
  await store.insertRun({ ...aRun(), ...fields } satisfies Run);
  await store.insertStep({ ...aStep(), ...fields } satisfies Step);
  await store.insertCall({ ...aCall(), ...fields } satisfies Call);
  const { error: _, ...own } = fields;
  await store.insertStepLink({ ...aLink({ id: 'l1', stepId: 's1' }), ...own } satisfies StepLink);
}

/** What {@link addAll} has added, as it is now; links apart. */
function getAll(store: Store): Promise<unknown[]> {
  return Promise.all([store.getRun('r1'), store.getStep('s1'), store.getCall('c1')]);
}
