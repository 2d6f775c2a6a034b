import { intercept, type MapStore } from './stores.js';

/** How a call of a store can fail. */
export type Mode = 'rejects' | 'throws synchronously' | 'commits and then rejects';

export const MODES: Mode[] = ['rejects', 'throws synchronously', 'commits and then rejects'];

/** A store whose calls fail as planned, first to last; those beyond the plan succeed. */
export interface FailingStore {
  store: MapStore;
  /** For each call so far, whether it failed as planned. */
  decisions: boolean[];
  /** Every failure so far, also those that followed from another. */
  failures: Error[];
}

export function failing(store: MapStore, planned: boolean[], mode: Mode): FailingStore {
  const failures: Error[] = [];
  const decisions: boolean[] = [];
  const flaky = intercept(store, ({ method }, proceed) => {
    const fails = planned[decisions.length] ?? false;
    decisions.push(fails);
    const failure = new Error(`${method} failed`);
    if (!fails) {
      return proceed().catch((error: unknown) => {
        failures.push(error as Error);
        throw error;
      });
    }
    failures.push(failure);
    if (mode === 'throws synchronously') throw failure;
    if (mode === 'rejects') return Promise.reject(failure);
    // A duplicate that is refused was not committed; the connection is lost all the same.
    return proceed().then(
      () => Promise.reject(failure),
      () => Promise.reject(failure),
    );
  });
  return { store: flaky, decisions, failures };
}

/**
 * The plan after the one that led to these decisions, or undefined after the last:
 * the subsets are walked as a tree, since what fails decides which calls follow.
 */
export function nextPlan(decisions: boolean[]): boolean[] | undefined {
  const last = decisions.lastIndexOf(false);
  return last === -1 ? undefined : [...decisions.slice(0, last), true];
}
