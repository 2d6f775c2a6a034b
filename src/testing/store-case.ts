import type { RunReader, RunStore, StepLinkStore } from '../store.js';
import { describe, StoreCaseError } from './expect.js';

export { StoreCaseError } from './expect.js';

/** A store, with whichever abilities it has. */
export type StoreUnderTest = RunStore & Partial<StepLinkStore> & Partial<RunReader>;

/** One thing that a store must get right. */
export interface StoreCase {
  /** What must hold, as a sentence. */
  name: string;
  /**
   * Opens a store and tries it out.
   *
   * @throws {StoreCaseError} when it gets this wrong
   */
  run: () => Promise<void>;
}

/** A store with the abilities that a case needs. */
export type AbleStore = Required<RunStore> & StepLinkStore & RunReader;

/** A case that does not know yet where its store comes from. */
export interface Check {
  name: string;
  /** The abilities without which there is nothing to test. */
  needs: readonly (keyof StoreUnderTest)[];
  /** What usually causes a failure. */
  cause: string;
  test: (store: AbleStore) => Promise<unknown>;
}

/** What makes cases that share their needs. */
export function checkThat(
  needs: Check['needs'],
): (name: string, cause: string, test: Check['test']) => Check {
  return (name, cause, test) => ({ name, needs, cause, test });
}

export function toStoreCase(
  { name, needs, cause, test }: Check,
  open: () => StoreUnderTest | Promise<StoreUnderTest>,
): StoreCase {
  const run = async () => {
    const store = await open();
    const isAble = needs.every((need) => store[need] === true || typeof store[need] === 'function');
    if (!isAble) return;
    try {
      await test(store as AbleStore);
    } catch (error) {
      const failure =
        error instanceof StoreCaseError
          ? error.message
          : `expected everything to resolve, but the store threw ${describe(error)}`;
      throw new StoreCaseError(`${name}. ${failure}. Usual cause: ${cause}.`, { cause: error });
    }
  };
  return { name, run };
}
