import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Call, Run, RunStore, Step, StepLink, StepLinkStore } from '../src/index.js';
import {
  formatDuration,
  getRunSummary,
  isCallComplete,
  isRunComplete,
  isStepComplete,
  mergeOutputIncrements,
  RunTracker,
} from '../src/index.js';
import { aCall, aRun, aStep } from './support/records.js';

// What the page on version 0.2 shows, called as it shows it, over a store of nine
// methods that is as strict as a database with one column per field.

const T0 = new Date('2026-03-01T08:00:00.000Z');
const T1 = new Date('2026-03-01T08:00:01.500Z');
const T2 = new Date('2026-03-01T08:00:04.250Z');

const createdAt = T0;
const updatedAt = T0;
const syncRun = (fields: Partial<Run>) =>
  aRun({ runType: 'sync_stripe', createdAt, updatedAt, ...fields });
const fetchStep = (fields: Partial<Step>) =>
  aStep({ runId: null, stepType: 'fetch_charges', createdAt, updatedAt, ...fields });
const stripeCall = (fields: Partial<Call>) => aCall({ tool: 'stripe_api', createdAt, ...fields });

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: T0 });
});

afterEach(() => {
  vi.useRealTimers();
});

describe('the manual lifecycle', () => {
  it('records each step of the way', async () => {
    const { store, tracker } = setUp();

    const runId = await tracker.createRun({ runType: 'sync_stripe', trigger: 'cron' });
    expect(runId).toBe('id-1');
    const pending = syncRun({ id: 'id-1' });
    expect(await store.getRun(runId)).toEqual(pending);

    vi.setSystemTime(T1);
    expect(await tracker.startRun(runId)).toBeUndefined();
    const running: Run = { ...pending, status: 'running', startedAt: T1, updatedAt: T1 };
    expect(await store.getRun(runId)).toEqual(running);

    const stepId = await tracker.createStep(runId, { stepType: 'fetch_charges' });
    expect(stepId).toBe('id-2');
    const waiting = fetchStep({ id: 'id-2', runId: 'id-1', createdAt: T1, updatedAt: T1 });
    expect(await store.getStep(stepId)).toEqual(waiting);

    expect(await tracker.startStep(stepId)).toBeUndefined();
    const started: Step = { ...waiting, status: 'running', startedAt: T1 };
    expect(await store.getStep(stepId)).toEqual(started);
    expect(await store.getRun(runId)).toEqual({ ...running, currentStep: 'fetch_charges' });

    const callId = await tracker.createCall(stepId, {
      tool: 'stripe_api',
      operation: 'GET /charges',
    });
    expect(callId).toBe('id-3');
    const open = stripeCall({ id: 'id-3', stepId: 'id-2', createdAt: T1 });
    expect(await store.getCall(callId)).toEqual(open);

    vi.setSystemTime(T2);
    expect(await tracker.finishCall(callId, { output: { count: 100 } })).toBeUndefined();
    expect(await store.getCall(callId)).toEqual({
      ...open,
      status: 'success',
      output: { count: 100 },
      durationMs: 2750,
    });

    expect(await tracker.finishStep(stepId, { output: { fetched: 100 } })).toBeUndefined();
    expect(await store.getStep(stepId)).toEqual({
      ...started,
      status: 'completed',
      output: { fetched: 100 },
      completedAt: T2,
      durationMs: 2750,
      updatedAt: T2,
    });

    expect(await tracker.finishRun(runId, { output: { total: 100 } })).toBeUndefined();
    expect(await store.getRun(runId)).toEqual({
      ...running,
      status: 'completed',
      output: { total: 100 },
      completedAt: T2,
      durationMs: 2750,
      updatedAt: T2,
    });
  });

  it('lets steps nest through parentStepId', async () => {
    const { store, tracker } = setUp();
    const runId = await tracker.createRun({ runType: 'sync_stripe', trigger: 'cron' });
    const outer = await tracker.createStep(runId, { stepType: 'fetch_charges' });
    const inner = await tracker.createStep(runId, { stepType: 'parse', parentStepId: outer });
    expect(await store.getStep(inner)).toEqual(
      fetchStep({ id: 'id-3', runId: 'id-1', parentStepId: 'id-2', stepType: 'parse' }),
    );
  });
});

describe('the wrappers', () => {
  it('record a nested job, and return what it returned', async () => {
    const { store, tracker } = setUp();
    const stripe = { charges: { list: async () => [{ id: 'ch_1' }, { id: 'ch_2' }] } };
    let seen: unknown;

    const result = await tracker.executeRun(
      { runType: 'sync_stripe', trigger: 'cron' },
      async (runId) => {
        vi.setSystemTime(T1);
        seen = await tracker.executeStep(runId, { stepType: 'fetch_charges' }, async (stepId) => {
          const charges = await tracker.executeCall(
            stepId,
            { tool: 'stripe_api', operation: 'GET /charges' },
            () => stripe.charges.list(),
          );
          expect(await store.getRun(runId)).toEqual(
            syncRun({
              id: 'id-1',
              status: 'running',
              currentStep: 'fetch_charges',
              startedAt: T0,
              updatedAt: T1,
            }),
          );
          vi.setSystemTime(T2);
          return charges;
        });
      },
    );

    expect(result).toBeUndefined();
    expect(seen).toEqual([{ id: 'ch_1' }, { id: 'ch_2' }]);
    expect(await store.getRun('id-1')).toEqual(
      syncRun({
        id: 'id-1',
        status: 'completed',
        startedAt: T0,
        completedAt: T2,
        durationMs: 4250,
        updatedAt: T2,
      }),
    );
    expect(await store.getStep('id-2')).toEqual(
      fetchStep({
        id: 'id-2',
        runId: 'id-1',
        status: 'completed',
        output: { result: [{ id: 'ch_1' }, { id: 'ch_2' }] },
        startedAt: T1,
        completedAt: T2,
        durationMs: 2750,
        createdAt: T1,
        updatedAt: T2,
      }),
    );
    expect(await store.getCall('id-3')).toEqual(
      stripeCall({
        id: 'id-3',
        stepId: 'id-2',
        status: 'success',
        output: { result: [{ id: 'ch_1' }, { id: 'ch_2' }] },
        durationMs: 0,
        createdAt: T1,
      }),
    );
  });

  it('give the work of a call no argument', async () => {
    const { tracker } = setUp();
    const list = vi.fn(async () => []);
    const call = { tool: 'stripe_api', operation: 'GET /charges' };
    await tracker.executeStep(null, { stepType: 'fetch_charges' }, (stepId) =>
      tracker.executeCall(stepId, call, list),
    );
    expect(list.mock.calls).toEqual([[]]);
  });
});

describe('updateStepProgress', () => {
  it('sets the four counts of a step', async () => {
    const { store, tracker } = setUp();
    const stepId = await tracker.createStep(null, { stepType: 'fetch_charges' });
    vi.setSystemTime(T1);
    const result = await tracker.updateStepProgress(stepId, {
      itemsTotal: 500,
      itemsProcessed: 150,
      itemsSucceeded: 148,
      itemsFailed: 2,
    });
    expect(result).toBeUndefined();
    expect(await store.getStep(stepId)).toEqual(
      fetchStep({
        id: 'id-1',
        itemsTotal: 500,
        itemsProcessed: 150,
        itemsSucceeded: 148,
        itemsFailed: 2,
        updatedAt: T1,
      }),
    );
  });
});

describe('incrementRunOutput', () => {
  it('adds to the counters in the output of a run', async () => {
    const { store, tracker } = setUp();
    const runId = await tracker.createRun({ runType: 'sync_stripe', trigger: 'cron' });
    const increments = { fetched: 50, inserted: 30, updated: 15, unchanged: 5 };
    expect(await tracker.incrementRunOutput(runId, increments)).toBeUndefined();
    expect(await store.getRun(runId)).toEqual(syncRun({ id: 'id-1', output: increments }));

    vi.setSystemTime(T1);
    await tracker.incrementRunOutput(runId, { fetched: 10, failed: 1 });
    expect(await store.getRun(runId)).toEqual(
      syncRun({
        id: 'id-1',
        output: { fetched: 60, inserted: 30, updated: 15, unchanged: 5, failed: 1 },
        updatedAt: T1,
      }),
    );
  });
});

describe('step links', () => {
  const charge = {
    linkType: 'output',
    entityType: 'transaction',
    entityId: 'tx_123',
    externalId: 'stripe_ch_abc',
  } as const;

  it('are stored in the linkStore, and read from it', async () => {
    const links: StepLink[] = [];
    const linkStore: StepLinkStore = {
      async insertStepLink(link: StepLink) {
        links.push(link);
      },
      async getStepLinks(stepId: string) {
        return links.filter((link) => link.stepId === stepId);
      },
    };
    const tracker = new RunTracker({
      store: createPlainStore(),
      generateId: countingIds(),
      linkStore,
    });
    const stepId = await tracker.createStep(null, { stepType: 'fetch_charges' });

    expect(await tracker.linkStep(stepId, charge)).toBe('id-2');
    await tracker.linkStep('another', { linkType: 'input', entityType: 'file', entityId: 'f_1' });

    const stored = { id: 'id-2', stepId: 'id-1', ...charge, createdAt: T0 };
    expect(await tracker.getStepLinks(stepId)).toEqual([stored]);
    expect(links).toEqual([
      stored,
      {
        id: 'id-3',
        stepId: 'another',
        linkType: 'input',
        entityType: 'file',
        entityId: 'f_1',
        externalId: null,
        createdAt: T0,
      },
    ]);
  });

  it('are null and none without a linkStore', async () => {
    const { tracker } = setUp();
    const stepId = await tracker.createStep(null, { stepType: 'fetch_charges' });
    expect(await tracker.linkStep(stepId, charge)).toBeNull();
    expect(await tracker.getStepLinks(stepId)).toEqual([]);
  });
});

describe('the helpers', () => {
  it('isRunComplete tells whether a run has ended', () => {
    const statuses = ['pending', 'running', 'completed', 'failed', 'cancelled'] as const;
    expect(statuses.filter((status) => isRunComplete(status))).toEqual(statuses.slice(2));
    expect(statuses.filter((status) => isRunComplete(syncRun({ status })))).toEqual(
      statuses.slice(2),
    );
  });

  it('isStepComplete tells whether a step has ended', () => {
    const statuses = [
      ...(['pending', 'running'] as const),
      ...(['completed', 'failed', 'cancelled', 'skipped'] as const),
    ];
    expect(statuses.filter((status) => isStepComplete(status))).toEqual(statuses.slice(2));
    expect(statuses.filter((status) => isStepComplete(fetchStep({ status })))).toEqual(
      statuses.slice(2),
    );
  });

  it('isCallComplete tells whether a call has ended', () => {
    const statuses = ['pending', 'running', 'success', 'error'] as const;
    expect(statuses.filter((status) => isCallComplete(status))).toEqual(statuses.slice(2));
    expect(statuses.filter((status) => isCallComplete(stripeCall({ status })))).toEqual(
      statuses.slice(2),
    );
  });

  it('getRunSummary says in one line where a run stands', () => {
    const runs = [
      syncRun({ status: 'pending' }),
      syncRun({ status: 'running', currentStep: 'fetch_charges' }),
      syncRun({ status: 'running' }),
      syncRun({ status: 'completed', durationMs: 3500 }),
      syncRun({ status: 'failed', error: 'timeout' }),
    ];
    expect(runs.map(getRunSummary)).toEqual([
      'sync_stripe waiting to start',
      'sync_stripe running: fetch_charges',
      'sync_stripe running',
      'sync_stripe completed in 3.5s',
      'sync_stripe failed: timeout',
    ]);
  });

  it('formatDuration makes a duration readable', () => {
    expect([500, 3500, 125_000, 3_700_000].map(formatDuration)).toEqual([
      '500ms',
      '3.5s',
      '2m 5s',
      '1h 1m',
    ]);
  });

  it('mergeOutputIncrements adds to an output, into a new object', () => {
    const output = { fetched: 50, source: 'api' };
    expect(mergeOutputIncrements(output, { fetched: 10, updated: 5 })).toEqual({
      fetched: 60,
      source: 'api',
      updated: 5,
    });
    expect(output).toEqual({ fetched: 50, source: 'api' });
    expect(mergeOutputIncrements(null, { fetched: 10 })).toEqual({ fetched: 10 });
  });
});

describe('owner fields', () => {
  it('are added by a store that closes over them', async () => {
    const runs = new Map<string, Run & { spaceId: string }>();
    function createStore(spaceId: string): RunStore {
      return {
        ...createPlainStore(),
        async insertRun(run) {
          runs.set(run.id, { ...run, spaceId });
        },
        async getRun(id) {
          return runs.get(id) ?? null;
        },
        async updateRun(id, fields) {
          runs.set(id, { ...runs.get(id)!, ...fields });
        },
      };
    }
    const params = { runType: 'sync_stripe', trigger: 'user' } as const;
    const generateId = countingIds();
    for (const spaceId of ['space_1', 'space_2']) {
      const tracker = new RunTracker({ store: createStore(spaceId), generateId });
      await tracker.startRun(await tracker.createRun(params));
    }
    const run: Partial<Run> = { trigger: 'user', status: 'running', startedAt: T0 };
    expect([...runs.values()]).toEqual([
      { ...syncRun({ id: 'id-1', ...run }), spaceId: 'space_1' },
      { ...syncRun({ id: 'id-2', ...run }), spaceId: 'space_2' },
    ]);
  });
});

function setUp(): { store: RunStore; tracker: RunTracker } {
  const store = createPlainStore();
  return { store, tracker: new RunTracker({ store, generateId: countingIds() }) };
}

function countingIds(): () => string {
  let count = 0;
  return () => `id-${++count}`;
}

function createPlainStore(): RunStore {
  const runs = new Table<Run>(aRun());
  const steps = new Table<Step>(aStep());
  const calls = new Table<Call>(aCall());

  const store: RunStore = {
    async insertRun(run: Run) {
      runs.insert(run);
    },
    async getRun(id: string) {
      return runs.get(id);
    },
    async updateRun(id: string, fields: Partial<Run>, ...more: unknown[]) {
      runs.update(id, fields, more);
    },
    async insertStep(step: Step) {
      steps.insert(step);
    },
    async getStep(id: string) {
      return steps.get(id);
    },
    async updateStep(id: string, fields: Partial<Step>, ...more: unknown[]) {
      steps.update(id, fields, more);
    },
    async insertCall(call: Call) {
      calls.insert(call);
    },
    async getCall(id: string) {
      return calls.get(id);
    },
    async updateCall(id: string, fields: Partial<Call>, ...more: unknown[]) {
      calls.update(id, fields, more);
    },
  };
  return store;
}

/** Rows of one kind. Refuses a column that is missing, unknown or undefined, and any argument that 0.2 did not send. */
class Table<R extends { id: string }> {
  readonly #columns: string[];
  readonly #rows = new Map<string, R>();

  constructor(example: R) {
    this.#columns = Object.keys(example).toSorted();
  }

  insert(row: R): void {
    expect(Object.keys(row).toSorted()).toEqual(this.#columns);
    expect(Object.values(row)).not.toContain(undefined);
    expect(this.#rows.has(row.id)).toBe(false);
    this.#rows.set(row.id, structuredClone(row));
  }

  get(id: string): R | null {
    return structuredClone(this.#rows.get(id) ?? null);
  }

  update(id: string, fields: Partial<R>, more: unknown[]): void {
    expect(this.#columns).toEqual(expect.arrayContaining(Object.keys(fields)));
    expect(Object.values(fields)).not.toContain(undefined);
    expect(more).toEqual([]);
    this.#rows.set(id, { ...this.#rows.get(id)!, ...structuredClone(fields) });
  }
}
