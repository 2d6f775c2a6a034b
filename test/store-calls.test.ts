import { describe, expect, it } from 'vitest';
import { RunTracker } from '../src/index.js';
import { intercept, type MapStoreOptions, mapStore, recorded } from './support/stores.js';

/** The calls of a store that a run around a step around a call costs. */
async function callsOf(options: MapStoreOptions, bestEffort = false): Promise<string[]> {
  const { store, calls } = recorded(mapStore(options));
  const tracker = new RunTracker({ store, bestEffort });
  await tracker.executeRun({ runType: 'sync', trigger: 'cron' }, (runId) =>
    tracker.executeStep(runId, { stepType: 'fetch' }, (stepId) =>
      tracker.executeCall(stepId, { tool: 'api', operation: 'GET' }, () => 'done'),
    ),
  );
  return calls.map(({ method }) => method);
}

const SEVEN = [
  ...['insertRun', 'insertStep', 'updateRun', 'insertCall'],
  ...['updateCall', 'updateStep', 'updateRun'],
];
const NINE = [
  ...['insertRun', 'insertStep', 'updateRun', 'insertCall'],
  ...['updateCall', 'getStep', 'updateStep', 'getRun', 'updateRun'],
];

describe('a run around a step around a call', () => {
  for (const bestEffort of [false, true]) {
    const suffix = bestEffort ? ', with bestEffort too' : '';
    it(`costs 7 store calls with conditional updates${suffix}`, async () => {
      expect(await callsOf({ conditional: true }, bestEffort)).toEqual(SEVEN);
      expect(await callsOf({ conditional: true, counters: true }, bestEffort)).toEqual(SEVEN);
    });

    it(`costs 9 store calls on a plain store${suffix}`, async () => {
      expect(await callsOf({}, bestEffort)).toEqual(NINE);
      expect(await callsOf({ counters: true }, bestEffort)).toEqual(NINE);
    });
  }
});

describe('a plain store', () => {
  it('is sent no third argument, and no field that is not in the table of its record', async () => {
    const { store, calls } = recorded(mapStore());
    const tracker = new RunTracker({ store, onTrackingError: () => {} });
    const runId = await tracker.createRun({ runType: 'sync', trigger: 'cron' });
    await tracker.startRun(runId);
    const stepId = await tracker.createStep(runId, { stepType: 'fetch' });
    await tracker.startStep(stepId);
    const call = { tool: 'api', operation: 'GET' };
    await tracker.finishCall(await tracker.createCall(stepId, call), { metadata: { ms: 1 } });
    await tracker.failCall(await tracker.createCall(stepId, call), new Error('no'));
    await tracker.executeCall(stepId, call, () => 1);
    await tracker.executeStep(runId, { stepType: 'store' }, () => 1);
    await tracker.executeStep(null, { stepType: 'alone' }, () => Promise.reject(1)).catch(() => {});
    await tracker.updateStepProgress(stepId, { itemsTotal: 3 });
    await tracker.skipStep(stepId, 'nothing new');
    await tracker.updateRunProgress(runId, 'late');
    await tracker.incrementRunOutput(runId, { n: 1 });
    await tracker.finishRun(runId, { output: { total: 1 } });

    const fields = {
      Run: Object.keys((await store.getRun(runId)) ?? {}),
      Step: Object.keys((await store.getStep(stepId)) ?? {}),
      Call: Object.keys([...store.calls.values()][0] ?? {}),
    };
    expect(fields.Run).toHaveLength(15);
    expect(fields.Step).toHaveLength(26);
    expect(fields.Call).toHaveLength(13);
    for (const { method, args } of calls) {
      const [verb, kind] = method.split(/(?=[A-Z])/) as ['insert', 'Run'];
      expect(args, method).toHaveLength(method.startsWith('update') ? 2 : 1);
      if (verb === 'insert') continue;
      const sent = args[1];
      for (const field of Object.keys(sent ?? {})) expect(fields[kind], method).toContain(field);
    }
    const statuses = calls.map(({ args }) => (args[1] as { status?: string } | undefined)?.status);
    expect(statuses).not.toContain('cancelled');
  });
});

describe('a store with conditional updates', () => {
  it('is told on what an end depends, and to merge the output of a run only', async () => {
    const { store, calls } = recorded(mapStore({ conditional: true, counters: true }));
    const tracker = new RunTracker({ store });
    const runId = await tracker.createRun({ runType: 'sync', trigger: 'cron' });
    const stepId = await tracker.createStep(runId, { stepType: 'fetch' });
    const callId = await tracker.createCall(stepId, { tool: 'api', operation: 'GET' });
    await tracker.finishCall(callId, { output: { rows: 1 } });
    await tracker.finishStep(stepId, { output: { rows: 1 } });
    await tracker.finishRun(runId, { output: { rows: 1 } });
    await tracker.executeRun({ runType: 'sync', trigger: 'cron' }, () => 1);
    await tracker.executeStep(null, { stepType: 'fetch' }, () => 1);
    await tracker.executeCall(stepId, { tool: 'api', operation: 'GET' }, () => 1);
    const updates = calls.filter(({ method }) => method.startsWith('update'));
    expect(updates.map(({ args }) => args[2])).toEqual([
      { ifStatus: ['running'] },
      { ifStatus: ['pending'] },
      { ifStatus: ['pending'], mergeOutput: true },
      { ifStatus: ['running'], mergeOutput: true },
      { ifStatus: ['running'] },
      { ifStatus: ['running'] },
    ]);
  });
});

it('a conditional store that does not count is asked about one step as often as somebody wants, without a wait', () => {
  const { store, calls } = recorded(mapStore({ conditional: true }));
  const tracker = new RunTracker({ store, onTrackingError: () => {} });
  for (const _ of [1, 2]) tracker.finishStep('s1').catch(() => {});
  expect(calls.map(({ method }) => method)).toEqual(['getStep', 'getStep']);
});

it('a plain store that says that it updated nothing is asked whether the record is there, and nothing more', async () => {
  const { store, calls } = recorded(
    intercept(mapStore(), async ({ method }, proceed) => {
      const answer = await proceed();
      return method === 'updateStep' ? false : answer;
    }),
  );
  const tracker = new RunTracker({ store });
  const stepId = await tracker.createStep(null, { stepType: 'fetch' });
  calls.length = 0;
  await tracker.updateStepProgress(stepId, { itemsProcessed: 1 });
  expect(calls.map(({ method }) => method)).toEqual(['updateStep', 'getStep']);
});
