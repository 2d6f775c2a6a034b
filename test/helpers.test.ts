import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  type CallStatus,
  calculateDuration,
  formatDuration,
  getProgress,
  getRunSummary,
  isCallComplete,
  isRunComplete,
  isStepComplete,
  mergeOutputIncrements,
  type RunStatus,
  type Step,
  type StepStatus,
} from '../src/index.js';
import { anyName, plainPayload } from './support/hostile.js';
import { aCall, aRun, aStep } from './support/records.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

describe('formatDuration', () => {
  it.each([
    [0, '0ms'],
    [1, '1ms'],
    [500, '500ms'],
    [999, '999ms'],
    [1000, '1.0s'],
    [3500, '3.5s'],
    [59_900, '59.9s'],
    [59_999, '1m 0s'],
    [60_000, '1m 0s'],
    [125_000, '2m 5s'],
    [HOUR - 1, '1h 0m'],
    [HOUR, '1h 0m'],
    [3_700_000, '1h 1m'],
    [25 * HOUR, '25h 0m'],
  ])('of %d milliseconds is %s', (durationMs, text) => {
    expect(formatDuration(durationMs)).toBe(text);
  });

  it.each([
    [0.4, '0ms'],
    [0.6, '1ms'],
    [12.345, '12ms'],
    [999.4, '999ms'],
    [999.6, '1.0s'],
    [3500.4, '3.5s'],
  ])('of %d milliseconds shows no fraction of one: %s', (durationMs, text) => {
    expect(formatDuration(durationMs)).toBe(text);
  });

  it.each([-1, -0, -0.4, -59_999, -HOUR, Number.NEGATIVE_INFINITY])(
    'of %d milliseconds is 0ms',
    (durationMs) => {
      expect(formatDuration(durationMs)).toBe('0ms');
    },
  );

  it('of what is no number is still a duration', () => {
    expect(formatDuration(Number.NaN)).toBe('0ms');
  });

  const durations = fc.oneof(
    fc.integer({ min: -10, max: 2 * SECOND }),
    fc.integer({ min: 58 * SECOND, max: 62 * SECOND }),
    fc.integer({ min: HOUR - 2 * SECOND, max: HOUR + 2 * SECOND }),
    fc.integer({ min: 0, max: 1000 * HOUR }),
    fc.double({ min: 0, max: 3 * HOUR, noNaN: true }),
    fc
      .tuple(fc.integer({ min: 0, max: 300 }), fc.integer({ min: -60, max: 60 }))
      .map(([minutes, around]) => minutes * MINUTE + around),
  );

  /** The milliseconds that a text says. */
  function parse(text: string): number {
    const units: Record<string, number> = { ms: 1, s: SECOND, m: MINUTE, h: HOUR };
    const parts = [...text.matchAll(/(\d+(?:\.\d)?)(ms|s|m|h)/g)];
    return parts.reduce((sum, [, number, unit]) => sum + Number(number) * units[unit!]!, 0);
  }

  it('has one of four forms, and never 60 of what makes one of the next', () => {
    fc.assert(
      fc.property(durations, (durationMs) => {
        const text = formatDuration(durationMs);
        expect(text).toMatch(/^(\d{1,3}ms|[1-5]?\d\.\ds|[1-5]?\dm [1-5]?\ds|\d+h [1-5]?\dm)$/);
        expect(text).not.toMatch(/\b60(\.0)?[sm]\b|\b1000ms|\b0\.\ds|\b0m \d|\b0h/);
      }),
      { numRuns: 1000 },
    );
  });

  it('says what the duration was, to the precision that it shows', () => {
    fc.assert(
      fc.property(durations, (durationMs) => {
        const text = formatDuration(durationMs);
        const precision = text.endsWith('ms') ? 1 : text.includes('h') ? MINUTE : SECOND;
        expect(Math.abs(parse(text) - Math.max(0, durationMs))).toBeLessThan(precision + 1);
      }),
      { numRuns: 500 },
    );
  });

  it('never shows less for a longer duration', () => {
    fc.assert(
      fc.property(durations, durations, (one, other) => {
        const [shorter, longer] = one <= other ? [one, other] : [other, one];
        expect(parse(formatDuration(shorter))).toBeLessThanOrEqual(parse(formatDuration(longer)));
      }),
      { numRuns: 1000 },
    );
    for (let at = 59 * SECOND; at < 61 * SECOND; at += 1) {
      expect(parse(formatDuration(at))).toBeLessThanOrEqual(parse(formatDuration(at + 1)));
    }
  });
});

describe('calculateDuration', () => {
  const startedAt = new Date('2026-03-01T12:00:00.000Z');
  const endedAt = new Date('2026-03-01T12:00:03.500Z');

  afterEach(() => {
    vi.useRealTimers();
  });

  it('is the milliseconds between two times', () => {
    expect(calculateDuration(startedAt, endedAt)).toBe(3500);
    expect(calculateDuration(startedAt, startedAt)).toBe(0);
  });

  it('counts until now when no end is given', () => {
    vi.useFakeTimers({ toFake: ['Date'], now: endedAt });
    expect(calculateDuration(startedAt)).toBe(3500);
    expect(calculateDuration(startedAt, undefined)).toBe(3500);
  });

  it('is null for what never started', () => {
    expect(calculateDuration(null)).toBeNull();
    expect(calculateDuration(undefined)).toBeNull();
    expect(calculateDuration(null, endedAt)).toBeNull();
  });

  it('is never negative', () => {
    expect(calculateDuration(endedAt, startedAt)).toBe(0);
  });

  it('takes times as databases return them', () => {
    expect(calculateDuration(startedAt.toISOString(), endedAt)).toBe(3500);
    expect(calculateDuration(startedAt.getTime(), endedAt.toISOString())).toBe(3500);
    expect(calculateDuration('2026-03-01T14:00:00.000000+02:00', endedAt.getTime())).toBe(3500);
  });

  it('is null, not NaN or infinite, for a time that is none', () => {
    expect(calculateDuration(new Date(Number.NaN), endedAt)).toBeNull();
    expect(calculateDuration('yesterday', endedAt)).toBeNull();
    expect(calculateDuration(startedAt, new Date(Number.NaN))).toBeNull();
    expect(calculateDuration(Number.NEGATIVE_INFINITY, endedAt)).toBeNull();
    expect(calculateDuration(startedAt, Number.POSITIVE_INFINITY)).toBeNull();
    expect(calculateDuration(Number.NaN, endedAt)).toBeNull();
  });

  it('is whole, whatever the times', () => {
    const times = fc.oneof(
      fc.date({ noInvalidDate: false }),
      fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
      fc.double(),
      fc.string(),
      fc.constant(null),
    );
    fc.assert(
      fc.property(times, times, (from, to) => {
        const duration = calculateDuration(from, to);
        if (duration === null) return;
        expect(Number.isInteger(duration)).toBe(true);
        expect(duration).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 500 },
    );
  });
});

describe('mergeOutputIncrements', () => {
  it('adds to what is there, and starts at 0 for what is not', () => {
    expect(mergeOutputIncrements({ fetched: 50 }, { fetched: 10, inserted: 3 })).toEqual({
      fetched: 60,
      inserted: 3,
    });
  });

  it('starts from nothing', () => {
    expect(mergeOutputIncrements(null, { fetched: 1 })).toEqual({ fetched: 1 });
    expect(mergeOutputIncrements(null, {})).toEqual({});
  });

  it('subtracts what is negative', () => {
    expect(mergeOutputIncrements({ queued: 5 }, { queued: -2 })).toEqual({ queued: 3 });
  });

  it('keeps the other members as they are', () => {
    const result = { id: 'ch_1' };
    const merged = mergeOutputIncrements({ result, note: 'x', none: null }, { fetched: 1 });
    expect(merged).toEqual({ result, note: 'x', none: null, fetched: 1 });
  });

  it.each([['text'], [null], [undefined], [true], [{ a: 1 }], [[1]], [Number.NaN]])(
    'counts %j as 0',
    (value) => {
      expect(mergeOutputIncrements({ fetched: value }, { fetched: 2 })).toEqual({ fetched: 2 });
      const increments = { fetched: value, other: 1 } as Record<string, number>;
      expect(mergeOutputIncrements({ fetched: 2 }, increments)).toEqual({ fetched: 2, other: 1 });
    },
  );

  it('returns a new object', () => {
    const current = { fetched: 1 };
    expect(mergeOutputIncrements(current, {})).not.toBe(current);
    expect(mergeOutputIncrements(current, { fetched: 1 })).not.toBe(current);
  });

  it('adds name by name, and changes nothing that it is given', () => {
    const counts = fc
      .array(fc.tuple(anyName, fc.integer({ min: -1000, max: 1000 })), { maxLength: 6 })
      .map((entries): Record<string, number> => Object.fromEntries(entries));
    fc.assert(
      fc.property(fc.option(plainPayload), counts, (current, increments) => {
        const before = JSON.stringify([current, increments]);
        const merged = new Map(Object.entries(mergeOutputIncrements(current, increments)));
        expect(JSON.stringify([current, increments])).toBe(before);

        const expected = new Map<string, unknown>(Object.entries(current ?? {}));
        for (const [name, increment] of Object.entries(increments)) {
          const value = expected.get(name);
          expected.set(name, (typeof value === 'number' ? value : 0) + increment);
        }
        expect(merged).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  it('changes nothing that is frozen', () => {
    const current = Object.freeze({ fetched: 1, nested: Object.freeze({ a: 1 }) });
    const increments = Object.freeze({ fetched: 1 });
    expect(mergeOutputIncrements(current, increments)).toEqual({ fetched: 2, nested: { a: 1 } });
  });
});

describe('getProgress', () => {
  const now = new Date('2026-03-01T12:00:30.000Z');
  const UNKNOWN = { fraction: null, remaining: null, etaMs: null };

  /** A step that has been running for 30 seconds. */
  const running = (itemsTotal: number | null, itemsProcessed: number | null, fields = {}) =>
    aStep({
      status: 'running',
      startedAt: new Date('2026-03-01T12:00:00.000Z'),
      itemsTotal,
      itemsProcessed,
      ...fields,
    });

  afterEach(() => {
    vi.useRealTimers();
  });

  it('says how much of a step is done, what remains, and how long that takes', () => {
    expect(getProgress(running(40, 10), now)).toEqual({
      fraction: 0.25,
      remaining: 30,
      etaMs: 90_000,
    });
    expect(getProgress(running(40, 30), now)).toEqual({
      fraction: 0.75,
      remaining: 10,
      etaMs: 10_000,
    });
    expect(getProgress(running(40, 40), now)).toEqual({ fraction: 1, remaining: 0, etaMs: 0 });
  });

  it('counts until now when no time is given', () => {
    vi.useFakeTimers({ toFake: ['Date'], now });
    expect(getProgress(running(40, 10)).etaMs).toBe(90_000);
    expect(getProgress(running(40, 10), undefined).etaMs).toBe(90_000);
  });

  it('takes times as databases return them', () => {
    const startedAt = new Date('2026-03-01T12:00:00.000Z');
    const times = [startedAt, startedAt.toISOString(), startedAt.getTime()];
    for (const from of [...times, '2026-03-01T14:00:00.000000+02:00']) {
      for (const until of [now, now.toISOString(), now.getTime()]) {
        expect(getProgress(running(40, 10, { startedAt: from }), until).etaMs).toBe(90_000);
      }
    }
  });

  it('knows nothing of a step whose items are not counted', () => {
    expect(getProgress(running(null, null), now)).toEqual(UNKNOWN);
    expect(getProgress(aStep(), now)).toEqual(UNKNOWN);
  });

  it('knows nothing of a step whose total is not known', () => {
    expect(getProgress(running(null, 10), now)).toEqual(UNKNOWN);
    const missing = { itemsTotal: undefined, itemsProcessed: undefined } as unknown as Step;
    expect(getProgress({ ...running(1, 1), ...missing }, now)).toEqual(UNKNOWN);
  });

  it('knows no time before the first item is done', () => {
    expect(getProgress(running(40, 0), now)).toEqual({ fraction: 0, remaining: 40, etaMs: null });
  });

  it('knows no time of a step that never started', () => {
    const unstarted = { startedAt: null };
    const known = { fraction: 0.25, remaining: 30, etaMs: null };
    expect(getProgress(running(40, 10, unstarted), now)).toEqual(known);
    expect(getProgress(running(40, 10, { ...unstarted, status: 'pending' }), now)).toEqual(known);
  });

  it('knows no time from a time that is none', () => {
    const known = { fraction: 0.25, remaining: 30, etaMs: null };
    expect(getProgress(running(40, 10, { startedAt: 'yesterday' }), now)).toEqual(known);
    expect(getProgress(running(40, 10), new Date(Number.NaN))).toEqual(known);
    expect(getProgress(running(40, 10), 'soon')).toEqual(known);
  });

  it.each<StepStatus>(['completed', 'failed', 'cancelled', 'skipped'])(
    'of a step that is %s has no time to wait for',
    (status) => {
      const ended = { status, completedAt: now, durationMs: 30_000 };
      expect(getProgress(running(40, 10, ended), now)).toEqual({
        fraction: 0.25,
        remaining: 30,
        etaMs: null,
      });
      expect(getProgress(running(40, 40, ended), now)).toMatchObject({ fraction: 1, remaining: 0 });
    },
  );

  it('of no items is complete', () => {
    expect(getProgress(running(0, 0), now)).toMatchObject({ fraction: 1, remaining: 0 });
    expect(getProgress(running(0, 5), now)).toEqual({ fraction: 1, remaining: 0, etaMs: 0 });
  });

  it('of a running step to which nothing remains takes no more time', () => {
    expect(getProgress(running(0, 0), now).etaMs).toBe(0);
  });

  it('never goes beyond the whole', () => {
    expect(getProgress(running(40, 41), now)).toEqual({ fraction: 1, remaining: 0, etaMs: 0 });
  });

  it('knows no time when the clock is behind the one of the start', () => {
    const before = new Date('2026-03-01T11:59:59.000Z');
    expect(getProgress(running(40, 10), before)).toEqual({
      fraction: 0.25,
      remaining: 30,
      etaMs: null,
    });
  });

  it('takes the part of a step that it needs', () => {
    const { status, itemsTotal, itemsProcessed, startedAt } = running(40, 10);
    const part = { status, itemsTotal, itemsProcessed, startedAt };
    expect(getProgress(part, now).fraction).toBe(0.25);
  });

  it('is numbers that can be shown, or null, whatever the counts', () => {
    const count = fc.option(fc.oneof(fc.nat(), fc.integer(), fc.nat(10)));
    const time = fc.oneof(fc.date({ noInvalidDate: false }), fc.integer(), fc.string());
    const status = fc.constantFrom<StepStatus>('pending', 'running', 'completed', 'failed');
    fc.assert(
      fc.property(count, count, status, fc.option(time), time, (...drawn) => {
        const [itemsTotal, itemsProcessed, is, startedAt, until] = drawn;
        const step = { ...aStep({ status: is, itemsTotal, itemsProcessed }), startedAt };
        const { fraction, remaining, etaMs } = getProgress(step as Step, until);
        expect(fraction === null).toBe(itemsTotal === null || itemsProcessed === null);
        expect(remaining === null).toBe(fraction === null);
        if (fraction === null || remaining === null) {
          expect(etaMs).toBeNull();
          return;
        }
        expect(fraction).toBeGreaterThanOrEqual(0);
        expect(fraction).toBeLessThanOrEqual(1);
        expect(Number.isInteger(remaining)).toBe(true);
        expect(remaining).toBeGreaterThanOrEqual(0);
        if (etaMs === null) return;
        expect(is).toBe('running');
        expect(Number.isInteger(etaMs)).toBe(true);
        expect(etaMs).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 500 },
    );
  });
});

describe('getRunSummary', () => {
  const sync = (fields: Parameters<typeof aRun>[0]) => getRunSummary(aRun(fields));

  it('says that a run waits', () => {
    expect(sync({ status: 'pending' })).toBe('sync waiting to start');
  });

  it('says what a run is at', () => {
    expect(sync({ status: 'running', currentStep: 'fetch_data' })).toBe('sync running: fetch_data');
    expect(sync({ status: 'running' })).toBe('sync running');
  });

  it('says why a run failed, and nothing of the kind of others', () => {
    expect(sync({ status: 'failed', error: 'timeout' })).toBe('sync failed: timeout');
    expect(sync({ status: 'cancelled', error: 'by hand' })).toBe('sync cancelled');
  });

  it('says how long a run took', () => {
    expect(sync({ status: 'completed', durationMs: 3500 })).toBe('sync completed in 3.5s');
    expect(sync({ status: 'completed', durationMs: 125_000 })).toBe('sync completed in 2m 5s');
    expect(sync({ status: 'completed', durationMs: 0 })).toBe('sync completed in 0ms');
  });

  it('says nothing of the time of a run that never started', () => {
    expect(sync({ status: 'completed', durationMs: null })).toBe('sync completed');
  });

  it('says why a run failed', () => {
    expect(sync({ status: 'failed', error: 'timeout' })).toBe('sync failed: timeout');
    expect(sync({ status: 'failed', error: null })).toBe('sync failed');
  });

  it('says that a run was cancelled', () => {
    expect(sync({ status: 'cancelled' })).toBe('sync cancelled');
    expect(sync({ status: 'cancelled', durationMs: 10 })).toBe('sync cancelled');
  });
});

describe('the complete helpers', () => {
  const RUN: Record<RunStatus, boolean> = {
    pending: false,
    running: false,
    completed: true,
    failed: true,
    cancelled: true,
  };
  const STEP: Record<StepStatus, boolean> = { ...RUN, skipped: true };
  const CALL: Record<CallStatus, boolean> = {
    pending: false,
    running: false,
    success: true,
    error: true,
  };

  it.each(Object.entries(RUN) as [RunStatus, boolean][])(
    'isRunComplete: a run that is %s: %s',
    (status, isComplete) => {
      expect(isRunComplete(status)).toBe(isComplete);
      expect(isRunComplete(aRun({ status }))).toBe(isComplete);
    },
  );

  it.each(Object.entries(STEP) as [StepStatus, boolean][])(
    'isStepComplete: a step that is %s: %s',
    (status, isComplete) => {
      expect(isStepComplete(status)).toBe(isComplete);
      expect(isStepComplete(aStep({ status }))).toBe(isComplete);
    },
  );

  it.each(Object.entries(CALL) as [CallStatus, boolean][])(
    'isCallComplete: a call at %s: %s',
    (status, isComplete) => {
      expect(isCallComplete(status)).toBe(isComplete);
      expect(isCallComplete(aCall({ status }))).toBe(isComplete);
    },
  );
});
