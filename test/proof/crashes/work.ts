import { setTimeout as sleep } from 'node:timers/promises';
import {
  type ExecuteStepOptions,
  type RecordKind,
  RunsError,
  type RunTracker,
} from '../../../src/index.js';
import { below, type Random } from '../chance.js';
import type { Journal } from './journal.js';

/** What the work of a worker is done with. */
export interface Workplace {
  /** Trackers over stores of their own, as in several processes. */
  trackers: readonly [RunTracker, RunTracker];
  write: Journal;
  random: Random;
  newId: () => string;
}

type Job = () => Promise<void>;

/** What the work throws on purpose. */
class Planned extends Error {}

/** The kinds of work that a worker does, over and over: every method of a tracker that writes. */
export function jobsOf({ trackers, write, random, newId }: Workplace): Job[] {
  const [tracker, other] = trackers;
  const maybe = () => random() < 0.5;
  const some = () => 1 + below(4, random);
  const rest = () => sleep(below(4, random));
  const several = (make: (index: number) => Promise<void>) =>
    Promise.all(Array.from({ length: some() }, (_, index) => make(index)));
  const ended = (kind: RecordKind, id: string, status: string) =>
    write({ type: 'ended', kind, id, status });

  /** Executes something, and writes down what the application is told of its end. */
  async function execute(
    kind: RecordKind,
    id: string,
    perform: (work: (id: string | undefined, attempt?: number) => Promise<void>) => Promise<void>,
    work: (id: string) => Promise<void>,
  ): Promise<void> {
    const [success, failure] = kind === 'call' ? ['success', 'error'] : ['completed', 'failed'];
    let last = id;
    try {
      await perform(async (own = id, attempt = 1) => {
        last = own;
        write({ type: 'performing', kind, id: own, attempt });
        await work(own);
        if (random() < 0.3) throw new Planned('planned');
      });
      if (kind !== 'call') ended(kind, last, success as string);
    } catch (error) {
      if (!(error instanceof Planned)) throw error;
      if (kind !== 'call') ended(kind, last, failure as string);
    }
  }

  const run = (work: (runId: string) => Promise<void>, tracker = trackers[0]) => {
    const id = newId();
    const params = { id, runType: 'sync', trigger: 'cron', input: { random: random() } } as const;
    const options = maybe() ? { heartbeatMs: 2 } : undefined;
    return execute(
      'run',
      id,
      (perform) =>
        options
          ? tracker.executeRun(params, (runId) => perform(runId), options)
          : tracker.executeRun(params, (runId) => perform(runId)),
      work,
    );
  };

  const step = (
    runId: string | null,
    work: (stepId: string) => Promise<void>,
    parentStepId?: string,
  ) => {
    const id = newId();
    const params = { id, stepType: `fetch ${below(3, random)}`, parentStepId, context: { id } };
    const options: ExecuteStepOptions<void> = { retry: { maxAttempts: 3, delayMs: 1 } };
    return execute(
      'step',
      id,
      (perform) =>
        tracker.executeStep(runId, params, (own, { attempt }) => perform(own, attempt), options),
      work,
    );
  };

  const call = (stepId: string) => {
    const id = newId();
    const params = { id, tool: 'api', operation: 'GET /', metadata: { random: random() } };
    const retry = maybe() ? { maxAttempts: 2, delayMs: 0 } : undefined;
    return execute(
      'call',
      id,
      (perform) =>
        tracker.executeCall(stepId, params, ({ attempt }) => perform(id, attempt), { retry }),
      rest,
    );
  };

  async function count(runId: string, tracker = trackers[below(2, random)] as RunTracker) {
    const key = `n${newId()}`;
    write({ type: 'counting', runId, key });
    await tracker.incrementRunOutput(runId, { [key]: 1, total: 1 });
    write({ type: 'counted', runId, key });
  }

  async function link(stepId: string): Promise<void> {
    await tracker.linkStep(stepId, { linkType: 'output', entityType: 'row', entityId: newId() });
  }

  /** A run of steps, calls, links and counters, many at once. */
  const sync: Job = () =>
    run(async (runId) => {
      await several(() =>
        step(runId, async (stepId) => {
          await several(() => call(stepId));
          await Promise.all([
            several(() => count(runId)),
            several(() => link(stepId)),
            tracker.updateStepProgress(stepId, { itemsTotal: 3, itemsProcessed: 1 }),
          ]);
          await rest();
        }),
      );
    });

  /** Items, a few at a time. */
  const items: Job = () =>
    run((runId) =>
      step(runId, async (stepId) => {
        const work = async () => {
          await Promise.all([call(stepId), count(runId)]);
          if (maybe()) throw new Planned('planned');
        };
        const options = { concurrency: 3, progressMs: 1 };
        await tracker.executeItems(stepId, [1, 2, 3, 4, 5, 6, 7], work, options);
      }),
    );

  /** Steps below no run, and below one another. */
  const alone: Job = () =>
    step(null, async (stepId) => {
      await several(() => step(null, rest, stepId));
      const id = newId();
      await tracker.executeStep(null, { id, stepType: 'skip' }, async () => {
        write({ type: 'performing', kind: 'step', id, attempt: 1 });
        await tracker.skipStep(id, 'nothing to do');
      });
      ended('step', id, 'skipped');
    });

  /** The same by hand. */
  const byHand: Job = async () => {
    const runId = await tracker.createRun({ runType: 'import', trigger: 'user' });
    await rest();
    await tracker.startRun(runId);
    const stepId = await tracker.createStep(runId, { stepType: 'load', input: { random: 1 } });
    await rest();
    await tracker.startStep(stepId);
    await several(async () => {
      const callId = await tracker.createCall(stepId, { tool: 'db', operation: 'insert' });
      await Promise.all([rest(), count(runId), link(stepId)]);
      if (maybe()) {
        await tracker.finishCall(callId, { output: { rows: 1 }, metadata: { region: 'eu' } });
        ended('call', callId, 'success');
      } else {
        await tracker.failCall(callId, new Planned('planned'));
        ended('call', callId, 'error');
      }
    });
    await tracker.updateRunProgress(runId, 'writing');
    await tracker.updateStepProgress(stepId, { itemsTotal: 9, itemsProcessed: some() });
    const ends = {
      completed: () => tracker.finishStep(stepId, { output: { rows: 9 } }),
      failed: () => tracker.failStep(stepId, new Planned('planned')),
      cancelled: () => tracker.cancelStep(stepId, 'not needed'),
      skipped: () => tracker.skipStep(stepId, 'nothing to do'),
    };
    const [status, end] = Object.entries(ends)[below(4, random)] as [string, Job];
    await end();
    ended('step', stepId, status);
    await tracker.finishRun(runId, { output: { rows: 9 } });
    ended('run', runId, 'completed');
    // Nothing counted is dropped, even late.
    await count(runId);
  };

  /** Runs a task of several that want the same; gives whether this one got it. */
  async function wins(task: () => Promise<void>): Promise<boolean> {
    try {
      await task();
      return true;
    } catch (error) {
      if (error instanceof RunsError && error.code === 'invalid_transition') return false;
      throw error;
    }
  }

  /** A run that two workers take up, count in and end at the same time. */
  const contested: Job = async () => {
    const id = await tracker.createRun({ runType: 'contested', trigger: 'webhook' });
    const work = async () => {
      write({ type: 'performing', kind: 'run', id, attempt: 1 });
      await several(() => count(id));
      await rest();
    };
    const taken = await Promise.all(trackers.map((each) => wins(() => each.executeRun(id, work))));
    if (taken[0] === taken[1]) throw new Error(`run ${id} was taken by both or by nobody`);
    ended('run', id, 'completed');

    const next = await other.createRun({ runType: 'contested', trigger: 'webhook' });
    await Promise.all(trackers.map((each) => each.startRun(next)));
    const ends = {
      completed: () => tracker.finishRun(next, { output: { rows: 1 } }),
      failed: () => other.failRun(next, new Planned('planned')),
      cancelled: () => other.cancelRun(next, 'not needed'),
    };
    const outcomes = Object.entries(ends).map(async ([status, end]) => {
      if (await wins(end)) ended('run', next, status);
    });
    await Promise.all([...outcomes, several(() => count(next)), several(() => count(next, other))]);
  };

  return [sync, items, alone, byHand, contested];
}
