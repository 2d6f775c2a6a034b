import { env, runInDurableObject } from 'cloudflare:test';
import { describe, it } from 'vitest';
import { OWNERS, ownerCases } from './support/owners.js';
import { onD1, onDurableObject } from './support/workers-databases.js';

const [owners] = Object.values(OWNERS);

describe('of two owners of a D1Store', () => {
  for (const { name, run } of ownerCases) it(name, () => run(onD1(env.DB), ...owners!), 30_000);
});

describe('of two owners of a DurableObjectStore', () => {
  for (const { name, run } of ownerCases) {
    it(name, async () => {
      const stub = env.RUNS.get(env.RUNS.newUniqueId());
      await runInDurableObject(stub, async (_object, { storage }) => {
        await run(onDurableObject(storage), ...owners!);
      });
    });
  }
});
