import { conditionCases } from './testing/condition-cases.js';
import { counterCases } from './testing/counter-cases.js';
import { jobCases } from './testing/job-cases.js';
import { linkCases } from './testing/link-cases.js';
import { listCases } from './testing/list-cases.js';
import { payloadCases } from './testing/payload-cases.js';
import { recordCases } from './testing/record-cases.js';
import { type StoreCase, type StoreUnderTest, toStoreCase } from './testing/store-case.js';
import { sweepCases } from './testing/sweep-cases.js';

export { type StoreCase, StoreCaseError, type StoreUnderTest } from './testing/store-case.js';

const CASES = [
  ...recordCases,
  ...payloadCases,
  ...conditionCases,
  ...counterCases,
  ...linkCases,
  ...listCases,
  ...sweepCases,
  ...jobCases,
];

/**
 * The cases that a store must pass, for whatever test runner, on whatever runtime.
 *
 * A case whose ability the store does not have (conditional updates, counters,
 * links, lists, sweeps) passes. What fails rejects with a {@link StoreCaseError}. Ids
 * are UUIDs, and a record is inserted after those it points to, so that columns
 * of that type and foreign keys are welcome, and so are columns of your own.
 *
 * @param open opens a store whose tables are empty; called once per case
 *
 * @example
 * for (const { name, run } of storeCases(() => new MemoryStore())) it(name, run);
 */
export function storeCases(open: () => StoreUnderTest | Promise<StoreUnderTest>): StoreCase[] {
  return CASES.map((check) => toStoreCase(check, open));
}
