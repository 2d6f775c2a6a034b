import { env, runInDurableObject } from 'cloudflare:test';
import { describe, it } from 'vitest';
import { D1Store } from '../src/sql/d1.js';
import { DurableObjectStore } from '../src/sql/durable-object.js';
import { deleteCases } from './support/delete-cases.js';

describe('a D1Store', () => {
  const open = async () => {
    const store = new D1Store(env.DB);
    await store.migrate();
    const tables = ['run_step_links', 'run_calls', 'run_steps', 'runs'];
    await env.DB.batch(tables.map((table) => env.DB.prepare(`delete from ${table}`)));
    return store;
  };
  for (const { name, run } of deleteCases(open)) it(name, run);
});

describe('a DurableObjectStore', () => {
  for (const [index, { name }] of deleteCases(() => Promise.reject()).entries()) {
    it(name, async () => {
      const stub = env.RUNS.get(env.RUNS.newUniqueId());
      await runInDurableObject(stub, async (_object, { storage }) => {
        const open = async () => {
          const store = new DurableObjectStore(storage);
          await store.migrate();
          return store;
        };
        await deleteCases(open)[index]?.run();
      });
    });
  }
});
