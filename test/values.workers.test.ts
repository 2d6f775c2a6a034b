import { env, runInDurableObject } from 'cloudflare:test';
import { describe, it } from 'vitest';
import { valueCases } from './support/values.js';
import { onD1, onDurableObject } from './support/workers-databases.js';

describe('in a D1Store', () => {
  for (const { name, run } of valueCases) it(name, () => run(onD1(env.DB)), 30_000);
});

describe('in a DurableObjectStore', () => {
  for (const { name, run } of valueCases) {
    it(name, async () => {
      const stub = env.RUNS.get(env.RUNS.newUniqueId());
      await runInDurableObject(stub, (_object, { storage }) => run(onDurableObject(storage)));
    });
  }
});
