import { afterEach, describe, expect, it, vi } from 'vitest';
import { RunTracker, type RunTrackerOptions } from '../src/index.js';
import { intercept, mapStore } from './support/stores.js';

afterEach(() => {
  vi.restoreAllMocks();
});

const failing = () =>
  intercept(mapStore({ conditional: true }), ({ method }, proceed) =>
    method.startsWith('update') ? Promise.reject(new Error('disk\n  full')) : proceed(),
  );

const succeed = (options: Omit<RunTrackerOptions, 'store'>) =>
  new RunTracker({ store: failing(), ...options }).executeRun(
    { id: 'r1', runType: 'sync', trigger: 'cron' },
    () => 'done',
  );

describe('a failure that the caller does not hear of', () => {
  it('is told to the hook: what failed, of which record, and how far its work was', async () => {
    const hook = vi.fn();
    expect(await succeed({ onTrackingError: hook })).toBe('done');
    const info = { operation: 'finish', record: 'run', id: 'r1', work: 'succeeded' };
    expect(hook.mock.calls).toEqual([[new Error('disk\n  full'), info]]);
  });

  it('is printed in one line when there is no hook', async () => {
    const print = vi.spyOn(console, 'error').mockImplementation(() => {});
    expect(await succeed({})).toBe('done');
    expect(print.mock.calls).toEqual([
      ['[@systemoperator/runs] finish run "r1" (work succeeded): disk full'],
    ]);
  });

  it('disturbs nobody when the hook throws, rejects or never answers', async () => {
    const hooks = [
      () => {
        throw new Error('broken hook');
      },
      () => Promise.reject(new Error('broken hook')),
      () => new Promise(() => {}),
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: a hostile thenable is what is tested
        get then() {
          throw new Error('broken hook');
        },
      }),
    ];
    for (const onTrackingError of hooks) expect(await succeed({ onTrackingError })).toBe('done');
  });
});

it('a step whose start cannot be shown on its run starts all the same', async () => {
  const store = failing();
  const hook = vi.fn();
  const tracker = new RunTracker({ store, onTrackingError: hook });
  const fn = vi.fn();
  await tracker.executeStep('r1', { id: 's1', stepType: 'fetch' }, fn);
  expect(fn).toHaveBeenCalledWith('s1');
  expect(hook.mock.calls.map(([, info]) => info)).toEqual([
    { operation: 'update', record: 'run', id: 'r1', work: 'running' },
    { operation: 'finish', record: 'step', id: 's1', work: 'succeeded' },
  ]);
});

it('a step that is started by hand does, too', async () => {
  const store = intercept(mapStore(), ({ method }, proceed) =>
    method === 'updateRun' ? Promise.reject(new Error('no')) : proceed(),
  );
  const hook = vi.fn();
  const tracker = new RunTracker({ store, onTrackingError: hook });
  await tracker.startStep(await tracker.createStep('r1', { id: 's1', stepType: 'fetch' }));
  expect(store.steps.get('s1')?.status).toBe('running');
  expect(hook).toHaveBeenCalledOnce();
});

it('a method that is called by hand rejects with the very error of the store', async () => {
  const error = new Error('no');
  const store = intercept(mapStore(), () => Promise.reject(error));
  const hook = vi.fn();
  const tracker = new RunTracker({ store, onTrackingError: hook });
  for (const done of [
    tracker.createRun({ runType: 'sync', trigger: 'cron' }),
    tracker.startRun('r1'),
    tracker.finishRun('r1'),
    tracker.failRun('r1', 'x'),
    tracker.cancelRun('r1'),
    tracker.incrementRunOutput('r1', { n: 1 }),
    tracker.updateRunProgress('r1', 'x'),
    tracker.createStep('r1', { stepType: 'x' }),
    tracker.startStep('s1'),
    tracker.skipStep('s1'),
    tracker.updateStepProgress('s1', { itemsTotal: 1 }),
    tracker.createCall('s1', { tool: 'a', operation: 'b' }),
    tracker.finishCall('c1'),
    tracker.failCall('c1', 'x'),
  ]) {
    await expect(done).rejects.toBe(error);
  }
  expect(hook).not.toHaveBeenCalled();
});

it('a redact that returns a promise stores a marker, and is reported: it cannot be waited for', async () => {
  const store = mapStore();
  const hook = vi.fn();
  const redact = async () => {
    throw new Error('too late');
  };
  const tracker = new RunTracker({ store, redact, onTrackingError: hook });
  await tracker.createRun({ id: 'r1', runType: 'sync', trigger: 'cron', input: { key: 'secret' } });
  expect(store.runs.get('r1')?.input).toEqual({ value: '[redact failed]' });
  expect(hook.mock.calls).toEqual([
    [
      new TypeError('redact is async'),
      { operation: 'redact', record: 'run', id: 'r1', work: 'not_started' },
    ],
  ]);
});
