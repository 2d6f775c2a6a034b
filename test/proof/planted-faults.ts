import { setTimeout as sleep } from 'node:timers/promises';
import { mergeOutputIncrements } from '../../src/helpers.js';
import type { RunStore, StepLinkStore } from '../../src/index.js';
import type { SqlStore } from '../../src/sql/sqlite.js';

type Methods = Partial<RunStore & StepLinkStore>;

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
    async insertStepLink(link) {
      void sleep(200).then(() => store.insertStepLink(link));
    },
  }),
  'writes an end in two parts': (store) => ({
    async updateRun(id, { status, ...others }, conditions) {
      if (!status) return store.updateRun(id, others, conditions);
      const isMatch = await store.updateRun(id, { status }, conditions);
      await sleep(10);
      return isMatch && store.updateRun(id, others);
    },
  }),
  'forgets the calls when it sweeps': (store) => ({
    async closeStale(sweep) {
      const closed = await store.closeStale(sweep);
      const reopened = { status: 'running', error: null, durationMs: null } as const;
      await Promise.all(closed.calls.map((id) => store.updateCall(id, reopened)));
      return { ...closed, calls: [] };
    },
  }),
  'sweeps what has ended': (store) => ({
    async closeStale(sweep) {
      const { items } = await store.listRuns({ status: 'completed' });
      await Promise.all(items.map(({ id }) => store.updateRun(id, { error: sweep.error })));
      return store.closeStale(sweep);
    },
  }),
} satisfies Record<string, (store: SqlStore) => Methods>;

export type Fault = keyof typeof FAULTS;

/** The same store with a fault. */
export function withFault(store: SqlStore, fault: Fault | undefined): SqlStore {
  return fault ? withMethods(store, FAULTS[fault](store)) : store;
}

/** The same store with other methods in the place of some. */
export function withMethods(store: SqlStore, methods: Methods): SqlStore {
  return new Proxy(store, {
    get(target, key) {
      const own = Reflect.get(methods, key);
      const member = own ?? Reflect.get(target, key, target);
      return typeof member === 'function' && !own ? member.bind(target) : member;
    },
  });
}
