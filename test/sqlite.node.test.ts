import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { SqliteStore } from '../src/sql/sqlite.js';
import { storeCases } from '../src/testing.js';

async function open(options = {}): Promise<SqliteStore> {
  const store = new SqliteStore(new DatabaseSync(':memory:'), options);
  await store.migrate();
  return store;
}

describe.for([
  ['by itself', {}],
  ['with owner columns', { owner: { space_id: 'sp_1', order: 'o' }, tablePrefix: 'x_' }],
  ['without group commit', { groupCommit: false }],
] as const)('a SqliteStore %s', ([, options]) => {
  for (const { name, run } of storeCases(() => open(options))) it(name, run);

  it('says that its updates are conditional: without that, nobody would ask', async () => {
    expect((await open(options)).conditionalUpdates).toBe(true);
  });
});
