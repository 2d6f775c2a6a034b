import { env, SELF } from 'cloudflare:test';
import { describe, expect, it } from 'vitest';
import { D1Store } from '../src/sql/d1.js';
import { storeCases } from '../src/testing.js';

const owner = { space_id: 'sp_1', order: 'it\'s "1"' };

describe.for([
  ['by itself', {}],
  ['with owner columns', { tablePrefix: 'o_', owner }],
  ['without group commit', { tablePrefix: 's_', groupCommit: false }],
] as const)('a D1Store %s', ([, options]) => {
  const open = async () => {
    const store = new D1Store(env.DB, options);
    await store.migrate();
    const { tablePrefix = '' } = options as { tablePrefix?: string };
    const tables = ['run_step_links', 'run_calls', 'run_steps', 'runs'];
    await env.DB.batch(tables.map((table) => env.DB.prepare(`delete from ${tablePrefix}${table}`)));
    return store;
  };
  for (const { name, run } of storeCases(open)) it(name, run);
});

describe.for([
  ['with a store each', ''],
  ['with one store for all, without group commit', '&shared'],
] as const)('200 requests that overlap, %s', ([, query]) => {
  it('all finish, and all of them is recorded', async () => {
    const store = new D1Store(env.DB);
    await store.migrate();
    const ids = Array.from({ length: 200 }, (_, index) => `${query.slice(1)}-${index}`);
    const fetchText = async (id: string) =>
      (await SELF.fetch(`https://example.com/?id=${id}${query}`)).text();
    const answers = await Promise.all(ids.map(fetchText));
    expect(new Set(answers)).toEqual(new Set(['done']));
    const runs = await Promise.all(ids.map((id) => store.getRun(id)));
    expect(new Set(runs.map((run) => run?.status))).toEqual(new Set(['completed']));
    for (const run of runs) expect(run?.output).toEqual({ calls: 3 });
  });
});
