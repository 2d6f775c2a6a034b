import type { CallStatus, RunStatus, StepStatus } from '../../src/index.js';
import type { SqlStore } from '../../src/sql/sql-store.js';
import { aCall, aLink, aRun, aStep, at, idOf } from '../../src/testing/tables.js';

/** Records that both have, each under other parents. */
export const SHARED = [1, 2, 3, 4, 5];
/** Records that only they have: of a run that goes on, of one that has ended, and without a run. */
const THEIRS = [7, 8, 9];
export const ALL = [...SHARED, ...THEIRS];
export const runId = (number: number) => idOf(number);
export const stepId = (number: number) => idOf(100 + number);
export const callId = (number: number) => idOf(200 + number);
export const linkId = (number: number) => idOf(300 + number);

const OLD = at(1000);
export const BEFORE = at(60_000);
export const NEW = at(90_000);

/** What an owner has. */
export type Age = 'nothing' | 'old' | 'new';

/** The run of each step, and the statuses of runs, steps and calls. */
const RECORDS: Record<'old' | 'new', [number | null, RunStatus, StepStatus, CallStatus][]> = {
  old: [
    [1, 'running', 'running', 'running'],
    [2, 'running', 'running', 'running'],
    [3, 'completed', 'completed', 'success'],
    [null, 'failed', 'failed', 'running'],
    [null, 'cancelled', 'running', 'running'],
  ],
  new: [
    [2, 'running', 'running', 'running'],
    [1, 'running', 'running', 'running'],
    [null, 'running', 'running', 'running'],
    [4, 'completed', 'running', 'running'],
    [3, 'running', 'completed', 'success'],
  ],
};

/**
 * Stores a tree of records. In an old one all that runs is stale, and what has ended
 * is old enough to be deleted. In a new one runs 1 and 2 are old themselves, but a
 * call of the one and a step of the other are new.
 */
export async function fill(store: SqlStore, age: Age): Promise<void> {
  if (age === 'nothing') return;
  const isOld = age === 'old';
  const records = RECORDS[age].map((record, index) => ({ number: SHARED[index]!, record }));
  const createdAt = (number: number) => at(number * 10 + (isOld ? 0 : 5));
  const endedAt = isOld ? at(500) : NEW;
  const isEnded = (status: string) => status !== 'running';
  await Promise.all(
    records.map(({ number, record: [, status] }) =>
      store.insertRun(
        aRun({
          id: runId(number),
          status,
          actorId: 'user_1',
          error: age,
          output: { charges: number, [age]: true },
          createdAt: createdAt(number),
          updatedAt: isOld || number < 3 ? OLD : NEW,
          completedAt: isEnded(status) ? endedAt : null,
        }),
      ),
    ),
  );
  await Promise.all(
    records.map(({ number, record: [run, , status] }) =>
      store.insertStep(
        aStep({
          id: stepId(number),
          runId: run === null ? null : runId(run),
          status,
          error: age,
          createdAt: createdAt(number),
          // What has ended may have been written since, and its call be stale all the same.
          updatedAt: (isOld && !isEnded(status)) || number === 1 ? OLD : NEW,
          completedAt: isEnded(status) ? endedAt : null,
        }),
      ),
    ),
  );
  await Promise.all(
    records.flatMap(({ number, record: [, , , status] }) => {
      const parent = { stepId: stepId(number), createdAt: createdAt(number) };
      const madeAt = isOld || number > 1 ? createdAt(number) : NEW;
      return [
        store.insertCall(
          aCall({ id: callId(number), ...parent, status, error: age, createdAt: madeAt }),
        ),
        store.insertStepLink(aLink({ id: linkId(number), ...parent, externalId: age })),
      ];
    }),
  );
}

/** Stores what only they have: older than all else, so that it would come first wherever it counted. */
export async function fillTheirs(store: SqlStore, age: Age): Promise<void> {
  await fill(store, age);
  const [going, ended, alone] = THEIRS as [number, number, number];
  const createdAt = at(-1);
  const isEnded = { status: 'completed', createdAt, completedAt: at(-1) } as const;
  await Promise.all([
    store.insertRun(aRun({ id: runId(going), actorId: 'user_1', createdAt })),
    store.insertRun(aRun({ id: runId(ended), actorId: 'user_1', ...isEnded })),
  ]);
  await Promise.all([
    store.insertStep(aStep({ id: stepId(going), runId: runId(going), createdAt })),
    store.insertStep(aStep({ id: stepId(ended), runId: runId(ended), ...isEnded })),
    store.insertStep(aStep({ id: stepId(alone), runId: null, ...isEnded })),
  ]);
  await Promise.all(
    THEIRS.flatMap((number) => {
      const parent = { stepId: stepId(number), createdAt };
      return [
        store.insertCall(aCall({ id: callId(number), ...parent })),
        store.insertStepLink(aLink({ id: linkId(number), ...parent })),
      ];
    }),
  );
}

/** Where the second page of each list of theirs begins. */
export type Cursors = Record<'runs' | 'steps' | 'calls' | 'links', string>;

export async function cursorsOf(store: SqlStore): Promise<Cursors> {
  const [run, one] = [runId(THEIRS[0]!), { limit: 1 }];
  // A list of one has no second page: the cursor is that of another list, at the same place.
  await store.insertStep(aStep({ id: stepId(10), runId: run, createdAt: at(25) }));
  const parent = { stepId: stepId(10), createdAt: at(25) };
  await store.insertCall(aCall({ id: callId(10), ...parent }));
  await store.insertStepLink(aLink({ id: linkId(10), ...parent }));
  const pages = [
    await store.listRuns(one),
    await store.listSteps(run, one),
    await store.listCalls(run, one),
    await store.listLinks(run, one),
  ];
  const [runs, steps, calls, links] = pages.map(({ nextCursor }) => nextCursor as string);
  return { runs, steps, calls, links } as Cursors;
}
