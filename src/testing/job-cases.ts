import { RunTracker } from '../index.js';
import type { StepLinkStore } from '../store.js';
import { expectRecord, expectRecords, expectSame } from './expect.js';
import { type Check, checkThat, type StoreUnderTest } from './store-case.js';
import { aCall, aLink, aRun, aStep, at } from './tables.js';

/** A whole job, as a tracker writes it. */
export const jobCases: Check[] = [
  checkThat([])(
    'job: what a tracker records of a job is there when it is read',
    'a method that does not keep to its contract; the other cases say which',
    async (store) => {
      const job = await trackJob(store);
      const { ids, linkIds } = job;
      for (const run of job.runs) expectRecord(await store.getRun(run.id), run, 'getRun of a job');
      for (const step of job.steps) {
        expectRecord(await store.getStep(step.id), step, `getStep of the step ${step.stepType}`);
      }
      for (const call of job.calls) {
        expectRecord(await store.getCall(call.id), call, `getCall of the call ${call.tool}`);
      }
      const links = linkIds.map((id, index) =>
        aLink({ id: String(id), stepId: ids.load, entityId: `ch_${index}`, createdAt: at(index) }),
      );
      const given = keepsLinks(store) ? await store.getStepLinks(ids.load) : links;
      expectRecords(given, links, 'getStepLinks of a job');
      expectSame(job.reports, [], 'what the tracker reported to onTrackingError');
    },
  ),
  checkThat(['listRuns', 'listSteps', 'listCalls'])(
    'job: what a tracker records of a job is listed',
    'lists that read other tables or columns than the gets',
    async (store) => {
      const job = await trackJob(store);
      const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1);
      const lists = [
        [(await store.listRuns()).items, job.runs, 'listRuns after a job'],
        [(await store.listSteps(job.ids.run)).items, job.steps, 'listSteps after a job'],
        [(await store.listCalls(job.ids.run)).items, job.calls, 'listCalls after a job'],
      ] as const;
      for (const [items, records, what] of lists) {
        expectRecords([...items].sort(byId), [...records].sort(byId), what);
      }
    },
  ),
  checkThat([])(
    'job: of several who end a run one wins, and nothing that was counted is lost',
    'a promise that resolves before the row is stored, or reads that come from a replica or a cache',
    async (store) => {
      const { tracker } = newTracker(store);
      const id = await tracker.createRun({ runType: 'sync_stripe', trigger: 'cron' });
      await tracker.startRun(id);
      const ends = await Promise.allSettled([
        ...Array.from({ length: 10 }, () => tracker.incrementRunOutput(id, { charges: 1 })),
        tracker.finishRun(id, { output: { done: true } }),
        tracker.failRun(id, new Error('too late')),
        tracker.cancelRun(id, 'too late'),
        ...Array.from({ length: 10 }, () => tracker.incrementRunOutput(id, { charges: 1 })),
      ]);
      const wins = ends.slice(10, 13).map(({ status }) => status);
      expectSame(
        wins.sort(),
        ['fulfilled', 'rejected', 'rejected'],
        'a finish, a fail and a cancel',
      );
      const { status, output } = { ...(await store.getRun(id)) };
      const isDone = status === 'completed';
      const expected = { charges: 20, ...(isDone && { done: true }) };
      expectSame(output, expected, 'the output of a run that was counted 20 times');
    },
  ),
];

/** A tracker whose clock stands still until it is moved, and which writes down what it reports. */
export function newTracker(store: StoreUnderTest): {
  tracker: RunTracker;
  reports: string[];
  clock: { at: Date };
} {
  const reports: string[] = [];
  const clock = { at: at(0) };
  const tracker = new RunTracker({
    store,
    linkStore: keepsLinks(store) ? store : undefined,
    now: () => clock.at,
    onTrackingError: (error) => void reports.push(String(error)),
  });
  return { tracker, reports, clock };
}

function keepsLinks(store: StoreUnderTest): store is StoreUnderTest & StepLinkStore {
  return Boolean(store.insertStepLink && store.getStepLinks);
}

/** Tracks a job with all that there is, and resolves to the records that must be there then. */
async function trackJob(store: StoreUnderTest) {
  const { tracker, reports, clock } = newTracker(store);
  const ids = {} as Record<'run' | 'cancelled' | 'load' | 'page' | 'skipped' | 'failed', string>;
  const callIds = {} as Record<'read' | 'write', string>;
  const linkIds: (string | null)[] = [];
  const params = { runType: 'sync_stripe', trigger: 'webhook', input: { since: 'may' } } as const;

  await tracker.executeRun({ ...params, actorType: 'user', actorId: 'user_42' }, async (run) => {
    ids.run = run;
    await tracker.executeStep(run, { stepType: 'load', context: { page: 1 } }, async (load) => {
      ids.load = load;
      for (const index of [0, 1, 2]) {
        clock.at = at(index);
        linkIds.push(
          await tracker.linkStep(load, {
            linkType: 'output',
            entityType: 'charge',
            entityId: `ch_${index}`,
          }),
        );
      }
      clock.at = at(1500);
      const page = { stepType: 'page', parentStepId: load, itemsTotal: 3, maxRetries: 2 };
      await tracker.executeStep(run, page, async (step) => {
        ids.page = step;
        callIds.read = await tracker.createCall(step, { tool: 'read', operation: 'GET' });
        await tracker.finishCall(callIds.read, { output: { rows: 3 }, metadata: { ms: 5 } });
        const write = { tool: 'write', operation: 'PUT', input: { text: '\u{1f600}' } };
        callIds.write = await tracker.createCall(step, write);
        clock.at = at(2000);
        await tracker.failCall(callIds.write, new Error('refused', { cause: new Error('full') }));
        await tracker.updateStepProgress(step, { itemsProcessed: 3, itemsFailed: 1 });
        await Promise.all([
          tracker.incrementRunOutput(run, { charges: 2 }),
          tracker.incrementRunOutput(run, { charges: 1, refunds: 1 }),
        ]);
        return ['ch_0', 'ch_1', 'ch_2'];
      });
    });
    ids.skipped = await tracker.createStep(run, { stepType: 'mail', stepIndex: 1 });
    await tracker.skipStep(ids.skipped, 'nothing new');
    const failing = tracker.executeStep(run, { stepType: 'clean', stepIndex: 2 }, (step) => {
      ids.failed = step;
      clock.at = at(3000);
      throw new Error("it's broken");
    });
    await failing.catch(() => {});
    return 3;
  });
  ids.cancelled = await tracker.createRun({ ...params, trigger: 'manual' });
  await tracker.cancelRun(ids.cancelled, 'not needed');

  const began = { startedAt: at(0), createdAt: at(0) };
  const input = { since: 'may' };
  const completed = { status: 'completed' } as const;
  const step = { runId: ids.run, ...completed };
  const loaded = { startedAt: at(1500), completedAt: at(2000), createdAt: at(1500) };
  const skippedAt = { completedAt: at(2000), createdAt: at(2000), updatedAt: at(2000) };
  const endedAt = { completedAt: at(3000), updatedAt: at(3000) };
  const call = { stepId: ids.page, createdAt: at(1500) };
  return {
    ids,
    linkIds,
    reports,
    runs: [
      aRun({
        id: ids.run,
        trigger: 'webhook',
        actorType: 'user',
        actorId: 'user_42',
        output: { charges: 3, refunds: 1, result: 3 },
        durationMs: 3000,
        ...{ ...completed, ...began, ...endedAt, input },
      }),
      aRun({
        id: ids.cancelled,
        trigger: 'manual',
        status: 'cancelled',
        error: 'not needed',
        ...{ ...endedAt, createdAt: at(3000), input },
      }),
    ],
    steps: [
      aStep({
        id: ids.load,
        stepType: 'load',
        context: { page: 1 },
        completedAt: at(2000),
        updatedAt: at(2000),
        durationMs: 2000,
        ...{ ...step, ...began },
      }),
      aStep({
        id: ids.page,
        stepType: 'page',
        parentStepId: ids.load,
        maxRetries: 2,
        itemsTotal: 3,
        itemsProcessed: 3,
        itemsFailed: 1,
        output: { result: ['ch_0', 'ch_1', 'ch_2'] },
        updatedAt: at(2000),
        durationMs: 500,
        ...{ ...step, ...loaded },
      }),
      aStep({
        id: ids.skipped,
        ...step,
        stepType: 'mail',
        stepIndex: 1,
        status: 'skipped',
        output: { reason: 'nothing new' },
        ...skippedAt,
      }),
      aStep({
        id: ids.failed,
        ...step,
        stepType: 'clean',
        stepIndex: 2,
        status: 'failed',
        error: "it's broken",
        startedAt: at(2000),
        createdAt: at(2000),
        durationMs: 1000,
        ...endedAt,
      }),
    ],
    calls: [
      aCall({
        id: callIds.read,
        ...call,
        tool: 'read',
        operation: 'GET',
        status: 'success',
        output: { rows: 3 },
        metadata: { ms: 5 },
        durationMs: 0,
      }),
      aCall({
        id: callIds.write,
        ...call,
        tool: 'write',
        operation: 'PUT',
        status: 'error',
        input: { text: '\u{1f600}' },
        error: 'refused\ncaused by: full',
        durationMs: 500,
      }),
    ],
  };
}
