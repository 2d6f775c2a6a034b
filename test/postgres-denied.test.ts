import { expect, it } from 'vitest';
import { PostgresStore } from '../src/sql/postgres.js';

it('migrate rejects with what the database says when it cannot create the tables', async () => {
  const denied = Object.assign(new Error('permission denied'), { code: '42501' });
  const query = async (text: string) => {
    if (text.startsWith('do ')) throw denied;
    return { rows: [] };
  };
  await expect(new PostgresStore({ query }).migrate()).rejects.toBe(denied);
});
