import type { RunQuery, StepQuery, StepRecordQuery } from '../../../src/store.js';
import type { Run, StepLink } from '../../../src/types.js';
import type { AnyRecord, Model } from './model.js';
import { Refusal } from './records.js';

export type ListName = 'listRuns' | 'listSteps' | 'listCalls' | 'listLinks';

const KNOWN = {
  listRuns: [
    'limit',
    'cursor',
    'status',
    'runType',
    'trigger',
    'actorId',
    'createdAfter',
    'createdBefore',
    'updatedBefore',
  ],
  listSteps: ['limit', 'cursor', 'status'],
  listCalls: ['limit', 'cursor', 'stepId'],
  listLinks: ['limit', 'cursor', 'stepId'],
};

/** Everything that a list holds, in order, whatever the pages that it comes in. */
export function listed(
  model: Model,
  list: ListName,
  runId: string | null,
  query: RunQuery & StepQuery & StepRecordQuery,
): (AnyRecord | StepLink)[] {
  const { limit = 50, cursor } = query;
  const isKnown = Object.keys(query).every((name) => KNOWN[list].includes(name));
  if (!isKnown || !(limit >= 1 && limit <= 500) || cursor) throw new Refusal('invalid_argument');
  if (list === 'listRuns') {
    const runs = [...model.records.run.values()].filter((run) => isAskedFor(run as Run, query));
    return runs.sort(oldestFirst).reverse();
  }
  if (list === 'listSteps') {
    const steps = [...model.records.step.values()].filter(
      (step) => step.runId === runId && isOneOf(step.status, query.status),
    );
    return steps.sort(oldestFirst);
  }
  const records: (AnyRecord | StepLink)[] = [
    ...(list === 'listCalls' ? model.records.call : model.links).values(),
  ];
  const ofRun = records.filter(({ stepId }) => {
    const step = model.records.step.get(stepId as string);
    return step?.runId === runId && isOneOf(stepId, query.stepId);
  });
  return ofRun.sort(oldestFirst);
}

function isAskedFor(run: Run, query: RunQuery): boolean {
  const { createdAfter, createdBefore, updatedBefore } = query;
  return (
    isOneOf(run.status, query.status) &&
    isOneOf(run.runType, query.runType) &&
    isOneOf(run.trigger, query.trigger) &&
    isOneOf(run.actorId, query.actorId) &&
    !(createdAfter && run.createdAt <= createdAfter) &&
    !(createdBefore && run.createdAt >= createdBefore) &&
    !(updatedBefore && run.updatedAt >= updatedBefore)
  );
}

function isOneOf(value: unknown, wanted: unknown): boolean {
  return wanted === undefined || (Array.isArray(wanted) ? wanted : [wanted]).includes(value);
}

export function oldestFirst(
  a: { id: string; createdAt: Date },
  b: { id: string; createdAt: Date },
): number {
  return Number(a.createdAt) - Number(b.createdAt) || (a.id < b.id ? -1 : 1);
}
