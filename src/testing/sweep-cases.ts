import { calculateDuration } from '../helpers.js';
import type { StaleIds, StaleSweep } from '../store.js';
import { expectRecord, expectRejection, expectSame } from './expect.js';
import { newTracker } from './job-cases.js';
import { type AbleStore, type Check, checkThat } from './store-case.js';
import {
  type AnyRecord,
  at,
  calls,
  type Fields,
  ID,
  idOf,
  runs,
  steps,
  TABLES,
  type Table,
} from './tables.js';

const sweeping = checkThat(['closeStale']);

/** No whole second, so that times compared in whole seconds are noticed. */
const BEFORE = at(60_500);
const JUST_BEFORE = at(60_499);
const SWEEP: StaleSweep = {
  before: BEFORE,
  error: `abandoned: no update since ${BEFORE.toISOString()}`,
  // So late that durations are longer than a signed integer of 32 bits can hold.
  now: at(3_600_000_123),
  limit: 1000,
};
const MOVED = { updatedAt: BEFORE };
const CALLED = { createdAt: BEFORE };
const ENDED = { status: 'completed' };
const ALONE = { runId: null };

/** A record that did not move for long, but for the given fields, and whether a sweep must end it. */
interface Member {
  table: Table;
  fields: Fields;
  isStale: boolean;
}

/** The same, as it is in the store. */
interface Stored extends Member {
  record: AnyRecord;
}

const stale = (table: Table, fields: Fields = {}): Member => ({ table, fields, isStale: true });
const alive = (table: Table, fields: Fields = {}): Member => ({ table, fields, isStale: false });

/** A run, a step of it and a call of that. */
const family = () => TABLES.map((table) => stale(table));

/** A family with nothing in its fields, and one with something in all of them. */
const families = () => {
  const open = { status: 'running', error: null, durationMs: null };
  const moving = { ...open, completedAt: null, updatedAt: JUST_BEFORE };
  return [
    ...family(),
    ...TABLES.map((table) => stale(table, table.full(table === calls ? open : moving))),
  ];
};

/** What holds for `closeStale`. */
export const sweepCases: Check[] = [
  sweeping(
    "sweep: what is stale ends with the sweep's error and times, once",
    'steps that end before their run is looked at, so that it seems to have moved, a duration that is not since startedAt (of calls: createdAt), or a currentStep that stays',
    async (store) => {
      const stored = await expectSwept(store, families());
      expectEnded([await store.closeStale(SWEEP)], stored, () => false);
    },
  ),
  sweeping(
    'sweep: no duration is negative',
    'a difference of times that is stored as it is, though clocks differ',
    (store) => expectSwept(store, families(), { now: at(5) }),
  ),
  sweeping(
    'sweep: a run is stale when neither it nor a step of it moved and no call was created in it',
    'a run that is judged by its own updatedAt alone, `<=` in place of `<`, or times compared in whole seconds',
    (store) =>
      expectSwept(store, [
        alive(runs, MOVED),
        ...[alive(runs), alive(steps, MOVED), stale(steps)],
        ...[alive(runs), alive(steps, { ...MOVED, ...ENDED })],
        ...[alive(runs), alive(steps), alive(calls, { ...CALLED, status: 'success' })],
        ...[alive(runs), alive(steps, ENDED), alive(calls, CALLED)],
        ...[stale(runs, { updatedAt: JUST_BEFORE }), stale(steps, { updatedAt: JUST_BEFORE })],
        stale(calls, { createdAt: JUST_BEFORE }),
        stale(runs),
      ]),
  ),
  sweeping(
    'sweep: a step is stale when it did not move and no call was created in it, whatever its run',
    'a join with runs, which leaves out the steps of some and those that stand alone',
    (store) =>
      expectSwept(store, [
        ...[alive(runs, MOVED), stale(steps)],
        ...[alive(runs, ENDED), stale(steps)],
        ...[stale(steps, ALONE), alive(steps, { ...ALONE, ...MOVED, parentStepId: idOf(5) })],
        ...[alive(steps, ALONE), alive(calls, { ...CALLED, status: 'success' })],
      ]),
  ),
  sweeping(
    'sweep: a call is stale when it is old and its step has ended or is stale',
    'calls that are judged by their age alone, or that end only together with their step',
    (store) =>
      expectSwept(store, [
        ...['completed', 'failed', 'cancelled', 'skipped'].flatMap((status) => [
          alive(steps, { ...ALONE, ...MOVED, status }),
          stale(calls, { createdAt: JUST_BEFORE }),
          alive(calls, CALLED),
        ]),
        ...[stale(steps, ALONE), stale(calls)],
        ...[alive(steps, { ...ALONE, ...MOVED }), alive(calls)],
        ...[alive(steps, { ...ALONE, status: 'pending' }), alive(calls)],
        ...[alive(steps, ALONE), alive(calls), alive(calls, CALLED)],
      ]),
  ),
  sweeping(
    'sweep: what is pending or has ended is left alone',
    "a condition on the status that is missing, or wider than 'running'",
    (store) =>
      expectSwept(
        store,
        // A call could only be stale in a step that has ended: the last one.
        TABLES.flatMap((table) => {
          const others = table === calls ? [] : ['failed', 'cancelled'];
          return ['pending', ...others, ...table.ends].map((status) => alive(table, { status }));
        }),
      ),
  ),
  sweeping(
    'sweep: the limit is that of each kind, the oldest first',
    'one limit for all, an order by another time than createdAt, or calls that wait until their stale step has ended',
    async (store) => {
      const members = [2, 0, 1].flatMap((age) => {
        const times = { createdAt: at(age), updatedAt: at(9 - age) };
        const place = age === 2 ? alive : stale;
        return [
          place(runs, times),
          place(steps, { ...ALONE, ...times }),
          // The call that must wait is not that of the step that must.
          (age === 0 ? alive : stale)(calls, { createdAt: at(9 - age) }),
        ];
      });
      const stored = await expectSwept(store, members, { limit: 2 });
      expectEnded([await store.closeStale(SWEEP)], stored, ({ isStale }) => !isStale);
    },
  ),
  sweeping(
    'sweep: what is not stale takes no place of the limit',
    'a limit that is taken of the oldest records, and only then asked which of them are stale',
    (store) =>
      expectSwept(
        store,
        [
          ...[alive(runs, ENDED), alive(runs, { status: 'failed' }), alive(runs, MOVED)],
          ...[alive(runs), alive(steps, MOVED), alive(calls), alive(steps, ENDED)],
          ...[alive(runs), alive(steps, ENDED), alive(calls, CALLED)],
          alive(calls, { status: 'success' }),
          ...[alive(steps, ALONE), alive(calls), alive(calls, CALLED)],
          ...[alive(steps, { ...ALONE, status: 'pending' }), alive(calls)],
          ...TABLES.map((table) =>
            stale(table, { createdAt: at(1), ...(table !== calls && { updatedAt: at(1) }) }),
          ),
        ],
        { limit: 1 },
      ),
  ),
  sweeping(
    'sweep: of several sweeps at once exactly one ends a record',
    'a sweep that reads, decides and then writes; put the conditions into the UPDATE, and resolve to the ids that it returns',
    (store) => expectSwept(store, Array.from({ length: 20 }, family).flat(), {}, 5),
  ),
  checkThat(['closeStale', 'conditionalUpdates'])(
    'sweep: a heartbeat that was stored saves its record, and one that comes too late is refused',
    'a sweep that reads, decides and then writes; put the conditions into the UPDATE',
    async (store) => {
      const stored = await insertAll(
        store,
        Array.from({ length: 20 }, () => [stale(runs), stale(steps, ALONE)]).flat(),
      );
      const beat = ({ table, record }: Stored) =>
        table.update(store, record.id, MOVED, { ifStatus: ['running'] });
      const results = await Promise.all([
        ...stored.slice(0, 20).map(beat),
        store.closeStale(SWEEP),
        ...stored.slice(20).map(beat),
      ]);
      const sweeps = results.splice(20, 1) as StaleIds[];
      expectEnded(sweeps, stored, (_, index) => !results[index]);
    },
  ),
  sweeping(
    'sweep: a tracker still ends what was swept, once',
    'an error that is not stored exactly as it was given, or an update that spares what a sweep has ended',
    async (store) => {
      const { tracker, clock, reports } = newTracker(store);
      await expectSwept(store, families());
      clock.at = SWEEP.now;
      await tracker.finishRun(ID);
      await tracker.finishStep(ID);
      await tracker.finishCall(ID);
      for (const { get, ends, methods } of TABLES) {
        const fields = { status: ends[0], error: null };
        expectRecord(await get(store, ID), fields, `${methods.get} after a finish`);
      }
      const again = () => tracker.failRun(ID, 'late');
      await expectRejection(again, 'failRun after a finish', 'invalid_transition');
      expectSame(reports, [], 'what the tracker reported to onTrackingError');
    },
  ),
];

/** Inserts records: a step is one of the run before it, a call one of the step before it. */
async function insertAll(store: AbleStore, members: Member[]): Promise<Stored[]> {
  const parents: Partial<Record<'run' | 'step' | 'call', object>> = {};
  const stored = members.map((member, index) => {
    const { table, fields } = member;
    const id = idOf(1 + index);
    if (table === runs) parents.step = { runId: id };
    if (table === steps) parents.call = { stepId: id };
    return { ...member, record: table.bare({ id, ...parents[table.kind], ...fields }) };
  });
  for (const { table, record } of stored) await table.insert(store, record);
  return stored;
}

/** Inserts records, sweeps, and reads them again: what is stale has ended, and nothing else has changed. */
async function expectSwept(
  store: AbleStore,
  members: Member[],
  changes?: Partial<StaleSweep>,
  sweepers = 1,
): Promise<Stored[]> {
  const stored = await insertAll(store, members);
  const sweep = { ...SWEEP, ...changes };
  const sweeps = Array.from({ length: sweepers }, () => store.closeStale(sweep));
  expectEnded(await Promise.all(sweeps), stored);
  for (const { table, record, isStale } of stored) {
    const expected = isStale ? ended(table, record, sweep) : record;
    expectRecord(
      await table.get(store, record.id),
      expected,
      `${table.methods.get} after closeStale`,
    );
  }
  return stored;
}

/** Compares what sweeps say that they ended, each record once, with what they must end; the order is theirs. */
function expectEnded(
  sweeps: StaleIds[],
  stored: Stored[],
  isEnded = (each: Stored, _index: number) => each.isStale,
): void {
  for (const [index, each] of stored.entries()) {
    const { kind } = each.table;
    const { id } = each.record;
    const ids = sweeps.flatMap((sweep) => sweep[`${kind}s`]);
    const times = ids.filter((endedId) => endedId === id).length;
    const what = `how often closeStale ended the ${kind} ${id} with ${JSON.stringify(each.fields)}`;
    expectSame(times, Number(isEnded(each, index)), what);
  }
  const known = stored.map(({ record }) => record.id);
  const ids = sweeps.flatMap(({ runs, steps, calls }) => [...runs, ...steps, ...calls]);
  const unknown = ids.filter((id) => !known.includes(id));
  expectSame(unknown, [], 'the ids that closeStale gave and nobody has stored');
}

/** A record that a sweep has ended. */
function ended(table: Table, record: AnyRecord, { now, error }: StaleSweep): AnyRecord {
  const isCall = table === calls;
  const since = isCall ? record.createdAt : record.startedAt;
  return {
    ...record,
    status: isCall ? 'error' : 'failed',
    error,
    durationMs: calculateDuration(since as Date | null, now),
    ...(!isCall && { completedAt: now, updatedAt: now }),
    ...(table === runs && { currentStep: null }),
  };
}
