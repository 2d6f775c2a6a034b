import { RunsError } from '../../../src/index.js';
import { toCode } from './code.js';
import type { Model } from './model.js';
import type { Call } from './operations.js';
import { tidied } from './readings.js';
import { Refusal } from './records.js';

/** What came of an operation: a value, a refusal by its code, or any other error. */
export type Outcome = { value: unknown } | { code: string } | { error: unknown };

/** What comes of asking a tracker or a store. */
export async function outcomeOf(ask: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { value: await ask() };
  } catch (error) {
    return error instanceof RunsError ? { code: error.code } : { error };
  }
}

/** What comes of asking the model. */
export function resultOf(ask: () => unknown): Outcome {
  try {
    return { value: ask() };
  } catch (error) {
    const isCode = error instanceof Refusal && error.code !== 'store';
    return isCode ? { code: error.code } : { error };
  }
}

/** Does in the model what was asked of a tracker. Which id was generated is seen from the answer. */
export function apply(model: Model, { method, args }: Call, actual: Outcome): Outcome {
  model.generatedId = 'value' in actual ? String(actual.value) : 'none';
  return resultOf(() => (model[method] as (...args: unknown[]) => unknown).apply(model, args));
}

export function isAlike(expected: Outcome, actual: Outcome): boolean {
  if ('code' in expected) return 'code' in actual && actual.code === expected.code;
  if ('value' in expected) {
    const [wanted, found] = [expected, actual].map(
      (each) => 'value' in each && inOrder(each.value),
    );
    return 'value' in actual && toCode(wanted) === toCode(found);
  }
  if (!('error' in actual)) return false;
  // A store's own errors are its own affair.
  return expected.error instanceof Refusal || toCode(expected.error) === toCode(actual.error);
}

/** What has no order, in order: the ids that a sweep tells, links of the same time. */
function inOrder(value: unknown): unknown {
  if (Array.isArray(value) && value[0]?.linkType) return tidied(value);
  if (typeof value !== 'object' || value === null || !('calls' in value)) return value;
  const lists = Object.entries(value as Record<string, string[]>);
  return Object.fromEntries(lists.map(([name, ids]) => [name, ids.toSorted()]));
}

/** An outcome in a word, as the printed test has it too. */
export function told(outcome: Outcome): string {
  if ('code' in outcome) return outcome.code;
  return 'error' in outcome ? 'error' : 'done';
}
