import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ExecuteItemsOptions, Step, StepProgress } from '../src/index.js';
import { aRun, aStep } from './support/records.js';
import { intercept, mapStore } from './support/stores.js';
import { testTracker } from './support/trackers.js';

type Around = (proceed: () => Promise<unknown>) => unknown;

/** A step `s1` that is running, and every write to it: what it stored, when, and whether others were under way. */
function anImport({
  around = (proceed) => proceed(),
  ...options
}: {
  around?: Around;
  conditional?: boolean;
} = {}) {
  const rows = mapStore({ conditional: true, ...options });
  rows.steps.set('s1', aStep({ status: 'running' }));
  const writes: (StepProgress & { at: number; among: number })[] = [];
  let writing = 0;
  const store = intercept(rows, async ({ method, args }, proceed) => {
    if (method !== 'updateStep') return proceed();
    writing += 1;
    writes.push({ ...countsOf(args[1] as Step), at: Date.now(), among: writing });
    try {
      return await around(proceed);
    } finally {
      writing -= 1;
    }
  });
  const { tracker, reports } = testTracker({ store });
  return {
    tracker,
    reports,
    writes,
    rows,
    stored: () => countsOf(rows.steps.get('s1')!),
    execute: <T>(
      items: Iterable<T> | AsyncIterable<T>,
      fn: (item: T, index: number, context: { signal: AbortSignal }) => unknown,
      options?: ExecuteItemsOptions,
    ) => tracker.executeItems('s1', items, fn, options),
  };
}

function countsOf(fields: StepProgress): StepProgress {
  const { itemsTotal, itemsProcessed, itemsSucceeded, itemsFailed } = fields;
  return { itemsTotal, itemsProcessed, itemsSucceeded, itemsFailed };
}

function counts(succeeded: number, failed: number, total: number | null = null): StepProgress {
  return {
    itemsTotal: total,
    itemsProcessed: succeeded + failed,
    itemsSucceeded: succeeded,
    itemsFailed: failed,
  };
}

/** Long enough for every promise that waits for nothing but other promises. */
async function ticks(count = 50): Promise<void> {
  for (let tick = 0; tick < count; tick += 1) await null;
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

interface Gate {
  promise: Promise<void>;
  open: () => void;
  fail: (error: unknown) => void;
}

function gate(): Gate {
  const made = {} as Gate;
  made.promise = new Promise<void>((open, fail) => Object.assign(made, { open, fail }));
  return made;
}

/** What a promise rejects with. */
async function rejection(promise: Promise<unknown>): Promise<unknown> {
  const { error } = await promise.then(
    (value) => {
      throw new Error(`resolved to ${JSON.stringify(value)}`);
    },
    (error: unknown) => ({ error }),
  );
  return error;
}

/** Follows a promise, for questions that must not wait for it. */
function follow(promise: Promise<unknown>): { state: 'pending' | 'resolved' | 'rejected' } {
  const seen: ReturnType<typeof follow> = { state: 'pending' };
  promise.then(
    () => {
      seen.state = 'resolved';
    },
    () => {
      seen.state = 'rejected';
    },
  );
  return seen;
}

/** A source of the numbers up to `count` that writes down what it is asked for, in the words of the protocol. */
function aSource(
  count: number,
  { log = [] as string[], isAsync = false, failAt = -1, failWith = undefined as unknown } = {},
) {
  let at = 0;
  const iterator = {
    next() {
      log.push('next');
      const value = at;
      at += 1;
      if (value === failAt) {
        if (isAsync) return Promise.reject(failWith) as never;
        throw failWith;
      }
      const result = value < count ? { done: false, value } : { done: true, value: undefined };
      return (isAsync ? ticks(3).then(() => result) : result) as IteratorResult<number>;
    },
    return() {
      log.push('return');
      const result = { done: true, value: undefined };
      return (isAsync ? ticks(3).then(() => result) : result) as IteratorResult<number>;
    },
  };
  const name = isAsync ? Symbol.asyncIterator : Symbol.iterator;
  return { log, items: { [name]: () => iterator } as unknown as Iterable<number> };
}

/** A controller, and how many wait for its signal. */
function watchedController() {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = new Map<unknown, boolean>();
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = ((
    type: 'abort',
    listener: () => void,
    options?: { once?: boolean },
  ) => {
    listeners.set(listener, options?.once === true);
    add(type, listener, options);
  }) as typeof signal.addEventListener;
  signal.removeEventListener = ((type: 'abort', listener: () => void) => {
    listeners.delete(listener);
    remove(type, listener);
  }) as typeof signal.removeEventListener;
  const waiting = () =>
    [...listeners.values()].filter((isOnce) => !(isOnce && signal.aborted)).length;
  return { controller, signal, waiting };
}

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

const THROWN: [string, unknown][] = [
  ['an error', new Error('broken')],
  ['a frozen error', Object.freeze(new Error('broken'))],
  ['a frozen object', Object.freeze({ code: 1 })],
  ['a text', 'broken'],
  ['undefined', undefined],
  ['null', null],
  ['NaN', Number.NaN],
];

describe('items', () => {
  const letters = ['a', 'b', 'c'];
  const SOURCES: [string, () => Iterable<unknown> | AsyncIterable<unknown>, number | null][] = [
    ['an array', () => letters, 3],
    ['a frozen array', () => Object.freeze(['a', 'b', 'c']), 3],
    ['a set', () => new Set(letters), 3],
    [
      'the values of a map',
      () => new Map(letters.map((letter, at) => [at, letter])).values(),
      null,
    ],
    ['a text', () => 'abc', 3],
    [
      'a generator',
      function* () {
        yield* letters;
      },
      null,
    ],
    [
      'an async generator',
      async function* () {
        for (const letter of letters) {
          await ticks(2);
          yield letter;
        }
      },
      null,
    ],
    [
      'an iterable of its own kind',
      () => ({
        [Symbol.iterator]() {
          let at = 0;
          return { next: () => ({ done: at >= 3, value: letters[at++] }) };
        },
      }),
      null,
    ],
    [
      'an async iterable of its own kind',
      () => ({
        [Symbol.asyncIterator]() {
          let at = 0;
          return { next: async () => ({ done: at >= 3, value: letters[at++] }) };
        },
      }),
      null,
    ],
    [
      'an async iterable that knows its size',
      () => ({
        size: 3,
        async *[Symbol.asyncIterator]() {
          yield* letters;
        },
      }),
      3,
    ],
    [
      'a stream',
      () =>
        new ReadableStream({
          start(controller) {
            for (const letter of letters) controller.enqueue(letter);
            controller.close();
          },
        }),
      null,
    ],
  ];

  it.each(SOURCES)('of %s are worked through in order', async (_name, source, total) => {
    const { execute, stored, writes, reports } = anImport();
    const seen: unknown[] = [];
    const result = await execute(source(), (item, index) => seen.push([index, item]));
    expect(seen).toEqual([
      [0, 'a'],
      [1, 'b'],
      [2, 'c'],
    ]);
    expect(result).toEqual({ processed: 3, succeeded: 3, failed: 0, errors: [] });
    expect(stored()).toEqual(counts(3, 0, total));
    expect(writes).toHaveLength(1);
    expect(reports).toEqual([]);
  });

  it('of a map are its entries, and its size is their total', async () => {
    const { execute, stored } = anImport();
    const seen: unknown[] = [];
    await execute(new Map([['a', 1]]), ([key, value], index) => seen.push([key, value, index]));
    expect(seen).toEqual([['a', 1, 0]]);
    expect(stored()).toEqual(counts(1, 0, 1));
  });

  it('that are both iterable and async iterable are taken asynchronously', async () => {
    const seen: unknown[] = [];
    const source = {
      *[Symbol.iterator]() {
        yield 'sync';
      },
      async *[Symbol.asyncIterator]() {
        yield 'async';
      },
    };
    await anImport().execute(source as AsyncIterable<string>, (item) => seen.push(item));
    expect(seen).toEqual(['async']);
  });

  it('may be none', async () => {
    const { execute, stored, writes } = anImport();
    const fn = vi.fn();
    const none = { processed: 0, succeeded: 0, failed: 0, errors: [] };
    expect(await execute([], fn)).toEqual(none);
    expect(stored()).toEqual(counts(0, 0, 0));
    expect(await execute((function* () {})(), fn)).toEqual(none);
    expect(fn).not.toHaveBeenCalled();
    expect(writes).toHaveLength(2);
  });

  it('may be undefined, or holes', async () => {
    const seen: unknown[] = [];
    // biome-ignore lint/suspicious/noSparseArray: a hole is what is tested
    const result = await anImport().execute([undefined, , null], (item) => seen.push(item));
    expect(seen).toEqual([undefined, undefined, null]);
    expect(result.succeeded).toBe(3);
  });

  it('are not closed when they have all been taken', async () => {
    for (const isAsync of [false, true]) {
      const { log, items } = aSource(2, { isAsync });
      await anImport().execute(items, () => {});
      expect(log).toEqual(['next', 'next', 'next']);
    }
  });

  it('are counted on a store without conditional updates too', async () => {
    const { execute, stored } = anImport({ conditional: false });
    const result = await execute(range(5), (index) => {
      if (index === 3) throw new Error('broken');
    });
    expect(result).toMatchObject({ processed: 5, succeeded: 4, failed: 1 });
    expect(stored()).toEqual(counts(4, 1, 5));
  });

  it('are counted in a step that is held at best effort', async () => {
    let isDown = true;
    const rows = mapStore({ conditional: true });
    const store = intercept(rows, async ({ method }, proceed) => {
      if (isDown && method === 'insertStep') throw new Error('down');
      return proceed();
    });
    const { tracker } = testTracker({ store, bestEffort: true });
    await tracker.executeStep(null, { id: 's1', stepType: 'import' }, async (stepId) => {
      await tracker.executeItems(stepId, range(3), () => {});
      isDown = false;
    });
    expect(rows.steps.get('s1')).toMatchObject({ status: 'completed', ...counts(3, 0, 3) });
  });
});

describe('total', () => {
  it('is what the caller says', async () => {
    const { execute, stored } = anImport();
    await execute(aSource(2).items, () => {}, { total: 7 });
    expect(stored()).toEqual(counts(2, 0, 7));
    await execute([1, 2], () => {}, { total: 9 });
    expect(stored()).toEqual(counts(2, 0, 9));
    await execute([1, 2], () => {}, { total: 0 });
    expect(stored()).toEqual(counts(2, 0, 0));
  });

  it('is the length or size of the source when the caller does not say', async () => {
    const { execute, stored } = anImport();
    await execute([1, 2], () => {}, { total: undefined });
    expect(stored()).toEqual(counts(2, 0, 2));
    await execute(new Set([1]), () => {});
    expect(stored()).toEqual(counts(1, 0, 1));
    await execute(new Uint8Array(4), () => {});
    expect(stored()).toEqual(counts(4, 0, 4));
  });

  it('stays as the step has it when nobody knows it', async () => {
    const { execute, stored, rows, writes } = anImport();
    rows.steps.get('s1')!.itemsTotal = 12;
    await execute(aSource(2).items, () => {});
    expect(stored()).toEqual(counts(2, 0, 12));
    expect(writes.map(({ itemsTotal }) => itemsTotal)).toEqual([undefined]);
  });

  it.each<[string, unknown]>([
    ['a method', () => 2],
    ['not a number', Number.NaN],
    ['infinite', Number.POSITIVE_INFINITY],
    ['a text', '2'],
    ['null', null],
  ])('is not known from a size that is %s', async (_name, size) => {
    const { execute, stored, rows, reports } = anImport();
    rows.steps.get('s1')!.itemsTotal = 12;
    await execute(Object.assign(aSource(2).items, { size }), () => {});
    expect(reports).toEqual([]);
    expect(stored()).toEqual(counts(2, 0, 12));
  });
});

describe('concurrency', () => {
  /** Items that wait at a gate each, and how many wait. */
  function gatedItems(count: number) {
    const gates = range(count).map(gate);
    const seen = { now: 0, most: 0, begun: [] as number[] };
    const fn = async (_item: unknown, index: number) => {
      seen.begun.push(index);
      seen.now += 1;
      seen.most = Math.max(seen.most, seen.now);
      try {
        await gates[index]!.promise;
      } finally {
        seen.now -= 1;
      }
    };
    return { gates, seen, fn };
  }

  it.each([
    [undefined, 1],
    [1, 1],
    [2, 2],
    [5, 5],
    [100, 9],
  ])('of %s works on %i of 9 items at a time', async (concurrency, most) => {
    for (const isAsync of [false, true]) {
      const { gates, seen, fn } = gatedItems(9);
      const { items, log } = aSource(9, { isAsync });
      const done = anImport().execute(items, fn, { concurrency });
      for (let open = 0; open < 9; open += 1) {
        await ticks(200);
        expect(seen.begun).toEqual(range(Math.min(9, open + most)));
        // What is not worked on yet is not fetched either.
        if (most < 9) expect(log).toHaveLength(Math.min(10, open + most));
        gates[open]!.open();
      }
      await done;
      expect(seen).toEqual({ now: 0, most, begun: range(9) });
    }
  });

  it('is kept up by items that fail, at once or later', async () => {
    const { gates, seen, fn } = gatedItems(9);
    const done = anImport().execute(
      range(18),
      (item, index) => {
        if (index % 2) throw new Error('at once');
        return fn(item, index / 2);
      },
      { concurrency: 3 },
    );
    for (let at = 0; at < 9; at += 1) {
      await ticks();
      expect(seen.now).toBe(Math.min(3, 9 - at));
      gates[at]!.fail(new Error('later'));
    }
    expect(await done).toMatchObject({ processed: 18, succeeded: 0, failed: 18 });
    expect(seen.most).toBe(3);
  });

  it('lets a later item overtake one that takes long', async () => {
    const { gates, seen, fn } = gatedItems(4);
    const done = anImport().execute(range(4), fn, { concurrency: 2 });
    await ticks();
    gates[1]!.open();
    await ticks();
    gates[2]!.open();
    await ticks();
    expect(seen.begun).toEqual([0, 1, 2, 3]);
    gates[3]!.open();
    gates[0]!.open();
    await done;
  });

  it('asks the source for one item at a time', async () => {
    let asked = 0;
    let most = 0;
    let at = 0;
    const iterator = {
      async next() {
        asked += 1;
        most = Math.max(most, asked);
        await ticks(5);
        asked -= 1;
        at += 1;
        return { done: at > 20, value: at };
      },
    };
    const source = { [Symbol.asyncIterator]: () => iterator } as AsyncIterable<number>;
    const { processed } = await anImport().execute(source, () => ticks(30), { concurrency: 5 });
    expect(processed).toBe(20);
    expect(most).toBe(1);
  });
});

describe('the function', () => {
  it("is given the item, its index, and the caller's signal", async () => {
    const { signal } = new AbortController();
    const fn = vi.fn();
    await anImport().execute(['a', 'b'], fn, { signal });
    expect(fn.mock.calls).toEqual([
      ['a', 0, { signal }],
      ['b', 1, { signal }],
    ]);
    expect(fn.mock.calls[1]![2].signal).toBe(signal);
  });

  it('is given a signal that never aborts when the caller has none', async () => {
    const fn = vi.fn();
    await rejection(
      anImport().execute(
        ['a', 'b'],
        (...args) => {
          fn(...args);
          throw new Error('broken');
        },
        { stopOnError: true },
      ),
    );
    const { signal } = fn.mock.calls[0]![2];
    expect(signal).toBeInstanceOf(AbortSignal);
    expect(signal.aborted).toBe(false);
  });

  it('may return anything, and is not waited for when it returns no promise', async () => {
    const values = [undefined, null, false, 0, new Error('a value'), () => {}, {}];
    const result = await anImport().execute(values, (value) => value);
    expect(result).toEqual({ processed: 7, succeeded: 7, failed: 0, errors: [] });
  });

  it('may return a promise of another make', async () => {
    const error = new Error('broken');
    // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested
    const thenables = [{ then: (resolve: () => void) => resolve() }, { then: refuse }];
    function refuse(_resolve: unknown, reject: (error: unknown) => void) {
      reject(error);
    }
    const result = await anImport().execute(thenables, (item) => item);
    expect(result).toEqual({
      processed: 2,
      succeeded: 1,
      failed: 1,
      errors: [{ index: 1, error }],
    });
  });
});

describe('items that fail', () => {
  it('are counted, and the others go on', async () => {
    const { execute, stored, writes, reports } = anImport();
    const errors = range(10).map((index) => new Error(`broken ${index}`));
    const result = await execute(range(10), (index) => {
      if (index % 4 === 1) throw errors[index];
      if (index % 4 === 2) return Promise.reject(errors[index]);
      return index;
    });
    expect(result).toMatchObject({ processed: 10, succeeded: 5, failed: 5 });
    expect(result.errors.map(({ index }) => index)).toEqual([1, 2, 5, 6, 9]);
    for (const { index, error } of result.errors) expect(error).toBe(errors[index]);
    expect(stored()).toEqual(counts(5, 5, 10));
    expect(writes).toHaveLength(1);
    expect(reports).toEqual([]);
  });

  it.each([
    [99, 99],
    [100, 100],
    [101, 100],
    [250, 100],
  ])('%i times are shown %i times', async (failing, shown) => {
    const { execute, stored } = anImport();
    const result = await execute(range(2 * failing), (index) => {
      if (index % 2) throw index;
    });
    expect(result).toMatchObject({ processed: 2 * failing, succeeded: failing, failed: failing });
    expect(result.errors).toEqual(
      range(shown).map((at) => ({ index: 2 * at + 1, error: 2 * at + 1 })),
    );
    expect(stored()).toEqual(counts(failing, failing, 2 * failing));
  });

  it('keep what they threw, whatever that is', async () => {
    const result = await anImport().execute(THROWN, ([, error]) => {
      throw error;
    });
    expect(result.failed).toBe(THROWN.length);
    for (const { index, error } of result.errors) expect(error).toBe(THROWN[index]![1]);
  });

  it('do not stop the others when stopOnError is false', async () => {
    const fail = () => Promise.reject(new Error('broken'));
    const result = await anImport().execute(range(3), fail, { stopOnError: false });
    expect(result.failed).toBe(3);
  });
});

describe('progress', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: 0 });
  });

  afterEach(() => {
    vi.useRealTimers();
  });

  it.each([
    [undefined, 1000],
    [1000, 1000],
    [100, 100],
    [250, 250],
    [2500, 2500],
  ])(
    'is written at most once in progressMs = %s, and once at the end',
    async (given, progressMs) => {
      const { execute, writes, stored } = anImport();
      const failing = new Set([3, 30, 60]);
      let done = 0;
      const atWrite: number[] = [];
      const result = execute(
        range(95),
        async (index) => {
          await sleep(100);
          done += 1;
          if (failing.has(index)) throw new Error('broken');
        },
        { progressMs: given },
      );
      while (done < 95) {
        await vi.advanceTimersByTimeAsync(50);
        while (atWrite.length < writes.length) atWrite.push(done);
      }
      expect(await result).toMatchObject({ processed: 95, succeeded: 92, failed: 3 });
      expect(vi.getTimerCount()).toBe(0);

      const progress = writes.slice(0, -1);
      expect(progress.length).toBeGreaterThan(Math.floor(9500 / (progressMs + 100)) - 2);
      progress.forEach(({ at, itemsTotal, itemsProcessed }, index) => {
        expect(at - (progress[index - 1]?.at ?? 0)).toBeGreaterThanOrEqual(progressMs);
        expect(itemsTotal).toBe(95);
        // At the very millisecond of an item, it may be counted or not.
        expect(Math.abs(itemsProcessed! - at / 100)).toBeLessThanOrEqual(1);
      });
      expect(writes.at(-1)).toMatchObject(counts(92, 3, 95));
      expect(stored()).toEqual(counts(92, 3, 95));
    },
  );

  it('is written again only when more is done', async () => {
    const { execute, writes } = anImport();
    const result = execute(range(2), (index) => sleep(index * 10_000), {
      concurrency: 2,
      progressMs: 100,
    });
    await vi.advanceTimersByTimeAsync(10_000);
    await result;
    expect(writes.map(({ itemsProcessed }) => itemsProcessed)).toEqual([1, 2]);
  });

  it('is written once when everything is done within the first interval', async () => {
    const { execute, writes } = anImport();
    const result = execute(range(9), () => sleep(100));
    await vi.advanceTimersByTimeAsync(899);
    expect(writes).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await result;
    expect(writes).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is written while an item takes long', async () => {
    const { execute, writes, stored } = anImport();
    const result = execute([10, 3_600_000], sleep);
    await vi.advanceTimersByTimeAsync(3000);
    expect(stored()).toEqual(counts(1, 0, 2));
    await vi.advanceTimersByTimeAsync(3_600_000);
    await result;
    expect(stored()).toEqual(counts(2, 0, 2));
    expect(writes.length).toBeLessThan(3601);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('of items that end during a write is written the next time, whatever comes after', async () => {
    const { execute, writes, stored } = anImport({
      around: async (proceed) => {
        await sleep(500);
        return proceed();
      },
    });
    // The second item ends while the first is written.
    const result = execute([10, 1200, 3_600_000], sleep);
    await vi.advanceTimersByTimeAsync(4000);
    expect(writes[0]).toMatchObject({ itemsProcessed: 1 });
    expect(stored()).toEqual(counts(2, 0, 3));
    await vi.advanceTimersByTimeAsync(3_600_000);
    await result;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is written while the source takes long', async () => {
    const { execute, stored } = anImport();
    const result = execute(
      (async function* () {
        yield 1;
        await sleep(3_600_000);
      })(),
      () => {},
    );
    await vi.advanceTimersByTimeAsync(3000);
    expect(stored()).toEqual(counts(1, 0));
    await vi.advanceTimersByTimeAsync(3_600_000);
    await result;
    expect(vi.getTimerCount()).toBe(0);
  });

  it('is never written twice at a time, however slow the store is, and the end comes last', async () => {
    const { execute, writes, stored } = anImport({
      around: async (proceed) => {
        await sleep(3500);
        return proceed();
      },
    });
    const result = execute(range(100), () => sleep(100));
    const seen = follow(result);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(seen.state).toBe('pending');
    await vi.advanceTimersByTimeAsync(20_000);
    expect(seen.state).toBe('resolved');
    expect(writes.map(({ among }) => among)).toEqual(writes.map(() => 1));
    expect(writes.length).toBeGreaterThan(2);
    expect(stored()).toEqual(counts(100, 0, 100));
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not hold up the items while it is written', async () => {
    const { execute } = anImport({ around: () => sleep(60_000).then(() => true) });
    let done = 0;
    const result = execute(range(100), async () => {
      await sleep(100);
      done += 1;
    });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(done).toBe(100);
    await vi.advanceTimersByTimeAsync(120_000);
    await result;
  });

  describe.each<[string, ExecuteItemsOptions, (at: number, abort: () => void) => unknown]>([
    [
      'an item fails',
      { stopOnError: true },
      async (at) => {
        if (at === 25) throw new Error('broken');
      },
    ],
    ['it is aborted', {}, (at, abort) => at === 25 && abort()],
    [
      'the source throws',
      {},
      (at) => {
        if (at === 26) throw new Error('no such item');
      },
    ],
  ])('when %s', (name, options, act) => {
    const failing = name === 'an item fails' ? 1 : 0;

    async function* source() {
      for (let at = 0; at < 100; at += 1) {
        if (name === 'the source throws') act(at, () => {});
        yield at;
      }
    }

    it.each([
      ['within the first interval', 10_000, 0],
      ['later', 1000, 1],
    ])('%s is written once more, and that is the last', async (_name, progressMs, least) => {
      const { execute, writes, stored } = anImport();
      const { controller, signal, waiting } = watchedController();
      const result = execute(
        source(),
        async (at) => {
          await sleep(100);
          if (name !== 'the source throws') await act(at, () => controller.abort());
        },
        { ...options, progressMs, signal },
      );
      const seen = follow(result);
      await vi.advanceTimersByTimeAsync(2600);
      expect(seen.state).toBe('rejected');
      expect(vi.getTimerCount()).toBe(0);
      expect(waiting()).toBe(0);
      expect(stored()).toEqual(counts(26 - failing, failing));
      expect(writes.at(-1)).toMatchObject({ itemsProcessed: 26 });
      expect(writes.filter(({ itemsProcessed }) => itemsProcessed === 26)).toHaveLength(1);
      expect(writes.length - 1).toBeGreaterThanOrEqual(least);
      expect(writes.length - 1).toBeLessThanOrEqual(least * 2);
      const before = writes.length;
      await vi.advanceTimersByTimeAsync(100_000);
      expect(writes).toHaveLength(before);
    });

    it('during a write is written after that', async () => {
      const { execute, writes, stored } = anImport({
        around: async (proceed) => {
          await sleep(2000);
          return proceed();
        },
      });
      const { controller, signal } = watchedController();
      const result = execute(
        source(),
        async (at) => {
          await sleep(100);
          if (name !== 'the source throws') await act(at, () => controller.abort());
        },
        { ...options, signal },
      );
      const seen = follow(result);
      await vi.advanceTimersByTimeAsync(2700);
      expect(seen.state).toBe('pending');
      await vi.advanceTimersByTimeAsync(4000);
      expect(seen.state).toBe('rejected');
      expect(writes.map(({ among }) => among)).toEqual([1, 1]);
      expect(stored()).toEqual(counts(26 - failing, failing));
      expect(vi.getTimerCount()).toBe(0);
    });
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('disk full'))],
    [
      'throws',
      () => {
        throw new Error('disk full');
      },
    ],
  ])('that cannot be written because the store %s is reported', async (_name, refuse) => {
    const rows = mapStore({ conditional: true });
    rows.steps.set('s1', aStep());
    const store = { ...rows, updateStep: refuse };
    const { tracker, reports } = testTracker({ store });
    const result = tracker.executeItems('s1', range(35), () => sleep(100));
    const seen = follow(result);
    await vi.advanceTimersByTimeAsync(3500);
    expect(seen.state).toBe('resolved');
    expect(await result).toEqual({ processed: 35, succeeded: 35, failed: 0, errors: [] });
    expect(reports.length).toBeGreaterThan(2);
    const info = { operation: 'update', record: 'step', id: 's1', work: 'running' };
    for (const report of reports) expect(report).toEqual({ error: new Error('disk full'), info });
    expect(vi.getTimerCount()).toBe(0);
  });

  it('that cannot be written once is written the next time', async () => {
    let tries = 0;
    const { execute, reports, stored } = anImport({
      around: (proceed) => {
        tries += 1;
        return tries === 1 ? Promise.reject(new Error('disk full')) : proceed();
      },
    });
    const result = execute(range(50), () => sleep(100));
    await vi.advanceTimersByTimeAsync(3000);
    expect(reports).toHaveLength(1);
    expect(stored().itemsProcessed).toBeGreaterThan(0);
    await vi.advanceTimersByTimeAsync(2000);
    await result;
    expect(stored()).toEqual(counts(50, 0, 50));
    expect(reports).toHaveLength(1);
  });
});

describe('a final write that fails', () => {
  const around = () => Promise.reject(new Error('disk full'));
  const info = { operation: 'update', record: 'step', id: 's1', work: 'running' };

  it('is reported, and the result is what became of the items', async () => {
    const { execute, reports } = anImport({ around });
    expect(await execute([1], () => {})).toMatchObject({ processed: 1 });
    expect(reports).toEqual([{ error: new Error('disk full'), info }]);
  });

  it('does not hide why it stopped', async () => {
    const { execute, reports } = anImport({ around });
    const error = new Error('broken');
    const fail = () => Promise.reject(error);
    expect(await rejection(execute([1], fail, { stopOnError: true }))).toBe(error);
    expect(await rejection(execute([1], fail, { signal: AbortSignal.abort(error) }))).toBe(error);
    const { items } = aSource(1, { failAt: 0, failWith: error });
    expect(await rejection(execute(items, fail))).toBe(error);
    expect(reports.map((report) => report.info)).toEqual([info, info, info]);
  });

  it('is reported for a step that does not exist', async () => {
    const { tracker, reports } = testTracker({ store: mapStore({ conditional: true }) });
    const fn = vi.fn();
    const result = await tracker.executeItems('nobody', [1, 2], fn);
    expect(result).toEqual({ processed: 2, succeeded: 2, failed: 0, errors: [] });
    expect(fn).toHaveBeenCalledTimes(2);
    expect(reports).toEqual([
      { error: expect.objectContaining({ code: 'not_found' }), info: { ...info, id: 'nobody' } },
    ]);
  });

  it('disturbs nobody when the hook throws', async () => {
    const store = { ...mapStore(), updateStep: around };
    const onTrackingError = () => {
      throw new Error('broken hook');
    };
    const { tracker } = testTracker({ store, onTrackingError });
    expect(await tracker.executeItems('s1', [1], () => {})).toMatchObject({ processed: 1 });
  });
});

describe('stopping at an error', () => {
  it.each(THROWN)('rejects with the very value: %s', async (_name, error) => {
    for (const isAsync of [false, true]) {
      const { execute, stored, writes } = anImport();
      const { log, items } = aSource(5, { isAsync });
      const fn = vi.fn((index: number) => {
        if (index === 1) throw error;
      });
      expect(await rejection(execute(items, fn, { stopOnError: true }))).toBe(error);
      expect(fn).toHaveBeenCalledTimes(2);
      expect(log).toEqual(['next', 'next', 'return']);
      expect(stored()).toEqual(counts(1, 1));
      expect(writes).toHaveLength(1);
    }
  });

  it('resolves when no item fails', async () => {
    const result = await anImport().execute(range(3), () => {}, { stopOnError: true });
    expect(result).toEqual({ processed: 3, succeeded: 3, failed: 0, errors: [] });
  });

  it('rejects with the first error, and counts every item that was in flight', async () => {
    const { execute, stored } = anImport();
    const gates = range(10).map(gate);
    const result = execute(range(10), (index) => gates[index]!.promise, {
      concurrency: 4,
      stopOnError: true,
    });
    const seen = follow(result);
    await ticks();
    const error = new Error('the first');
    gates[2]!.fail(error);
    await ticks();
    gates[0]!.fail(new Error('another'));
    await ticks();
    gates[1]!.open();
    await ticks();
    expect(seen.state).toBe('pending');
    gates[3]!.open();
    expect(await rejection(result)).toBe(error);
    expect(stored()).toEqual(counts(2, 2, 10));
  });

  it('does so for the last item too', async () => {
    const { execute, stored } = anImport();
    const error = new Error('broken');
    const result = execute(
      range(3),
      async (index) => {
        await ticks(10 * index);
        if (index === 2) throw error;
      },
      { concurrency: 3, stopOnError: true },
    );
    expect(await rejection(result)).toBe(error);
    expect(stored()).toEqual(counts(2, 1, 3));
  });

  it('does not wait for a source that has nothing yet', async () => {
    const { execute, stored } = anImport();
    const error = new Error('broken');
    const result = execute(
      (async function* () {
        yield 0;
        await new Promise(() => {});
      })(),
      async () => {
        await ticks(20);
        throw error;
      },
      { concurrency: 2, stopOnError: true },
    );
    expect(await rejection(result)).toBe(error);
    expect(stored()).toEqual(counts(0, 1));
  });
});

describe('before it rejects', () => {
  type Stop = (gates: Gate[], controller: AbortController) => void;
  const error = new Error('the cause');
  const STOPS: [string, ExecuteItemsOptions, number, number, Stop | undefined][] = [
    ['an item that failed', { stopOnError: true }, -1, 1, (gates) => gates[1]!.fail(error)],
    ['a source that threw', {}, 3, 0, undefined],
    ['an abort', {}, -1, 0, (_gates, controller) => controller.abort(error)],
  ];

  for (const isAsync of [false, true]) {
    const kind = isAsync ? 'an async source' : 'a source';
    it.each(STOPS)(
      `because of %s, what is in flight settles, ${kind} is closed and the counts are written`,
      async (_name, options, failAt, failed, stop) => {
        const log: string[] = [];
        const { execute, stored, writes } = anImport({
          around: async (proceed) => {
            await ticks(5);
            await proceed();
            log.push('written');
            return true;
          },
        });
        const { controller, signal, waiting } = watchedController();
        const { items } = aSource(9, { log, isAsync, failAt, failWith: error });
        const gates = range(9).map(gate);
        const begun: number[] = [];
        const concurrency = stop ? 3 : 4;
        const result = execute(
          items,
          async (index) => {
            begun.push(index);
            await gates[index]!.promise;
            log.push(`item ${index}`);
          },
          { ...options, concurrency, signal },
        );
        const seen = follow(result);
        await ticks();
        expect(begun).toEqual([0, 1, 2]);
        stop?.(gates, controller);
        await ticks();
        for (const index of [0, 2]) {
          expect(seen.state).toBe('pending');
          expect(writes).toEqual([]);
          gates[index]!.open();
          await ticks(index === 0 ? 50 : 1);
        }
        if (failed === 0) gates[1]!.open();
        expect(await rejection(result)).toBe(error);

        const asked = begun.map(() => 'next').concat(stop ? [] : ['next']);
        const settled = failed === 0 ? ['item 0', 'item 2', 'item 1'] : ['item 0', 'item 2'];
        expect(log.filter((line) => line !== 'return')).toEqual([...asked, ...settled, 'written']);
        expect(log.filter((line) => line === 'return')).toEqual(stop ? ['return'] : []);
        expect(begun).toEqual([0, 1, 2]);
        expect(stored()).toEqual(counts(3 - failed, failed));
        expect(writes).toHaveLength(1);
        expect(waiting()).toBe(0);
      },
    );
  }

  it.each<[string, ExecuteItemsOptions, (controller: AbortController) => void]>([
    [
      'an item that failed',
      { stopOnError: true },
      () => {
        throw error;
      },
    ],
    ['an abort', {}, (controller) => controller.abort(error)],
  ])('because of %s, generators have cleaned up', async (_name, options, stop) => {
    for (const concurrency of [1, 3]) {
      const controller = new AbortController();
      const log: string[] = [];
      const given = { ...options, signal: controller.signal, concurrency };
      const fn = async (index: number) => {
        await ticks(5);
        if (index === 3) stop(controller);
      };

      function* sync() {
        try {
          yield* range(9);
        } finally {
          log.push('closed');
        }
      }
      expect(await rejection(anImport().execute(sync(), fn, given))).toBe(error);
      expect(log).toEqual(['closed']);
    }
  });

  it('because of an item that failed, an async generator has cleaned up', async () => {
    const log: string[] = [];
    async function* source() {
      try {
        yield* range(9);
      } finally {
        await ticks(20);
        log.push('closed');
      }
    }
    const fn = async () => {
      await ticks(20);
      throw error;
    };
    const { execute } = anImport();
    expect(await rejection(execute(source(), fn, { stopOnError: true }))).toBe(error);
    expect(log).toEqual(['closed']);
  });

  it.each([1, 2])(
    'because of an abort at concurrency %i, an async generator that had answered has cleaned up',
    async (concurrency) => {
      const log: string[] = [];
      const controller = new AbortController();
      const slow = gate();
      const item = gate();
      async function* source() {
        try {
          yield 0;
          await slow.promise;
          yield 1;
        } finally {
          await ticks(20);
          log.push('closed');
        }
      }
      const fn = vi.fn(() => item.promise);
      const { signal } = controller;
      const result = anImport().execute(source(), fn, { concurrency, signal });
      const seen = follow(result);
      await ticks();
      // At 2 the source is busy with the next item now, but not any more when the first is done.
      controller.abort(error);
      slow.open();
      await ticks();
      expect(seen.state).toBe('pending');
      item.open();
      expect(await rejection(result)).toBe(error);
      expect(fn).toHaveBeenCalledTimes(1);
      expect(log).toEqual(['closed']);
    },
  );

  it('because of an abort, a source that threw meanwhile is not closed', async () => {
    const controller = new AbortController();
    const item = gate();
    const slow = gate();
    const close = vi.fn();
    let at = 0;
    const iterator = {
      async next() {
        at += 1;
        if (at > 1) await slow.promise;
        return { done: false, value: at };
      },
      return: close,
    };
    const source = { [Symbol.asyncIterator]: () => iterator } as AsyncIterable<number>;
    const { signal } = controller;
    const result = anImport().execute(source, () => item.promise, { concurrency: 2, signal });
    await ticks();
    controller.abort(error);
    slow.fail(new Error('the source heard of the abort too'));
    await ticks();
    item.open();
    expect(await rejection(result)).toBe(error);
    expect(close).not.toHaveBeenCalled();
  });

  it('a stream is cancelled', async () => {
    const cancel = vi.fn();
    let at = 0;
    const stream = new ReadableStream<number>({
      pull(controller) {
        if (at > 9) return controller.close();
        controller.enqueue(at);
        at += 1;
      },
      cancel,
    });
    const fn = (index: number) => {
      if (index === 2) throw error;
    };
    expect(await rejection(anImport().execute(stream, fn, { stopOnError: true }))).toBe(error);
    expect(cancel).toHaveBeenCalledTimes(1);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('cannot close');
      },
    ],
    ['rejects', () => Promise.reject(new Error('cannot close'))],
    ['returns nothing', () => undefined],
  ])('a source whose closing %s does not hide the cause', async (_name, close) => {
    for (const symbol of [Symbol.iterator, Symbol.asyncIterator]) {
      const { execute, stored } = anImport();
      let asked = 0;
      const next = () => ({ done: asked++ > 9, value: 1 });
      const iterator = { next, return: close };
      const source = { [symbol]: () => iterator } as unknown as Iterable<number>;
      const fail = () => Promise.reject(error);
      expect(await rejection(execute(source, fail, { stopOnError: true }))).toBe(error);
      expect(stored()).toEqual(counts(0, 1));
    }
  });
});

describe('a source that throws', () => {
  const broken = (error: unknown): [string, () => Iterable<number> | AsyncIterable<number>][] => [
    [
      'a generator',
      function* () {
        yield* [0, 1];
        throw error;
      },
    ],
    [
      'an async generator',
      async function* () {
        yield* [0, 1];
        throw error;
      },
    ],
    ['next() that throws', () => aSource(9, { failAt: 2, failWith: error }).items],
    ['next() that rejects', () => aSource(9, { failAt: 2, failWith: error, isAsync: true }).items],
    [
      'next() of an async iterator that throws at once',
      () => {
        const { items } = aSource(9, { failAt: 2, failWith: error });
        const next = items[Symbol.iterator]();
        return { [Symbol.asyncIterator]: () => next } as unknown as AsyncIterable<number>;
      },
    ],
  ];

  it.each(THROWN)('rejects with the very value: %s', async (_name, error) => {
    for (const [, source] of broken(error)) {
      for (const concurrency of [1, 4]) {
        for (const stopOnError of [false, true]) {
          const { execute, stored, writes } = anImport();
          const fn = vi.fn();
          const options = { concurrency, stopOnError };
          expect(await rejection(execute(source(), fn, options))).toBe(error);
          expect(fn.mock.calls.map(([, index]) => index)).toEqual([0, 1]);
          expect(stored()).toEqual(counts(2, 0));
          expect(writes).toHaveLength(1);
        }
      }
    }
  });

  it('is not closed', async () => {
    for (const isAsync of [false, true]) {
      const { log, items } = aSource(9, { failAt: 1, failWith: new Error('broken'), isAsync });
      await rejection(anImport().execute(items, () => {}));
      expect(log).toEqual(['next', 'next']);
    }
  });

  it('at its very first item writes counts of nothing', async () => {
    const { execute, stored } = anImport();
    const error = new Error('broken');
    const { items } = aSource(9, { failAt: 0, failWith: error });
    expect(await rejection(execute(items, () => {}))).toBe(error);
    expect(stored()).toEqual(counts(0, 0));
  });

  it('before its first item, when it is opened, writes counts of nothing', async () => {
    const { execute, stored } = anImport();
    const error = new Error('broken');
    const source = {
      [Symbol.iterator]() {
        throw error;
      },
    };
    expect(await rejection(execute(source as Iterable<number>, () => {}))).toBe(error);
    expect(stored()).toEqual(counts(0, 0));
  });

  it('while items fail rejects with its own error, and counts them', async () => {
    const { execute, stored } = anImport();
    const error = new Error('the source');
    const { items } = aSource(9, { failAt: 2, failWith: error });
    const fail = async () => {
      await ticks(20);
      throw new Error('an item');
    };
    const result = execute(items, fail, { concurrency: 4, stopOnError: true });
    expect(await rejection(result)).toBe(error);
    expect(stored()).toEqual(counts(0, 2));
  });

  it.each([undefined, null])('is one that answers with %s instead of an object', async (answer) => {
    let asked = 0;
    const iterator = {
      next() {
        asked += 1;
        if (asked > 100) throw new Error('it goes on and on');
        return answer;
      },
    };
    for (const symbol of [Symbol.iterator, Symbol.asyncIterator]) {
      asked = 0;
      const source = { [symbol]: () => iterator } as unknown as Iterable<number>;
      const fn = vi.fn();
      expect(await rejection(anImport().execute(source, fn))).toBeInstanceOf(TypeError);
      expect(fn).not.toHaveBeenCalled();
    }
  });
});

describe('a signal', () => {
  const REASONS: [string, unknown][] = [...THROWN.filter(([, reason]) => reason !== undefined)];

  it.each(REASONS)(
    'that aborted before begins nothing; the reason is %s',
    async (_name, reason) => {
      const { log, items } = aSource(3);
      const fn = vi.fn();
      const signal = AbortSignal.abort(reason);
      const { execute, stored, reports } = anImport();
      expect(await rejection(execute(items, fn, { signal }))).toBe(reason);
      expect(fn).not.toHaveBeenCalled();
      expect(log).toEqual(['return']);
      expect(reports).toEqual([]);
      expect(stored()).toMatchObject({ itemsSucceeded: 0, itemsFailed: 0 });
    },
  );

  it('that aborts without a reason rejects with the AbortError of its own', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const error = await rejection(anImport().execute([1, 2], () => controller.abort(), { signal }));
    expect(error).toBe(signal.reason);
    expect(error).toMatchObject({ name: 'AbortError' });
  });

  it.each(REASONS)('rejects with the very reason: %s', async (_name, reason) => {
    const { execute, stored } = anImport();
    const controller = new AbortController();
    const { signal } = controller;
    const fn = (index: number) => index === 1 && controller.abort(reason);
    expect(await rejection(execute(range(5), fn, { signal }))).toBe(reason);
    expect(stored()).toEqual(counts(2, 0, 5));
  });

  it('between two items begins no other', async () => {
    const { execute, stored } = anImport();
    const { controller, signal, waiting } = watchedController();
    const log: string[] = [];
    function* source() {
      try {
        yield 0;
        controller.abort();
        yield 1;
        yield 2;
      } finally {
        log.push('closed');
      }
    }
    const fn = vi.fn();
    expect(await rejection(execute(source(), fn, { signal }))).toBe(signal.reason);
    expect(fn).toHaveBeenCalledTimes(1);
    expect(log).toEqual(['closed']);
    expect(stored()).toEqual(counts(1, 0));
    expect(waiting()).toBe(0);
  });

  it('during items counts those that resolve after it, and not those that reject', async () => {
    const { execute, stored, writes } = anImport();
    const { controller, signal } = watchedController();
    const gates = range(9).map(gate);
    const options = { concurrency: 5, signal };
    const result = execute(range(9), (index) => gates[index]!.promise, options);
    await ticks();
    gates[0]!.fail(new Error('before'));
    await ticks();
    controller.abort();
    await ticks();
    gates[1]!.open();
    gates[2]!.fail(signal.reason);
    gates[3]!.fail(new Error('another error'));
    gates[4]!.open();
    gates[5]!.fail(new Error('the next one'));
    expect(await rejection(result)).toBe(signal.reason);
    expect(stored()).toEqual(counts(2, 1, 9));
    expect(writes).toHaveLength(1);
  });

  it('does not take the place of an error that stopped everything before', async () => {
    const { execute, stored } = anImport();
    const controller = new AbortController();
    const { signal } = controller;
    const error = new Error('the first');
    const gates = range(2).map(gate);
    const options = { concurrency: 2, stopOnError: true, signal };
    const result = execute(range(4), (index) => gates[index]!.promise, options);
    await ticks();
    gates[0]!.fail(error);
    await ticks();
    controller.abort();
    gates[1]!.fail(signal.reason);
    expect(await rejection(result)).toBe(error);
    expect(stored()).toEqual(counts(0, 1, 4));
  });

  it('keeps its reason when items reject with something else, at stopOnError too', async () => {
    const { execute, stored } = anImport();
    const controller = new AbortController();
    const { signal } = controller;
    const fn = async () => {
      await ticks(5);
      controller.abort('the reason');
      throw new Error('interrupted');
    };
    expect(await rejection(execute(range(3), fn, { stopOnError: true, signal }))).toBe(
      'the reason',
    );
    expect(stored()).toEqual(counts(0, 0, 3));
  });

  it('that aborts after everything was done changes nothing', async () => {
    const controller = new AbortController();
    const { execute } = anImport({
      around: (proceed) => {
        controller.abort();
        return proceed();
      },
    });
    const { signal } = controller;
    expect(await execute([1], () => {}, { signal })).toMatchObject({ processed: 1 });
  });

  describe('while it waits for a source', () => {
    const never = new Promise<never>(() => {});
    const close = vi.fn();

    afterEach(() => {
      close.mockReset();
    });

    it.each<[string, () => AsyncIterable<number>, number]>([
      [
        'an async generator',
        async function* () {
          yield 0;
          await never;
        },
        0,
      ],
      [
        'an iterator whose next never settles',
        () => {
          let at = 0;
          const next = async () => (at++ ? never : { done: false, value: 0 });
          const iterator = { next, return: close } as unknown as AsyncIterator<number>;
          return { [Symbol.asyncIterator]: () => iterator };
        },
        1,
      ],
      [
        'an iterator that cannot be closed',
        () => {
          let at = 0;
          const next = async () => (at++ ? never : { done: false, value: 0 });
          return { [Symbol.asyncIterator]: () => ({ next }) as AsyncIterator<number> };
        },
        0,
      ],
      [
        'an iterator whose closing never settles',
        () => {
          let at = 0;
          const next = async () => (at++ ? never : { done: false, value: 0 });
          close.mockReturnValue(never);
          const iterator = { next, return: close } as unknown as AsyncIterator<number>;
          return { [Symbol.asyncIterator]: () => iterator };
        },
        1,
      ],
    ])('rejects all the same: %s', async (_name, source, closed) => {
      const { execute, stored, writes } = anImport();
      const { controller, signal, waiting } = watchedController();
      const fn = vi.fn();
      const result = execute(source(), fn, { signal, concurrency: 3 });
      const seen = follow(result);
      await ticks();
      expect(seen.state).toBe('pending');
      controller.abort('enough');
      expect(await rejection(result)).toBe('enough');
      expect(fn).toHaveBeenCalledTimes(1);
      expect(close).toHaveBeenCalledTimes(closed);
      expect(stored()).toEqual(counts(1, 0));
      expect(writes).toHaveLength(1);
      expect(waiting()).toBe(0);
    });

    it('still waits for the items in flight', async () => {
      const { execute, stored } = anImport();
      const controller = new AbortController();
      const { signal } = controller;
      const item = gate();
      const result = execute(
        (async function* () {
          yield 0;
          await never;
        })(),
        () => item.promise,
        { signal, concurrency: 2 },
      );
      const seen = follow(result);
      await ticks();
      controller.abort('enough');
      await ticks();
      expect(seen.state).toBe('pending');
      item.open();
      expect(await rejection(result)).toBe('enough');
      expect(stored()).toEqual(counts(1, 0));
    });

    it('closes an async generator when that can be closed', async () => {
      const controller = new AbortController();
      const { signal } = controller;
      const slow = gate();
      const log: string[] = [];
      const result = anImport().execute(
        (async function* () {
          try {
            yield 0;
            await slow.promise;
            log.push('went on');
            yield 1;
          } finally {
            log.push('closed');
          }
        })(),
        (index) => log.push(`item ${index}`),
        { signal },
      );
      await ticks();
      controller.abort('enough');
      expect(await rejection(result)).toBe('enough');
      slow.open();
      await ticks();
      expect(log).toEqual(['item 0', 'went on', 'closed']);
    });

    it('a source that rejects late disturbs nobody', async () => {
      const controller = new AbortController();
      const { signal } = controller;
      const slow = gate();
      const result = anImport().execute(
        (async function* () {
          yield 0;
          await slow.promise;
        })(),
        () => {},
        { signal },
      );
      await ticks();
      controller.abort('enough');
      expect(await rejection(result)).toBe('enough');
      slow.fail(new Error('late'));
      await sleep(0);
    });

    it('a source that rejects because of the same signal does not take the place of its reason', async () => {
      const controller = new AbortController();
      const { signal } = controller;
      const heard = new Promise<never>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('interrupted')));
      });
      const result = anImport().execute(
        (async function* () {
          yield 0;
          await heard;
        })(),
        () => {},
        { signal },
      );
      await ticks();
      controller.abort('the reason');
      expect(await rejection(result)).toBe('the reason');
    });

    it('a timeout that the source hears of too is the reason', async () => {
      const signal = AbortSignal.timeout(5);
      const heard = new Promise<never>((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(new Error('interrupted')));
      });
      const result = anImport().execute(
        (async function* () {
          yield 0;
          await heard;
        })(),
        () => {},
        { signal },
      );
      const error = await rejection(result);
      expect(error).toBe(signal.reason);
      expect(error).toMatchObject({ name: 'TimeoutError' });
    });
  });

  it('is left as it was', async () => {
    const { signal, waiting } = watchedController();
    const { execute } = anImport();
    await execute(range(10), () => ticks(3), { signal, concurrency: 3 });
    expect(waiting()).toBe(0);
    await rejection(
      execute(range(3), () => Promise.reject(new Error('broken')), { signal, stopOnError: true }),
    );
    expect(waiting()).toBe(0);
    const { items } = aSource(3, { failAt: 1, failWith: new Error('broken') });
    await rejection(execute(items, () => {}, { signal }));
    expect(waiting()).toBe(0);
    await rejection(execute(5 as never, () => {}, { signal }));
    expect(waiting()).toBe(0);
    expect(signal.onabort).toBeNull();
  });

  it('is listened to once, however many items there are', async () => {
    const { signal, waiting } = watchedController();
    let most = 0;
    const fn = () => {
      most = Math.max(most, waiting());
    };
    await anImport().execute(range(500), fn, { signal, concurrency: 10 });
    expect(most).toBeLessThanOrEqual(1);
  });
});

describe('inside a step', () => {
  it('an abort leaves a cancelled run with everything counted so far', async () => {
    const rows = mapStore({ conditional: true });
    const { tracker, reports } = testTracker({ store: rows });
    const controller = new AbortController();
    const { signal } = controller;
    const result = tracker.executeRun(
      { id: 'r1', runType: 'audit', trigger: 'user' },
      (runId, run) =>
        tracker.executeStep(
          runId,
          { id: 's1', stepType: 'check' },
          (stepId, step) =>
            tracker.executeItems(
              stepId,
              range(9),
              async (index, _at, item) => {
                expect(item.signal).toBe(step.signal);
                if (index === 1) throw new Error('broken');
                if (index === 3) controller.abort('Ctrl-C');
              },
              { signal: step.signal },
            ),
          { signal: run.signal },
        ),
      { signal },
    );
    expect(await rejection(result)).toBe('Ctrl-C');
    expect(rows.runs.get('r1')).toMatchObject({ status: 'cancelled', error: 'Ctrl-C' });
    expect(rows.steps.get('s1')).toMatchObject({ status: 'cancelled', ...counts(3, 1, 9) });
    expect(reports).toEqual([]);
  });

  it('that has ended, items are counted all the same', async () => {
    const rows = mapStore({ conditional: true });
    rows.runs.set('r1', aRun({ status: 'completed' }));
    rows.steps.set('s1', aStep({ status: 'completed' }));
    const { tracker, reports } = testTracker({ store: rows });
    await tracker.executeItems('s1', range(3), () => {});
    expect(countsOf(rows.steps.get('s1')!)).toEqual(counts(3, 0, 3));
    expect(rows.steps.get('s1')?.status).toBe('completed');
    expect(reports).toEqual([]);
  });

  it('two batches at a time keep to themselves', async () => {
    const rows = mapStore({ conditional: true });
    for (const id of ['s1', 's2']) rows.steps.set(id, aStep({ id, status: 'running' }));
    const { tracker } = testTracker({ store: rows });
    const [one, other] = await Promise.all([
      tracker.executeItems('s1', range(5), () => ticks(2), { concurrency: 2 }),
      tracker.executeItems('s2', range(7), () => ticks(3)),
    ]);
    expect([one.processed, other.processed]).toEqual([5, 7]);
    expect(countsOf(rows.steps.get('s1')!)).toEqual(counts(5, 0, 5));
    expect(countsOf(rows.steps.get('s2')!)).toEqual(counts(7, 0, 7));
  });
});

describe('invalid arguments', () => {
  const OPTIONS: [name: string, value: unknown][] = [
    ...[0, -1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '2', 2n, null, true].map(
      (value): [string, unknown] => ['concurrency', value],
    ),
    ...[0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, '1000', null].map(
      (value): [string, unknown] => ['progressMs', value],
    ),
    ...[Number.NaN, -1, Number.POSITIVE_INFINITY, '10', null].map((value): [string, unknown] => [
      'total',
      value,
    ]),
    ...['retry', 'timeoutMs', 'heartbeatMs', 'output', 'concurency', 'maxAttempts', 'delayMs'].map(
      (name): [string, unknown] => [name, 1],
    ),
  ];

  it.each(OPTIONS)('%s: %s is refused before anything happens', async (name, value) => {
    const { execute, writes, reports } = anImport();
    const fn = vi.fn();
    const { log, items } = aSource(3);
    const promise = execute(items, fn, { [name]: value } as ExecuteItemsOptions);
    expect(await rejection(promise)).toMatchObject({
      name: 'RunsError',
      code: 'invalid_argument',
      message: expect.stringMatching(new RegExp(`^Cannot execute items\\b.*\\b${name}\\b`)),
    });
    expect(fn).not.toHaveBeenCalled();
    expect(log).toEqual([]);
    expect(writes).toEqual([]);
    expect(reports).toEqual([]);
  });

  it('options that are undefined are not given', async () => {
    const options = {
      concurrency: undefined,
      total: undefined,
      progressMs: undefined,
      stopOnError: undefined,
      signal: undefined,
    };
    expect(await anImport().execute([1], () => {}, options)).toMatchObject({ processed: 1 });
    expect(await anImport().execute([1], () => {}, {})).toMatchObject({ processed: 1 });
    expect(await anImport().execute([1], () => {}, undefined)).toMatchObject({ processed: 1 });
  });

  it('the largest and the smallest values are fine', async () => {
    const options = { concurrency: 2 ** 31 - 1, progressMs: 2 ** 31 - 1, total: 2 ** 31 - 1 };
    expect(await anImport().execute([1], () => {}, options)).toMatchObject({ processed: 1 });
    const least = { concurrency: 1, progressMs: 1, total: 0 };
    expect(await anImport().execute([1], () => {}, least)).toMatchObject({ processed: 1 });
  });

  it.each<[string, unknown]>([
    ['undefined', undefined],
    ['null', null],
    ['a number', 5],
    ['an object', { length: 2, 0: 'a', 1: 'b' }],
    ['a function', () => [1]],
    ['a promise of an array', Promise.resolve([1])],
    ['an iterator that is not iterable', { next: () => ({ done: true }) }],
  ])('%s is no source, which is said', async (_name, items) => {
    const { execute } = anImport();
    const fn = vi.fn();
    const error = await rejection(execute(items as Iterable<number>, fn));
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toMatch(/iterator/i);
    expect(fn).not.toHaveBeenCalled();
  });
});

it('a hundred thousand items are counted exactly', { timeout: 30_000 }, async () => {
  const { execute, stored, writes } = anImport();
  function* source() {
    for (let index = 0; index < 100_000; index += 1) yield index;
  }
  const fn = (index: number) => {
    if (index % 3 === 0) throw index;
  };
  const result = await execute(source(), fn, { concurrency: 7 });
  expect(result).toMatchObject({ processed: 100_000, succeeded: 66_666, failed: 33_334 });
  expect(result.errors).toHaveLength(100);
  expect(stored()).toEqual(counts(66_666, 33_334));
  expect(writes.at(-1)).toMatchObject({ itemsProcessed: 100_000 });
});

describe('whatever happens', () => {
  interface Plan {
    /** How many ticks each item takes, and what becomes of it. */
    items: { ticks: number; outcome: 'resolves' | 'rejects' | 'throws' | 'returns' }[];
    source: 'array' | 'generator' | 'async generator' | 'iterator' | 'async iterator';
    sourceTicks: number;
    writeTicks: number;
    concurrency: number;
    stop: 'never' | 'stopOnError' | 'abort' | 'abort inside' | 'source throws';
    stopAt: number;
  }

  const plans: fc.Arbitrary<Plan> = fc.record({
    items: fc.array(
      fc.record({
        ticks: fc.nat(12),
        outcome: fc.constantFrom('resolves', 'resolves', 'rejects', 'throws', 'returns'),
      }),
      { maxLength: 20 },
    ),
    source: fc.constantFrom('array', 'generator', 'async generator', 'iterator', 'async iterator'),
    sourceTicks: fc.nat(6),
    writeTicks: fc.nat(6),
    concurrency: fc.integer({ min: 1, max: 6 }),
    stop: fc.constantFrom('never', 'stopOnError', 'abort', 'abort inside', 'source throws'),
    stopAt: fc.nat(40),
  });

  it('counts add up, every item is begun once, and nothing is left behind', {
    timeout: 60_000,
  }, async () => {
    const check = async ({ items, source, concurrency, stop, stopAt, ...plan }: Plan) => {
      const { execute, stored, writes, reports } = anImport({
        around: async (proceed) => {
          await ticks(plan.writeTicks);
          return proceed();
        },
      });
      const { controller, signal, waiting } = watchedController();
      const reason = { reason: stop };
      const broken = { broken: 'source' };
      const last = stop === 'source throws' ? Math.min(stopAt, items.length) : items.length;
      const log = { opened: 0, closed: 0, asked: 0, mostAsked: 0, returned: 0, taken: 0 };
      const begun: number[] = [];
      const succeeded = new Set<number>();
      const failed = new Map<number, unknown>();
      let running = 0;
      let most = 0;

      function* sync() {
        log.opened += 1;
        try {
          for (let at = 0; at < last; at += 1) yield at;
          if (stop === 'source throws') throw broken;
        } finally {
          log.closed += 1;
        }
      }
      async function* async() {
        log.opened += 1;
        try {
          for (let at = 0; at < last; at += 1) {
            await ticks(plan.sourceTicks);
            yield at;
          }
          if (stop === 'source throws') throw broken;
        } finally {
          log.closed += 1;
        }
      }
      const iterator = {
        next() {
          const at = log.taken;
          log.taken += 1;
          if (at >= last && stop === 'source throws') throw broken;
          return { done: at >= last, value: at };
        },
        return() {
          log.returned += 1;
          return { done: true, value: undefined };
        },
      };
      const asyncIterator = {
        async next() {
          log.asked += 1;
          log.mostAsked = Math.max(log.mostAsked, log.asked);
          await ticks(plan.sourceTicks);
          log.asked -= 1;
          return iterator.next();
        },
        async return() {
          await ticks(plan.sourceTicks);
          return iterator.return();
        },
      };
      const made = {
        array: () => (stop === 'source throws' ? sync() : range(last)),
        generator: sync,
        'async generator': async,
        iterator: () => ({ [Symbol.iterator]: () => iterator }),
        'async iterator': () => ({ [Symbol.asyncIterator]: () => asyncIterator }),
      }[source]() as Iterable<number>;

      const fn = (item: number, index: number, context: { signal: AbortSignal }) => {
        expect(item).toBe(index);
        expect(context.signal).toBe(signal);
        begun.push(index);
        const { outcome, ticks: duration } = items[index]!;
        const error = { broken: index };
        if (stop === 'abort inside' && index === stopAt) controller.abort(reason);
        const fail = () => {
          if (!signal.aborted) failed.set(index, error);
          throw error;
        };
        if (outcome === 'returns') return succeeded.add(index);
        if (outcome === 'throws') return fail();
        return (async () => {
          running += 1;
          most = Math.max(most, running);
          await ticks(duration);
          running -= 1;
          if (outcome === 'rejects') return fail();
          return succeeded.add(index);
        })();
      };

      const options = { concurrency, stopOnError: stop === 'stopOnError', signal };
      const ending = execute(made, fn, options).then(
        (result) => ({ result }),
        (error: unknown) => ({ error }),
      );
      if (stop === 'abort') {
        await ticks(stopAt * 2);
        controller.abort(reason);
      }
      const end = await ending;
      const seen = [...begun];

      // Nothing is in flight any more.
      expect(running).toBe(0);
      expect(waiting()).toBe(0);
      expect(reports).toEqual([]);
      expect(most).toBeLessThanOrEqual(concurrency);
      expect(begun).toEqual(range(begun.length));
      expect(log.mostAsked).toBeLessThanOrEqual(1);

      const written = stored();
      const total = source === 'array' && stop !== 'source throws' ? last : null;
      const failures = written.itemsFailed!;
      expect(written).toEqual(counts(succeeded.size, failures, total));
      expect(writes).toHaveLength(1);
      // An item that failed just before the abort may be seen only after it.
      expect(failures).toBeLessThanOrEqual(failed.size);
      expect(failures).toBeGreaterThanOrEqual(failed.size - (signal.aborted ? concurrency : 0));

      if ('result' in end) {
        const { errors, ...result } = end.result;
        expect(begun).toHaveLength(items.length);
        expect({
          itemsTotal: total,
          itemsProcessed: result.processed,
          itemsSucceeded: result.succeeded,
          itemsFailed: result.failed,
        }).toEqual(written);
        expect(result.processed).toBe(items.length);
        expect(stop).not.toBe('source throws');
        const thrown = [...failed].map(([index, error]) => ({ index, error }));
        const byIndex = (one: { index: number }, other: { index: number }) =>
          one.index - other.index;
        expect(errors.sort(byIndex)).toEqual(thrown.sort(byIndex));
        if (stop === 'stopOnError') expect(failed.size).toBe(0);
      } else if (stop === 'stopOnError') {
        expect(failed.values()).toContain(end.error);
      } else {
        expect(end.error).toBe(stop === 'source throws' ? broken : reason);
      }

      // Nothing happens any more, and the source is closed.
      await ticks(60);
      expect(begun).toEqual(seen);
      expect(writes).toHaveLength(1);
      expect(log.closed).toBe(log.opened);
      const isExhausted = log.taken > last;
      if (source.endsWith('iterator')) {
        if (isExhausted && 'result' in end) expect(log.returned).toBe(0);
        else if (!isExhausted) expect(log.returned).toBe(1);
        else expect(log.returned).toBeLessThanOrEqual(1);
      }
    };
    await fc.assert(fc.asyncProperty(plans, check), {
      numRuns: 500,
      timeout: 5000,
      interruptAfterTimeLimit: 20_000,
    });
  });

  it('writes keep their distance, and no timer is left', { timeout: 60_000 }, async () => {
    const durations = fc.record({
      items: fc.array(fc.nat(500), { maxLength: 12 }),
      progressMs: fc.integer({ min: 1, max: 600 }),
      writeMs: fc.nat(800),
      concurrency: fc.integer({ min: 1, max: 4 }),
      failEvery: fc.integer({ min: 1, max: 5 }),
      stopOnError: fc.boolean(),
      abortAt: fc.option(fc.nat(2000)),
    });
    vi.useFakeTimers({ now: 0 });
    try {
      await fc.assert(
        fc.asyncProperty(durations, async (plan) => {
          const { execute, stored, writes } = anImport({
            around: async (proceed) => {
              await sleep(plan.writeMs);
              return proceed();
            },
          });
          const controller = new AbortController();
          const { signal } = controller;
          const { progressMs, concurrency, stopOnError, abortAt } = plan;
          const began = Date.now();
          let ended = 0;
          const ending = execute(
            plan.items,
            async (duration, index) => {
              await sleep(duration);
              ended += 1;
              if ((index + 1) % plan.failEvery === 0) throw new Error('broken');
            },
            { progressMs, concurrency, stopOnError, signal },
          ).then(
            (result) => ({ result }),
            (error: unknown) => ({ error, result: undefined }),
          );
          const isOver = follow(ending);
          if (abortAt !== null) {
            await vi.advanceTimersByTimeAsync(abortAt);
            controller.abort();
          }
          await vi.runAllTimersAsync();
          expect(isOver.state).toBe('resolved');
          expect(vi.getTimerCount()).toBe(0);
          const { result } = await ending;

          expect(writes.length).toBeGreaterThan(0);
          expect(writes.map(({ among }) => among)).toEqual(writes.map(() => 1));
          let previous = began;
          for (const { at } of writes.slice(0, -1)) {
            expect(at - previous).toBeGreaterThanOrEqual(progressMs);
            previous = at;
          }
          const processed = writes.map(({ itemsProcessed }) => itemsProcessed!);
          expect(processed).toEqual(processed.toSorted((one, other) => one - other));
          for (const write of writes) {
            expect(write.itemsProcessed).toBe(write.itemsSucceeded! + write.itemsFailed!);
          }
          const { itemsProcessed } = stored();
          expect(itemsProcessed).toBe(processed.at(-1));
          expect(itemsProcessed).toBeLessThanOrEqual(ended);
          if (result) {
            expect(result.processed).toBe(plan.items.length);
            expect(stored()).toEqual(counts(result.succeeded, result.failed, plan.items.length));
          }
        }),
        { numRuns: 60, interruptAfterTimeLimit: 20_000 },
      );
    } finally {
      vi.useRealTimers();
    }
  });
});

it('a source that itself aborts, and then never answers, is not waited for', async () => {
  const controller = new AbortController();
  async function* source() {
    yield 1;
    controller.abort('stop');
    await new Promise(() => {});
  }
  const { execute } = anImport();
  await expect(execute(source(), () => {}, { signal: controller.signal })).rejects.toBe('stop');
});
