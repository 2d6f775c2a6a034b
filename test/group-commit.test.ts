import { expect, it } from 'vitest';
import { type Entry, GroupCommit } from '../src/sql/group-commit.js';
import { postgres } from '../src/sql/postgres-dialect.js';
import { sizeOf, toIncrement, toInsert, toUpdate, type Write } from '../src/sql/writes.js';
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

const update = (id: string) => toUpdate(postgres, 'runs', id, { currentStep: 'load' });
const increment = (id: string, rows: number) =>
  toIncrement(postgres, id, { rows }, new Date('2026-01-01T00:00:00Z'));

/** A group that says of what it sends which kinds of writes of which records they are. */
function open(limits: { maxSize?: number } = {}, onSent: (count: number) => void = () => {}) {
  const sent: string[][] = [];
  const group = new GroupCommit({
    maxWrites: 10,
    maxSize: 1e6,
    ...limits,
    async send(entries) {
      sent.push(entries.map(({ write: { kind, id } }) => `${kind} ${id}`));
      await new Promise((resolve) => setTimeout(resolve));
      onSent(sent.length);
      for (const entry of entries) entry.outcome = { isMatch: true };
    },
  });
  return {
    sent,
    write: (...writes: Write[]) => Promise.all(writes.map((each) => group.write(each))),
  };
}

it('a write never overtakes one of its record that waits, whenever it is issued', async () => {
  for (let ticks = 0; ticks < 10; ticks += 1) {
    const later: Promise<unknown>[] = [];
    const { sent, write } = open({}, async (count) => {
      if (count !== 1) return;
      for (let tick = 0; tick < ticks; tick += 1) await undefined;
      later.push(write(update('b')));
    });
    await write(insert('a'), insert('b'));
    await Promise.all(later);
    expect(sent.flat()).toEqual(['insert a', 'insert b', 'update b']);
  }
});

it('writes go together up to their size, that included', async () => {
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(insert) as [Write, Write, Write, Write];
  const { sent, write } = open({ maxSize: sizeOf(b) + sizeOf(c) });
  await write(a, b, c, d);
  expect(sent).toEqual([['insert a'], ['insert b', 'insert c'], ['insert d']]);
});

it('increments that wait are added up, also when an earlier write of the run is on its way', async () => {
  const later: Promise<unknown>[] = [];
  const { sent, write } = open({}, (count) => {
    if (count === 2) later.push(write(increment('b', 2)));
  });
  await write(insert('a'), insert('b'), increment('b', 1));
  await Promise.all(later);
  expect(sent).toEqual([['insert a'], ['insert b'], ['increment b']]);
});
