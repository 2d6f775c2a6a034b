import { getEventListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { RunTracker } from '../../src/index.js';
import { MemoryStore } from '../../src/memory.js';
import { PostgresStore } from '../../src/sql/postgres.js';
import { SqliteStore } from '../../src/sql/sqlite.js';
import { type PostgresServer, startPostgres } from '../support/postgres-server.js';
import { forgetfulStore } from './load/forgetful-store.js';
import { collectGarbage, MemoryCurve } from './load/memory-curve.js';
import { recordCalls, recordSupervised, type Shape } from './load/work.js';

const COUNT = inject('count');
const POINTS = 40;
const MANY: Shape = { ofRun: 1000, ofStep: 500, atOnce: 100 };
const ONE_STEP: Shape = { ofRun: COUNT, ofStep: COUNT, atOnce: 100 };
const A_RUN_EACH: Shape = { ofRun: 1, ofStep: 1, atOnce: 1 };
/** What may be in use more at the end, beside a byte for each call: code that was compiled late. */
const SLACK = 512 * 1024;

let folder: string;
let database: DatabaseSync;
let server: PostgresServer;
let postgres: PostgresStore;
let sqlite: SqliteStore;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'runs-load-'));
  database = new DatabaseSync(join(folder, 'runs.db'));
  sqlite = new SqliteStore(database);
  await sqlite.migrate();
  // What is asked here is what memory it takes, not what a disk can do.
  database.exec('pragma synchronous = off');
  server = await startPostgres(['-c', 'fsync=off', '-c', 'max_wal_size=4GB']);
  postgres = new PostgresStore(server.pool());
  await postgres.migrate();
}, 60_000);

afterAll(async () => {
  database?.close();
  rmSync(folder, { recursive: true });
  await server?.stop();
}, 60_000);

/** A curve that is measured so often on the way to so many calls. */
function curveTo(calls: number, prune?: () => Promise<unknown>) {
  const curve = new MemoryCurve();
  let next = calls / POINTS;
  const onCalls = async (recorded: number) => {
    if (recorded < next) return;
    next += calls / POINTS;
    await prune?.();
    await curve.measure(recorded);
  };
  return { curve, onCalls };
}

function expectFlat(name: string, curve: MemoryCurve): void {
  console.log(`${name}: ${curve}`);
  expect(isFlat(curve)).toBe(true);
}

function isFlat(curve: MemoryCurve): boolean {
  const { bytes, calls } = curve.growth();
  return bytes < SLACK + calls;
}

/** Deletes all that has ended until now, as a process does that keeps its history in memory. */
const pruning = (store: MemoryStore) => () =>
  store.deleteRuns({ completedBefore: new Date(Date.now() + 1000), limit: COUNT });

describe('the memory stays flat', () => {
  it.for([
    ['runs of many calls', MANY],
    ['a run for each call', A_RUN_EACH],
  ] as const)('on a MemoryStore that is pruned, with %s', async ([name, shape]) => {
    const store = new MemoryStore();
    const tracker = new RunTracker({ store, linkStore: store });
    const { curve, onCalls } = curveTo(COUNT, pruning(store));
    await recordCalls(tracker, COUNT, shape, onCalls);
    expectFlat(`MemoryStore, pruned, ${name}`, curve);
  });

  it('on Postgres', async () => {
    const tracker = new RunTracker({ store: postgres, linkStore: postgres });
    const { curve, onCalls } = curveTo(COUNT);
    await recordCalls(tracker, COUNT, { ...MANY, atOnce: 500 }, onCalls);
    expectFlat('Postgres', curve);
    const { rows } = await server.pool(1).query(`select count(*)::int as n from run_calls`);
    expect(rows).toEqual([{ n: COUNT }]);
  });

  it('on SQLite', async () => {
    const tracker = new RunTracker({ store: sqlite, linkStore: sqlite });
    const { curve, onCalls } = curveTo(COUNT);
    await recordCalls(tracker, COUNT, MANY, onCalls);
    expectFlat('SQLite', curve);
  });

  it.for([
    ['one step on a store with conditional updates', ONE_STEP, true],
    ['one step on a plain store', ONE_STEP, false],
    ['a run for each call on a plain store', A_RUN_EACH, false],
  ] as const)('with %s, which forgets what has ended', async ([name, shape, able]) => {
    const tracker = new RunTracker({ store: forgetfulStore(able) });
    const { curve, onCalls } = curveTo(COUNT);
    await recordCalls(tracker, COUNT, shape, onCalls);
    expectFlat(name, curve);
  });

  it('with every option and one signal for all, while the store loses one insert in ten', async () => {
    let reports = 0;
    const tracker = new RunTracker({
      store: failing(forgetfulStore(true), 10),
      bestEffort: true,
      redact: (value) => value as object,
      onTrackingError: () => {
        reports += 1;
      },
    });
    const { signal } = new AbortController();
    const { curve, onCalls } = curveTo(COUNT);
    const timers = countTimers();
    await recordSupervised(tracker, COUNT, MANY, signal, onCalls);
    expectFlat('every option, best effort', curve);
    expect(reports).toBeGreaterThan(COUNT / 20);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect(countTimers()).toBeLessThanOrEqual(timers);
  });

  it('which is noticed when it does not: a store that keeps the ids of what has ended', async () => {
    const kept: string[] = [];
    const store = forgetfulStore(true);
    const leaking = {
      ...store,
      updateCall: (id: string, ...rest: [object]) => {
        kept.push(id);
        return store.updateCall(id, ...rest);
      },
    };
    const calls = 50_000;
    const { curve, onCalls } = curveTo(calls);
    await recordCalls(new RunTracker({ store: leaking }), calls, MANY, onCalls);
    console.log(`a leak: ${curve}`);
    expect(kept).toHaveLength(calls);
    expect(isFlat(curve)).toBe(false);
  });
});

describe('nothing of a call can be reached when it has ended', () => {
  it.for([
    ['a MemoryStore', {}, () => new MemoryStore()],
    ['Postgres', {}, () => postgres],
    ['SQLite', {}, () => sqlite],
    ['a plain store', {}, () => forgetfulStore(false)],
    ['a MemoryStore, at best effort', { bestEffort: true }, () => failing(new MemoryStore(), 10)],
  ] as const)('on %s', async ([, options, open]) => {
    const store = open();
    const tracker = new RunTracker({ ...options, store, onTrackingError() {} });
    const { signal } = new AbortController();
    const reachable = new Map<string, WeakRef<object>>();
    const noted = <T extends object>(name: string, thing: T): T => {
      reachable.set(name, new WeakRef(thing));
      return thing;
    };
    const recordCall = async (stepId: string, n: number) => {
      const call = { tool: 'api', operation: 'GET', input: noted(`input ${n}`, { n }) };
      const work = noted(`work ${n}`, async (context?: { signal: AbortSignal }) => {
        if (context) noted(`signal ${n}`, context.signal);
        if (n % 3 === 0) throw noted(`error ${n}`, new Error('failed'));
        return noted(`result ${n}`, { n });
      });
      const options = { signal, timeoutMs: 600_000 };
      const recorded =
        n % 2 === 0
          ? tracker.executeCall(stepId, call, work)
          : tracker.executeCall(stepId, call, work, noted(`options ${n}`, options));
      await recorded.catch(() => {});
    };
    await tracker.executeRun({ runType: 'load', trigger: 'system' }, (runId) =>
      tracker.executeStep(runId, { stepType: 'load' }, async (stepId) => {
        for (let n = 0; n < 200; n += 20) {
          await Promise.all(
            Array.from({ length: 20 }, (_, index) => recordCall(stepId, n + index)),
          );
        }
        // A driver keeps what it was asked last.
        await tracker.incrementRunOutput(runId, { calls: 200 });
        await collectGarbage();
        const left = [...reachable].filter(([, reference]) => reference.deref());
        expect(left.map(([name]) => name)).toEqual([]);
        expect(reachable.size).toBe(200 * 3 + 100 * 2);
      }),
    );
  });
});

/** The same store, but for every insert of that number, which is lost. */
function failing<S extends object>(store: S, every: number): S {
  let inserts = 0;
  return new Proxy(store, {
    get(target, name) {
      const method = Reflect.get(target, name, target);
      if (typeof method !== 'function') return method;
      return (...args: unknown[]) => {
        if (String(name).startsWith('insert')) {
          inserts += 1;
          if (inserts % every === 0) return Promise.reject(new Error('lost'));
        }
        return method.apply(target, args);
      };
    },
  });
}

function countTimers(): number {
  return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
}
