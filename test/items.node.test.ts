import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ExecuteItemsOptions } from '../src/index.js';
import { aStep } from './support/records.js';
import { mapStore } from './support/stores.js';
import { testTracker } from './support/trackers.js';

function anImport() {
  const rows = mapStore({ conditional: true });
  rows.steps.set('s1', aStep({ status: 'running' }));
  const { tracker, reports } = testTracker({ store: rows });
  return { tracker, reports, stored: () => rows.steps.get('s1') };
}

const MILLION = 1_000_000;

/** How much memory is in use, in bytes, without what is garbage. */
function usedMemory(): number {
  // Without a collection, the figures of a million items vary by fifty megabytes.
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}

describe('a million items', () => {
  function* source() {
    for (let index = 0; index < MILLION; index += 1) yield { index };
  }

  async function* asyncSource() {
    yield* source();
  }

  it.each<
    [string, () => Iterable<{ index: number }> | AsyncIterable<{ index: number }>, boolean, number]
  >([
    ['of a generator', source, false, 1],
    ['of a generator, ten at a time', source, true, 10],
    ['of an async generator', asyncSource, true, 10],
  ])(
    '%s are counted exactly, in memory that does not grow',
    {
      timeout: 120_000,
    },
    async (_name, open, isAsync, concurrency) => {
      const { tracker, reports, stored } = anImport();
      const used: number[] = [];
      const work = ({ index }: { index: number }) => {
        if (index === 100_000 || index === 900_000) used.push(usedMemory());
        if (index % 4 === 0) throw new Error(`broken ${index}`);
      };
      const fn = isAsync ? async (item: { index: number }) => work(item) : work;
      const { signal } = new AbortController();
      const options: ExecuteItemsOptions = { concurrency, signal, total: MILLION };
      const result = await tracker.executeItems('s1', open(), fn, options);

      const processed = { processed: MILLION, succeeded: 0.75 * MILLION, failed: 0.25 * MILLION };
      expect(result).toMatchObject(processed);
      expect(result.errors.map(({ index }) => index)).toEqual(
        Array.from({ length: 100 }, (_, at) => at * 4),
      );
      expect(stored()).toMatchObject({
        itemsTotal: MILLION,
        itemsProcessed: MILLION,
        itemsSucceeded: 0.75 * MILLION,
        itemsFailed: 0.25 * MILLION,
      });
      expect(reports).toEqual([]);
      // A single reference kept per item would take more than six megabytes.
      expect(used).toHaveLength(2);
      expect(used[1]! - used[0]!).toBeLessThan(2 * 1024 * 1024);
    },
  );
});

describe('no rejection goes unhandled', () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown) => unhandled.push(error);
  const error = new Error('broken');

  beforeEach(() => {
    unhandled.length = 0;
    process.on('unhandledRejection', note);
  });

  afterEach(() => {
    process.off('unhandledRejection', note);
  });

  /** Long enough for a rejection that nobody handles to be noticed. */
  const turn = () => new Promise((resolve) => setImmediate(resolve));

  it('of what goes unhandled, this test would hear', async () => {
    // The runner would hear of it too, and fail.
    const others = process.listeners('unhandledRejection').filter((one) => one !== note);
    for (const one of others) process.off('unhandledRejection', one);
    Promise.reject(error);
    await turn();
    for (const one of others) process.on('unhandledRejection', one);
    expect(unhandled).toEqual([error]);
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw error;
      },
    ],
    ['rejects at once', () => Promise.reject(error)],
    ['rejects later', () => turn().then(() => Promise.reject(error))],
  ])('when the function %s', async (_name, fn) => {
    for (const concurrency of [1, 3]) {
      for (const stopOnError of [false, true]) {
        const { tracker } = anImport();
        const options = { concurrency, stopOnError };
        const result = tracker.executeItems('s1', [1, 2, 3, 4, 5], fn, options);
        await result.catch(() => {});
        await turn();
      }
    }
    expect(unhandled).toEqual([]);
  });

  it('when a source rejects after the abort', async () => {
    const { tracker } = anImport();
    const controller = new AbortController();
    const { signal } = controller;
    let fail: (error: unknown) => void = () => {};
    const late = new Promise<never>((_resolve, reject) => {
      fail = reject;
    });
    const iterator = { next: () => late, return: () => Promise.reject(error) };
    const source = { [Symbol.asyncIterator]: () => iterator } as AsyncIterable<number>;
    const result = tracker.executeItems('s1', source, () => {}, { signal });
    await turn();
    controller.abort('enough');
    await expect(result).rejects.toBe('enough');
    fail(error);
    await turn();
    expect(unhandled).toEqual([]);
  });

  it('when a source rejects after an item did', async () => {
    const { tracker } = anImport();
    async function* source() {
      yield 1;
      await turn();
      throw new Error('late');
    }
    const fn = () => Promise.reject(error);
    const options = { concurrency: 2, stopOnError: true };
    await expect(tracker.executeItems('s1', source(), fn, options)).rejects.toBe(error);
    await turn();
    await turn();
    expect(unhandled).toEqual([]);
  });

  it('when the store and the hook reject', async () => {
    const store = { ...mapStore(), updateStep: () => Promise.reject(error) };
    const onTrackingError = () => Promise.reject(error);
    const { tracker } = testTracker({ store, onTrackingError });
    await tracker.executeItems('s1', [1, 2], turn, { progressMs: 1 });
    await turn();
    expect(unhandled).toEqual([]);
  });

  it('when the signal had aborted before', async () => {
    const { tracker } = anImport();
    const signal = AbortSignal.abort(error);
    await expect(tracker.executeItems('s1', [1], () => {}, { signal })).rejects.toBe(error);
    await turn();
    expect(unhandled).toEqual([]);
  });
});
