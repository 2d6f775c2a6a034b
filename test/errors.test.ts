import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryStore } from '../src/memory.js';
import { anyRecipe, EXOTIC, make, revokedProxy, throwingProxy } from './support/hostile.js';
import { flawsOf } from './support/json.js';
import { testTracker } from './support/trackers.js';

const RUN = { runType: 'sync', trigger: 'cron' } as const;
const STEP = { stepType: 'fetch' };
const CALL = { tool: 'api', operation: 'GET /charges' };
const MAX_LENGTH = 8192;

/** What a run that failed with this says of it. */
async function errorOf(thrown: unknown): Promise<string> {
  const store = new MemoryStore();
  const { tracker } = testTracker({ store });
  const id = await tracker.createRun(RUN);
  await tracker.failRun(id, thrown);
  const { status, error } = (await store.getRun(id))!;
  expect(status).toBe('failed');
  return error!;
}

/** Throws this in a run, a step and a call, and returns what came out of each, and what was recorded. */
async function throwEverywhere(thrown: unknown) {
  const store = new MemoryStore();
  const { tracker, reports } = testTracker({ store });
  const caught: unknown[] = [];
  const fail = (): never => {
    throw thrown;
  };
  const failLater = async () => fail();
  const keep = (error: unknown) => {
    caught.push(error);
  };
  await tracker.executeRun({ ...RUN, id: 'r1' }, fail).catch(keep);
  await tracker.executeRun({ ...RUN, id: 'r2' }, failLater).catch(keep);
  await tracker.executeStep('r1', { ...STEP, id: 's1' }, fail).catch(keep);
  await tracker.executeStep('r1', { ...STEP, id: 's2' }, failLater).catch(keep);
  await tracker.executeCall('s1', { ...CALL, id: 'c1' }, fail).catch(keep);
  await tracker.executeCall('s1', { ...CALL, id: 'c2' }, failLater).catch(keep);

  const runs = [await store.getRun('r1'), await store.getRun('r2')];
  const steps = [await store.getStep('s1'), await store.getStep('s2')];
  const calls = [await store.getCall('c1'), await store.getCall('c2')];
  const records = [...runs, ...steps, ...calls].map((record) => record!);
  return { caught, records, reports };
}

describe('the error of a failed record', () => {
  it("is an Error's exact message", async () => {
    expect(await errorOf(new Error('no such user: "42"\n  at line 3'))).toBe(
      'no such user: "42"\n  at line 3',
    );
    expect(await errorOf(new TypeError('x is not a function'))).toBe('x is not a function');
  });

  it('is the message of an instance of a class that extends Error', async () => {
    class HttpError extends Error {
      readonly status = 503;
    }
    expect(await errorOf(new HttpError('service unavailable'))).toBe('service unavailable');
  });

  it('names an Error that has no message', async () => {
    expect(await errorOf(new RangeError(''))).toBe('{"name":"RangeError","message":""}');
  });

  it('has a line for each cause below it', async () => {
    const lookup = new Error('ENOTFOUND api.example.com');
    const request = new Error('request failed', { cause: lookup });
    expect(await errorOf(new Error('sync failed', { cause: request }))).toBe(
      'sync failed\ncaused by: request failed\ncaused by: ENOTFOUND api.example.com',
    );
  });

  it('has a line for a cause that is no Error', async () => {
    expect(await errorOf(new Error('sync failed', { cause: 'timeout' }))).toBe(
      'sync failed\ncaused by: timeout',
    );
    expect(await errorOf(new Error('sync failed', { cause: { code: 503 } }))).toMatch(
      /^sync failed\ncaused by: .*code.*503/,
    );
  });

  it('has no line for a cause that is nothing', async () => {
    expect(await errorOf(new Error('boom', { cause: undefined }))).toBe('boom');
    expect(await errorOf(new Error('boom', { cause: null }))).toBe('boom');
  });

  it('has a line for each error that is aggregated in it', async () => {
    const errors = [
      new Error('first'),
      new Error('second', { cause: new Error('deeper') }),
      'third',
    ];
    expect(await errorOf(new AggregateError(errors, 'all failed'))).toBe(
      'all failed\ncaused by: first\ncaused by: second\ncaused by: deeper\ncaused by: third',
    );
  });

  it('is the message of an object that is like an Error', async () => {
    expect(await errorOf({ name: 'DatabaseError', message: 'deadlock', code: '40P01' })).toBe(
      'deadlock',
    );
  });

  it('ends where causes go round in a circle', async () => {
    const first = new Error('first');
    const second = new Error('second', { cause: first });
    first.cause = second;
    expect(await errorOf(first)).toBe('first\ncaused by: second');
    const own = new Error('own');
    own.cause = own;
    expect(await errorOf(own)).toBe('own');
    const all = new AggregateError([], 'all');
    all.errors.push(all, new Error('one', { cause: all }));
    expect(await errorOf(all)).toBe('all\ncaused by: one');
  });

  it('ends, for errors that are aggregated in each other without end', async () => {
    let error = new AggregateError([], 'leaf');
    for (let level = 0; level < 1000; level += 1) {
      error = new AggregateError([error, error, error], `level ${level}`);
    }
    const text = await errorOf(error);
    expect(text).toMatch(/^level 999\ncaused by: level 998\n/);
    expect(text.length).toBeLessThanOrEqual(MAX_LENGTH);
  });

  for (const [thrown, text] of [
    ['timeout', 'timeout'],
    [0, '0'],
    [-1.5, '-1.5'],
    [Number.NaN, 'NaN'],
    [true, 'true'],
    [undefined, 'undefined'],
    [null, 'null'],
    [123n, '123'],
    [Symbol('gone'), 'Symbol(gone)'],
  ] as const) {
    it(`says ${text} of a thrown ${thrown === null ? 'null' : typeof thrown}`, async () => {
      expect(await errorOf(thrown)).toContain(text);
    });
  }

  it('shows the members of a thrown object', async () => {
    expect(await errorOf({ code: 'E_LIMIT', retryAfter: 30 })).toMatch(
      /code.*E_LIMIT.*retryAfter.*30/,
    );
    expect(await errorOf(Object.assign(Object.create(null), { code: 5 }))).toMatch(/code.*5/);
    expect(await errorOf(Object.freeze({ code: 5 }))).toMatch(/code.*5/);
    expect(await errorOf(['first', { code: 5 }])).toMatch(/first.*code.*5/);
  });

  it('is a text even of what refuses to be described', async () => {
    const refuse = () => {
      throw new Error('refused');
    };
    const values: Record<string, unknown> = {
      ...Object.fromEntries(Object.entries(EXOTIC).map(([name, exotic]) => [name, exotic()])),
      'an object without anything': Object.create(null),
      'a message that is no text': Object.assign(new Error('x'), { message: { code: 5 } }),
      'a name that is no text': Object.assign(new Error(''), { name: {} }),
      'a name that cannot be made a text': Object.assign(new Error(''), {
        name: Object.create(null),
      }),
      'a list of errors that is no list': Object.assign(new Error('x'), { errors: 'none' }),
      'a list of errors that is a proxy': Object.assign(new Error('x'), {
        errors: throwingProxy([]),
      }),
      'a list of errors with a method of its own': Object.assign(new Error('x'), {
        errors: Object.assign([1], { slice: () => 5, map: () => 5, forEach: refuse }),
      }),
      'a list of errors that cannot be walked': Object.assign(new Error('x'), {
        errors: Object.assign([1], { [Symbol.iterator]: refuse }),
      }),
      'a list of errors that is revoked': Object.assign(new Error('x'), {
        errors: revokedProxy([]),
      }),
      'a cause that throws': Object.defineProperty(new Error('x'), 'cause', { get: refuse }),
      'a cause that is revoked': new Error('x', { cause: revokedProxy() }),
      'a proxy of an error': new Proxy(new Error('x'), {}),
      'a proxy of an error that throws': throwingProxy(new Error('x')),
      'toString that throws': { toString: refuse, [Symbol.toPrimitive]: refuse },
    };
    for (const [name, value] of Object.entries(values)) {
      const text = await errorOf(value);
      expect(text, name).not.toBe('');
      expect(text, name).not.toContain('[object Object]');
      expect(flawsOf(text), name).toEqual([]);
    }
  });

  it('is cut at 8 192 characters, and keeps its start', async () => {
    const message = 'the start, '.padEnd(10_000_000, 'x');
    expect(await errorOf(new Error('x'.repeat(MAX_LENGTH)))).toBe('x'.repeat(MAX_LENGTH));
    for (const thrown of [
      new Error(message),
      message,
      new Error('the start, ', { cause: new Error(message) }),
      new AggregateError(Array(1000).fill(new Error(message)), 'the start, '),
      { message, name: 'Error' },
      Object.assign(new Error('the start, '), { errors: Array(1_000_000).fill('one more') }),
    ]) {
      const text = await errorOf(thrown);
      expect(text.length).toBeLessThanOrEqual(MAX_LENGTH);
      expect(text.startsWith('the start, ')).toBe(true);
    }
    expect((await errorOf({ code: message })).length).toBeLessThanOrEqual(MAX_LENGTH);
    expect((await errorOf(Symbol(message))).length).toBeLessThanOrEqual(MAX_LENGTH);
  });

  it('never ends in half a character where it is cut', async () => {
    for (const padding of ['', 'x']) {
      const text = await errorOf(padding + '\u{1f600}'.repeat(MAX_LENGTH));
      expect(flawsOf(text)).toEqual([]);
      expect(text.replaceAll('\u{1f600}', '').replace('\ufffd', '')).toBe(padding);
    }
  });

  it('has neither NUL nor lone surrogates', async () => {
    for (const thrown of [
      'a\0b\ud800c\udc00d',
      new Error('a\0b\ud800c\udc00d'),
      new Error('a', { cause: 'b\0c\ud800d' }),
      { message: 'a\0b\ud800c\udc00d' },
      { 'a\0b\ud800c\udc00d': '\0' },
      Symbol('a\0b\ud800c\udc00d'),
    ]) {
      const text = await errorOf(thrown);
      expect(flawsOf(text)).toEqual([]);
      for (const kept of ['a', 'b', 'c', 'd']) expect(text).toContain(kept);
    }
  });

  it('says why a run, a step or a call was ended by hand', async () => {
    const store = new MemoryStore();
    const { tracker } = testTracker({ store });
    const run = await tracker.createRun(RUN);
    await tracker.cancelRun(run, new Error('no longer needed', { cause: 'merged' }));
    const failed = await tracker.createStep(null, STEP);
    await tracker.failStep(failed, new Error('boom'));
    const cancelled = await tracker.createStep(null, STEP);
    await tracker.cancelStep(cancelled, 'superseded');
    const call = await tracker.createCall(failed, CALL);
    await tracker.failCall(call, { code: 503 });
    expect((await store.getRun(run))!.error).toBe('no longer needed\ncaused by: merged');
    expect((await store.getStep(failed))!.error).toBe('boom');
    expect((await store.getStep(cancelled))!.error).toBe('superseded');
    expect((await store.getCall(call))!.error).toMatch(/code.*503/);
  });
});

describe('whatever the work throws', () => {
  it('comes out as the very same value, and leaves a failed record with a text', async () => {
    await fc.assert(
      fc.asyncProperty(anyRecipe, async (recipe) => {
        const thrown = make(recipe);
        const { caught, records, reports } = await throwEverywhere(thrown);
        expect(caught.length).toBe(6);
        for (const error of caught) expect(Object.is(error, thrown)).toBe(true);
        const statuses = records.map(({ status }) => status);
        expect(statuses).toEqual(['failed', 'failed', 'failed', 'failed', 'error', 'error']);
        for (const { error } of records) {
          expect(typeof error).toBe('string');
          expect(flawsOf(error)).toEqual([]);
          expect(error!.length).toBeLessThanOrEqual(MAX_LENGTH);
        }
        expect(reports).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it('never makes a manual end reject, as a failure, as a cause or as a reason', async () => {
    await fc.assert(
      fc.asyncProperty(anyRecipe, async (recipe) => {
        const value = make(recipe);
        const wrapped = Object.assign(new AggregateError([value], 'outer'), { cause: value });
        for (const thrown of [value, wrapped]) {
          const error = await errorOf(thrown);
          expect(flawsOf(error)).toEqual([]);
          expect(error.length).toBeLessThanOrEqual(MAX_LENGTH);
        }
        const store = new MemoryStore();
        const { tracker } = testTracker({ store });
        const step = await tracker.createStep(null, STEP);
        await tracker.cancelStep(step, value);
        expect((await store.getStep(step))!.status).toBe('cancelled');
      }),
      { numRuns: 150 },
    );
  });

  it('is never described as [object Object]', async () => {
    await fc.assert(
      fc.asyncProperty(fc.object({ withNullPrototype: true }), async (thrown) => {
        expect(await errorOf(thrown)).not.toContain('[object Object]');
      }),
      { numRuns: 100 },
    );
  });

  for (const [name, exotic] of Object.entries({
    ...EXOTIC,
    undefined: (): unknown => undefined,
    null: (): unknown => null,
    'an Error': () => new Error('boom'),
    'a frozen Error': () => Object.freeze(new Error('boom')),
  })) {
    it(`comes out as the very same value: ${name}`, async () => {
      const thrown = exotic();
      const { caught, records, reports } = await throwEverywhere(thrown);
      expect(caught.length).toBe(6);
      for (const error of caught) expect(Object.is(error, thrown)).toBe(true);
      for (const { error } of records) expect(error).not.toBe('');
      expect(reports).toEqual([]);
    });
  }
});
