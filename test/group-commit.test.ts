import { expect, it } from 'vitest';
import { type Entry, GroupCommit } from '../src/sql/group-commit.js';
import { postgres } from '../src/sql/postgres-dialect.js';
import { toInsert } from '../src/sql/writes.js';
import { aRun } from './support/records.js';

const insert = (id: string) => toInsert(postgres, 'runs', aRun({ id }));

it('what breaks while writes are sent rejects those that have no outcome yet, and no others', async () => {
  const broken = new Error('broken');
  const sent: string[][] = [];
  const group = new GroupCommit({
    maxWrites: 2,
    maxSize: 1e6,
    async send(entries: Entry[]) {
      sent.push(entries.map(({ write }) => write.id));
      (entries[0] as Entry).outcome = { isMatch: true };
      if (sent.length === 2) throw broken;
      for (const entry of entries) entry.outcome = { isMatch: true };
    },
  });
  const written = await Promise.allSettled(
    ['a', 'b', 'c', 'd'].map((id) => group.write(insert(id))),
  );
  expect(sent).toEqual([['a'], ['b', 'c'], ['d']]);
  expect(written).toEqual([
    { status: 'fulfilled', value: true },
    { status: 'fulfilled', value: true },
    { status: 'rejected', reason: broken },
    { status: 'fulfilled', value: true },
  ]);
});
