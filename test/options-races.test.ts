import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ExecuteContext } from '../src/index.js';
import { intercept, mapStore } from './support/stores.js';
import { testTracker } from './support/trackers.js';

/**
 * The end of a piece of work against everything that can come at the same moment,
 * in random orders: of the store's answers, the timers and the events.
 */

const RUN = { id: 'r1', runType: 'sync', trigger: 'cron' } as const;
const STEP = { id: 's1', stepType: 'fetch' };

type Rival = 'timeout' | 'abort' | 'remote cancel' | 'heartbeat';
const RIVALS: Rival[] = ['timeout', 'abort', 'remote cancel', 'heartbeat'];

/** Timers whose time is up whenever the scheduler says so. */
function timersOf(scheduler: fc.Scheduler): Map<number, () => void> {
  const timers = new Map<number, () => void>();
  let last = 0;
  vi.stubGlobal('setTimeout', (callback: () => void) => {
    last += 1;
    const id = last;
    timers.set(id, callback);
    scheduler.schedule(Promise.resolve(), 'timer').then(() => {
      const isDue = timers.delete(id);
      if (isDue) callback();
    });
    return id;
  });
  vi.stubGlobal('clearTimeout', (id: number) => timers.delete(id));
  return timers;
}

interface Race {
  rivals: Rival[];
  level: 'run' | 'step';
  conditional: boolean;
  /** What the work does when nobody interferes. */
  succeeds: boolean;
  /** Whether it rejects as soon as its signal aborts. */
  isAttentive: boolean;
}

async function race(scheduler: fc.Scheduler, options: Race): Promise<void> {
  const { rivals, level, conditional, succeeds, isAttentive } = options;
  const timers = timersOf(scheduler);
  const store = mapStore({ conditional });
  const ends: string[] = [];
  const watched = intercept(store, async ({ method, args }, proceed) => {
    await scheduler.schedule(Promise.resolve(), method);
    const before = store[`${level}s`].get(level === 'run' ? 'r1' : 's1')?.status;
    const answer = await proceed();
    const { status } = (args[1] ?? {}) as { status?: string };
    const isEnd = status !== undefined && status !== 'running';
    if (isEnd && method === (level === 'run' ? 'updateRun' : 'updateStep') && answer !== false) {
      ends.push(`${before} → ${status}`);
    }
    return answer;
  });
  const { tracker, reports } = testTracker({ store: watched });
  const { tracker: other } = testTracker({ store: watched });
  const controller = new AbortController();
  let isDone = false;
  let given: AbortSignal | undefined;
  const work = async (_id: string, { signal }: ExecuteContext): Promise<string> => {
    given = signal;
    const aborted = new Promise<never>((_, reject) => {
      if (!isAttentive) return;
      signal.addEventListener('abort', () => reject(signal.reason));
    });
    aborted.catch(() => {});
    await Promise.race([scheduler.schedule(Promise.resolve(), 'work'), aborted]);
    isDone = true;
    if (!succeeds) throw new Error('work failed');
    return 'done';
  };
  const own = {
    signal: controller.signal,
    ...(rivals.includes('timeout') ? { timeoutMs: 1000 } : {}),
    ...(rivals.includes('heartbeat') || rivals.includes('remote cancel')
      ? { heartbeatMs: 10 }
      : {}),
  };
  const execution =
    level === 'run'
      ? tracker.executeRun(RUN, work, own)
      : tracker.executeStep(null, STEP, work, own);
  const settled = execution.then(
    (value) => ({ value }),
    (thrown: unknown) => ({ thrown }),
  );
  let cancelled: Promise<string> = Promise.resolve('');
  if (rivals.includes('abort')) {
    scheduler.schedule(Promise.resolve(), 'abort').then(() => controller.abort('shutting down'));
  }
  if (rivals.includes('remote cancel')) {
    const cancel = () =>
      level === 'run' ? other.cancelRun('r1', 'by hand') : other.cancelStep('s1', 'by hand');
    cancelled = scheduler
      .schedule(Promise.resolve(), 'remote cancel')
      .then(cancel)
      .then(
        () => 'won',
        (error: { code?: string }) => error.code ?? String(error),
      );
  }
  await scheduler.waitFor(Promise.all([settled, cancelled]));
  const outcome = await settled;
  const verdict = await cancelled;
  await scheduler.waitAll();

  expect([...timers.values()]).toEqual([]);
  const record = level === 'run' ? store.runs.get('r1') : store.steps.get('s1');
  if (!record) {
    // Aborted before its start.
    expect(outcome).toEqual({ thrown: 'shutting down' });
    return;
  }
  // One end, whoever it was.
  expect(ends).toHaveLength(1);
  expect(record.status).not.toBe('running');
  const thrown = 'thrown' in outcome ? outcome.thrown : undefined;
  const name = (thrown as Error | undefined)?.name;
  const expected =
    'value' in outcome
      ? 'completed'
      : name === 'TimeoutError'
        ? 'failed'
        : name === 'AbortError' || thrown === 'shutting down'
          ? 'cancelled'
          : 'failed';
  // To cancel what its own work has cancelled is a repeat, which resolves.
  if (verdict === 'won' && (record.status !== 'cancelled' || record.error === 'by hand')) {
    expect(record).toMatchObject({ status: 'cancelled', error: 'by hand' });
    // That the work's own end was refused is reported, except where it followed the cancellation.
    expect(reports.length).toBe(name === 'AbortError' ? 0 : 1);
  } else {
    // What rejects after its signal aborted was cancelled, whatever it says.
    if (record.status !== expected) {
      expect([expected, record.status]).toEqual(['failed', 'cancelled']);
      expect(given?.aborted).toBe(true);
    }
    expect(reports).toEqual([]);
  }
  // The caller gets what its work did.
  if ('value' in outcome) expect([outcome.value, isDone, succeeds]).toEqual(['done', true, true]);
  if (name === 'TimeoutError') expect(given?.aborted).toBe(true);
  if (thrown instanceof Error && name === 'Error') expect(thrown.message).toBe('work failed');
}

afterEach(() => {
  vi.unstubAllGlobals();
});

describe('in every order there is one outcome, one end, and no timer left', () => {
  for (const level of ['run', 'step'] as const) {
    for (const conditional of [true, false]) {
      const where = `a ${level} on a ${conditional ? 'conditional' : 'plain'} store`;
      // Two processes on a plain store can both win: that is the reason for conditional updates.
      const rivals = RIVALS.filter((rival) => conditional || rival !== 'remote cancel');
      for (const rival of [...rivals, 'all at once']) {
        it(`${where}: its end against ${rival}`, async () => {
          const chosen = rival === 'all at once' ? rivals : [rival as Rival];
          await fc.assert(
            fc.asyncProperty(
              fc.scheduler(),
              fc.boolean(),
              fc.boolean(),
              async (scheduler, succeeds, isAttentive) => {
                const options = { rivals: chosen, level, conditional, succeeds, isAttentive };
                await race(scheduler, options);
              },
            ),
            { numRuns: 500 },
          );
        }, 60_000);
      }
    }
  }
});
