import type {
  Call,
  Run,
  RunStore,
  Step,
  UpdateConditions,
  UpdateRunConditions,
} from '../../src/index.js';
import { mergeOutputIncrements } from '../../src/index.js';

export interface MapStoreOptions {
  conditional?: boolean;
  counters?: boolean;
}

/** A store over bare Maps: plain, as in 0.2, unless it is asked for more. */
export interface MapStore extends RunStore {
  runs: Map<string, Run>;
  steps: Map<string, Step>;
  calls: Map<string, Call>;
}

export function mapStore({
  conditional = false,
  counters = false,
}: MapStoreOptions = {}): MapStore {
  const runs = new Map<string, Run>();
  const steps = new Map<string, Step>();
  const calls = new Map<string, Call>();
  const insert = async <R extends { id: string }>(rows: Map<string, R>, row: R) => {
    if (rows.has(row.id)) throw new Error(`duplicate id ${row.id}`);
    rows.set(row.id, structuredClone(row));
  };
  const update = async <R extends object>(
    rows: Map<string, R>,
    fields: Partial<R>,
    ...[id, conditions, ...rest]: unknown[]
  ) => {
    if (!conditional && conditions !== undefined) throw new Error('a plain store got a condition');
    if (rest.length > 0) throw new Error('too many arguments');
    const row = rows.get(id as string) as
      | (R & { output: object; error: string | null })
      | undefined;
    if (!row) return conditional ? false : undefined;
    const { ifStatus, ifError, mergeOutput } = (conditions ?? {}) as UpdateRunConditions;
    const { status } = row as unknown as Run;
    if (ifStatus && !ifStatus.includes(status)) return false;
    if (ifError !== undefined && row.error !== ifError) return false;
    const { output } = fields as Partial<Run>;
    const merged = mergeOutput ? { output: { ...row.output, ...output } } : {};
    Object.assign(row, structuredClone(fields), structuredClone(merged));
    return conditional ? true : undefined;
  };
  const store: MapStore = {
    runs,
    steps,
    calls,
    insertRun: (run) => insert(runs, run),
    getRun: async (id) => structuredClone(runs.get(id)),
    updateRun: (id, fields, ...rest: [UpdateRunConditions?]) => update(runs, fields, id, ...rest),
    insertStep: (step) => insert(steps, step),
    getStep: async (id) => structuredClone(steps.get(id)),
    updateStep: (id, fields, ...rest: [UpdateConditions<Step['status']>?]) =>
      update(steps, fields, id, ...rest),
    insertCall: (call) => insert(calls, call),
    getCall: async (id) => structuredClone(calls.get(id)),
    updateCall: (id, fields, ...rest: [UpdateConditions<Call['status']>?]) =>
      update(calls, fields, id, ...rest),
  };
  if (counters) {
    store.incrementRunOutput = async (id, increments, updatedAt) => {
      const run = runs.get(id);
      if (!run) return false;
      Object.assign(run, { output: mergeOutputIncrements(run.output, increments), updatedAt });
      return true;
    };
  }
  return conditional ? { ...store, conditionalUpdates: true } : store;
}

/** What a store was asked, in order: the method's name and its arguments. */
export interface StoreCall {
  method: string;
  args: unknown[];
}

/** The same store, with `around` in the place of every call; it may call through, or not. */
export function intercept<S extends RunStore>(
  store: S,
  around: (call: StoreCall, proceed: () => Promise<unknown>) => unknown,
): S {
  const entries = Object.entries(store).map(([method, value]) => [
    method,
    typeof value === 'function'
      ? (...args: unknown[]) => around({ method, args }, () => value.apply(store, args))
      : value,
  ]);
  return Object.fromEntries(entries) as S;
}

/** The same store, which writes down what it is asked. */
export function recorded<S extends RunStore>(store: S): { store: S; calls: StoreCall[] } {
  const calls: StoreCall[] = [];
  const spied = intercept(store, (call, proceed) => {
    calls.push(call);
    return proceed();
  });
  return { store: spied, calls };
}
