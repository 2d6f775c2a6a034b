import type { SqlStore } from '../../../src/sql/sql-store.js';
import { aCall, aRun, aStep, at, idOf } from '../../../src/testing/tables.js';

const NOBODY = idOf(8888);
const STRANGERS = [idOf(7777), idOf(7778)] as const;

/** What a write has beside it: the same of another record, or others of other fields and values. */
export type Crowd = 'alike' | 'others';

/**
 * The same store, none of whose writes goes out alone: each waits for one that is on its way,
 * together with more of its kind. Those change nothing: their records are not there, or are
 * there already.
 */
export function crowded(store: SqlStore, crowd: Crowd): SqlStore {
  async function together<T>(write: () => Promise<T>, more: () => Promise<unknown>[]): Promise<T> {
    const first = store.updateCall(NOBODY, { error: 'first' });
    const before = crowd === 'alike' ? more() : [];
    const answer = write();
    const after = crowd === 'others' ? more() : [];
    await Promise.allSettled([first, ...before, answer, ...after]);
    return answer;
  }

  const inserted = new Map<string, { id: string }>();
  const inserting =
    <R extends { id: string }>(table: string, insert: (record: R) => Promise<unknown>) =>
    async (record: R) => {
      const known = inserted.get(table) as R | undefined;
      if (known && known.id !== record.id) {
        const other = crowd === 'alike' ? { ...record, id: known.id } : known;
        await together(
          () => insert(record),
          () => [insert(other).catch(() => {})],
        );
      } else {
        await insert(record);
        inserted.set(table, structuredClone(record));
      }
    };

  const updating =
    <R extends { id: string }>(
      update: (id: string, fields: Partial<R>, conditions?: object) => Promise<boolean>,
      { id: _, ...others }: R,
    ) =>
    (id: string, fields: Partial<R>, ...rest: [object?]) => {
      const [one, another] = STRANGERS;
      const conditions = { ifStatus: ['pending', 'running'], ifError: 'other' };
      return together(
        () => update(id, fields, ...rest),
        () =>
          crowd === 'alike'
            ? [update(one, fields, ...rest)]
            : [update(one, others as Partial<R>, conditions), update(another, {})],
      );
    };

  const changes: Partial<SqlStore> = {
    insertRun: inserting('runs', (run) => store.insertRun(run as never)),
    insertStep: inserting('run_steps', (step) => store.insertStep(step as never)),
    insertCall: inserting('run_calls', (call) => store.insertCall(call as never)),
    insertStepLink: inserting('run_step_links', (link) => store.insertStepLink(link as never)),
    updateRun: updating(
      (...args) => store.updateRun(...args),
      aRun({ output: { other: 1 }, error: 'other' }),
    ),
    updateStep: updating((...args) => store.updateStep(...args), aStep({ error: 'other' })),
    updateCall: updating((...args) => store.updateCall(...args), aCall({ error: 'other' })),
    incrementRunOutput: (id, increments, updatedAt) =>
      together(
        () => store.incrementRunOutput(id, increments, updatedAt),
        () => [
          crowd === 'alike'
            ? store.incrementRunOutput(STRANGERS[0], increments, updatedAt)
            : store.incrementRunOutput(STRANGERS[0], { other: 1 }, at(5)),
        ],
      ),
  };
  return new Proxy(store, {
    get(target, name) {
      const value = changes[name as keyof SqlStore] ?? Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
