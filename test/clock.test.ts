import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RunStore } from '../src/index.js';
import { MemoryStore } from '../src/memory.js';
import { intercept, mapStore } from './support/stores.js';
import { testTracker } from './support/trackers.js';

const RUN = { runType: 'sync', trigger: 'cron' } as const;
const STEP = { stepType: 'fetch' };
const CALL = { tool: 'api', operation: 'GET /charges' };
const NOON = Date.parse('2026-03-01T12:00:00.000Z');

const STORES: Record<string, () => RunStore> = {
  MemoryStore: () => new MemoryStore(),
  'a plain store': () => mapStore(),
  'a conditional store': () => mapStore({ conditional: true }),
};

type Clock = () => Date;

/** A clock that shows these one after the other, and then the last one for ever; what is thrown is thrown. */
function showing(...readings: (() => unknown)[]): Clock {
  let next = 0;
  return () => {
    const read = readings[Math.min(next, readings.length - 1)]!;
    next += 1;
    return read() as Date;
  };
}

const broken = (): never => {
  throw new Error('no battery');
};

/** Records everything there is, by hand and by wrappers; `pass` is called while all of it is running. */
async function recordEverything(store: RunStore, now: Clock, pass: () => void = () => {}) {
  const { tracker, reports } = testTracker({ store, now });
  await tracker.createRun({ ...RUN, id: 'r1' });
  await tracker.startRun('r1');
  await tracker.createStep('r1', { ...STEP, id: 's1' });
  await tracker.startStep('s1');
  await tracker.createCall('s1', { ...CALL, id: 'c1' });
  await tracker.incrementRunOutput('r1', { fetched: 1 });
  await tracker.updateStepProgress('s1', { itemsProcessed: 1 });
  pass();
  await tracker.finishCall('c1');
  await tracker.finishStep('s1');
  await tracker.finishRun('r1');
  const value = await tracker.executeRun({ ...RUN, id: 'r2' }, () =>
    tracker.executeStep('r2', { ...STEP, id: 's2' }, () =>
      tracker.executeCall('s2', { ...CALL, id: 'c2' }, () => {
        pass();
        return 'done';
      }),
    ),
  );
  await tracker.createRun({ ...RUN, id: 'r3' });
  await tracker.failRun('r3', 'boom');
  expect(value).toBe('done');
  expect(reports).toEqual([]);

  const records = [];
  for (const id of ['r1', 'r2']) records.push((await store.getRun(id))!);
  for (const id of ['s1', 's2']) records.push((await store.getStep(id))!);
  for (const id of ['c1', 'c2']) records.push((await store.getCall(id))!);
  return { records, neverStarted: (await store.getRun('r3'))! };
}

function expectDuration(durationMs: number | null): void {
  expect(Number.isSafeInteger(durationMs)).toBe(true);
  expect(durationMs).toBeGreaterThanOrEqual(0);
}

describe.each(Object.entries(STORES))('on %s', (_name, open) => {
  it('a duration is exactly what the clock says', async () => {
    let at = NOON;
    const { records, neverStarted } = await recordEverything(
      open(),
      () => new Date(at),
      () => {
        at += 12_345;
      },
    );
    expect(records.map(({ durationMs }) => durationMs)).toEqual(Array(6).fill(12_345));
    expect(neverStarted).toMatchObject({ status: 'failed', startedAt: null, durationMs: null });
  });

  it('times are what the clock says when they happen', async () => {
    const store = open();
    const { tracker, clock } = testTracker({ store });
    await tracker.createRun({ ...RUN, id: 'r1' });
    clock.at += 1000;
    await tracker.startRun('r1');
    clock.at += 1000;
    await tracker.incrementRunOutput('r1', { fetched: 1 });
    expect((await store.getRun('r1'))!.updatedAt).toEqual(new Date(NOON + 2000));
    clock.at += 1000;
    await tracker.finishRun('r1');
    expect(await store.getRun('r1')).toMatchObject({
      createdAt: new Date(NOON),
      startedAt: new Date(NOON + 1000),
      completedAt: new Date(NOON + 3000),
      updatedAt: new Date(NOON + 3000),
      durationMs: 2000,
    });
  });

  it('a duration is 0 when the clock has jumped back', async () => {
    let at = NOON;
    const { records } = await recordEverything(
      open(),
      () => new Date(at),
      () => {
        at -= 3_600_000;
      },
    );
    expect(records.map(({ durationMs }) => durationMs)).toEqual(Array(6).fill(0));
  });

  for (const [name, reading] of Object.entries<() => unknown>({
    'that throws': broken,
    'that returns an invalid date': () => new Date(Number.NaN),
    'that returns milliseconds': () => NOON,
    'that returns fractions of milliseconds': () => NOON + 0.7,
    'that returns a text': () => '2026-03-01T12:00:00.000Z',
    'that returns a text that is no time': () => 'noon',
    'that returns nothing': () => undefined,
    'that returns null': () => null,
    'that returns a symbol': () => Symbol('noon'),
    'that returns a bigint': () => BigInt(NOON),
    'that returns a promise': () => Promise.resolve(new Date(NOON)),
    'that returns infinity': () => Number.POSITIVE_INFINITY,
    'at the end of all dates': () => new Date(8.64e15),
    'at the beginning of all dates': () => new Date(-8.64e15),
  })) {
    it(`a clock ${name} disturbs neither work nor records`, async () => {
      const exact = () => new Date(NOON);
      for (const now of [showing(reading), showing(exact, reading), showing(reading, exact)]) {
        const { records, neverStarted } = await recordEverything(open(), now);
        for (const record of [...records, neverStarted]) {
          if (record !== neverStarted) expectDuration(record.durationMs);
          for (const value of Object.values(record)) {
            if (value instanceof Date) expect(value.getTime()).not.toBeNaN();
          }
        }
      }
    });
  }

  it('whatever the clock shows, durations are whole, finite and never negative', async () => {
    const readings = fc.oneof(
      fc.date({ noInvalidDate: false }).map((date) => () => date as unknown),
      fc.integer({ min: NOON - 1000, max: NOON + 1000 }).map((time) => () => new Date(time)),
      fc.anything().map((value) => () => value),
      fc.constant(broken),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(readings, { minLength: 1, maxLength: 30 }), async (list) => {
        const { records } = await recordEverything(open(), showing(...list));
        for (const { durationMs } of records) {
          expect(Number.isInteger(durationMs)).toBe(true);
          expect(durationMs).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 50 },
    );
  });
});

/** What databases hand out for a time. */
const DATE_TYPES: Record<string, (date: Date) => unknown> = {
  'ISO texts': (date) => date.toISOString(),
  'ISO texts with an offset': (date) =>
    new Date(date.getTime() + 7_200_000).toISOString().replace('Z', '000+02:00'),
  'epoch milliseconds': (date) => date.getTime(),
};

/** The same store, which returns dates of another type. */
function returning<S extends RunStore>(store: S, convert: (date: Date) => unknown): S {
  return intercept(store, async ({ method }, proceed) => {
    const answer = await proceed();
    if (!method.startsWith('get') || typeof answer !== 'object' || answer === null) return answer;
    const entries = Object.entries(answer).map(([name, value]) => [
      name,
      value instanceof Date ? convert(value) : value,
    ]);
    return Object.fromEntries(entries);
  });
}

describe.each(Object.entries(DATE_TYPES))('on a store that returns %s', (_name, convert) => {
  for (const conditional of [false, true]) {
    const kind = conditional ? 'conditional' : 'plain';
    it(`durations are exact (${kind})`, async () => {
      const store = mapStore({ conditional });
      let at = NOON;
      await recordEverything(
        returning(store, convert),
        () => new Date(at),
        () => {
          at += 12_345;
        },
      );
      const records = [...store.runs.values(), ...store.steps.values(), ...store.calls.values()];
      const durations = Object.fromEntries(records.map(({ id, durationMs }) => [id, durationMs]));
      const expected = { r1: 12_345, s1: 12_345, c1: 12_345, r2: 12_345, s2: 12_345, c2: 12_345 };
      expect(durations).toEqual({ ...expected, r3: null });
    });

    it(`durations are 0 when the clock has jumped back (${kind})`, async () => {
      const store = mapStore({ conditional });
      let at = NOON;
      await recordEverything(
        returning(store, convert),
        () => new Date(at),
        () => {
          at -= 1;
        },
      );
      for (const { id, durationMs } of store.runs.values()) {
        expect(durationMs).toBe(id === 'r3' ? null : 0);
      }
    });

    it(`an insert that was committed after all is recognised (${kind}, bestEffort)`, async () => {
      const rows = mapStore({ conditional });
      let isLost = true;
      const store = intercept(returning(rows, convert), async ({ method }, proceed) => {
        const answer = await proceed();
        if (method !== 'insertRun' || !isLost) return answer;
        isLost = false;
        throw new Error('connection lost');
      });
      const { tracker, reports, clock } = testTracker({ store, bestEffort: true });
      const value = await tracker.executeRun({ ...RUN, id: 'r1' }, () => {
        clock.at += 12_345;
        return 'done';
      });
      expect(value).toBe('done');
      expect(reports).toHaveLength(1);
      expect(rows.runs.get('r1')).toMatchObject({
        status: 'completed',
        durationMs: 12_345,
        output: { result: 'done' },
      });
    });
  }
});

describe('on a store that returns times that are none', () => {
  it.each([
    'yesterday',
    Number.NaN,
    Number.NEGATIVE_INFINITY,
    new Date(Number.NaN),
    null,
    undefined,
  ])('a duration from %s is unknown, neither NaN nor infinite', async (time) => {
    const rows = mapStore();
    const { tracker, reports } = testTracker({ store: returning(rows, () => time) });
    await tracker.createRun({ ...RUN, id: 'r1' });
    await tracker.startRun('r1');
    await tracker.finishRun('r1');
    await tracker.createCall('s1', { ...CALL, id: 'c1' });
    await tracker.finishCall('c1');
    expect(rows.runs.get('r1')).toMatchObject({ status: 'completed', durationMs: null });
    expect(rows.calls.get('c1')).toMatchObject({ status: 'success', durationMs: null });
    expect(reports).toEqual([]);
  });
});
