import { setTimeout as sleep } from 'node:timers/promises';
import { mergeOutputIncrements } from '../../src/helpers.js';
import type { RunStore } from '../../src/index.js';
import type { SqlStore } from '../../src/sql/sqlite.js';

/** Ways in which a store could be wrong; a check that does not find out is worth nothing. */
const FAULTS = {
  'counts by reading and writing': (store) => ({
    async incrementRunOutput(id, counts, updatedAt) {
      const run = await store.getRun(id);
      if (!run) return false;
      return store.updateRun(id, {
        output: mergeOutputIncrements(run.output, counts),
        updatedAt,
      });
    },
  }),
  'updates without a condition': (store) => ({
    updateRun: (id, fields) => store.updateRun(id, fields),
  }),
  'answers before it has stored': (store) => ({
    async insertRun(run) {
      void sleep(20).then(() => store.insertRun(run));
    },
    insertStep: (step) => sleep(20).then(() => store.insertStep(step)),
  }),
  'writes an end in two parts': (store) => ({
    async updateRun(id, { status, ...others }, conditions) {
      if (!status) return store.updateRun(id, others, conditions);
      const isMatch = await store.updateRun(id, { status }, conditions);
      await sleep(1);
      return isMatch && store.updateRun(id, others);
    },
  }),
} satisfies Record<string, (store: SqlStore) => Partial<RunStore>>;

export type Fault = keyof typeof FAULTS;

/** The same store with a fault. */
export function withFault(store: SqlStore, fault: Fault | undefined): SqlStore {
  return fault ? withMethods(store, FAULTS[fault](store)) : store;
}

/** The same store with other methods in the place of some. */
export function withMethods(store: SqlStore, methods: Partial<RunStore>): SqlStore {
  return new Proxy(store, {
    get(target, key) {
      const own = Reflect.get(methods, key);
      const member = own ?? Reflect.get(target, key, target);
      return typeof member === 'function' && !own ? member.bind(target) : member;
    },
  });
}
