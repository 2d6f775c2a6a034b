import { stripTypeScriptTypes } from 'node:module';
import { expect, inject, it } from 'vitest';
import type {
  ExecuteCallOptions,
  Run,
  RunStore,
  Step,
  StepLink,
  UpdateRunConditions,
} from '../../src/index.js';
import {
  mergeOutputIncrements,
  RunsError,
  RunTracker,
  type RunTrackerOptions,
} from '../../src/index.js';
import { MemoryStore } from '../../src/memory.js';
import type { RunQuery, StaleSweep } from '../../src/store.js';
import { memory } from './model/memory.js';
import { prove } from './model/proof.js';
import type { Subject } from './model/world.js';

type Work = (...args: unknown[]) => unknown;

function changeCalls(
  change: (work: Work, options?: ExecuteCallOptions) => [Work, ExecuteCallOptions | undefined],
): Pick<Subject, 'Tracker'> {
  class Tracker extends RunTracker {
    override executeCall = ((stepId, params, fn: Work, options?: ExecuteCallOptions) => {
      const [work, others] = change(fn, options);
      return super.executeCall(stepId, params, work, others as ExecuteCallOptions);
    }) as RunTracker['executeCall'];
  }
  return { Tracker };
}

function plant(Store: new () => RunStore): Pick<Subject, 'open'> {
  return { open: async () => new Store() };
}

/** A store or a tracker that does something else than it should. */
const BUGS: Record<string, Pick<Subject, 'open'> | Pick<Subject, 'Tracker'>> = {
  'increments of ended runs are dropped': plant(
    class extends MemoryStore {
      override async incrementRunOutput(...args: Parameters<MemoryStore['incrementRunOutput']>) {
        if ((await this.getRun(args[0]))?.completedAt) return true;
        return super.incrementRunOutput(...args);
      }
    },
  ),
  'increments at once overwrite each other': plant(
    class extends MemoryStore {
      override async incrementRunOutput(
        id: string,
        counts: Record<string, number>,
        updatedAt: Date,
      ) {
        const run = await this.getRun(id);
        const output = mergeOutputIncrements(run?.output, counts);
        return this.updateRun(id, { output, updatedAt });
      }
    },
  ),
  'an end replaces what was counted': plant(
    class extends MemoryStore {
      override updateRun(id: string, fields: Partial<Run>, conditions?: UpdateRunConditions) {
        const { mergeOutput, ...others } = conditions ?? {};
        return super.updateRun(id, fields, others);
      }
    },
  ),
  'of several ends each wins': plant(
    class extends MemoryStore {
      override updateStep(id: string, fields: Partial<Step>) {
        return super.updateStep(id, fields);
      }
    },
  ),
  'an unknown call is updated': plant(
    class extends MemoryStore {
      override async getCall(id: string) {
        return (await super.getCall(id)) ?? ({ id, status: 'running', error: null } as never);
      }
      override async updateCall() {
        return true;
      }
    },
  ),
  'a run that exists already is created': plant(
    class extends MemoryStore {
      override insertRun(run: Run) {
        return super.insertRun(run).catch(() => {});
      }
    },
  ),
  'a step is stored a little later than it is said to be': plant(
    class extends MemoryStore {
      override async insertStep(step: Step) {
        if (await this.getStep(step.id)) return super.insertStep(step);
        setTimeout(() => super.insertStep(step).catch(() => {}));
      }
    },
  ),
  'progress clears what it does not name': plant(
    class extends MemoryStore {
      override updateStep(id: string, fields: Partial<Step>, ...rest: never[]) {
        const cleared = 'itemsTotal' in fields ? { itemsFailed: null } : {};
        return super.updateStep(id, { ...cleared, ...fields }, ...rest);
      }
    },
  ),
  'the sweep takes what has just moved': plant(
    class extends MemoryStore {
      override closeStale(sweep: StaleSweep) {
        return super.closeStale({ ...sweep, before: new Date(Number(sweep.before) + 1) });
      }
    },
  ),
  'the deletion takes what ended at the very time': plant(
    class extends MemoryStore {
      override deleteRuns(options: { completedBefore: Date; limit?: number }) {
        const { completedBefore, ...rest } = options;
        const isDate = completedBefore instanceof Date;
        const later = isDate ? new Date(Number(completedBefore) + 1) : completedBefore;
        return super.deleteRuns({ ...rest, completedBefore: later });
      }
    },
  ),
  'a page leaves out its last run': plant(
    class extends MemoryStore {
      override async listRuns(query?: RunQuery) {
        const { items, nextCursor } = await super.listRuns(query);
        return { items: nextCursor ? items.slice(0, -1) : items, nextCursor };
      }
    },
  ),
  'a list of statuses is taken for its first': plant(
    class extends MemoryStore {
      override listRuns(query?: RunQuery) {
        const status = Array.isArray(query?.status) ? query.status.slice(0, 1) : query?.status;
        return super.listRuns(query && { ...query, status });
      }
    },
  ),
  'links lose the id of another system': plant(
    class extends MemoryStore {
      override insertStepLink(link: StepLink) {
        return super.insertStepLink({ ...link, externalId: null });
      }
    },
  ),
  'times are kept in seconds': plant(
    class extends MemoryStore {
      override insertRun(run: Run) {
        const createdAt = new Date(Math.floor(Number(run.createdAt) / 1000) * 1000);
        return super.insertRun({ ...run, createdAt });
      }
    },
  ),
  'nobody hears of what was refused': {
    Tracker: class extends RunTracker {
      constructor(options: RunTrackerOptions) {
        super({ ...options, onTrackingError: () => {} });
      }
    },
  },
  'a step hands on a copy of the value of its work': {
    Tracker: class extends RunTracker {
      override executeStep = async (...args: never[]) =>
        structuredClone(
          await (super.executeStep as (...args: never[]) => Promise<unknown>)(...args),
        ) as never;
    },
  },
  'a call is given more than it should be': changeCalls((work, options) => [
    (...args) => work(...args, 'more'),
    options,
  ]),
  'work that fails is tried once more': changeCalls((work, options) => {
    const { retry } = options ?? {};
    const more = retry && { retry: { ...retry, maxAttempts: retry.maxAttempts + 1 } };
    return [work, options && { ...options, ...more }];
  }),
  'work that fails is not tried again': changeCalls((work, options) => [
    work,
    options && { ...options, retry: undefined },
  ]),
  'an attempt is not counted': {
    Tracker: class extends RunTracker {
      override createStep(...[runId, params]: Parameters<RunTracker['createStep']>) {
        return super.createStep(runId, { ...params, retryOf: undefined });
      }
    },
  },
};

it.for(Object.entries(BUGS))('is found, and printed as a test that fails: %s', async ([, bug]) => {
  const good = memory(() => new MemoryStore());
  const bad: Subject = { ...good, ...bug };
  const { failure } = await prove(bad, 1000, inject('seed'));
  expect(failure).toBeDefined();
  const { test, operations } = failure as NonNullable<typeof failure>;
  expect(operations.length, test).toBeLessThanOrEqual(6);
  await expect(runTest(test, bad), test).rejects.toThrow();
  await expect(runTest(test, good), test).resolves.toBeUndefined();
});

/** Runs the text of a test, on the store and the tracker of a subject. */
async function runTest(test: string, { open, Tracker = RunTracker }: Subject): Promise<void> {
  const body = stripTypeScriptTypes(test.replace('const store = new MemoryStore();', ''))
    .split('\n')
    .filter((line) => !line.startsWith('import '))
    .join('\n');
  const tests: (() => Promise<void>)[] = [];
  const define = new Function('it', 'expect', 'RunsError', 'RunTracker', 'store', body);
  define(
    (_name: string, run: () => Promise<void>) => tests.push(run),
    expect,
    RunsError,
    Tracker,
    await open(),
  );
  for (const run of tests) await run();
}
