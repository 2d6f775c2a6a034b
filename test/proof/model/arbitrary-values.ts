import fc, { type Arbitrary } from 'fast-check';

/** So few ids that most operations meet a record. */
export const IDS = {
  run: ['r1', 'r2', 'r3'],
  step: ['s1', 's2', 's3', 's4', 's5'],
  call: ['c1', 'c2', 'c3', 'c4'],
} as const;

/** Ids of records that have none of their own, and one of no record. */
const OTHER_IDS = ['g1', 'g2', 'g3', 'g4', 'nobody'];

const { constantFrom } = fc;

export function oneOf<T>(...weighted: [weight: number, arbitrary: Arbitrary<T>][]): Arbitrary<T> {
  return fc.oneof(...weighted.map(([weight, arbitrary]) => ({ weight, arbitrary })));
}

export function idOf(kind: keyof typeof IDS): Arbitrary<string> {
  const [first, second, ...others] = IDS[kind];
  return oneOf<string>(
    [8, constantFrom<string>(first, second)],
    [4, constantFrom<string>(...others)],
    [1, constantFrom(...OTHER_IDS)],
  );
}

export const text = oneOf(
  [4, constantFrom('sync', 'fetch', 'send')],
  [
    1,
    constantFrom('', `it's "quoted"`, 'a\0b', 'lone \ud83d', '😀', '__proto__', "'); drop table"),
  ],
);
export const key = constantFrom(
  'a',
  'b',
  'c',
  '__proto__',
  '',
  'a.b',
  '"',
  '😀',
  'é',
  'constructor',
);
const leaf = oneOf<unknown>(
  [3, fc.integer({ min: -1000, max: 1000 })],
  [1, constantFrom(null, true, false, 0.5, -0, 1e21, Number.MAX_SAFE_INTEGER)],
  [2, text],
);
export const value = fc.letrec((tie) => ({
  any: oneOf<unknown>(
    [4, leaf],
    [1, fc.array(tie('any'), { maxLength: 3 })],
    [1, fc.dictionary(key, tie('any'), { maxKeys: 3, noNullPrototype: true })],
  ),
})).any;
const object = fc.dictionary(key, value, { maxKeys: 4, noNullPrototype: true });
export const payload = oneOf<unknown>(
  [2, constantFrom(undefined, null)],
  [6, object],
  [1, fc.array(leaf, { maxLength: 3 })],
  [1, leaf.filter((each) => each !== null)],
);
export const optional = <T>(some: Arbitrary<T>) =>
  oneOf<T | null | undefined>([1, constantFrom(undefined, null)], [1, some]);

export const error = oneOf<unknown>(
  [4, constantFrom('boom', 'timeout', 'a\0b').map((message) => new Error(message))],
  [1, text.map((cause) => new Error('outer', { cause: new Error(`inner ${cause}`) }))],
  [2, constantFrom('plain text', 'x'.repeat(9000))],
  // By its form alone it is known what the sweep has ended.
  [1, constantFrom('abandoned: no update since 2026-03-01T12:00:00.000Z', 'abandoned: no')],
);
export const reason = oneOf<unknown>([1, fc.constant(undefined)], [2, error]);
