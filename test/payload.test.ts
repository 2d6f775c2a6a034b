import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Payload, RedactInfo, RunStore, RunTrackerOptions } from '../src/index.js';
import { MemoryStore } from '../src/memory.js';
import {
  anyRecipe,
  anyText,
  cyclic,
  EXOTIC,
  make,
  plainPayload,
  throwingProxy,
} from './support/hostile.js';
import { bytesOf, flawsOf, levelsOf } from './support/json.js';
import { intercept, mapStore, recorded } from './support/stores.js';
import { type Report, testTracker } from './support/trackers.js';

const DEFAULT_LIMIT = 256 * 1024;
const RUN = { runType: 'sync', trigger: 'cron' } as const;
const STEP = { stepType: 'fetch' };
const CALL = { tool: 'api', operation: 'GET /charges' };

type Options = Omit<RunTrackerOptions, 'store'>;
type Everything = Record<string, Payload | null>;

/** Hands a value over wherever a payload can be given, and tells what was stored of it. */
async function recordEverywhere(
  value: unknown,
  options: Options = {},
  store: RunStore = new MemoryStore(),
): Promise<{ stored: Everything; reports: Report[] }> {
  const { tracker, reports } = testTracker({ store, ...options });
  // What JavaScript hands over is not always what the types ask for.
  const given = value as object;
  const result = { given };

  await tracker.createRun({ ...RUN, id: 'r1', input: given });
  await tracker.finishRun('r1', { output: given });
  await tracker.createStep('r1', { ...STEP, id: 's1', input: given, context: given });
  await tracker.finishStep('s1', { output: given });
  await tracker.createCall('s1', { ...CALL, id: 'c1', input: given, metadata: given });
  await tracker.finishCall('c1', { output: given, metadata: given });
  const returned = await tracker.executeRun({ ...RUN, id: 'r2', input: given }, () =>
    tracker.executeStep('r2', { ...STEP, id: 's2', input: given, context: given }, () =>
      tracker.executeCall('s2', { ...CALL, id: 'c2', input: given, metadata: given }, () => result),
    ),
  );
  expect(returned).toBe(result);

  const stored: Everything = {};
  for (const id of ['1', '2']) {
    const run = (await store.getRun(`r${id}`))!;
    const step = (await store.getStep(`s${id}`))!;
    const call = (await store.getCall(`c${id}`))!;
    expect([run.status, step.status, call.status]).toEqual(['completed', 'completed', 'success']);
    for (const field of ['input', 'output'] as const) {
      stored[`${field} of run ${id}`] = run[field];
      stored[`${field} of step ${id}`] = step[field];
      stored[`${field} of call ${id}`] = call[field];
    }
    stored[`context of step ${id}`] = step.context;
    stored[`metadata of call ${id}`] = call.metadata;
  }
  return { stored, reports };
}

/** What a run stores of an input. */
async function storedInput(input: unknown, options: Options = {}): Promise<Payload | null> {
  const store = new MemoryStore();
  const { tracker } = testTracker({ store, ...options });
  const id = await tracker.createRun({ ...RUN, input: input as object });
  return (await store.getRun(id))!.input;
}

/** What a step stores of an output. */
async function storedOutput(output: unknown, options: Options = {}): Promise<Payload | null> {
  const store = new MemoryStore();
  const { tracker } = testTracker({ store, ...options });
  const id = await tracker.createStep(null, STEP);
  await tracker.finishStep(id, { output: output as object });
  return (await store.getStep(id))!.output;
}

/** Fails unless all of it can go into any database, and is no larger than it may be. */
function expectStorable(stored: Everything, maxBytes = DEFAULT_LIMIT): void {
  for (const [name, payload] of Object.entries(stored)) {
    if (payload === null) continue;
    expect(Array.isArray(payload), name).toBe(false);
    expect(flawsOf(payload), name).toEqual([]);
    expect(JSON.parse(JSON.stringify(payload)), name).toEqual(payload);
    expect(levelsOf(payload), name).toBeLessThanOrEqual(32);
    expect(bytesOf(payload), name).toBeLessThanOrEqual(maxBytes);
  }
}

/** Puts a value inside as many objects as it takes to make `levels` of them. */
function nested(levels: number, value: unknown = 'bottom'): Payload {
  let node: unknown = value;
  for (let level = 0; level < levels; level += 1) node = { in: node };
  return node as Payload;
}

describe('whatever is recorded becomes plain JSON', () => {
  const limits = fc.oneof(
    fc.constant(undefined),
    fc.integer({ min: 16, max: 200 }),
    fc.integer({ min: 16, max: 20_000 }),
  );

  it('any value does, in every field, within any limit, and without a sound', async () => {
    await fc.assert(
      fc.asyncProperty(anyRecipe, limits, async (recipe, maxPayloadBytes) => {
        const { stored, reports } = await recordEverywhere(make(recipe), { maxPayloadBytes });
        expectStorable(stored, maxPayloadBytes);
        expect(reports).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it('a plain store is given it so, too, and nothing it could trip over', async () => {
    await fc.assert(
      fc.asyncProperty(anyRecipe, async (recipe) => {
        const { store, calls } = recorded(mapStore());
        const { stored, reports } = await recordEverywhere(make(recipe), {}, store);
        expectStorable(stored);
        for (const row of calls.flatMap(({ args }) => args)) {
          if (typeof row !== 'object' || row === null) continue;
          const { input, output, context, metadata } = row as Everything;
          expect(flawsOf([input, output, context, metadata].map((it) => it ?? null))).toEqual([]);
        }
        expect(reports).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  for (const [name, exotic] of Object.entries(EXOTIC)) {
    it(`${name} does`, async () => {
      for (const value of [
        exotic(),
        { first: exotic(), list: [exotic(), 'after'], last: 'kept' },
      ]) {
        const { stored, reports } = await recordEverywhere(value, { maxPayloadBytes: 10_000 });
        expectStorable(stored, 10_000);
        expect(reports).toEqual([]);
      }
      const payload = await storedInput({ first: exotic(), last: 'kept' });
      expect(payload).toHaveProperty('last', 'kept');
    });
  }

  it('every text is stored without NUL and lone surrogates', async () => {
    await fc.assert(
      fc.asyncProperty(anyText, async (text) => {
        const store = new MemoryStore();
        const { tracker } = testTracker({ store, linkStore: store });
        const run = await tracker.createRun({ ...RUN, runType: text, actorId: text });
        await tracker.updateRunProgress(run, text);
        const step = await tracker.createStep(run, {
          stepType: text,
          actorId: text,
          entityType: text,
          entityId: text,
          parentStepId: text,
        });
        const call = await tracker.createCall(step, { tool: text, operation: text });
        await tracker.linkStep(step, {
          linkType: 'input',
          entityType: text,
          entityId: text,
          externalId: text,
        });
        const records = [
          await store.getRun(run),
          await store.getStep(step),
          await store.getCall(call),
          ...(await store.getStepLinks(step)),
        ];
        for (const record of records) {
          const texts = Object.values(record!).filter((value) => typeof value === 'string');
          expect(flawsOf(texts)).toEqual([]);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('what a parameter object holds beside its parameters is not recorded', async () => {
    const store = new MemoryStore();
    const { tracker } = testTracker({ store });
    const at = new Date(0);
    const ended = { error: 'old', durationMs: 5, output: { old: true }, attempt: 7 };
    const timed = { startedAt: at, completedAt: at, createdAt: at, updatedAt: at };
    // A record that is already there, say, to do the same once more.
    const again = { ...RUN, ...ended, ...timed, id: 'r1', status: 'completed', currentStep: 'old' };
    await tracker.createRun(again);
    const step = { ...STEP, ...ended, ...timed, id: 's1', status: 'completed', itemsProcessed: 5 };
    await tracker.createStep('r1', step);
    await tracker.createCall('s1', {
      ...CALL,
      ...ended,
      ...timed,
      ...{ id: 'c1', status: 'error' },
    });

    const now = new Date('2026-03-01T12:00:00.000Z');
    const fresh = { error: null, durationMs: null, output: null, createdAt: now };
    const pending = { ...fresh, status: 'pending', startedAt: null, completedAt: null };
    expect(await store.getRun('r1')).toMatchObject({ ...pending, currentStep: null });
    expect(await store.getStep('s1')).toMatchObject({
      ...pending,
      attempt: 1,
      itemsProcessed: null,
    });
    expect(await store.getCall('c1')).toMatchObject({ ...fresh, status: 'running', attempt: 1 });
  });

  it('ids of the caller are stored without NUL and lone surrogates, wherever they are', async () => {
    const store = new MemoryStore();
    const { tracker } = testTracker({ store, linkStore: store });
    const run = await tracker.createRun({ ...RUN, id: 'run\0\ud800' });
    const step = await tracker.createStep('run\0\ud800', { ...STEP, id: 'step\0\ud800' });
    const call = await tracker.createCall('step\0\ud800', { ...CALL, id: 'call\0\ud800' });
    const { runId } = (await store.getStep(step))!;
    const { stepId } = (await store.getCall(call))!;
    expect(flawsOf([run, step, call, runId, stepId])).toEqual([]);
    expect([runId, stepId]).toEqual([run, step]);
  });
});

describe('plain JSON below the limit', () => {
  it('is stored exactly as it is, to the last byte that is allowed', async () => {
    await fc.assert(
      fc.asyncProperty(plainPayload, async (payload) => {
        const text = JSON.stringify(payload);
        const maxPayloadBytes = Math.max(16, bytesOf(payload));
        for (const options of [{}, { maxPayloadBytes }]) {
          const stored = await storedInput(payload, options);
          expect(stored).toEqual(JSON.parse(text));
          // In the same order, too.
          expect(JSON.stringify(stored)).toBe(text);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('takes no room for members that are undefined', async () => {
    const names = Array.from({ length: 1000 }, (_, index) => [`member ${index}`, undefined]);
    const input = { ...Object.fromEntries(names), a: 1 };
    expect(await storedInput(input, { maxPayloadBytes: 100 })).toEqual({ a: 1 });
  });

  it('keeps 32 levels', async () => {
    expect(await storedInput(nested(32))).toEqual(nested(32));
  });

  it('keeps references that are shared, as JSON does', async () => {
    const shared = { a: [1, 2] };
    const input = { first: shared, second: shared, list: [shared, shared] };
    expect(await storedInput(input)).toEqual(JSON.parse(JSON.stringify(input)));
  });

  it('of exactly the default limit of 256 KiB is stored whole, and one byte more is not', async () => {
    const text = 'x'.repeat(DEFAULT_LIMIT - bytesOf({ text: '' }));
    expect(await storedInput({ text })).toEqual({ text });
    const cut = await storedInput({ text: `${text}x` });
    expect(cut).not.toEqual({ text: `${text}x` });
    expect(bytesOf(cut)).toBeLessThanOrEqual(DEFAULT_LIMIT);
  });

  it('is measured in bytes, not in characters', async () => {
    const input = { text: '\u20ac'.repeat(100_000) };
    const stored = await storedInput(input);
    expect(stored).not.toEqual(input);
    expect(bytesOf(stored)).toBeLessThanOrEqual(DEFAULT_LIMIT);
  });
});

describe('what JSON cannot say', () => {
  it('a bigint becomes its digits and an n', async () => {
    expect(await storedInput({ id: 123n, list: [-5n] })).toEqual({ id: '123n', list: ['-5n'] });
  });

  it('a bigint of more than 1 024 bits is named, since its digits take long to make', async () => {
    const most = 2n ** 1023n - 1n;
    const least = -(2n ** 1023n);
    const input = { most, least, more: most + 1n, less: least - 1n };
    expect(await storedInput(input)).toEqual({
      most: `${most}n`,
      least: `${least}n`,
      more: '[bigint]',
      less: '[bigint]',
    });
  });

  it('a number that is none becomes null', async () => {
    const input = { ratio: Number.NaN, list: [Number.POSITIVE_INFINITY, null] };
    expect(await storedInput(input)).toEqual({ ratio: null, list: [null, null] });
  });

  it('a Map becomes its entries, and a Set its values', async () => {
    const input = { map: new Map<unknown, unknown>([['a', 1]]), set: new Set(['b', 2]) };
    expect(await storedInput(input)).toEqual({ map: [['a', 1]], set: ['b', 2] });
  });

  it('a date becomes its ISO text', async () => {
    expect(await storedInput({ at: new Date(0) })).toEqual({ at: '1970-01-01T00:00:00.000Z' });
  });

  it('an object becomes what its toJSON returns', async () => {
    const money = { cents: 5, toJSON: () => ({ amount: '0.05' }) };
    expect(await storedInput({ money })).toEqual({ money: { amount: '0.05' } });
  });

  it('an instance of a class becomes its own members', async () => {
    class Point {
      x = 1;
      y = 2;
      sum(): number {
        return this.x + this.y;
      }
    }
    expect(await storedInput(new Point())).toEqual({ x: 1, y: 2 });
  });

  it('a member that is undefined is left out, as JSON leaves it out', async () => {
    expect(await storedInput({ a: undefined, b: 1 })).toEqual({ b: 1 });
  });

  it('functions and symbols leave a text where they were', async () => {
    const stored = await storedInput({ fn: () => 1, symbol: Symbol('kind'), list: [() => 1] });
    expect(stored).toEqual({
      fn: expect.any(String),
      symbol: expect.any(String),
      list: [expect.any(String)],
    });
  });

  it('an error keeps its name and message', async () => {
    const stored = await storedInput({ reason: new TypeError('no such user') });
    expect(stored).toMatchObject({ reason: { name: 'TypeError', message: 'no such user' } });
  });

  it('a member that throws is marked, and its neighbours are kept', async () => {
    const input = {
      before: 1,
      get broken(): never {
        throw new Error('refused');
      },
      proxy: throwingProxy(),
      after: 2,
    };
    expect(await storedInput(input)).toEqual({
      before: 1,
      broken: expect.stringMatching(/^\[.+\]$/),
      proxy: expect.stringMatching(/^\[.+\]$/),
      after: 2,
    });
  });

  it('a cycle is marked where it closes', async () => {
    expect(await storedInput(cyclic({ name: 'n' }))).toEqual({
      name: 'n',
      self: expect.stringMatching(/^\[.+\]$/),
      list: [{ node: expect.any(String) }, [[expect.any(String), [expect.any(String)]]]],
    });
  });

  it('members named __proto__ and constructor are members like any other', async () => {
    const input = JSON.parse('{"__proto__":{"isAdmin":true},"constructor":1,"":2}');
    const stored = await storedInput({ deep: input });
    expect(JSON.stringify(stored)).toBe(JSON.stringify({ deep: input }));
    expect({}).not.toHaveProperty('isAdmin');
  });

  for (const [name, value] of Object.entries({
    'a list': [1, 'two', { three: 3 }],
    'an empty list': [],
    'a text': 'done',
    'an empty text': '',
    'a number': 0,
    'a boolean': false,
  })) {
    it(`${name} that is a payload becomes the value of an object`, async () => {
      expect(await storedInput(value)).toEqual({ value });
      expect(await storedOutput(value)).toEqual({ value });
    });
  }

  it('what is nothing is stored as null', async () => {
    for (const nothing of [null, undefined]) {
      expect(await storedInput(nothing)).toBeNull();
      expect(await storedOutput(nothing)).toBeNull();
    }
  });

  it('a result that is false, zero or empty is recorded as the result', async () => {
    for (const result of [false, 0, '', []]) {
      const store = new MemoryStore();
      const { tracker } = testTracker({ store });
      await tracker.executeRun({ ...RUN, id: 'r1' }, () => result);
      expect((await store.getRun('r1'))!.output).toEqual({ result });
    }
  });
});

describe('a payload that is too large', { timeout: 10_000 }, () => {
  const sharing = (levels: number): object => {
    let node: object = { leaf: 1 };
    for (let level = 0; level < levels; level += 1) node = { left: node, right: node };
    return node;
  };
  const million = Array.from({ length: 1_000_000 }, (_, index) => index);
  const text = (length: number): string => 'the start, '.padEnd(length, 'x');
  const HUGE: Record<string, () => unknown> = {
    'a graph that would expand to 2^40 nodes': () => sharing(40),
    'a list of graphs that would expand': () => Array(1000).fill(sharing(30)),
    'a list of a million numbers': () => ({ list: million }),
    'a list of a million lists': () => million.map((number) => [number]),
    'a set of a million numbers': () => new Set(million),
    'a map of a million numbers': () => new Map(million.map((number) => [number, { number }])),
    'a text of 10 MB': () => ({ text: text(10_000_000) }),
    'a text of 10 MB that is all escapes': () => ({ text: '\u0001"\\'.repeat(3_333_333) }),
    'a text of 10 MB that is all NUL': () => ({ text: '\0'.repeat(10_000_000) }),
    'a text of 10 MB that is all lone surrogates': () => ({ text: '\ud800'.repeat(10_000_000) }),
    'a boxed text of 10 MB': () => ({ text: Object(text(10_000_000)) }),
    'ten thousand texts of 10 MB': () => Array(10_000).fill(text(10_000_000)),
    'a name of 10 MB': () => ({ [text(10_000_000)]: 1 }),
    'an object with 200 000 members': () =>
      Object.fromEntries(million.slice(0, 200_000).map((number) => [`member ${number}`, number])),
    'an object with 50 000 long names': () =>
      Object.fromEntries(million.slice(0, 50_000).map((n) => [`${'x'.repeat(100)}${n}`, n])),
    'a thousand references to an object with 200 000 members': () =>
      Array(1000).fill(Object.fromEntries(million.slice(0, 200_000).map((n) => [`${n}`, n]))),
    '100 levels': () => nested(100),
    '10 000 levels': () => nested(10_000),
    '10 000 levels of lists': () => {
      let list: unknown[] = [];
      for (let level = 0; level < 10_000; level += 1) list = [list];
      return { list };
    },
    'a bigint of a million digits': () => ({ number: 1n << 3_300_000n }),
    'members that never end': () => {
      const endless = (): object => ({
        get left() {
          return endless();
        },
        get right() {
          return endless();
        },
      });
      return endless();
    },
    '100 MB of bytes': () => ({ bytes: new Uint8Array(100_000_000) }),
  };

  for (const [name, build] of Object.entries(HUGE)) {
    it(`${name}: becomes as much as is allowed`, async () => {
      const value = build();
      const input = await storedInput(value);
      const output = await storedOutput({ result: value }, { maxPayloadBytes: 1000 });
      expectStorable({ input });
      expectStorable({ output }, 1000);
      // It shows that something is missing.
      for (const stored of [input, output]) {
        expect(JSON.stringify(stored)).toMatch(/\[[^[\]"]+\]/);
      }
    });
  }

  it('a list with a level more than is kept: stays within 32 levels', async () => {
    let list: unknown[] = [];
    for (let level = 0; level < 40; level += 1) list = [list];
    expectStorable({ input: await storedInput(list), output: await storedOutput(list) });
  });

  it('what lies below the 32nd level is marked', async () => {
    const stored = await storedInput(nested(33));
    expect(stored).not.toEqual(nested(33));
    expect(JSON.stringify(stored)).toMatch(/^(\{"in":){32}"\[[^"]+\]"\}{32}$/);
  });

  it('one huge text is cut, keeps its start, and leaves everything else as it was', async () => {
    const rest = { id: 'ch_1', tags: ['a', 'b'], nested: { amount: 5, none: null } };
    const input = { before: rest, body: text(10_000_000), after: rest.tags, last: true };
    const stored = (await storedInput(input))!;
    expect(Object.keys(stored)).toEqual(Object.keys(input));
    const { body, ...others } = stored;
    expect(others).toMatchObject({ before: { id: 'ch_1', nested: rest.nested }, last: true });
    expect((body as string).startsWith(text(10_000))).toBe(true);
    expect(input.body.startsWith(body as string)).toBe(false);
    expect((body as string).slice(-100)).toMatch(/\[.+\]$/);
  });

  it('a date that comes twice beside a huge text is kept twice', async () => {
    const at = new Date(0);
    const stored = await storedInput({ createdAt: at, updatedAt: at, body: text(1_000_000) });
    expect(stored).toMatchObject({ createdAt: at.toISOString(), updatedAt: at.toISOString() });
  });

  it('a small object that comes twice beside a huge text is kept twice', async () => {
    const address = { city: 'Berlin' };
    const input = { billing: address, shipping: address, body: text(1_000_000) };
    expect(await storedInput(input)).toMatchObject({ billing: address, shipping: address });
  });

  it('a long list is cut, keeps its first items, and says at its end that there were more', async () => {
    const list = million.slice(0, 100_000).map((number) => ({ number, isPaid: true }));
    const stored = (await storedInput({ list, total: list.length }))! as { list: unknown[] };
    expect(stored).toHaveProperty('total', 100_000);
    expect(stored.list.length).toBeGreaterThan(1000);
    expect(stored.list.slice(0, 1000)).toEqual(list.slice(0, 1000));
    expect(stored.list.at(-1)).toMatch(/^\[.+\]$/);
  });

  it('a cut never leaves half of a character', async () => {
    for (const padding of ['', 'x', 'xx', 'xxx']) {
      const stored = await storedInput({ text: padding + '\u{1f600}'.repeat(200_000) });
      expectStorable({ stored });
      expect(stored!.text).toMatch(/^x{0,3}(\u{1f600}|\ufffd(?=\[))+\[\+\d+\]$/u);
    }
  });

  it('work is not multiplied by references to an object that has little to say', async () => {
    let reads = 0;
    const silent = Object.defineProperties(
      {},
      Object.fromEntries(
        million.slice(0, 1000).map((number) => {
          const get = (): undefined => {
            reads += 1;
          };
          return [`member ${number}`, { enumerable: true, get }];
        }),
      ),
    );
    await storedInput({ list: Array(10_000).fill(silent) });
    // Followed wherever it is referred to, it would be read 10 000 000 times.
    expect(reads).toBeLessThan(2_000_000);
  });

  it('work is not multiplied by references to an object that inherits a lot', async () => {
    let listed = 0;
    const members = Object.fromEntries(million.slice(0, 1000).map((number) => [`${number}`, 1]));
    const parent = new Proxy(members, {
      ownKeys: (target) => {
        const names = Reflect.ownKeys(target);
        listed += names.length;
        return names;
      },
    });
    await storedInput({ list: Array(3000).fill(Object.create(parent)) });
    expect(listed).toBeLessThan(1_000_000);
  });
});

describe('the limit of a payload', () => {
  it('is a finite number', () => {
    const problems = {
      NaN: Number.NaN,
      Infinity: Number.POSITIVE_INFINITY,
      '"1 MB"': '1 MB' as never,
    };
    for (const [text, maxPayloadBytes] of Object.entries(problems)) {
      const message = `Cannot create RunTracker: maxPayloadBytes must be a finite number, not ${text}`;
      expect(() => testTracker({ store: new MemoryStore(), maxPayloadBytes })).toThrow(
        expect.objectContaining({ name: 'RunsError', code: 'invalid_argument', message }),
      );
    }
  });

  it('of 16 bytes still stores a sign of a payload', async () => {
    const stored = await storedInput(
      { text: 'longer than sixteen bytes' },
      { maxPayloadBytes: 16 },
    );
    expectStorable({ stored }, 16);
    expect(stored).not.toEqual({});
  });
});

describe('a payload is a snapshot', () => {
  const original = () => ({ list: [{ n: 1 }], at: { city: 'Berlin' } });
  const spoil = (value: ReturnType<typeof original>) => {
    value.list[0]!.n = 2;
    value.list.push({ n: 3 });
    value.at.city = 'Paris';
  };

  for (const [name, open] of Object.entries({
    MemoryStore: () => new MemoryStore(),
    'a plain store': () => mapStore(),
  })) {
    it(`what the caller changes later does not reach ${name}`, async () => {
      const store = open();
      const { tracker } = testTracker({ store });
      const [input, output, context, metadata] = [original(), original(), original(), original()];

      const created = tracker.createRun({ ...RUN, id: 'r1', input });
      // Even before it is stored.
      spoil(input);
      await created;
      await tracker.createStep('r1', { ...STEP, id: 's1', context });
      const finished = tracker.finishStep('s1', { output });
      spoil(output);
      await finished;
      spoil(context);
      await tracker.createCall('s1', { ...CALL, id: 'c1', metadata });
      spoil(metadata);
      const result = await tracker.executeRun({ ...RUN, id: 'r2' }, () => original());
      spoil(result);

      expect((await store.getRun('r1'))!.input).toEqual(original());
      expect(await store.getStep('s1')).toMatchObject({ output: original(), context: original() });
      expect((await store.getCall('c1'))!.metadata).toEqual(original());
      expect((await store.getRun('r2'))!.output).toEqual({ result: original() });
    });
  }

  /** Empties, all the way down, whatever it is given. */
  const wreck = (value: unknown): void => {
    if (value instanceof Date) value.setTime(0);
    if (typeof value !== 'object' || value === null) return;
    for (const [name, member] of Object.entries(value)) {
      wreck(member);
      Reflect.set(value, name, 'wrecked');
    }
  };

  for (const conditional of [true, false]) {
    const kind = conditional ? 'conditional' : 'plain';
    it(`what a ${kind} store does to what it is given reaches neither caller nor record`, async () => {
      const wrecking = mapStore({ conditional });
      const store = intercept(wrecking, async ({ args }, proceed) => {
        const answer = await proceed();
        // A condition is no payload, and is the store's to read only.
        wreck(args.slice(0, 2));
        // What it has returned, it changes as soon as the tracker has seen it.
        setTimeout(() => wreck(answer));
        return answer;
      });
      const { tracker, reports, clock } = testTracker({ store });
      const [runInput, stepInput, callInput, metadata] = Array.from({ length: 4 }, original);
      const value = original();

      const returned = await tracker.executeRun({ ...RUN, id: 'r1', input: runInput }, (runId) =>
        tracker.executeStep(runId, { ...STEP, id: 's1', input: stepInput }, async (stepId) => {
          await tracker.incrementRunOutput(runId, { fetched: 2 });
          clock.at += 1500;
          const params = { ...CALL, id: 'c1', input: callInput, metadata };
          return tracker.executeCall(stepId, params, () => value);
        }),
      );

      expect(returned).toBe(value);
      expect([value, runInput, stepInput, callInput, metadata]).toEqual(Array(5).fill(original()));
      expect(reports).toEqual([]);
      expect(wrecking.runs.get('r1')).toMatchObject({
        ...RUN,
        status: 'completed',
        durationMs: 1500,
        input: original(),
        output: { fetched: 2, result: original() },
      });
      expect(wrecking.steps.get('s1')).toMatchObject({
        ...STEP,
        status: 'completed',
        durationMs: 1500,
        input: original(),
        output: { result: original() },
      });
      expect(wrecking.calls.get('c1')).toMatchObject({
        ...CALL,
        status: 'success',
        durationMs: 0,
        input: original(),
        output: { result: original() },
        metadata: original(),
      });
    });
  }

  it('a store that keeps what it is given shares nothing with the caller', async () => {
    const { store, calls } = recorded(mapStore());
    const { tracker } = testTracker({ store });
    const input = original();
    await tracker.createRun({ ...RUN, input });
    wreck(calls[0]!.args);
    expect(input).toEqual(original());
  });

  it('what redact does to what it sees, and later to what it returned, reaches nobody', async () => {
    const store = new MemoryStore();
    const seen: unknown[] = [];
    const { tracker } = testTracker({
      store,
      redact: (value) => {
        if (typeof value === 'string') return value;
        const answer = structuredClone(value);
        Reflect.set(answer, 'isRedacted', true);
        seen.push(value, answer);
        spoil(value as ReturnType<typeof original>);
        return answer;
      },
    });
    const input = original();
    const created = tracker.createRun({ ...RUN, id: 'r1', input });
    for (const value of seen) wreck(value);
    await created;
    expect(seen).toHaveLength(2);
    expect(input).toEqual(original());
    expect((await store.getRun('r1'))!.input).toEqual({ ...original(), isRedacted: true });
  });
});

describe('redact', () => {
  const SECRET = 'hunter2';
  const hidden = { password: SECRET, deep: [{ token: `Bearer ${SECRET}` }] };

  /** Records the secret in every field that can hold it, and returns all that was stored. */
  async function recordSecret(options: Options) {
    const store = new MemoryStore();
    const { tracker, reports } = testTracker({ store, ...options });
    const failure = new Error(`wrong password ${SECRET}`, { cause: `it is ${SECRET}` });
    const fail = (): never => {
      throw failure;
    };
    await tracker.createRun({ ...RUN, id: 'r1', input: hidden });
    await tracker.finishRun('r1', { output: hidden });
    await tracker.executeRun({ ...RUN, id: 'r2' }, () => hidden);
    await expect(tracker.executeRun({ ...RUN, id: 'r3' }, fail)).rejects.toBe(failure);
    await tracker.createRun({ ...RUN, id: 'r4' });
    await tracker.cancelRun('r4', `no longer needed: ${SECRET}`);
    await tracker.createStep('r1', { ...STEP, id: 's1', input: hidden, context: hidden });
    await tracker.finishStep('s1', { output: hidden });
    await tracker.createStep('r1', { ...STEP, id: 's2' });
    await tracker.skipStep('s2', `knows ${SECRET} already`);
    await tracker.createStep('r1', { ...STEP, id: 's3' });
    await tracker.failStep('s3', failure);
    await tracker.createStep('r1', { ...STEP, id: 's4' });
    await tracker.cancelStep('s4', failure);
    await tracker.createCall('s1', { ...CALL, id: 'c1', input: hidden });
    await tracker.finishCall('c1', { output: hidden, metadata: hidden });
    const failing = { ...CALL, id: 'c2', metadata: hidden };
    await expect(tracker.executeCall('s1', failing, fail)).rejects.toBe(failure);

    const records: Record<string, Awaited<ReturnType<typeof store.getRun>> | object> = {};
    for (const id of ['r1', 'r2', 'r3', 'r4']) records[id] = (await store.getRun(id))!;
    for (const id of ['s1', 's2', 's3', 's4']) records[id] = (await store.getStep(id))!;
    for (const id of ['c1', 'c2']) records[id] = (await store.getCall(id))!;
    return { records, reports };
  }

  it('sees every payload and every error before it is stored, and is told what it is', async () => {
    const seen: (RedactInfo & { text: string })[] = [];
    const { records, reports } = await recordSecret({
      redact: (value, info) => {
        const text = JSON.stringify(value);
        seen.push({ ...info, text });
        return JSON.parse(text.replaceAll(SECRET, '***'));
      },
    });
    expect(JSON.stringify(records)).not.toContain(SECRET);
    // Whatever is hidden in a record, it has seen.
    expect(JSON.stringify(records).split('***').length).toBe(
      seen
        .map(({ text }) => text)
        .join('')
        .split(SECRET).length,
    );
    expect(reports).toEqual([]);
    const kinds = new Set(seen.map(({ record, field }) => `${field} of ${record}`));
    expect([...kinds].sort()).toEqual([
      'context of step',
      'error of call',
      'error of run',
      'error of step',
      'input of call',
      'input of run',
      'input of step',
      'metadata of call',
      'output of call',
      'output of run',
      'output of step',
    ]);
    expect(seen).toContainEqual({
      record: 'run',
      field: 'error',
      text: JSON.stringify(`wrong password ${SECRET}\ncaused by: it is ${SECRET}`),
    });
  });

  it('sees the payload as it would be stored', async () => {
    const seen: unknown[] = [];
    const redact = (value: Payload | string) => {
      seen.push(structuredClone(value));
      return value;
    };
    const input = { map: new Map([['a', 1n]]), at: new Date(0), text: 'x'.repeat(5000) };
    const stored = await storedInput(input, { redact, maxPayloadBytes: 500 });
    expect(seen).toEqual([stored]);
    expect(stored).toMatchObject({ map: [['a', '1n']], at: '1970-01-01T00:00:00.000Z' });
  });

  it('is not asked about what is not there', async () => {
    let asked = 0;
    const redact = (value: Payload | string) => {
      asked += 1;
      return value;
    };
    expect(await storedInput(undefined, { redact })).toBeNull();
    expect(await storedOutput(null, { redact })).toBeNull();
    expect(asked).toBe(0);
  });

  it('that returns null stores nothing', async () => {
    const { records, reports } = await recordSecret({ redact: () => null });
    expect(JSON.stringify(records)).not.toContain(SECRET);
    for (const record of Object.values(records)) {
      expect(record).toMatchObject({ input: null, output: null, error: null });
    }
    expect(records).toMatchObject({
      r1: { status: 'completed' },
      r3: { status: 'failed' },
      r4: { status: 'cancelled' },
      s1: { context: null },
      s2: { status: 'skipped' },
      c1: { metadata: null },
      c2: { status: 'error' },
    });
    expect(reports).toEqual([]);
  });

  it('that throws leaves a marker and nothing else, and the hook hears of it each time', async () => {
    const broken = new Error(`cannot redact ${SECRET}`);
    let asked = 0;
    const { records, reports } = await recordSecret({
      redact: () => {
        asked += 1;
        throw broken;
      },
    });
    expect(JSON.stringify(records)).not.toContain(SECRET);
    const marked = expect.toSatisfy((it) => flawsOf(it).length === 0 && bytesOf(it) > 2);
    expect(records).toMatchObject({
      r1: { status: 'completed', input: marked, output: marked },
      r2: { status: 'completed', output: marked },
      r3: { status: 'failed', error: expect.stringMatching(/./) },
      r4: { status: 'cancelled', error: expect.stringMatching(/./) },
      s1: { status: 'completed', input: marked, output: marked, context: marked },
      s2: { status: 'skipped', output: marked },
      s3: { status: 'failed', error: expect.stringMatching(/./) },
      s4: { status: 'cancelled', error: expect.stringMatching(/./) },
      c1: { status: 'success', input: marked, output: marked, metadata: marked },
      c2: { status: 'error', error: expect.stringMatching(/./) },
    });
    expect(reports).toHaveLength(asked);
    for (const { error } of reports) expect(error).toBe(broken);
    const told = reports.map(({ info }) => `${info.operation} ${info.record} ${info.id}`);
    expect(new Set(told)).toEqual(
      new Set(Object.keys(records).map((id) => `redact ${KINDS[id[0]!]} ${id}`)),
    );
  });
  const KINDS: Record<string, string> = { r: 'run', s: 'step', c: 'call' };

  it('that throws leaves a marker that fits, too', async () => {
    const options: Options = {
      maxPayloadBytes: 16,
      redact: () => {
        throw new Error('broken');
      },
    };
    expectStorable({ input: await storedInput({ a: 1 }, options) }, 16);
  });

  it('that throws does not disturb the work, nor keeps it from being done', async () => {
    const { tracker, reports } = testTracker({
      store: new MemoryStore(),
      redact: () => {
        throw new Error('broken');
      },
    });
    const value = await tracker.executeRun({ ...RUN, id: 'r1', input: { a: 1 } }, () => 'done');
    expect(value).toBe('done');
    expect(reports.map(({ info }) => info)).toEqual([
      { operation: 'redact', record: 'run', id: 'r1', work: 'not_started' },
      { operation: 'redact', record: 'run', id: 'r1', work: 'succeeded' },
    ]);
  });

  it('that returns any value at all has plain JSON stored, and disturbs nobody', async () => {
    await fc.assert(
      fc.asyncProperty(anyRecipe, fc.integer({ min: 16, max: 500 }), async (recipe, max) => {
        const store = new MemoryStore();
        const { tracker } = testTracker({
          store,
          redact: () => make(recipe) as object,
          maxPayloadBytes: max,
        });
        const params = { ...RUN, id: 'r1', input: { a: 1 } };
        expect(await tracker.executeRun(params, () => 'done')).toBe('done');
        const failure = new Error('boom');
        const failing = tracker.executeRun({ ...RUN, id: 'r2' }, () => {
          throw failure;
        });
        await expect(failing).rejects.toBe(failure);

        const { input, output } = (await store.getRun('r1'))!;
        expectStorable({ input, output }, max);
        const { status, error } = (await store.getRun('r2'))!;
        expect(status).toBe('failed');
        expect(flawsOf(error ?? '')).toEqual([]);
        expect((error ?? '').length).toBeLessThanOrEqual(8192);
      }),
      { numRuns: 150 },
    );
  });

  it('that returns a cycle, an instance or a promise has plain JSON stored', async () => {
    const answers = [cyclic(), new (class Vault {})(), Promise.resolve({ a: 1 }), [1], 'text', 5];
    for (const answer of answers) {
      const redact = () => answer as object;
      expectStorable({ input: await storedInput({ password: SECRET }, { redact }) });
    }
  });

  it('that returns a long error has it cut and cleaned like any other', async () => {
    const store = new MemoryStore();
    const { tracker } = testTracker({ store, redact: () => `\0\ud800${'x'.repeat(20_000)}` });
    await tracker.createRun({ ...RUN, id: 'r1' });
    await tracker.failRun('r1', 'boom');
    const { error } = (await store.getRun('r1'))!;
    expect(flawsOf(error)).toEqual([]);
    expect(error!.length).toBe(8192);
  });
});
