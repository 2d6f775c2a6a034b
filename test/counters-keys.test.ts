import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type RunStore, RunsError } from '../src/index.js';
import { MemoryStore } from '../src/memory.js';
import { anyName } from './support/hostile.js';
import { flawsOf, isStorable } from './support/json.js';
import { mapStore, recorded } from './support/stores.js';
import { testTracker } from './support/trackers.js';

const RUN = { runType: 'sync', trigger: 'cron', id: 'r1' } as const;

const STORES: Record<string, () => RunStore> = {
  MemoryStore: () => new MemoryStore(),
  'a plain store': () => mapStore(),
  'a plain store that counts': () => mapStore({ counters: true }),
  'a conditional store that cannot count': () => mapStore({ conditional: true }),
  'a conditional store that counts': () => mapStore({ conditional: true, counters: true }),
};

/** An object with one own member, whatever its name. */
function counting(name: string, value: unknown): Record<string, number> {
  return Object.fromEntries([[name, value as number]]);
}

describe.each(Object.entries(STORES))('on %s', (_name, open) => {
  for (const name of [
    '__proto__',
    'constructor',
    'prototype',
    'toString',
    'hasOwnProperty',
    'toJSON',
    'then',
    'length',
    '',
    ' ',
    '0',
    '-1',
    'a.b',
    "it's",
    'h\u00e9',
    'he\u0301',
    '\u6570',
    '\u{1f600}',
    'x'.repeat(1000),
  ]) {
    const shown = name.length > 20 ? 'a very long text' : JSON.stringify(name);
    it(`${shown} is the name of a counter like any other`, async () => {
      const store = open();
      const { tracker } = testTracker({ store });
      await tracker.executeRun(RUN, async (id) => {
        await tracker.incrementRunOutput(id, counting(name, 2));
        await tracker.incrementRunOutput(id, counting(name, 3));
        await Promise.all([
          tracker.incrementRunOutput(id, counting(name, 10)),
          tracker.incrementRunOutput(id, counting(name, 20)),
          tracker.incrementRunOutput(id, { other: 1 }),
        ]);
      });
      await tracker.incrementRunOutput('r1', counting(name, -5));
      const output = (await store.getRun('r1'))!.output!;
      expect(Object.entries(output).sort()).toEqual(
        [
          [name, 30],
          ['other', 1],
        ].sort(),
      );
      expect(flawsOf(output)).toEqual([]);
      expect(Object.getOwnPropertyNames(Object.prototype)).not.toContain('other');
    });
  }

  it('a name with NUL or a lone surrogate is cleaned, and still counts', async () => {
    for (const name of ['a\0b', 'a\ud800b', '\udc00ab', 'ab\ud83d']) {
      const store = open();
      const { tracker } = testTracker({ store });
      await tracker.createRun(RUN);
      await tracker.incrementRunOutput('r1', counting(name, 2));
      await tracker.incrementRunOutput('r1', counting(name, 3));
      const entries = Object.entries((await store.getRun('r1'))!.output!);
      expect(entries).toEqual([[expect.stringMatching(/^.?a.?b.?$/u), 5]]);
      expect(flawsOf(entries[0]![0])).toEqual([]);
    }
  });

  it('names that are the same once they are cleaned are counted together', async () => {
    const store = open();
    const { tracker } = testTracker({ store });
    await tracker.createRun(RUN);
    await tracker.incrementRunOutput('r1', { 'a\ud800': 1, 'a\udbff': 2 });
    const output = (await store.getRun('r1'))!.output!;
    expect(Object.values(output).reduce<number>((sum, value) => sum + (value as number), 0)).toBe(
      3,
    );
  });

  it('counters survive an output that has such names itself', async () => {
    const store = open();
    const { tracker } = testTracker({ store });
    await tracker.createRun(RUN);
    await tracker.incrementRunOutput('r1', counting('__proto__', 2));
    await tracker.incrementRunOutput('r1', counting('constructor', 3));
    await tracker.finishRun('r1', { output: counting('constructor', 'explicit') });
    await tracker.incrementRunOutput('r1', counting('__proto__', 1));
    const output = (await store.getRun('r1'))!.output!;
    expect(new Map(Object.entries(output))).toEqual(
      new Map<string, unknown>([
        ['__proto__', 3],
        ['constructor', 'explicit'],
      ]),
    );
  });

  it('whatever the names, every increment is counted once', async () => {
    const name = anyName.filter(isStorable);
    const increments = fc.array(fc.tuple(name, fc.integer({ min: -1000, max: 1000 })), {
      minLength: 1,
      maxLength: 4,
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(increments, { maxLength: 8 }),
        fc.boolean(),
        async (list, atOnce) => {
          const store = open();
          const { tracker } = testTracker({ store });
          await tracker.createRun(RUN);
          const expected = new Map<string, number>();
          const pending: Promise<void>[] = [];
          for (const entries of list) {
            // A name that comes twice in an object is one member.
            const members = new Map(entries);
            for (const [key, value] of members) expected.set(key, (expected.get(key) ?? 0) + value);
            const counted = tracker.incrementRunOutput('r1', Object.fromEntries(members));
            if (atOnce) pending.push(counted);
            else await counted;
          }
          await Promise.all(pending);
          const output = (await store.getRun('r1'))!.output ?? {};
          expect(new Map(Object.entries(output))).toEqual(expected);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('a sum is a finite number, however much is counted', async () => {
    const store = open();
    const { tracker } = testTracker({ store });
    await tracker.createRun(RUN);
    const much = { up: Number.MAX_VALUE, down: -Number.MAX_VALUE };
    for (let time = 0; time < 3; time += 1) {
      await Promise.all([
        tracker.incrementRunOutput('r1', much),
        tracker.incrementRunOutput('r1', much),
        tracker.incrementRunOutput('r1', much),
      ]);
      const { output } = (await store.getRun('r1'))!;
      expect(flawsOf(output)).toEqual([]);
      expect(output).toEqual({ up: expect.any(Number), down: expect.any(Number) });
    }
  });

  for (const [what, value] of Object.entries<unknown>({
    'not a number': Number.NaN,
    infinity: Number.POSITIVE_INFINITY,
    'minus infinity': Number.NEGATIVE_INFINITY,
    'a text': '5',
    'an empty text': '',
    null: null,
    undefined: undefined,
    'a boolean': true,
    'a bigint': 5n,
    'a symbol': Symbol('five'),
    'an object': {},
    'a list': [5],
    'a boxed number': Object(5),
    'a date': new Date(0),
    'a function': () => 5,
    'an object without a prototype': Object.create(null),
  })) {
    it(`${what} is refused as an increment, and nothing of it is stored`, async () => {
      const { store, calls } = recorded(mapOf(open()));
      const { tracker } = testTracker({ store });
      await tracker.createRun(RUN);
      await tracker.incrementRunOutput('r1', { fetched: 1 });
      const writes = () => calls.filter(({ method }) => /^(update|increment)/.test(method)).length;
      const before = writes();
      for (const name of ['fetched', 'other', '__proto__']) {
        const increments = { first: 1, ...counting(name, value), last: 1 };
        const refused = tracker.incrementRunOutput('r1', increments);
        await expect(refused).rejects.toThrow(RunsError);
        await expect(refused).rejects.toMatchObject({
          code: 'invalid_argument',
          message: expect.stringMatching(/^Cannot increment run "r1": /),
        });
      }
      expect((await store.getRun('r1'))!.output).toEqual({ fetched: 1 });
      expect(writes()).toBe(before);
    });
  }

  it('a refused increment takes nothing with it that was counted at the same time', async () => {
    const store = open();
    const { tracker } = testTracker({ store });
    await tracker.createRun(RUN);
    const results = await Promise.allSettled([
      tracker.incrementRunOutput('r1', { fetched: 1 }),
      tracker.incrementRunOutput('r1', { fetched: Number.NaN }),
      tracker.incrementRunOutput('r1', { fetched: 2 }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await store.getRun('r1'))!.output).toEqual({ fetched: 3 });
  });
});

it.each([undefined, null, 5, 'fetched'])(
  '%j is refused in the place of increments',
  async (value) => {
    const store = new MemoryStore();
    const { tracker } = testTracker({ store });
    await tracker.createRun(RUN);
    const increments = value as unknown as Record<string, number>;
    const refused = tracker.incrementRunOutput('r1', increments);
    await expect(refused).rejects.toMatchObject({
      name: 'RunsError',
      code: 'invalid_argument',
      message: expect.stringMatching(
        /^Cannot increment run "r1": increments must be an object, not /,
      ),
    });
    expect((await store.getRun('r1'))!.output).toBeNull();
  },
);

/** The same store, with methods that are its own members. */
function mapOf(store: RunStore): RunStore {
  if (!(store instanceof MemoryStore)) return store;
  return {
    conditionalUpdates: true,
    insertRun: (run) => store.insertRun(run),
    getRun: (id) => store.getRun(id),
    updateRun: (id, fields, conditions) => store.updateRun(id, fields, conditions),
    insertStep: (step) => store.insertStep(step),
    getStep: (id) => store.getStep(id),
    updateStep: (id, fields, conditions) => store.updateStep(id, fields, conditions),
    insertCall: (call) => store.insertCall(call),
    getCall: (id) => store.getCall(id),
    updateCall: (id, fields, conditions) => store.updateCall(id, fields, conditions),
    incrementRunOutput: (id, increments, at) => store.incrementRunOutput(id, increments, at),
  };
}

it('thousands of counters go up at once', async () => {
  const store = new MemoryStore();
  const { tracker } = testTracker({ store });
  const runId = await tracker.createRun({ runType: 'sync', trigger: 'cron' });
  const increments = Object.fromEntries(Array.from({ length: 20_000 }, (_, key) => [`k${key}`, 1]));
  await tracker.incrementRunOutput(runId, increments);
  expect((await store.getRun(runId))?.output).toEqual(increments);
});
