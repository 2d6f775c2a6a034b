import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ExecuteContext, RunsError, Step } from '../src/index.js';
import { MemoryStore } from '../src/memory.js';
import { aRun } from './support/records.js';
import { intercept, type MapStore, mapStore, recorded } from './support/stores.js';
import { testTracker } from './support/trackers.js';

const RUN = { id: 'r1', runType: 'sync', trigger: 'cron' } as const;
const STEP = { id: 's1', stepType: 'fetch' };
const CALL = { id: 'c1', tool: 'api', operation: 'GET /charges' };

const STORES = {
  'a plain store': () => mapStore(),
  'a conditional store': () => mapStore({ conditional: true }),
  'a conditional store that counts': () => mapStore({ conditional: true, counters: true }),
};

type Kind = 'run' | 'step' | 'call';
type Tracker = ReturnType<typeof testTracker>['tracker'];
type Work = (context: ExecuteContext) => unknown;

/** The same work as a run, a step or a call, under the same options. */
function execute(tracker: Tracker, kind: Kind, work: Work, options: object): Promise<unknown> {
  if (kind === 'run') return tracker.executeRun(RUN, (_id, context) => work(context), options);
  if (kind === 'step') {
    return tracker.executeStep(null, STEP, (_id, context) => work(context), options);
  }
  return tracker.executeCall('s0', CALL, work, options);
}

function recordOf(store: MapStore, kind: Kind): { status: string; error: string | null } {
  const rows = { run: store.runs, step: store.steps, call: store.calls }[kind];
  return [...rows.values()][0] as { status: string; error: string | null };
}

/** Work that rejects with the reason of its signal, as `fetch` does. */
function untilAborted({ signal }: ExecuteContext): Promise<never> {
  return new Promise((_, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
  });
}

async function ticks(count = 30): Promise<void> {
  for (let tick = 0; tick < count; tick += 1) await null;
}

const KINDS = ['run', 'step', 'call'] as const;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  // In this order: what was stubbed were the fake timers.
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('what the work is given', () => {
  it('without options is the id alone, and for a call nothing', async () => {
    const { tracker } = testTracker({ store: mapStore() });
    const given: unknown[][] = [];
    const work = (...args: unknown[]) => void given.push(args);
    await tracker.executeRun(RUN, work);
    await tracker.executeStep('r1', STEP, work);
    await tracker.executeCall('s1', CALL, work);
    expect(given).toEqual([['r1'], ['s1'], []]);
  });

  it('with options, if only `{}`, is a context too', async () => {
    const { tracker } = testTracker({ store: mapStore() });
    const given: unknown[][] = [];
    const work = (...args: unknown[]) => void given.push(args);
    await tracker.executeRun(RUN, work, {});
    await tracker.executeStep('r1', STEP, work, {});
    await tracker.executeCall('s1', CALL, work, {});
    const context = { attempt: 1, signal: expect.any(AbortSignal) };
    expect(given).toEqual([['r1', context], ['s1', context], [context]]);
  });

  it('counts attempts on from a record named by `retryOf`', async () => {
    const { tracker } = testTracker({ store: mapStore() });
    await tracker.createStep(null, STEP);
    const again = { stepType: 'fetch', retryOf: 's1' };
    expect(await tracker.executeStep(null, again, (_id, { attempt }) => attempt, {})).toBe(2);
  });

  it('makes a signal only when it is asked for one, and always the same', async () => {
    const created = vi.fn();
    const Original = AbortController;
    vi.stubGlobal(
      'AbortController',
      class extends Original {
        constructor() {
          super();
          created();
        }
      },
    );
    const { tracker } = testTracker({ store: mapStore() });
    for (const kind of KINDS) {
      await execute(tracker, kind, () => {}, { timeoutMs: 1000 });
    }
    expect(created).not.toHaveBeenCalled();
    await tracker.executeStep(
      null,
      { stepType: 'x' },
      (_id, context) => {
        expect(context.signal).toBe(context.signal);
        expect(context.signal.aborted).toBe(false);
      },
      {},
    );
    expect(created).toHaveBeenCalledTimes(1);
  });
});

describe('an option that does not belong, or has no such value, is refused before anything is stored', () => {
  const none = { maxAttempts: 2 };
  const REFUSED: [Kind, object, string][] = [
    ['run', { retry: none }, 'Cannot execute run: retry must be left out, not {"maxAttempts":2}'],
    ['call', { heartbeatMs: 5 }, 'Cannot execute call: heartbeatMs must be left out, not 5'],
    ['step', { timeout: 5 }, 'Cannot execute step: timeout must be left out, not 5'],
    ['step', { concurrency: 5 }, 'Cannot execute step: concurrency must be left out, not 5'],
    [
      'call',
      { retry: { ...none, tries: 5 } },
      'Cannot execute call: tries must be left out, not 5',
    ],
  ];
  for (const kind of KINDS) {
    for (const value of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31, '5', null]) {
      const said = typeof value === 'string' ? `"${value}"` : value;
      const of = (name: string, least: number) =>
        `Cannot execute ${kind}: ${name} must be from ${least} to 2147483647, not ${said}`;
      REFUSED.push([kind, { timeoutMs: value }, of('timeoutMs', 1)]);
      if (kind !== 'call') REFUSED.push([kind, { heartbeatMs: value }, of('heartbeatMs', 1)]);
      if (kind === 'run') continue;
      REFUSED.push([kind, { retry: { maxAttempts: value } }, of('maxAttempts', 1)]);
      if (value === 0) continue;
      REFUSED.push([kind, { retry: { ...none, delayMs: value } }, of('delayMs', 0)]);
    }
    const late = `Cannot execute ${kind}: timeoutMs must be from 1 to 2147483647, not {"value":"[function]"}`;
    REFUSED.push([kind, { timeoutMs: () => 5 }, late]);
    if (kind === 'run') continue;
    const missing = `Cannot execute ${kind}: maxAttempts must be from 1 to 2147483647, not null`;
    REFUSED.push([kind, { retry: {} }, missing]);
  }
  for (const [kind, options, message] of REFUSED) {
    it(message, async () => {
      const { store, calls } = recorded(mapStore());
      const { tracker } = testTracker({ store });
      const work = vi.fn();
      const refused = (await execute(tracker, kind, work, options).catch((e) => e)) as RunsError;
      expect(refused).toMatchObject({ name: 'RunsError', code: 'invalid_argument', message });
      expect(work).not.toHaveBeenCalled();
      expect(calls).toEqual([]);
    });
  }

  it('an option that is undefined is none', async () => {
    const { tracker } = testTracker({ store: mapStore() });
    const options = { output: undefined, signal: undefined, timeoutMs: undefined };
    for (const kind of KINDS) {
      const more = kind === 'run' ? { heartbeatMs: undefined } : { retry: undefined };
      expect(await execute(tracker, kind, () => 5, { ...options, ...more })).toBe(5);
    }
  });

  it('the largest values that a timer takes are accepted', async () => {
    const { tracker } = testTracker({ store: mapStore() });
    const most = 2 ** 31 - 1;
    const options = { timeoutMs: most, heartbeatMs: most };
    expect(await execute(tracker, 'run', () => 5, options)).toBe(5);
    const retry = { maxAttempts: most, delayMs: most };
    expect(await execute(tracker, 'call', () => 5, { retry })).toBe(5);
  });
});

describe('output', () => {
  for (const kind of KINDS) {
    for (const [name, open] of Object.entries(STORES)) {
      it(`is what is recorded of the value of a ${kind}, which the caller gets unchanged, on ${name}`, async () => {
        const store = open();
        const { tracker, reports } = testTracker({ store });
        const value = { rows: [1, 2, 3], secret: 'key' };
        const output = vi.fn((given: unknown) => ({ rows: (given as typeof value).rows.length }));
        expect(await execute(tracker, kind, () => value, { output })).toBe(value);
        expect(output.mock.calls).toEqual([[value]]);
        expect(recordOf(store, kind)).toMatchObject({ output: { rows: 3 } });
        expect(reports).toEqual([]);
      });
    }

    it(`records nothing of a ${kind} when it is false, or the function returns null`, async () => {
      for (const output of [false, () => null, () => undefined]) {
        const store = mapStore();
        const { tracker } = testTracker({ store });
        expect(await execute(tracker, kind, () => 'secret', { output })).toBe('secret');
        expect(recordOf(store, kind)).toMatchObject({ output: null });
        expect(JSON.stringify([...store.runs, ...store.steps, ...store.calls])).not.toMatch(
          'secret',
        );
      }
    });

    it(`that throws is reported, and nothing of the value of a ${kind} is stored`, async () => {
      const failure = new Error('cannot read rows of undefined');
      for (const [output, error] of [
        [
          () => {
            throw failure;
          },
          failure,
        ],
        [async () => Promise.reject(failure), new TypeError('output is async')],
      ] as const) {
        const store = mapStore();
        const { tracker, reports } = testTracker({ store });
        expect(await execute(tracker, kind, () => 'secret', { output })).toBe('secret');
        const status = kind === 'call' ? 'success' : 'completed';
        expect(recordOf(store, kind)).toMatchObject({ status, output: null, error: null });
        const info = { operation: 'finish', record: kind, id: `${kind[0]}1`, work: 'succeeded' };
        expect(reports).toEqual([{ error, info }]);
      }
    });
  }

  it('is asked for a value that is nothing, too, and not for an error', async () => {
    const store = mapStore();
    const { tracker } = testTracker({ store });
    const output = vi.fn(() => ({ done: true }));
    await tracker.executeStep(null, STEP, () => {}, { output });
    expect(store.steps.get('s1')?.output).toEqual({ done: true });
    const failing = tracker.executeStep(null, { stepType: 'x' }, () => Promise.reject(5), {
      output,
    });
    await expect(failing).rejects.toBe(5);
    expect(output).toHaveBeenCalledTimes(1);
  });

  it('is laid over what the run has counted', async () => {
    for (const open of Object.values(STORES)) {
      const store = open();
      const { tracker } = testTracker({ store });
      const work = async (id: string) => tracker.incrementRunOutput(id, { fetched: 3, saved: 2 });
      await tracker.executeRun(RUN, work, { output: () => ({ saved: 'all' }) });
      expect(store.runs.get('r1')?.output).toEqual({ fetched: 3, saved: 'all' });
    }
  });
});

describe('signal', () => {
  for (const kind of KINDS) {
    const ended = kind === 'call' ? 'error' : 'cancelled';

    it(`that aborted before the start of a ${kind}: rejects with its reason, and nothing is recorded`, async () => {
      const { store, calls } = recorded(mapStore());
      const { tracker, reports } = testTracker({ store });
      for (const reason of [new Error('shutting down'), 'shutting down', 0, null]) {
        const work = vi.fn();
        const options = { signal: AbortSignal.abort(reason) };
        await expect(execute(tracker, kind, work, options)).rejects.toBe(reason);
        expect(work).not.toHaveBeenCalled();
      }
      expect(calls).toEqual([]);
      expect(reports).toEqual([]);
    });

    for (const [name, open] of Object.entries(STORES)) {
      it(`that aborts while the start of a ${kind} is being stored: the work is not called, on ${name}`, async () => {
        const controller = new AbortController();
        const reason = new Error('shutting down');
        const store = open();
        const slow = intercept(store, async ({ method }, proceed) => {
          if (method.startsWith('insert')) controller.abort(reason);
          return proceed();
        });
        const { tracker, reports } = testTracker({ store: slow });
        const work = vi.fn();
        const { signal } = controller;
        await expect(execute(tracker, kind, work, { signal })).rejects.toBe(reason);
        expect(work).not.toHaveBeenCalled();
        expect(recordOf(store, kind)).toMatchObject({ status: ended, error: 'shutting down' });
        expect(reports).toEqual([]);
      });

      it(`work of a ${kind} that rejects after it ends as ${ended}, with the identical rejection, on ${name}`, async () => {
        for (const rejection of [
          new Error('stopped in the middle'),
          undefined,
          Object.freeze({}),
        ]) {
          const controller = new AbortController();
          const store = open();
          const { tracker, reports } = testTracker({ store });
          const work = async ({ signal }: ExecuteContext) => {
            expect(signal.aborted).toBe(false);
            controller.abort('shutting down');
            expect(signal.aborted).toBe(true);
            expect(signal.reason).toBe('shutting down');
            throw rejection;
          };
          const { signal } = controller;
          await expect(execute(tracker, kind, work, { signal })).rejects.toBe(rejection);
          const error = kind === 'call' || rejection ? expect.any(String) : null;
          expect(recordOf(store, kind)).toMatchObject({ status: ended, error, durationMs: 0 });
          expect(reports).toEqual([]);
        }
      });

      it(`work of a ${kind} that completes all the same has completed, on ${name}`, async () => {
        const controller = new AbortController();
        const store = open();
        const { tracker, reports } = testTracker({ store });
        const work = async () => {
          controller.abort();
          return 'done';
        };
        expect(await execute(tracker, kind, work, { signal: controller.signal })).toBe('done');
        const status = kind === 'call' ? 'success' : 'completed';
        expect(recordOf(store, kind)).toMatchObject({
          status,
          output: { result: 'done' },
          error: null,
        });
        expect(reports).toEqual([]);
      });
    }

    it(`work of a ${kind} that rejects without it has failed`, async () => {
      const controller = new AbortController();
      const store = mapStore();
      const { tracker } = testTracker({ store });
      const failing = execute(tracker, kind, () => Promise.reject(new Error('no')), {
        signal: controller.signal,
      });
      await expect(failing).rejects.toThrow('no');
      controller.abort();
      const status = kind === 'call' ? 'error' : 'failed';
      expect(recordOf(store, kind)).toMatchObject({ status, error: 'no' });
    });

    it(`lets go of the caller's signal when a ${kind} has ended`, async () => {
      const { signal } = new AbortController();
      const listeners = new Set<unknown>();
      vi.spyOn(signal, 'addEventListener').mockImplementation((_, it) => void listeners.add(it));
      vi.spyOn(signal, 'removeEventListener').mockImplementation(
        (_, it) => void listeners.delete(it),
      );
      const { tracker } = testTracker({ store: mapStore() });
      await execute(tracker, kind, () => expect(listeners.size).toBe(1), { signal });
      expect(listeners.size).toBe(0);
    });
  }

  it('keeps what a cancelled run has counted', async () => {
    for (const open of Object.values(STORES)) {
      const controller = new AbortController();
      const store = open();
      const { tracker } = testTracker({ store });
      const run = tracker.executeRun(
        RUN,
        async (id, context) => {
          await tracker.incrementRunOutput(id, { fetched: 3 });
          controller.abort(new Error('stop'));
          await untilAborted(context);
        },
        { signal: controller.signal },
      );
      await expect(run).rejects.toThrow('stop');
      expect(store.runs.get('r1')).toMatchObject({
        status: 'cancelled',
        output: { fetched: 3 },
        error: 'stop',
        currentStep: null,
      });
    }
  });

  it('that is passed on ends run, step and call alike', async () => {
    const controller = new AbortController();
    const store = mapStore({ conditional: true });
    const { tracker, reports } = testTracker({ store });
    const run = tracker.executeRun(
      RUN,
      (runId, { signal }) =>
        tracker.executeStep(
          runId,
          STEP,
          (stepId, inner) =>
            tracker.executeCall(stepId, CALL, untilAborted, { signal: inner.signal }),
          { signal },
        ),
      { signal: controller.signal },
    );
    const settled = expect(run).rejects.toThrow('Ctrl-C');
    await ticks();
    controller.abort(new Error('Ctrl-C'));
    await settled;
    expect(recordOf(store, 'run')).toMatchObject({ status: 'cancelled', error: 'Ctrl-C' });
    expect(recordOf(store, 'step')).toMatchObject({ status: 'cancelled', error: 'Ctrl-C' });
    expect(recordOf(store, 'call')).toMatchObject({ status: 'error', error: 'Ctrl-C' });
    expect(reports).toEqual([]);
  });

  it('a final write that is lost after it tells that the work had failed, or had not begun', async () => {
    for (const isEarly of [true, false]) {
      const controller = new AbortController();
      const failing = intercept(mapStore({ conditional: true }), ({ method }, proceed) => {
        if (isEarly) controller.abort();
        return method === 'updateRun' ? Promise.reject(new Error('gone')) : proceed();
      });
      const { tracker, reports } = testTracker({ store: failing });
      const work = async () => {
        controller.abort();
        throw new Error('stopped');
      };
      await tracker.executeRun(RUN, work, { signal: controller.signal }).catch(() => {});
      const how = isEarly ? 'not_started' : 'failed';
      const info = { operation: 'cancel', record: 'run', id: 'r1', work: how };
      expect(reports).toEqual([{ error: new Error('gone'), info }]);
    }
  });
});

describe('timeoutMs', () => {
  for (const kind of KINDS) {
    for (const [name, open] of Object.entries(STORES)) {
      it(`ends a ${kind} that takes longer as failed, with a TimeoutError, on ${name}`, async () => {
        const store = open();
        const { tracker, clock, reports } = testTracker({ store });
        let given: AbortSignal | undefined;
        const work = ({ signal }: ExecuteContext) => {
          given = signal;
          return new Promise(() => {});
        };
        const failing = execute(tracker, kind, work, { timeoutMs: 1000 }).catch((error) => error);
        await vi.advanceTimersByTimeAsync(999);
        expect(recordOf(store, kind).status).toBe('running');
        clock.at += 1000;
        await vi.advanceTimersByTimeAsync(1);
        const error = (await failing) as DOMException;
        expect(error).toBeInstanceOf(DOMException);
        expect(error.name).toBe('TimeoutError');
        expect(given?.reason).toBe(error);
        const status = kind === 'call' ? 'error' : 'failed';
        const said = `${kind} "${kind[0]}1" took longer than 1000 ms`;
        expect(recordOf(store, kind)).toMatchObject({ status, error: said, durationMs: 1000 });
        expect(reports).toEqual([]);
      });
    }

    it(`a late value or rejection of a ${kind} changes nothing, and is no unhandled rejection`, async () => {
      for (const isLate of ['value', 'rejection']) {
        const store = mapStore();
        const { tracker, reports } = testTracker({ store });
        const late = Promise.withResolvers<string>();
        const failing = execute(tracker, kind, () => late.promise, { timeoutMs: 10 });
        const settled = expect(failing).rejects.toThrow('took longer');
        await vi.advanceTimersByTimeAsync(10);
        await settled;
        const before = structuredClone(recordOf(store, kind));
        if (isLate === 'value') late.resolve('late');
        else late.reject(new Error('late'));
        await vi.advanceTimersByTimeAsync(100);
        expect(recordOf(store, kind)).toEqual(before);
        expect(reports).toEqual([]);
      }
    });

    it(`leaves no timer behind when the work of a ${kind} settles in time, or throws at once`, async () => {
      const { tracker } = testTracker({ store: new MemoryStore() });
      const options = { timeoutMs: 1000 };
      if (kind === 'run') {
        await tracker.executeRun({ runType: 'x', trigger: 'cron' }, async () => 1, options);
      }
      await execute(tracker, kind, async () => 1, options);
      expect(vi.getTimerCount()).toBe(0);
      const throwing = () => {
        throw new Error('at once');
      };
      await tracker
        .executeStep(null, { stepType: 'x' }, throwing, options)
        .catch((error) => expect(error.message).toBe('at once'));
    });
  }

  it('wins over work that rejects because of it', async () => {
    const store = mapStore();
    const { tracker } = testTracker({ store });
    const failing = tracker
      .executeStep(null, STEP, (_id, context) => untilAborted(context), { timeoutMs: 10 })
      .catch((error) => error);
    await vi.advanceTimersByTimeAsync(10);
    expect(await failing).toMatchObject({ name: 'TimeoutError' });
    expect(store.steps.get('s1')).toMatchObject({ status: 'failed' });
  });

  it('wins also over work that says otherwise when it is asked to stop', async () => {
    const store = mapStore();
    const { tracker } = testTracker({ store });
    const work = (_id: string, { signal }: ExecuteContext) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(new Error('closed')));
      });
    const failing = tracker
      .executeStep(null, STEP, work, { timeoutMs: 10 })
      .catch((error) => error);
    await vi.advanceTimersByTimeAsync(10);
    expect(await failing).toMatchObject({ name: 'TimeoutError' });
    expect(store.steps.get('s1')).toMatchObject({
      status: 'failed',
      error: 'step "s1" took longer than 10 ms',
    });
  });

  it('after an abort that the work does not heed ends it as cancelled', async () => {
    const controller = new AbortController();
    const store = mapStore();
    const { tracker } = testTracker({ store });
    const options = { timeoutMs: 10, signal: controller.signal };
    const failing = tracker
      .executeStep(null, STEP, () => new Promise(() => {}), options)
      .catch((error) => error);
    await vi.advanceTimersByTimeAsync(5);
    controller.abort();
    await vi.advanceTimersByTimeAsync(5);
    expect(await failing).toMatchObject({ name: 'TimeoutError' });
    expect(store.steps.get('s1')).toMatchObject({ status: 'cancelled' });
  });

  it('does not count the time that the store takes', async () => {
    const slow = intercept(mapStore(), async (_call, proceed) => {
      await new Promise((resolve) => setTimeout(resolve, 500));
      return proceed();
    });
    const { tracker } = testTracker({ store: slow });
    const run = tracker.executeRun(RUN, async () => 'done', { timeoutMs: 100 });
    await vi.advanceTimersByTimeAsync(5000);
    expect(await run).toBe('done');
  });
});

describe('retry', () => {
  const failing = (failures: unknown[], value: unknown = 'done') => {
    const left = [...failures];
    return vi.fn(async (): Promise<unknown> => {
      if (left.length > 0) throw left.shift();
      return value;
    });
  };

  for (const [name, open] of Object.entries(STORES)) {
    it(`runs a failed step again, each attempt in a record of its own, on ${name}`, async () => {
      const store = open();
      const { tracker, reports } = testTracker({ store });
      const attempts: number[] = [];
      const work = failing([new Error('first'), new Error('second')]);
      const step = tracker.executeStep(
        null,
        { ...STEP, context: { shard: 1 }, input: { page: 2 } },
        (_id, { attempt }) => {
          attempts.push(attempt);
          return work();
        },
        { retry: { maxAttempts: 3, delayMs: 100 } },
      );
      await vi.advanceTimersByTimeAsync(200);
      expect(await step).toBe('done');
      expect(attempts).toEqual([1, 2, 3]);
      const steps = [...store.steps.values()];
      const [first, second, third] = steps as [Step, Step, Step];
      expect(steps).toHaveLength(3);
      for (const { maxRetries, context, input } of steps) {
        expect({ maxRetries, context, input }).toEqual({
          maxRetries: 2,
          context: { shard: 1 },
          input: { page: 2 },
        });
      }
      expect(first).toMatchObject({ id: 's1', attempt: 1, retryOf: null, error: 'first' });
      expect(second).toMatchObject({ attempt: 2, retryOf: 's1', error: 'second' });
      expect(third).toMatchObject({ attempt: 3, retryOf: second.id, error: null });
      expect(steps.map(({ status }) => status)).toEqual(['failed', 'failed', 'completed']);
      expect(third.output).toEqual({ result: 'done' });
      expect(reports).toEqual([]);
    });

    it(`runs a failed call again, on ${name}`, async () => {
      const store = open();
      const { tracker } = testTracker({ store });
      const call = tracker.executeCall('s1', CALL, failing([new Error('first')]), {
        retry: { maxAttempts: 5, delayMs: 0 },
      });
      await vi.advanceTimersByTimeAsync(1);
      expect(await call).toBe('done');
      const calls = [...store.calls.values()];
      expect(calls).toMatchObject([
        { id: 'c1', attempt: 1, retryOf: null, status: 'error', error: 'first' },
        { attempt: 2, retryOf: 'c1', status: 'success' },
      ]);
    });
  }

  it('gives the caller the last error, unchanged, when no attempt succeeds', async () => {
    const store = mapStore();
    const { tracker } = testTracker({ store });
    const last = Object.freeze({ code: 503 });
    const work = failing([new Error('first'), undefined, last]);
    const step = tracker.executeStep(null, STEP, work, { retry: { maxAttempts: 3, delayMs: 5 } });
    const settled = expect(step).rejects.toBe(last);
    await vi.advanceTimersByTimeAsync(10);
    await settled;
    expect(work).toHaveBeenCalledTimes(3);
    expect([...store.steps.values()].map(({ status }) => status)).toEqual(Array(3).fill('failed'));
  });

  it('goes on counting from the attempt that the first one tries again', async () => {
    const store = mapStore();
    const { tracker } = testTracker({ store });
    await tracker.createStep(null, { ...STEP, id: 'earlier' });
    const params = { ...STEP, retryOf: 'earlier' };
    const work = failing(['once']);
    const step = tracker.executeStep(null, params, work, { retry: { maxAttempts: 2, delayMs: 0 } });
    await vi.advanceTimersByTimeAsync(1);
    await step;
    const attempts = [...store.steps.values()].map(({ attempt, retryOf }) => ({
      attempt,
      retryOf,
    }));
    expect(attempts).toEqual([
      { attempt: 1, retryOf: null },
      { attempt: 2, retryOf: 'earlier' },
      { attempt: 3, retryOf: 's1' },
    ]);
  });

  it('asks the store for nothing more than the attempts themselves do', async () => {
    const { store, calls } = recorded(mapStore({ conditional: true }));
    const { tracker } = testTracker({ store });
    const work = failing(['once']);
    const call = tracker.executeCall('s1', CALL, work, { retry: { maxAttempts: 3, delayMs: 0 } });
    await vi.advanceTimersByTimeAsync(1);
    await call;
    const methods = calls.map(({ method }) => method);
    expect(methods).toEqual(['insertCall', 'updateCall', 'insertCall', 'updateCall']);
  });

  it('waits for `delayMs`, a number or a function of the attempts so far', async () => {
    for (const [delayMs, delays] of [
      [50, [50, 50]],
      [(attempt: number) => attempt * 100, [100, 200]],
    ] as const) {
      const { tracker } = testTracker({ store: mapStore() });
      const at: number[] = [];
      const step = tracker.executeStep(
        null,
        STEP,
        async () => {
          at.push(Date.now());
          throw new Error('no');
        },
        { retry: { maxAttempts: 3, delayMs } },
      );
      const settled = expect(step).rejects.toThrow('no');
      await vi.advanceTimersByTimeAsync(1000);
      await settled;
      const [first, second, third] = at as [number, number, number];
      expect([second - first, third - second]).toEqual(delays);
    }
  });

  it('waits by default a random time that doubles, from 200 ms to 30 s at most', async () => {
    const waits: unknown[] = [];
    const original = setTimeout;
    vi.stubGlobal('setTimeout', (callback: () => void, delay: number) => {
      waits.push(delay);
      return original(callback, 0);
    });
    const { tracker } = testTracker({ store: mapStore() });
    for (const random of [1, 0.5, 0]) {
      waits.length = 0;
      vi.spyOn(Math, 'random').mockReturnValue(random);
      const call = tracker.executeCall(
        's1',
        { tool: 'a', operation: 'b' },
        () => Promise.reject(0),
        {
          retry: { maxAttempts: 12 },
        },
      );
      const settled = expect(call).rejects.toBe(0);
      await vi.advanceTimersByTimeAsync(100);
      await settled;
      const most = [200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000, 30_000];
      expect(waits).toEqual(most.map((delay) => delay * random));
    }
    vi.mocked(Math.random).mockRestore();
  });

  it('waits no longer than timers can, rather than not at all', async () => {
    const controller = new AbortController();
    const { tracker } = testTracker({ store: mapStore() });
    const work = failing(['busy', 'busy']);
    const waits: unknown[] = [];
    const original = setTimeout;
    vi.stubGlobal('setTimeout', (callback: () => void, delay: number) => {
      waits.push(delay);
      return original(callback, delay);
    });
    const retry = { maxAttempts: 2, delayMs: () => 1e12 };
    const step = tracker.executeStep(null, STEP, work, { signal: controller.signal, retry });
    const settled = expect(step).rejects.toBe('busy');
    await vi.advanceTimersByTimeAsync(1000);
    expect(waits).toEqual([2 ** 31 - 1]);
    controller.abort();
    await settled;
  });

  it('asks `shouldRetry`, which may be asynchronous', async () => {
    const isTransient = (error: unknown) => (error as { code: number }).code >= 500;
    for (const shouldRetry of [isTransient, async (error: unknown) => isTransient(error)]) {
      const { tracker } = testTracker({ store: mapStore() });
      const asked = vi.fn(shouldRetry);
      const work = failing([{ code: 503 }, { code: 404 }]);
      const retry = { maxAttempts: 5, delayMs: 0, shouldRetry: asked };
      const step = tracker.executeStep(null, STEP, work, { retry });
      const settled = expect(step).rejects.toEqual({ code: 404 });
      await vi.advanceTimersByTimeAsync(10);
      await settled;
      expect(asked.mock.calls).toEqual([
        [{ code: 503 }, 1],
        [{ code: 404 }, 2],
      ]);
      expect(work).toHaveBeenCalledTimes(2);
    }
  });

  it('does not ask after the last attempt', async () => {
    const { tracker } = testTracker({ store: mapStore() });
    const shouldRetry = vi.fn(() => true);
    const retry = { maxAttempts: 1, shouldRetry };
    await expect(tracker.executeStep(null, STEP, failing([5]), { retry })).rejects.toBe(5);
    expect(shouldRetry).not.toHaveBeenCalled();
  });

  it('is given up when `shouldRetry` or `delayMs` throws, which is reported', async () => {
    const wrong = new Error('wrong');
    const throwing = () => {
      throw wrong;
    };
    for (const more of [{ shouldRetry: throwing }, { delayMs: throwing }]) {
      const { tracker, reports } = testTracker({ store: mapStore() });
      const retry = { maxAttempts: 3, ...more };
      await expect(tracker.executeStep(null, STEP, failing([5]), { retry })).rejects.toBe(5);
      const info = { operation: 'start', record: 'step', id: 's1', work: 'failed' };
      expect(reports).toEqual([{ error: wrong, info }]);
    }
  });

  it('tries again what has timed out', async () => {
    const store = mapStore();
    const { tracker } = testTracker({ store });
    const work = vi.fn((_id: string, { attempt }: ExecuteContext) =>
      attempt < 3 ? new Promise<string>(() => {}) : 'in time',
    );
    const options = { timeoutMs: 100, retry: { maxAttempts: 3, delayMs: 10 } };
    const step = tracker.executeStep(null, STEP, work, options);
    await vi.advanceTimersByTimeAsync(220);
    expect(await step).toBe('in time');
    const statuses = [...store.steps.values()].map(({ status }) => status);
    expect(statuses).toEqual(['failed', 'failed', 'completed']);
  });

  it('is ended at once by an abort during the delay, with the error of the work', async () => {
    for (const isLate of [true, false]) {
      const controller = new AbortController();
      const store = mapStore();
      const { tracker, reports } = testTracker({ store });
      const shouldRetry = () => {
        if (!isLate) controller.abort('stop');
        return true;
      };
      const work = failing(['busy']);
      const step = tracker.executeStep(null, STEP, work, {
        signal: controller.signal,
        retry: { maxAttempts: 3, delayMs: 60_000, shouldRetry },
      });
      const settled = expect(step).rejects.toBe('busy');
      await vi.advanceTimersByTimeAsync(1000);
      controller.abort('stop');
      await settled;
      expect(vi.getTimerCount()).toBe(0);
      expect(work).toHaveBeenCalledTimes(1);
      expect([...store.steps.values()]).toMatchObject([{ status: 'failed', error: 'busy' }]);
      expect(reports).toEqual([]);
    }
  });

  it('is given up when somebody else has cancelled the record', async () => {
    for (const open of Object.values(STORES)) {
      const store = open();
      const { tracker, reports } = testTracker({ store });
      const work = vi.fn(async (id: string) => {
        await testTracker({ store }).tracker.cancelStep(id, 'by hand');
        throw new Error('failed');
      });
      const retry = { maxAttempts: 3, delayMs: 0 };
      await expect(tracker.executeStep(null, STEP, work, { retry })).rejects.toThrow('failed');
      expect(work).toHaveBeenCalledTimes(1);
      expect(reports).toMatchObject([{ error: { code: 'invalid_transition' } }]);
    }
  });

  it('lets go of the signal after each delay', async () => {
    const { signal } = new AbortController();
    const listeners = new Set<unknown>();
    vi.spyOn(signal, 'addEventListener').mockImplementation((type, it) => {
      if (type === 'abort') listeners.add(it);
    });
    vi.spyOn(signal, 'removeEventListener').mockImplementation((type, it) => {
      if (type === 'abort') listeners.delete(it);
    });
    const { tracker } = testTracker({ store: mapStore() });
    const retry = { maxAttempts: 3, delayMs: 5 };
    const step = tracker.executeStep(null, STEP, failing(['busy', 'busy']), { signal, retry });
    await vi.advanceTimersByTimeAsync(10);
    await step;
    expect(listeners.size).toBe(0);
  });

  it('never tries again what was aborted', async () => {
    for (const kind of ['step', 'call'] as const) {
      const controller = new AbortController();
      const { tracker } = testTracker({ store: mapStore() });
      const shouldRetry = vi.fn(() => true);
      const options = { signal: controller.signal, retry: { maxAttempts: 3, shouldRetry } };
      const aborted = execute(tracker, kind, untilAborted, options);
      const settled = expect(aborted).rejects.toBe('stop');
      await ticks();
      controller.abort('stop');
      await settled;
      expect(shouldRetry).not.toHaveBeenCalled();
    }
  });

  it('gives the caller the error of the work when the next attempt cannot be stored, which is reported', async () => {
    const lost = new Error('connection lost');
    let inserts = 0;
    const flaky = intercept(mapStore(), ({ method }, proceed) => {
      if (method === 'insertStep') inserts += 1;
      return inserts > 1 ? Promise.reject(lost) : proceed();
    });
    const { tracker, reports } = testTracker({ store: flaky });
    const work = failing(['busy', 'again']);
    const step = tracker.executeStep(null, STEP, work, { retry: { maxAttempts: 3, delayMs: 0 } });
    const settled = expect(step).rejects.toBe('busy');
    await vi.advanceTimersByTimeAsync(10);
    await settled;
    expect(work).toHaveBeenCalledTimes(1);
    const info = { operation: 'start', record: 'step', id: 's1', work: 'not_started' };
    expect(reports).toEqual([{ error: lost, info }]);
  });

  it('gives the caller the error of the work when an abort comes while the next attempt is being stored', async () => {
    const controller = new AbortController();
    const store = mapStore();
    let inserts = 0;
    const slow = intercept(store, ({ method }, proceed) => {
      if (method === 'insertStep') inserts += 1;
      if (inserts > 1) controller.abort('stop');
      return proceed();
    });
    const { tracker, reports } = testTracker({ store: slow });
    const step = tracker.executeStep(null, STEP, failing(['busy']), {
      signal: controller.signal,
      retry: { maxAttempts: 3, delayMs: 0 },
    });
    const settled = expect(step).rejects.toBe('busy');
    await vi.advanceTimersByTimeAsync(10);
    await settled;
    const rows = [...store.steps.values()].map(({ status, error }) => ({ status, error }));
    expect(rows).toEqual([
      { status: 'failed', error: 'busy' },
      { status: 'cancelled', error: 'stop' },
    ]);
    expect(reports).toEqual([]);
  });

  it('at best effort, tries again also what could not be stored', async () => {
    const store = mapStore();
    let isDown = true;
    const flaky = intercept(store, (_call, proceed) =>
      isDown ? Promise.reject(new Error('down')) : proceed(),
    );
    const { tracker } = testTracker({ store: flaky, bestEffort: true });
    const step = tracker.executeStep(
      null,
      STEP,
      async (_id, { attempt }) => {
        if (attempt === 1) throw new Error('busy');
        isDown = false;
        return 'done';
      },
      { retry: { maxAttempts: 2, delayMs: 0 } },
    );
    await vi.advanceTimersByTimeAsync(10);
    expect(await step).toBe('done');
    expect([...store.steps.values()]).toMatchObject([
      { attempt: 2, retryOf: 's1', status: 'completed', output: { result: 'done' } },
    ]);
  });
});

describe('a run that was created before', () => {
  for (const [name, open] of Object.entries(STORES)) {
    it(`is started instead of a new one, on ${name}`, async () => {
      const store = open();
      const { tracker, clock, reports } = testTracker({ store });
      await tracker.createRun({ ...RUN, input: { page: 1 } });
      clock.at += 60_000;
      const work = async (id: string) => {
        expect(store.runs.get('r1')?.status).toBe('running');
        await tracker.incrementRunOutput(id, { fetched: 3 });
        clock.at += 500;
        return 'done';
      };
      expect(await tracker.executeRun('r1', work)).toBe('done');
      const run = store.runs.get('r1');
      expect(store.runs.size).toBe(1);
      expect(run).toMatchObject({
        status: 'completed',
        input: { page: 1 },
        output: { fetched: 3, result: 'done' },
        durationMs: 500,
      });
      expect(run?.startedAt?.getTime()).toBe(clock.at - 500);
      expect(run?.completedAt?.getTime()).toBe(clock.at);
      expect(reports).toEqual([]);
    });

    it(`that is no longer pending is refused, and its work not called, on ${name}`, async () => {
      for (const status of ['running', 'completed', 'failed', 'cancelled'] as const) {
        const store = open();
        const { tracker } = testTracker({ store });
        await store.insertRun(aRun({ status }));
        const work = vi.fn();
        await expect(tracker.executeRun('r1', work, {})).rejects.toMatchObject({
          code: 'invalid_transition',
          message: expect.stringMatching(/^Cannot start run "r1": it /),
        });
        expect(work).not.toHaveBeenCalled();
        expect(store.runs.get('r1')).toEqual(aRun({ status }));
      }
    });

    it(`that does not exist is not found, on ${name}`, async () => {
      const { tracker } = testTracker({ store: open() });
      const work = vi.fn();
      await expect(tracker.executeRun('nobody', work)).rejects.toMatchObject({ code: 'not_found' });
      expect(work).not.toHaveBeenCalled();
    });

    it(`is done by one of several deliveries in one tracker, on ${name}`, async () => {
      const { tracker } = testTracker({ store: open() });
      await tracker.createRun(RUN);
      const work = vi.fn(async () => 'done');
      const results = await Promise.allSettled(
        Array.from({ length: 5 }, () => tracker.executeRun('r1', work)),
      );
      expect(work).toHaveBeenCalledTimes(1);
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      for (const result of results) {
        if (result.status === 'rejected') {
          expect(result.reason).toMatchObject({ code: 'invalid_transition' });
        }
      }
    });

    it(`ends as failed with its work, and as cancelled after an abort, on ${name}`, async () => {
      const store = open();
      const { tracker } = testTracker({ store });
      await tracker.createRun(RUN);
      await expect(tracker.executeRun('r1', () => Promise.reject(5))).rejects.toBe(5);
      expect(store.runs.get('r1')).toMatchObject({ status: 'failed', error: '5' });
      await tracker.createRun({ ...RUN, id: 'r2' });
      const controller = new AbortController();
      const options = { signal: controller.signal };
      const run = tracker.executeRun('r2', (_id, context) => untilAborted(context), options);
      const settled = expect(run).rejects.toBe('stop');
      await ticks();
      controller.abort('stop');
      await settled;
      expect(store.runs.get('r2')).toMatchObject({ status: 'cancelled', error: 'stop' });
    });
  }

  it('is done by one of several processes on a store with conditional updates', async () => {
    const store = mapStore({ conditional: true });
    const trackers = Array.from({ length: 8 }, () => testTracker({ store }).tracker);
    await store.insertRun(aRun());
    const work = vi.fn(async () => 'done');
    const results = await Promise.allSettled(trackers.map((it) => it.executeRun('r1', work)));
    expect(work).toHaveBeenCalledTimes(1);
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('rejects with the error of a store that cannot start it; at best effort its work runs all the same', async () => {
    for (const bestEffort of [false, true]) {
      const store = mapStore({ conditional: true });
      await store.insertRun(aRun());
      let isDown = true;
      const flaky = intercept(store, (_call, proceed) =>
        isDown ? Promise.reject(new Error('down')) : proceed(),
      );
      const { tracker, reports } = testTracker({ store: flaky, bestEffort });
      const work = vi.fn(async () => {
        isDown = false;
        return 'done';
      });
      const run = tracker.executeRun('r1', work);
      if (bestEffort) {
        expect(await run).toBe('done');
        expect(store.runs.get('r1')).toMatchObject({ status: 'completed', durationMs: null });
        const info = { operation: 'start', record: 'run', id: 'r1', work: 'not_started' };
        expect(reports).toEqual([{ error: new Error('down'), info }]);
      } else {
        await expect(run).rejects.toThrow('down');
        expect(work).not.toHaveBeenCalled();
        expect(store.runs.get('r1')).toEqual(aRun());
      }
    }
  });

  it('at best effort, too, one that has ended is refused', async () => {
    const store = mapStore({ conditional: true });
    await store.insertRun(aRun({ status: 'cancelled' }));
    const { tracker } = testTracker({ store, bestEffort: true });
    const work = vi.fn();
    await expect(tracker.executeRun('r1', work)).rejects.toMatchObject({
      code: 'invalid_transition',
    });
    expect(work).not.toHaveBeenCalled();
  });
});
