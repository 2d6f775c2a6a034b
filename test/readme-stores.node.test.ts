import type { PgTable } from 'drizzle-orm/pg-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type Call,
  type Run,
  type RunStore,
  type RunsError,
  RunTracker,
  type Step,
  type StepLinkStore,
} from '../src/index.js';
import { MemoryStore } from '../src/memory.js';
import { openPostgres, type Postgres } from './support/postgres.js';
import { type Code, compile } from './support/readme.js';

/** What the blocks export that make up the stores. */
interface Stores {
  createStore(db: Postgres): RunStore;
  createConditionalStore(db: Postgres): RunStore;
  createLinkStore(db: Postgres): StepLinkStore;
  createSpaceStore(db: Postgres, spaceId: string): RunStore;
}
type Tables = Record<'runs' | 'steps' | 'calls' | 'stepLinks' | 'spaceRuns', PgTable>;

const START = Date.UTC(2026, 6, 1, 12, 30, 15, 250);
const DAY = 86_400_000;

let code: Code;
let stores: Stores;
let db: Postgres;
let time = START;
const now = () => new Date(time);

beforeAll(async () => {
  code = await compile();
  const names = ['tables', 'store', 'conditional-store', 'link-store', 'owners'];
  const blocks = await Promise.all(names.map((name) => code.load<Stores & Tables>(name)));
  const exported: Stores & Tables = Object.assign({}, ...blocks);
  const { runs, steps, calls, stepLinks, spaceRuns } = exported;
  stores = exported;
  db = await openPostgres(runs, steps, calls, stepLinks, spaceRuns);
}, 120_000);

afterAll(async () => {
  await db?.$client.close();
  code?.close();
});

describe.for(['createStore', 'createConditionalStore'] as const)('the README’s %s', (create) => {
  let store: RunStore;
  const id = (name: string) => `${create} ${name}`;
  const newTracker = () => new RunTracker({ store, now });

  beforeAll(() => {
    store = stores[create](db);
  });

  it('keeps every field of a nested job that fails', async () => {
    time = START;
    const tracker = newTracker();
    const refusal = new Error('row 3 refused', { cause: new Error('out of stock') });
    const job = tracker.executeRun(
      { id: id('run'), runType: 'sync', trigger: 'webhook', actorType: 'user', actorId: 'u_1' },
      (runId) =>
        tracker.executeStep(
          runId,
          { id: id('outer'), stepType: 'load', stepIndex: 2, input: { text: 'nul \0', big: 2n } },
          async (outer) => {
            time += 1500;
            await tracker.incrementRunOutput(runId, { fetched: 2.5 });
            const inner = {
              id: id('inner'),
              stepType: 'insert',
              parentStepId: outer,
              entityType: 'file',
              entityId: 'f_1',
              context: { page: 1 },
              itemsTotal: 5_000_000_000,
              maxRetries: 3,
            };
            await tracker.executeStep(runId, inner, async (stepId) => {
              await tracker.updateStepProgress(stepId, { itemsProcessed: 3, itemsFailed: 1 });
              await tracker.incrementRunOutput(runId, { fetched: 1, inserted: 2 });
              const call = {
                id: id('call'),
                tool: 'db',
                operation: 'insert',
                input: { rows: [1, { two: 'ü' }, null] },
                metadata: { pool: 'a' },
              };
              await tracker.executeCall(stepId, call, () => {
                time += 40 * DAY;
                throw refusal;
              });
            });
          },
        ),
    );
    await expect(job).rejects.toBe(refusal);

    const error = 'row 3 refused\ncaused by: out of stock';
    const ended = new Date(START + 1500 + 40 * DAY);
    expect(await store.getRun(id('run'))).toStrictEqual({
      id: id('run'),
      runType: 'sync',
      trigger: 'webhook',
      actorType: 'user',
      actorId: 'u_1',
      status: 'failed',
      currentStep: null,
      startedAt: new Date(START),
      completedAt: ended,
      durationMs: 1500 + 40 * DAY,
      input: null,
      output: { fetched: 3.5, inserted: 2 },
      error,
      createdAt: new Date(START),
      updatedAt: ended,
    } satisfies Run);
    const outer: Step = {
      id: id('outer'),
      runId: id('run'),
      parentStepId: null,
      stepIndex: 2,
      actorType: 'system',
      actorId: null,
      stepType: 'load',
      status: 'failed',
      entityType: null,
      entityId: null,
      context: null,
      input: { text: 'nul \ufffd', big: '2n' },
      output: null,
      itemsTotal: null,
      itemsProcessed: null,
      itemsSucceeded: null,
      itemsFailed: null,
      attempt: 1,
      retryOf: null,
      maxRetries: 0,
      error,
      startedAt: new Date(START),
      completedAt: ended,
      durationMs: 1500 + 40 * DAY,
      createdAt: new Date(START),
      updatedAt: ended,
    };
    expect(await store.getStep(id('outer'))).toStrictEqual(outer);
    expect(await store.getStep(id('inner'))).toStrictEqual({
      ...outer,
      id: id('inner'),
      parentStepId: id('outer'),
      stepIndex: 0,
      stepType: 'insert',
      entityType: 'file',
      entityId: 'f_1',
      context: { page: 1 },
      input: null,
      itemsTotal: 5_000_000_000,
      itemsProcessed: 3,
      itemsFailed: 1,
      maxRetries: 3,
      startedAt: new Date(START + 1500),
      durationMs: 40 * DAY,
      createdAt: new Date(START + 1500),
    });
    expect(await store.getCall(id('call'))).toStrictEqual({
      id: id('call'),
      stepId: id('inner'),
      tool: 'db',
      operation: 'insert',
      input: { rows: [1, { two: 'ü' }, null] },
      output: null,
      status: 'error',
      error,
      attempt: 1,
      retryOf: null,
      durationMs: 40 * DAY,
      metadata: { pool: 'a' },
      createdAt: new Date(START + 1500),
    } satisfies Call);
  });

  it('keeps what was counted when a job returns a value', async () => {
    const tracker = newTracker();
    await tracker.executeRun(
      { id: id('counted'), runType: 'sync', trigger: 'cron' },
      async (runId) => {
        await tracker.incrementRunOutput(runId, { fetched: 2 });
        return ['a', 'b'];
      },
    );
    const run = await store.getRun(id('counted'));
    expect(run?.output).toStrictEqual({ fetched: 2, result: ['a', 'b'] });
  });

  it('counts every one of many increments at once', async () => {
    // On a plain store this holds within one tracker.
    const one = newTracker();
    const other = store.conditionalUpdates ? newTracker() : one;
    const runId = await one.createRun({ runType: 'sync', trigger: 'cron' });
    const increments = Array.from({ length: 50 }, (_, index) =>
      (index % 2 ? one : other).incrementRunOutput(runId, { seen: 1, [`by ${index % 2}`]: 1 }),
    );
    await Promise.all(increments);
    const run = await store.getRun(runId);
    expect(run?.output).toStrictEqual({ seen: 50, 'by 0': 25, 'by 1': 25 });
  });

  it('lets exactly one of several finishers win', async () => {
    const one = newTracker();
    const other = store.conditionalUpdates ? newTracker() : one;
    const runId = await one.createRun({ runType: 'sync', trigger: 'cron' });
    await one.startRun(runId);
    const ends = await Promise.allSettled([
      other.finishRun(runId, { output: { total: 1 } }),
      one.failRun(runId, 'timeout'),
      other.cancelRun(runId),
    ]);

    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    const winner = ends.findIndex(({ status }) => status === 'fulfilled');
    const run = await store.getRun(runId);
    expect(run).toMatchObject({
      status: ['completed', 'failed', 'cancelled'][winner],
      output: winner === 0 ? { total: 1 } : null,
      error: winner === 1 ? 'timeout' : null,
    });
    for (const end of ends) {
      if (end.status === 'rejected')
        expect(end.reason).toMatchObject({ code: 'invalid_transition' });
    }
  });

  it('refuses an id that exists, and the work is not done', async () => {
    const tracker = newTracker();
    await tracker.createRun({ id: id('twice'), runType: 'sync', trigger: 'webhook' });
    let done = 0;
    const again = tracker.executeRun(
      { id: id('twice'), runType: 'sync', trigger: 'webhook' },
      () => {
        done += 1;
      },
    );
    await expect(again).rejects.toMatchObject({ cause: { code: '23505' } });
    expect(done).toBe(0);
  });

  it('lets a unique index keep a second run of one kind from starting', async () => {
    await db.$client.exec(`create unique index if not exists one_nightly on runs (run_type)
      where run_type = 'nightly' and status = 'running'`);
    const tracker = newTracker();
    const nightly = { runType: 'nightly', trigger: 'cron' } as const;
    const first = await tracker.executeRun(nightly, async () => {
      await expect(tracker.executeRun(nightly, () => 'second')).rejects.toMatchObject({
        cause: { code: '23505' },
      });
      return 'first';
    });
    expect(first).toBe('first');
    await expect(tracker.executeRun(nightly, () => 'third')).resolves.toBe('third');
  });

  it('says that it does not know an id', async () => {
    const tracker = newTracker();
    expect(await store.getRun('nobody')).toBeUndefined();
    expect(await store.getStep('nobody')).toBeUndefined();
    expect(await store.getCall('nobody')).toBeUndefined();
    const unknown = { code: 'not_found' } satisfies Partial<RunsError>;
    await expect(tracker.finishRun('nobody')).rejects.toMatchObject(unknown);
    await expect(tracker.startStep('nobody')).rejects.toMatchObject(unknown);
    await expect(tracker.failCall('nobody', 'x')).rejects.toMatchObject(unknown);
    await expect(tracker.incrementRunOutput('nobody', { a: 1 })).rejects.toMatchObject(unknown);
  });
});

describe('the README’s createConditionalStore', () => {
  it('answers every update as MemoryStore does', async () => {
    const drizzle = stores.createConditionalStore(db);
    const memory = new MemoryStore();
    for (const store of [drizzle, memory]) {
      const tracker = new RunTracker({ store, now });
      await tracker.createRun({ id: 'c-run', runType: 'sync', trigger: 'cron' });
      await tracker.createStep('c-run', { id: 'c-step', stepType: 'load' });
      await tracker.createCall('c-step', { id: 'c-call', tool: 'api', operation: 'GET' });
    }
    const updates: ((store: RunStore) => Promise<unknown> | undefined)[] = [
      (store) => store.updateRun('nobody', { error: 'x' }),
      (store) => store.updateRun('c-run', { error: 'x' }, { ifStatus: ['running', 'failed'] }),
      (store) => store.updateRun('c-run', { error: 'x' }, { ifStatus: ['pending'] }),
      (store) => store.updateRun('c-run', { error: null }, { ifError: 'y' }),
      (store) => store.updateRun('c-run', { error: null }, { ifError: '' }),
      (store) => store.updateRun('c-run', { error: '' }, { ifError: 'x', ifStatus: ['pending'] }),
      (store) => store.updateRun('c-run', { status: 'failed' }, { ifError: '' }),
      (store) => store.updateRun('c-run', { output: { a: 1 } }, { mergeOutput: true }),
      (store) =>
        store.updateRun('c-run', { output: { b: null, c: { d: 1 } } }, { mergeOutput: true }),
      (store) => store.updateRun('c-run', { output: { c: { e: 2 } } }, { mergeOutput: true }),
      (store) => store.incrementRunOutput?.('c-run', { a: -0.5, b: 2, c: 3, f: 1e300 }, now()),
      (store) => store.incrementRunOutput?.('c-run', { "it's ü": 1, __proto__: 2 }, now()),
      (store) => store.incrementRunOutput?.('c-run', {}, now()),
      (store) => store.incrementRunOutput?.('nobody', { a: 1 }, now()),
      (store) => store.updateRun('c-run', { status: 'running', currentStep: 'load' }),
      (store) => store.updateStep('c-step', { output: { a: 1 } }, { ifStatus: ['pending'] }),
      (store) => store.updateStep('c-step', { output: { b: 1 } }, { ifStatus: ['skipped'] }),
      (store) => store.updateStep('c-step', { error: 'x' }, { ifError: 'y' }),
      (store) => store.updateStep('nobody', { error: 'x' }),
      (store) => store.updateCall('c-call', { durationMs: 3 }, { ifStatus: ['running'] }),
      (store) => store.updateCall('c-call', { durationMs: 4 }, { ifStatus: ['success', 'error'] }),
      (store) => store.updateCall('nobody', { durationMs: 4 }),
    ];
    for (const update of updates) {
      expect(await update(drizzle), `${update}`).toBe(await update(memory));
      expect(await drizzle.getRun('c-run'), `${update}`).toStrictEqual(
        await memory.getRun('c-run'),
      );
    }
    expect(await drizzle.getStep('c-step')).toStrictEqual(await memory.getStep('c-step'));
    expect(await drizzle.getCall('c-call')).toStrictEqual(await memory.getCall('c-call'));
  });
});

describe('the README’s createLinkStore', () => {
  it('keeps the links of each step, oldest first', async () => {
    let count = 0;
    const store = stores.createStore(db);
    const linkStore = stores.createLinkStore(db);
    const tracker = new RunTracker({ store, linkStore, now, generateId: () => `link-${++count}` });
    const file = { linkType: 'input', entityType: 'file', entityId: 'f_1' } as const;
    time = START + DAY;
    expect(await tracker.linkStep('linked', { ...file, externalId: 'drive_1' })).toBe('link-1');
    time = START;
    expect(await tracker.linkStep('linked', file)).toBe('link-2');
    await tracker.linkStep('another', file);

    expect(await tracker.getStepLinks('linked')).toStrictEqual([
      { id: 'link-2', stepId: 'linked', ...file, externalId: null, createdAt: new Date(START) },
      {
        id: 'link-1',
        stepId: 'linked',
        ...file,
        externalId: 'drive_1',
        createdAt: new Date(START + DAY),
      },
    ]);
    expect(await tracker.getStepLinks('nobody')).toEqual([]);
  });
});

describe('the README’s createSpaceStore', () => {
  it('keeps the runs of one owner from another', async () => {
    const mine = stores.createSpaceStore(db, 'space_1');
    const tracker = new RunTracker({ store: mine });
    const params = { id: 'owned', runType: 'sync', trigger: 'cron' } as const;
    await tracker.executeRun(params, (runId) =>
      tracker.executeStep(runId, { id: 'owned step', stepType: 'load' }, () => 1),
    );
    expect(await mine.getRun('owned')).toMatchObject({ spaceId: 'space_1', status: 'completed' });
    expect(await mine.getStep('owned step')).toMatchObject({ status: 'completed' });

    const theirs = stores.createSpaceStore(db, 'space_2');
    expect(await theirs.getRun('owned')).toBeUndefined();
    const end = new RunTracker({ store: theirs }).failRun('owned', 'not mine');
    await expect(end).rejects.toMatchObject({ code: 'not_found' });
    await theirs.updateRun('owned', { status: 'failed' });
    expect(await mine.getRun('owned')).toMatchObject({ status: 'completed' });
  });
});
