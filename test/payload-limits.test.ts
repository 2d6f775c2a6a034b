import { afterEach, describe, expect, it, vi } from 'vitest';
import { cleanName, preparePayload } from '../src/payload.js';
import { bytesOf } from './support/json.js';

const LETTERS = [...'abcdefghijklmnopqrstuvwxyz'];

describe('what is larger than it may be', () => {
  it.for<[what: string, value: unknown, maxBytes: number, stored: object]>([
    [
      'strings of the length that is left are whole, and longer ones say how much is missing',
      { a: 'x'.repeat(7), b: 'y'.repeat(100), c: 'z'.repeat(100) },
      60,
      { a: 'xxxxxxx', b: 'yyyyyyy[+93]', c: 'zzzzzzz[+93]' },
    ],
    [
      'lists say how many items are missing, down to one item',
      { a: Array(9).fill('aaaaaaaaa') },
      32,
      { a: ['a[+8]', '[+8]'] },
    ],
    [
      'objects say that members are missing',
      Object.fromEntries(LETTERS.map((letter) => [letter, 1])),
      60,
      { a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, '[cut]': '[cut]' },
    ],
    [
      'a text by itself may be as long as in an object',
      'x'.repeat(100),
      120,
      { value: 'x'.repeat(100) },
    ],
    ['of what does not fit at all there is a sign', { a: 'xxxxx' }, 5, { '[cut]': true }],
  ])('%s', ([, value, maxBytes, stored]) => {
    expect(preparePayload(value, maxBytes)).toEqual(stored);
  });

  it.for<[what: string, make: (length: number) => unknown[]]>([
    ['numbers', (length) => Array(length).fill(1)],
    ['empty strings', (length) => Array(length).fill('')],
    ['empty lists', (length) => Array.from({ length }, () => [])],
    ['empty objects', (length) => Array.from({ length }, () => ({}))],
    ['short BigInts', (length) => Array(length).fill(5n)],
    ['objects of one member', (length) => Array.from({ length }, () => ({ a: 1 }))],
    ['objects of many', (length) => Array.from({ length }, () => membersOf(length))],
  ])('%s are stored whole, or say that they are not', ([, make]) => {
    for (let length = 0; length < 60; length += 1) {
      const list = make(length);
      const whole = JSON.stringify(list, (_, value) =>
        typeof value === 'bigint' ? `${value}n` : value,
      );
      for (let maxBytes = 12; maxBytes < 130; maxBytes += 1) {
        for (const value of [{ list }, membersOf(length)]) {
          const stored = preparePayload(value, maxBytes);
          const text = JSON.stringify(stored);
          if (!text.includes('[cut]')) expect(bytesOf(stored)).toBeLessThanOrEqual(maxBytes);
          const isWhole =
            text === `{"list":${whole}}` || text === JSON.stringify(membersOf(length));
          if (!isWhole) expect(text).toMatch(/\[cut\]|\[\+\d+\]/);
        }
      }
    }
  });
});

/** An object with so many short members. */
function membersOf(count: number): Record<string, number> {
  const names = Array.from({ length: count }, (_, index) => String.fromCharCode(160 + index));
  return Object.fromEntries(names.map((name) => [name, 1]));
}

it('toJSON is called as JSON.stringify calls it, with the empty name', () => {
  const toJSON = vi.fn(() => 'said');
  expect(preparePayload({ a: { toJSON } }, 100)).toEqual({ a: 'said' });
  expect(toJSON.mock.calls).toEqual([['']]);
});

describe('names that come again', () => {
  afterEach(() => void vi.restoreAllMocks());

  it('are known by at most a thousand, of up to 64 characters, and then learned anew', () => {
    const learned: string[] = [];
    let most = 0;
    let forgotten = 0;
    const { add, clear } = Set.prototype;
    vi.spyOn(Set.prototype, 'add').mockImplementation(function (this: Set<unknown>, name) {
      add.call(this, name);
      if (typeof name === 'string' && name.startsWith('name ')) {
        learned.push(name);
        most = Math.max(most, this.size);
      }
      return this;
    });
    vi.spyOn(Set.prototype, 'clear').mockImplementation(function (this: Set<unknown>) {
      forgotten += 1;
      clear.call(this);
    });
    const names = Array.from({ length: 2500 }, (_, index) => `name ${index}`);
    for (const name of names) for (const _ of [1, 2]) expect(cleanName(name)).toBe(name);
    const longest = 'name '.padEnd(64, 'x');
    for (const name of [longest, `${longest}x`]) expect(cleanName(name)).toBe(name);
    expect(learned).toEqual([...names, longest]);
    expect(most).toBe(1000);
    expect(forgotten).toBeGreaterThanOrEqual(2);
    expect(forgotten).toBeLessThanOrEqual(3);
  });
});
