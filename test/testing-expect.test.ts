import { expect, it } from 'vitest';
import { expectRecord, expectRecords, expectRejection, expectSame } from '../src/testing/expect.js';
import { StoreCaseError } from '../src/testing.js';

const TIME = new Date('2026-01-01T00:00:00.000Z');

it.for<[actual: unknown, expected: unknown, message: string]>([
  [1, 2, 'it: expected 2, but got 1'],
  [{ a: { b: 1 } }, { a: { b: 2 } }, 'it at a.b: expected 2, but got 1'],
  [{ a: 1, b: 2 }, { a: 1 }, 'it at b: expected nothing there, but got 2'],
  [{ a: undefined }, {}, 'it at a: expected nothing there, but got undefined'],
  [{}, { a: 1 }, 'it at a: expected 1, but got nothing'],
  [{}, { a: undefined }, 'it at a: expected undefined, but got nothing'],
  [[1], { 0: 1 }, 'it: expected an object, but got a list of 1'],
  [{ 0: 1 }, [1], 'it: expected a list of 1, but got an object'],
  [[1, 2], [1, 3], 'it at 1: expected 3, but got 2'],
  [null, {}, 'it: expected an object, but got null'],
  [{}, null, 'it: expected null, but got an object'],
  ['a', {}, 'it: expected an object, but got "a"'],
  [undefined, TIME, 'it: expected 2026-01-01T00:00:00.000Z, but got undefined'],
  [BigInt(Number(TIME)), TIME, 'it: expected 2026-01-01T00:00:00.000Z, but got 1767225600000n'],
  [new Date(1), TIME, 'it: expected 2026-01-01T00:00:00.000Z, but got 1970-01-01T00:00:00.001Z'],
  [new Error('x'.repeat(600)), '', `it: expected "", but got "${'x'.repeat(500)}"`],
  ['x'.repeat(98), '', `it: expected "", but got "${'x'.repeat(98)}"`],
  ['x'.repeat(99), '', `it: expected "", but got "${'x'.repeat(59)}… (99 characters)`],
])('%o is not %o', ([actual, expected, message]) => {
  expect(() => expectSame(actual, expected, 'it')).toThrow(
    expect.objectContaining({ name: 'StoreCaseError', message }),
  );
});

it.for<[actual: unknown, expected: unknown]>([
  [TIME, TIME],
  [TIME.toISOString(), TIME],
  [Number(TIME), TIME],
  [
    { b: [1], a: null },
    { a: null, b: [1] },
  ],
])('%o is %o', ([actual, expected]) => expectSame(actual, expected, 'it'));

it('a record may have columns of its own, and must have all others', () => {
  expectRecord({ a: 1, b: 2 }, { a: 1 }, 'it');
  for (const [actual, message] of [
    [{ b: 2 }, 'it at a: expected 1, but got nothing'],
    [null, 'it: expected an object, but got null'],
    ['a', 'it: expected an object, but got "a"'],
  ] as const) {
    expect(() => expectRecord(actual, { a: 1 }, 'it')).toThrow(new StoreCaseError(message));
  }
});

it('a list is that of the same ids, and each record the same', () => {
  const record = { id: 'r1', n: 1 };
  expectRecords([{ ...record, other: 2 }], [record], 'it');
  for (const [actual, message] of [
    [{}, 'it: expected a list, but got an object'],
    [[null], 'it, its ids at 0: expected "r1", but got undefined'],
    [[], 'it, its ids at 0: expected "r1", but got nothing'],
    [[{ ...record, n: 3 }], 'it, item 0 at n: expected 1, but got 3'],
  ] as const) {
    expect(() => expectRecords(actual, [record], 'it')).toThrow(new StoreCaseError(message));
  }
});

it('what must be refused is, with the code that is asked for', async () => {
  const refusing = (error: unknown) => () => Promise.reject(error);
  await expectRejection(refusing(null), 'it');
  await expectRejection(refusing({ code: 'not_found' }), 'it', 'not_found');
  const accepted = expectRejection(() => Promise.resolve(5), 'it');
  await expect(accepted).rejects.toThrow(
    new StoreCaseError('it: expected a rejection, but it resolved to 5'),
  );
  for (const [error, text] of [
    [null, 'null'],
    [{ code: 'other' }, 'an object'],
    [new Error('broken'), '"broken"'],
  ] as const) {
    await expect(expectRejection(refusing(error), 'it', 'not_found')).rejects.toThrow(
      new StoreCaseError(`it: expected a rejection with the code not_found, but it was ${text}`),
    );
  }
});
