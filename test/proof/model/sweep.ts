import type { DeleteRunsOptions } from '../../../src/deletion.js';
import type { FailStaleOptions } from '../../../src/tracker.js';
import { type AnyRecord, isOpen, type Kind, type Model } from './model.js';
import { Refusal } from './records.js';

/** What a sweep would end, of each kind the oldest first, and with what error. */
interface Sweep {
  error: string;
  stale: Record<Kind, AnyRecord[]>;
  limit: number;
}

export function sweepOf(model: Model, { olderThanMs, limit = 1000 }: FailStaleOptions): Sweep {
  for (const value of [olderThanMs, limit]) requireWhole(value);
  if (!model.abilities.sweeps) throw new Refusal('unsupported');
  const before = model.now - olderThanMs;
  const all = (kind: Kind) => [...model.records[kind].values()];
  const calls = all('call');
  const wasCalled = (step: AnyRecord) =>
    calls.some((call) => call.stepId === step.id && Number(call.createdAt) >= before);
  const isOld = (record: AnyRecord) =>
    record.status === 'running' && Number(record.updatedAt) < before;
  const isStaleStep = (step: AnyRecord) => isOld(step) && !wasCalled(step);
  const isStaleRun = (run: AnyRecord) =>
    isOld(run) &&
    all('step').every(
      (step) => step.runId !== run.id || (Number(step.updatedAt) < before && !wasCalled(step)),
    );
  const isStaleCall = (call: AnyRecord) => {
    const step = model.records.step.get(call.stepId as string);
    const isGone = !step || !isOpen(step) || isStaleStep(step);
    return call.status === 'running' && Number(call.createdAt) < before && isGone;
  };
  const stale = {
    run: all('run').filter(isStaleRun),
    step: all('step').filter(isStaleStep),
    call: calls.filter(isStaleCall),
  };
  for (const records of Object.values(stale)) records.sort(byTime('createdAt'));
  return { error: `abandoned: no update since ${new Date(before).toISOString()}`, stale, limit };
}

/** Ends what is stale; tells the ids in no order. */
export function closeStale(model: Model, { error, stale, limit }: Sweep): object {
  const close = (kind: Kind) =>
    stale[kind].slice(0, limit).map((record) => {
      model.touched.add(`${kind} ${record.id}`);
      Object.assign(record, model.ended(kind, record, 'fail'), { error });
      return record.id;
    });
  const [runs, steps, calls] = [close('run'), close('step'), close('call')];
  return { runs: runs.sort(), steps: steps.sort(), calls: calls.sort() };
}

/** What ended before: the runs, and the steps that stood alone, those that ended first. */
function endedBefore(model: Model, { completedBefore, limit = 1000 }: DeleteRunsOptions) {
  if (!(completedBefore instanceof Date) || Number.isNaN(Number(completedBefore))) {
    throw new Refusal('invalid_argument');
  }
  requireWhole(limit);
  const hasEnded = (record: AnyRecord) =>
    !isOpen(record) && Number(record.completedAt) < Number(completedBefore);
  const runs = [...model.records.run.values()].filter(hasEnded).sort(byTime('completedAt'));
  const alone = [...model.records.step.values()].filter((step) => !step.runId && hasEnded(step));
  return { runs, alone: alone.sort(byTime('completedAt')), limit };
}

/** Deletes what ended before, and everything under it; tells how many runs. */
export function deleteRuns(model: Model, options: DeleteRunsOptions): number {
  const { runs, alone, limit } = endedBefore(model, options);
  const gone = runs.slice(0, limit).map(({ id }) => id);
  const { run, step, call } = model.records;
  const steps = alone.slice(0, limit);
  steps.push(...[...step.values()].filter(({ runId }) => runId && gone.includes(runId)));
  for (const { id } of steps) {
    for (const { id: callId, stepId } of call.values()) {
      if (stepId === id) call.delete(callId);
    }
    for (const link of model.links.values()) if (link.stepId === id) model.links.delete(link.id);
    step.delete(id);
  }
  for (const id of gone) run.delete(id);
  return gone.length;
}

/** Whether a limit falls between records of the same time: nothing says which of them is taken. */
export function isLimitVague(model: Model, options: FailStaleOptions | DeleteRunsOptions): boolean {
  if ('completedBefore' in options) {
    const { runs, alone, limit } = endedBefore(model, options);
    return [runs, alone].some((records) => isCut(records, limit, 'completedAt'));
  }
  const { stale, limit } = sweepOf(model, options);
  return Object.values(stale).some((records) => isCut(records, limit, 'createdAt'));
}

type Time = 'createdAt' | 'completedAt';

function isCut(records: AnyRecord[], limit: number, time: Time): boolean {
  const [last, next] = [records[limit - 1], records[limit]];
  return Boolean(last && next && Number(last[time]) === Number(next[time]));
}

function byTime(time: Time): (a: AnyRecord, b: AnyRecord) => number {
  return (a, b) => Number(a[time]) - Number(b[time]);
}

function requireWhole(value: unknown): void {
  if (!(Number.isSafeInteger(value) && (value as number) > 0)) {
    throw new Refusal('invalid_argument');
  }
}
