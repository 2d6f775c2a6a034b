import {
  calculateDuration,
  formatDuration,
  getProgress,
  getRunSummary,
  isCallComplete,
  isRunComplete,
  isStepComplete,
  mergeOutputIncrements,
  RunsError,
  RunTracker,
} from '@systemoperator/runs';
import { MemoryStore } from '@systemoperator/runs/memory';
import { formatRunTree, loadRunTrace, renderTimelineSvg } from '@systemoperator/runs/report';
import { storeCases } from '@systemoperator/runs/testing';
import { createViewer } from '@systemoperator/runs/viewer';

/** Uses the package as an application would; rejects at the first surprise, else tells the runtime. */
export async function smoke() {
  const memory = new MemoryStore();
  await useTracker(memory, memory);
  await useTracker(plainStore(), undefined);
  await useReport(memory);
  await useOptions(memory);
  await useOptions(plainStore());
  useHelpers();
  await useViewer(memory);
  for (const { run } of storeCases(() => new MemoryStore())) await run();
  return runtime();
}

async function useTracker(store, linkStore) {
  const tracker = new RunTracker({ store, linkStore });
  let runId;
  let stepId;

  const value = await tracker.executeRun({ runType: 'sync', trigger: 'cron' }, async (run) => {
    runId = run;
    return tracker.executeStep(run, { stepType: 'fetch', itemsTotal: 2 }, async (step) => {
      stepId = step;
      const call = { tool: 'api', operation: 'GET /charges', input: { page: 1 } };
      const charges = await tracker.executeCall(step, call, async () => ['ch_1', 'ch_2']);
      await tracker.incrementRunOutput(run, { fetched: 1, inserted: 2 });
      await tracker.incrementRunOutput(run, { fetched: 1 });
      await tracker.updateStepProgress(step, { itemsProcessed: 2, itemsSucceeded: 2 });
      return charges.length;
    });
  });
  equal(value, 2, 'executeRun returns what the work returned');

  const run = await store.getRun(runId);
  equal(run.status, 'completed', 'status of the run');
  equal(run.output, { fetched: 2, inserted: 2, result: 2 }, 'output of the run');
  equal(run.startedAt instanceof Date && run.durationMs >= 0, true, 'times of the run');
  const step = await store.getStep(stepId);
  equal([step.status, step.runId, step.itemsTotal], ['completed', runId, 2], 'the step');
  equal([step.itemsProcessed, step.output], [2, { result: 2 }], 'progress of the step');

  await tracker.createRun({ id: 'by-hand', runType: 'sync', trigger: 'user' });
  await tracker.startRun('by-hand');
  await tracker.createStep('by-hand', { id: 'by-hand-step', stepType: 'load' });
  await tracker.startStep('by-hand-step');
  equal((await store.getRun('by-hand')).currentStep, 'load', 'current step of the run');
  await tracker.createCall('by-hand-step', { id: 'by-hand-call', tool: 'db', operation: 'insert' });
  await tracker.finishCall('by-hand-call', { output: { rows: 1 }, metadata: { ms: 3 } });
  equal((await store.getCall('by-hand-call')).output, { rows: 1 }, 'output of the call');
  await tracker.finishStep('by-hand-step', { output: { loaded: 1 } });
  await tracker.finishRun('by-hand', { output: { total: 1 } });
  equal((await store.getRun('by-hand')).output, { total: 1 }, 'output of the run made by hand');

  const link = { linkType: 'output', entityType: 'charge', entityId: 'ch_1' };
  const linkId = await tracker.linkStep(stepId, link);
  const links = await tracker.getStepLinks(stepId);
  equal(linkId === null, linkStore === undefined, 'a link is stored when there is a link store');
  equal(
    links.map((each) => each.entityId),
    linkStore ? ['ch_1'] : [],
    'links of the step',
  );

  const boom = new Error('boom');
  const failing = { id: 'failing', runType: 'sync', trigger: 'manual' };
  const thrown = await rejection(
    tracker.executeRun(failing, () => {
      throw boom;
    }),
  );
  equal(thrown === boom, true, 'the very error of the work comes back');
  const failed = await store.getRun('failing');
  equal([failed.status, failed.error], ['failed', 'boom'], 'the failed run');

  const refused = await rejection(tracker.finishRun('failing'));
  equal(refused instanceof RunsError && refused.code, 'invalid_transition', 'a refused transition');
  const unknown = await rejection(tracker.startRun('nobody'));
  equal(unknown instanceof RunsError && unknown.code, 'not_found', 'an unknown run');
}

async function useReport(store) {
  const trace = await loadRunTrace(store, 'by-hand');
  trace.run.runType = '価格表 \u001b[31m';
  const [first] = formatRunTree(trace).split('\n');
  equal(/^✔ 価格表 \ufffd\[31m +completed /.test(first), true, 'the tree of a run');
  const svg = renderTimelineSvg(trace);
  equal(svg.startsWith('<svg ') && svg.includes('価格表 \ufffd[31m'), true, 'the drawing of a run');
}

async function useOptions(store) {
  const tracker = new RunTracker({ store });
  const forever = (_id, { signal }) =>
    new Promise((_, reject) => {
      // As real work does, this keeps the process alive; a heartbeat does not.
      const alive = setTimeout(() => {}, 60_000);
      signal.addEventListener('abort', () => {
        clearTimeout(alive);
        reject(signal.reason);
      });
    });

  let attempts = 0;
  const flaky = (_id, { attempt }) => {
    attempts += 1;
    if (attempt < 3) throw new Error('busy');
    return { rows: 2 };
  };
  const step = { id: 'retried', stepType: 'load' };
  const output = ({ rows }) => ({ loaded: rows });
  const retry = { maxAttempts: 3, delayMs: 1 };
  equal(await tracker.executeStep(null, step, flaky, { retry, output }), { rows: 2 }, 'retry');
  const first = await store.getStep('retried');
  equal([attempts, first.status, first.maxRetries], [3, 'failed', 2], 'the first attempt');

  const slow = { id: 'slow', runType: 'sync', trigger: 'cron' };
  const late = await rejection(tracker.executeRun(slow, forever, { timeoutMs: 5 }));
  equal([late instanceof DOMException, late.name], [true, 'TimeoutError'], 'timeoutMs');
  equal((await store.getRun('slow')).status, 'failed', 'the run that took too long');

  await tracker.createRun({ id: 'queued', runType: 'sync', trigger: 'webhook' });
  const remote = rejection(tracker.executeRun('queued', forever, { heartbeatMs: 2 }));
  await new RunTracker({ store }).cancelRun('queued', 'by hand');
  equal((await remote).name, 'AbortError', 'heartbeatMs notices that the run was cancelled');
  const queued = await store.getRun('queued');
  equal([queued.status, queued.error], ['cancelled', 'by hand'], 'the run that was cancelled');
  const again = await rejection(tracker.executeRun('queued', forever));
  equal(again.code, 'invalid_transition', 'a run that has ended is not started again');

  const controller = new AbortController();
  const stopped = { id: 'stopped', runType: 'sync', trigger: 'cron' };
  const stopping = rejection(tracker.executeRun(stopped, forever, { signal: controller.signal }));
  await new Promise((resolve) => setTimeout(resolve, 2));
  controller.abort('stop');
  equal(await stopping, 'stop', 'signal');
  equal((await store.getRun('stopped')).status, 'cancelled', 'the run that was stopped');

  async function* numbers() {
    for (let number = 0; number < 10; number += 1) yield number;
  }
  await tracker.createStep(null, { id: 'items', stepType: 'import' });
  const isOdd = (number) => {
    if (number % 2 === 0) throw new Error(`${number} is even`);
  };
  const items = { concurrency: 3, total: 10 };
  const { processed, failed, errors } = await tracker.executeItems(
    'items',
    numbers(),
    isOdd,
    items,
  );
  equal([processed, failed, errors.length], [10, 5, 5], 'executeItems');
  const imported = { ...(await store.getStep('items')), status: 'running', startedAt: new Date(0) };
  equal(getProgress(imported, 100), { fraction: 1, remaining: 0, etaMs: 0 }, 'getProgress');
}

async function useViewer(reader) {
  const viewer = createViewer({ reader, authorize: (request) => request.headers.has('cookie') });
  const ask = (path, headers) => viewer(new Request(`https://example.com${path}`, { headers }));
  const page = await ask('/runs/by-hand', { cookie: 'a' });
  equal(
    [page.status, (await page.text()).includes('by-hand-call')],
    [200, true],
    'a page of the viewer',
  );
  equal((await ask('/runs/by-hand', {})).status, 403, 'a page for who is not let in');
}

function useHelpers() {
  equal(
    [500, 3500, 125000, 3700000].map(formatDuration),
    ['500ms', '3.5s', '2m 5s', '1h 1m'],
    'formatDuration',
  );
  equal(calculateDuration(new Date(1000), new Date(3500)), 2500, 'calculateDuration');
  equal(mergeOutputIncrements({ a: 1 }, { a: 2, b: 3 }), { a: 3, b: 3 }, 'mergeOutputIncrements');
  const run = {
    runType: 'sync',
    status: 'completed',
    currentStep: null,
    durationMs: 3500,
    error: null,
  };
  equal(getRunSummary(run), 'sync completed in 3.5s', 'getRunSummary');
  equal(
    [isRunComplete('failed'), isStepComplete('skipped'), isCallComplete('running')],
    [true, true, false],
    'isComplete',
  );
}

/** The nine methods and nothing else, as an application of version 0.2 wrote them. */
function plainStore() {
  const [runs, steps, calls] = [new Map(), new Map(), new Map()];
  const insert = (table) => async (record) => void table.set(record.id, { ...record });
  const get = (table) => async (id) => table.get(id) ?? null;
  const update = (table) => async (id, fields) => void Object.assign(table.get(id) ?? {}, fields);
  return {
    insertRun: insert(runs),
    getRun: get(runs),
    updateRun: update(runs),
    insertStep: insert(steps),
    getStep: get(steps),
    updateStep: update(steps),
    insertCall: insert(calls),
    getCall: get(calls),
    updateCall: update(calls),
  };
}

function equal(actual, expected, what) {
  const [is, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (is !== wanted) throw new Error(`${what}: ${is} instead of ${wanted}`);
}

function rejection(promise) {
  return promise.then(
    (value) => {
      throw new Error(`resolved to ${JSON.stringify(value)} instead of rejecting`);
    },
    (error) => error,
  );
}

function runtime() {
  if (globalThis.Deno) return `Deno ${Deno.version.deno}`;
  if (globalThis.Bun) return `Bun ${Bun.version}`;
  if (globalThis.navigator?.userAgent === 'Cloudflare-Workers') return 'workerd';
  if (typeof process === 'object') return `Node ${process.version.slice(1)}`;
  return 'only what browsers have';
}
