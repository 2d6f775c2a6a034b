import { setTimeout } from 'node:timers/promises';
import type { RunTracker } from '../../../src/index.js';
import type { Chance } from '../chance.js';
import type { Outcome, Witness } from './witness.js';

/** What a worker has: its tracker, and who sees what it is told. */
export interface Desk {
  tracker: RunTracker;
  witness: Witness;
  chance: Chance;
  newId(): string;
}

/** The failure of the work itself. */
class WorkError extends Error {}

const RUN = { runType: 'sync_stripe', trigger: 'cron', input: { since: '2026-01-01' } } as const;
const CALL = { tool: 'stripe', operation: 'GET /charges', input: { page: 1 } };

/** Records one run with all that may be in it. Never rejects; resolves to its id, and to whether its work began. */
export async function recordRun(desk: Desk): Promise<{ id: string; began: boolean }> {
  const { tracker, witness, chance } = desk;
  const id = desk.newId();
  let began = false;
  const isAdopted = chance.once(5);
  if (isAdopted) {
    const created = await witness.ask(tracker.createRun({ id, ...RUN }));
    if ('error' in created) return { id, began };
  }
  const run = isAdopted ? id : { id, ...RUN };
  const start = (fn: (id: string) => Promise<unknown>) =>
    chance.once(10) ? tracker.executeRun(run, fn, { heartbeatMs: 5 }) : tracker.executeRun(run, fn);
  await witness.execute('run', id, start, async () => {
    began = true;
    await Promise.all([count(desk, id), count(desk, id)]);
    await fetch(desk, id);
    await (chance.once(2) ? importItems(desk, id) : tryAgain(desk, id));
    if (chance.once(3)) await driveByHand(desk, id);
    if (chance.once(5)) await ask(desk, () => tracker.updateRunProgress(id, 'cleaning up'));
    if (chance.once(10)) await refused(desk, id);
    return ending(desk);
  });
  return { id, began };
}

/** Asks for a record; who is refused it gives up, now and then, with that very error. */
async function ask<T>({ witness, chance }: Desk, start: () => Promise<T>): Promise<Outcome<T>> {
  const outcome = await witness.ask(start());
  if ('error' in outcome && chance.once(4)) throw outcome.error;
  return outcome;
}

async function ending({ chance }: Desk): Promise<object | undefined> {
  if (chance.once(8)) throw new WorkError('the work has failed');
  return chance.once(4) ? undefined : { rows: chance.below(1000) };
}

async function count(desk: Desk, runId: string): Promise<void> {
  const key = desk.newId();
  const outcome = await desk.witness.ask(
    desk.tracker.incrementRunOutput(runId, { [key]: 1, all: 1 }),
  );
  desk.witness.counts.push({ runId, key, isTold: 'value' in outcome });
}

async function callApi(desk: Desk, stepId: string): Promise<void> {
  const id = desk.newId();
  const start = (fn: () => Promise<unknown>) =>
    desk.tracker.executeCall(stepId, { id, ...CALL }, () => fn());
  await desk.witness.execute('call', id, start, () => ending(desk));
}

async function link(desk: Desk, stepId: string): Promise<void> {
  const params = { linkType: 'output', entityType: 'charge', entityId: desk.newId() } as const;
  const linked = await ask(desk, () => desk.tracker.linkStep(stepId, params));
  if ('value' in linked) desk.witness.links.set(linked.value as string, stepId);
}

async function fetch(desk: Desk, runId: string): Promise<void> {
  const { tracker, witness, chance } = desk;
  const id = desk.newId();
  const isSlow = chance.once(10);
  const params = { id, stepType: 'fetch', context: { page: 1 } };
  const start = (fn: (id: string) => Promise<unknown>) =>
    isSlow
      ? tracker.executeStep(runId, params, fn, { heartbeatMs: 3 })
      : tracker.executeStep(runId, params, fn);
  await witness.execute('step', id, start, async () => {
    await Promise.all([callApi(desk, id), callApi(desk, id), link(desk, id)]);
    await callApi(desk, id);
    await ask(desk, () => tracker.updateStepProgress(id, { itemsTotal: 3, itemsProcessed: 3 }));
    if (isSlow) await setTimeout(10);
    return ending(desk);
  });
}

async function importItems(desk: Desk, runId: string): Promise<void> {
  const { tracker, witness } = desk;
  const id = desk.newId();
  const start = (fn: (id: string) => Promise<unknown>) =>
    tracker.executeStep(runId, { id, stepType: 'import', maxRetries: 0 }, fn);
  await witness.execute('step', id, start, async () => {
    const items = Array.from({ length: 6 }, (_, index) => index);
    const work = async (index: number) => {
      await count(desk, runId);
      if (index === 3) throw new WorkError('the item has failed');
    };
    // No store keeps the items from being worked on, or from being counted.
    const { processed, failed } = await tracker.executeItems(id, items, work, {
      concurrency: 3,
      progressMs: 1,
    });
    if (processed !== 6 || failed !== 1) witness.problems.push(`${processed} items of 6`);
    return ending(desk);
  });
}

async function tryAgain(desk: Desk, runId: string): Promise<void> {
  const id = desk.newId();
  let times = 0;
  const start = (fn: (id: string) => Promise<unknown>) =>
    desk.tracker.executeStep(runId, { id, stepType: 'charge' }, fn, {
      retry: { maxAttempts: 3, delayMs: 1 },
    });
  await desk.witness.execute('step', id, start, async (stepId) => {
    times += 1;
    if (times < 2) throw new WorkError('not yet');
    await callApi(desk, stepId);
    return ending(desk);
  });
}

async function driveByHand(desk: Desk, runId: string): Promise<void> {
  const { tracker, chance } = desk;
  const id = desk.newId();
  const created = await ask(desk, () => tracker.createStep(runId, { id, stepType: 'by_hand' }));
  if ('error' in created) return;
  await ask(desk, () => tracker.startStep(id));
  const callId = desk.newId();
  const called = await ask(desk, () => tracker.createCall(id, { id: callId, ...CALL }));
  if ('value' in called) {
    await ask(desk, () =>
      chance.once(2) ? tracker.finishCall(callId) : tracker.failCall(callId, new WorkError('no')),
    );
  }
  const ends = [
    () => tracker.finishStep(id, { output: { done: true } }),
    () => tracker.failStep(id, new WorkError('failed')),
    () => tracker.cancelStep(id, 'no longer wanted'),
    () => tracker.skipStep(id, 'nothing to do'),
  ];
  await ask(desk, () => ends[chance.below(ends.length)]!());
}

/** What no database stores: a step of a run that is not there, and a run that is there already. */
async function refused(desk: Desk, runId: string): Promise<void> {
  const { tracker, witness } = desk;
  const acts = [() => tracker.createStep('nobody', { id: desk.newId(), stepType: 'lost' })];
  if (witness.ledger.isStored('run', runId))
    acts.push(() => tracker.createRun({ id: runId, ...RUN }));
  for (const act of acts) {
    if ('value' in (await witness.ask(act()))) witness.problems.push(`${act} was not refused`);
  }
}
