import { expect, it } from 'vitest';
import { MAX_PAGE_SIZE, readQuery, toPage } from '../src/pages.js';
import { aRun, at } from '../src/testing/tables.js';

const IDS = [
  ...['it\'s "1"', '\u{1f600}', ' ', '\n\n', '__proto__', '\u2028 \u202e'],
  ...Array.from({ length: 300 }, (_, code) => String.fromCharCode(code + 32).repeat(3)),
];

it('a cursor may stand in a URL, and leads to where the page ended, whatever the id', () => {
  for (const [index, id] of IDS.entries()) {
    const createdAt = at(index % 2 ? index : -1e13);
    const { nextCursor } = toPage([aRun({ id, createdAt }), aRun()], 1, () => 1);
    expect(nextCursor).toMatch(/^[\w-]+$/);
    const { after } = readQuery('runs', { cursor: nextCursor as string });
    expect(after).toEqual({ createdAt: createdAt.getTime(), id });
  }
});

it('what is no cursor is refused, by name', () => {
  const { nextCursor } = toPage([aRun(), aRun()], 1, () => 1);
  const others = ['', 'x', '%', btoa('1'), btoa('a b'), null, 5, Object(nextCursor)];
  for (const cursor of others) {
    expect(() => readQuery('runs', { cursor: cursor as string })).toThrow(
      'Cannot list runs: cursor must be the nextCursor of a page, not ',
    );
  }
});

it('a page ends before it is larger than it may be, but never before its first record', () => {
  const numbersOf = (...sizes: number[]) => {
    const records = sizes.map((size, index) => ({ ...aRun({ id: `${index}` }), size }));
    return toPage(records, 3, ({ size }) => size).items.length;
  };
  expect(numbersOf(MAX_PAGE_SIZE - 1, 1, 1)).toBe(2);
  expect(numbersOf(MAX_PAGE_SIZE + 1, 1)).toBe(1);
  expect(numbersOf(1, 1, 1, 1)).toBe(3);
});
