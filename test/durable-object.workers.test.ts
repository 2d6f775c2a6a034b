import { env, runInDurableObject } from 'cloudflare:test';
import { describe, it } from 'vitest';
import { DurableObjectStore } from '../src/sql/durable-object.js';
import { type StoreUnderTest, storeCases } from '../src/testing.js';

const owner = { space_id: 'sp_1', order: 'it\'s "1"' };

describe.for([
  ['by itself', {}],
  ['with owner columns', { tablePrefix: 'o_', owner }],
  ['without group commit', { groupCommit: false }],
] as const)('a DurableObjectStore %s', ([, options]) => {
  for (const [index, { name }] of storeCases(() => ({}) as StoreUnderTest).entries()) {
    it(name, async () => {
      const stub = env.RUNS.get(env.RUNS.newUniqueId());
      await runInDurableObject(stub, async (_object, { storage }) => {
        const open = async () => {
          const store = new DurableObjectStore(storage, options);
          await store.migrate();
          return store;
        };
        await storeCases(open)[index]?.run();
      });
    });
  }
});
