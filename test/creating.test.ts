import { afterEach, describe, expect, it, vi } from 'vitest';
import { RunTracker } from '../src/index.js';
import { MemoryStore } from '../src/memory.js';
import { aCall, aRun, aStep } from './support/records.js';
import { intercept, mapStore } from './support/stores.js';
import { testTracker } from './support/trackers.js';

const sync = { runType: 'sync', trigger: 'cron' } as const;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe('a new record', () => {
  it('is pending and whole, whatever was left out', async () => {
    const store = new MemoryStore();
    const { tracker } = testTracker({ store });
    await tracker.createRun({ id: 'r1', ...sync, actorId: undefined, input: undefined });
    await tracker.createStep('r1', { id: 's1', stepType: 'fetch', parentStepId: undefined });
    await tracker.createCall('s1', { id: 'c1', tool: 'api', operation: 'GET /charges' });
    await tracker.createStep(null, { id: 's2', stepType: 'alone' });
    expect(await store.getRun('r1')).toEqual(aRun());
    expect(await store.getStep('s1')).toEqual(aStep());
    expect(await store.getStep('s2')).toEqual(aStep({ id: 's2', runId: null, stepType: 'alone' }));
    expect(await store.getCall('c1')).toEqual(aCall());
  });

  it('holds what it was told', async () => {
    const store = new MemoryStore();
    const { tracker } = testTracker({ store });
    const actor = { actorType: 'agent', actorId: 'bot' } as const;
    await tracker.createRun({ id: 'r1', ...sync, ...actor, input: { since: 1 } });
    const told = {
      ...actor,
      parentStepId: 's0',
      stepIndex: 2,
      entityType: 'order',
      entityId: 'o1',
      context: { page: 1 },
      input: { ids: [1] },
      itemsTotal: 10,
      maxRetries: 3,
    };
    await tracker.createStep('r1', { id: 's1', stepType: 'fetch', ...told });
    expect(await store.getRun('r1')).toEqual(aRun({ ...actor, input: { since: 1 } }));
    expect(await store.getStep('s1')).toEqual(aStep(told));
  });

  it('has a random UUID for an id, unless there is a generator', async () => {
    const store = new MemoryStore();
    const random = new RunTracker({ store });
    const ids = await Promise.all(Array.from({ length: 100 }, () => random.createRun(sync)));
    expect(new Set(ids).size).toBe(100);
    for (const id of ids) expect(id).toMatch(UUID);
    const { tracker } = testTracker({ store, generateId: () => 'mine' });
    expect(await tracker.createRun(sync)).toBe('mine');
  });

  it('has that of crypto.randomUUID where there is one', async () => {
    const uuid = '3f1c0d5e-8a54-4c1b-9e0f-6d2b7a9c4e10';
    vi.stubGlobal('crypto', { randomUUID: () => uuid });
    const tracker = new RunTracker({ store: new MemoryStore() });
    expect(await tracker.createRun(sync)).toBe(uuid);
  });

  it('has one where crypto.randomUUID is missing, too', async () => {
    const getRandomValues = vi.fn((bytes: Uint8Array<ArrayBuffer>) =>
      crypto.getRandomValues(bytes),
    );
    const original = crypto;
    vi.stubGlobal('crypto', {
      getRandomValues: getRandomValues.mockImplementation((bytes) =>
        original.getRandomValues(bytes),
      ),
    });
    const tracker = new RunTracker({ store: new MemoryStore() });
    const ids = await Promise.all(Array.from({ length: 200 }, () => tracker.createRun(sync)));
    expect(new Set(ids).size).toBe(200);
    for (const id of ids) expect(id).toMatch(UUID);
    const digitsAt = (index: number) => new Set(ids.map((id) => id[index])).size;
    for (const index of [0, 9, 15, 20, 35]) expect(digitsAt(index)).toBe(16);
    expect(getRandomValues).toHaveBeenCalled();
  });

  it('with the id of another is refused by the store, and the caller gets its error', async () => {
    const { tracker } = testTracker({ store: new MemoryStore() });
    const fn = vi.fn();
    await tracker.createRun({ id: 'r1', ...sync });
    await expect(tracker.createRun({ id: 'r1', ...sync })).rejects.toThrow('exists already');
    await expect(tracker.executeRun({ id: 'r1', ...sync }, fn)).rejects.toThrow('exists already');
    expect(fn).not.toHaveBeenCalled();
  });
});

describe('what cannot be recorded is refused, and says which, and what it must be', () => {
  const store = new MemoryStore();
  const { tracker } = testTracker({ store, linkStore: store });
  const step = (more: object) => tracker.createStep(null, { stepType: 'x', ...more });
  const REFUSED: Record<string, () => Promise<unknown>> = {
    'Cannot create record: id must be a string, not null': () =>
      tracker.createRun({ ...sync, id: '' }),
    'Cannot create record: runType must be a string, not undefined': () =>
      tracker.createRun({ trigger: 'cron' } as never),
    'Cannot create record: trigger must be a string, not undefined': () =>
      tracker.executeRun({ runType: 'sync' } as never, () => {}),
    'Cannot create record: stepType must be a string, not null': () => step({ stepType: null }),
    'Cannot create record: entityId must be a string, not 5': () =>
      tracker.linkStep('s1', { linkType: 'input', entityType: 'invoice', entityId: 5 } as never),
    'Cannot create record: linkType must be a string, not undefined': () =>
      tracker.linkStep('s1', { entityType: 'invoice', entityId: '5' } as never),
    'Cannot create record: entityType must be a string, not undefined': () =>
      tracker.linkStep('s1', { linkType: 'input', entityId: '5' } as never),
    'Cannot create record: tool must be a string, not undefined': () =>
      tracker.createCall('s1', { operation: 'GET' } as never),
    'Cannot create record: operation must be a string, not undefined': () =>
      tracker.createCall('s1', { tool: 'api' } as never),
    // As much of a long value as tells what it is.
    [`Cannot update step "s1": itemsFailed must be a finite number, not "${'9'.repeat(99)}`]: () =>
      tracker.updateStepProgress('s1', { itemsFailed: '9'.repeat(1000) } as never),
    'Cannot update step "s1": itemsFailed must be a finite number, not NaN': () =>
      tracker.updateStepProgress('s1', { itemsFailed: Number.NaN }),
  };
  for (const [message, attempt] of Object.entries(REFUSED)) {
    it(message, async () => {
      await expect(attempt()).rejects.toMatchObject({ code: 'invalid_argument', message });
    });
  }
});

describe('retryOf', () => {
  for (const [name, open] of [
    ['a conditional store', () => mapStore({ conditional: true })],
    ['a plain store', () => mapStore()],
  ] as const) {
    it(`counts attempts from the record it names, on ${name}`, async () => {
      const store = open();
      const { tracker } = testTracker({ store });
      await tracker.createStep(null, { id: 's1', stepType: 'fetch' });
      await tracker.createStep(null, { id: 's2', stepType: 'fetch', retryOf: 's1' });
      await tracker.executeStep(null, { id: 's3', stepType: 'fetch', retryOf: 's2' }, () => {});
      await tracker.createCall('s1', { id: 'c1', tool: 'api', operation: 'GET' });
      const again = { id: 'c2', tool: 'api', operation: 'GET', retryOf: 'c1' };
      await tracker.executeCall('s1', again, () => {});
      expect(store.steps.get('s1')).toMatchObject({ attempt: 1, retryOf: null });
      expect(store.steps.get('s2')).toMatchObject({ attempt: 2, retryOf: 's1' });
      expect(store.steps.get('s3')).toMatchObject({ attempt: 3, retryOf: 's2' });
      expect(store.calls.get('c2')).toMatchObject({ attempt: 2, retryOf: 'c1' });
    });
  }

  it('of an unknown record is not_found, and nothing is stored or done', async () => {
    for (const bestEffort of [false, true]) {
      const store = mapStore();
      const { tracker } = testTracker({ store, bestEffort });
      const fn = vi.fn();
      const unknown = { stepType: 'fetch', retryOf: 'nobody' };
      for (const attempt of [
        tracker.createStep(null, unknown),
        tracker.executeStep(null, unknown, fn),
      ]) {
        await expect(attempt).rejects.toMatchObject({
          code: 'not_found',
          message: 'Cannot retry step "nobody": it does not exist',
        });
      }
      expect(store.steps.size).toBe(0);
      expect(fn).not.toHaveBeenCalled();
    }
  });

  it('that cannot be read stops the work, unless it is done at best effort', async () => {
    const unread = new Error('timeout');
    const store = intercept(mapStore(), ({ method }, proceed) =>
      method === 'getCall' ? Promise.reject(unread) : proceed(),
    );
    const call = { id: 'c2', tool: 'api', operation: 'GET', retryOf: 'c1' };
    const fn = vi.fn(() => 'done');
    const { tracker } = testTracker({ store });
    await expect(tracker.executeCall('s1', call, fn)).rejects.toBe(unread);
    expect(fn).not.toHaveBeenCalled();
    const { tracker: best, reports } = testTracker({ store, bestEffort: true });
    expect(await best.executeCall('s1', call, fn)).toBe('done');
    expect(store.calls.get('c2')).toMatchObject({ attempt: 2, retryOf: 'c1', status: 'success' });
    expect(reports).toEqual([
      {
        error: unread,
        info: { operation: 'create', record: 'call', id: 'c2', work: 'not_started' },
      },
    ]);
  });
});

describe('without a linkStore', () => {
  it('links come to nothing', async () => {
    const { tracker } = testTracker({ store: mapStore() });
    const link = { linkType: 'output', entityType: 'order', entityId: 'o1' } as const;
    expect(await tracker.linkStep('s1', link)).toBeNull();
    expect(await tracker.getStepLinks('s1')).toEqual([]);
  });
});
