import fc from 'fast-check';

// A counterexample is made smaller for this long at most.
fc.configureGlobal({ interruptAfterTimeLimit: 5000, ...fc.readConfigureGlobal() });

const refuse = (): never => {
  throw new Error('refused');
};

/** A proxy whose every trap throws. */
export function throwingProxy(target: object = {}): object {
  return new Proxy(target, new Proxy({}, { get: () => refuse }));
}

/** A proxy that is good for nothing any more. */
export function revokedProxy(target: object = {}): object {
  const { proxy, revoke } = Proxy.revocable(target, {});
  revoke();
  return proxy;
}

/** An object with a member that holds the object itself, and one that holds it deeper down. */
export function cyclic(members: object = {}): Record<string, unknown> {
  const node: Record<string, unknown> = { ...members };
  node.self = node;
  node.list = [{ node }, new Map([[node, new Set([node])]])];
  return node;
}

class Account {
  readonly owner = 'acme';
  #balance = 0;
  deposit(amount: number): void {
    this.#balance += amount;
  }
}

/** Values that JSON cannot say, or that fight back when they are looked at. */
export const EXOTIC: Record<string, () => unknown> = {
  'a function': () => () => 1,
  'a class': () => Account,
  'a symbol': () => Symbol('lone \ud800 and \0'),
  'a bigint': () => 123n,
  'a bigint of thousands of digits': () => -(1n << 20_000n),
  'minus zero': () => -0,
  'not a number': () => Number.NaN,
  infinity: () => Number.NEGATIVE_INFINITY,
  'a date': () => new Date(0),
  'an invalid date': () => new Date(Number.NaN),
  'an instance of a class': () => new Account(),
  'an object without a prototype': () => Object.assign(Object.create(null), { a: 1 }),
  'a member named by a symbol': () => ({ [Symbol('key')]: 1, a: 1 }),
  'boxed primitives': () => [Object('text'), Object(1), Object(true), Object(1n), Object(Symbol())],
  'a cycle': () => cyclic(),
  'a cycle through maps and sets': () => {
    const map = new Map<unknown, unknown>();
    map.set('set', new Set([map])).set(map, { map });
    return map;
  },
  'an object whose members throw': () => ({
    before: 1,
    get broken() {
      return refuse();
    },
    after: 2,
  }),
  'a proxy that throws': () => throwingProxy(),
  'a proxy of a list that throws': () => throwingProxy([]),
  'a revoked proxy': () => revokedProxy(),
  'a revoked proxy of a list': () => revokedProxy([]),
  'a proxy that invents members': () =>
    new Proxy({}, { get: (_target, name) => ({ name: String(name) }), ownKeys: () => ['a', 'b'] }),
  'toJSON that throws': () => ({ a: 1, toJSON: refuse }),
  'toJSON that cannot be read': () => Object.defineProperty({ a: 1 }, 'toJSON', { get: refuse }),
  'toJSON that returns its own object': () => ({
    a: 1,
    toJSON() {
      return this;
    },
  }),
  'toJSON that returns a cycle': () => ({ toJSON: () => cyclic() }),
  'toJSON that never ends': () => {
    const toJSON = (): unknown => ({ toJSON, next: { toJSON } });
    return { toJSON };
  },
  'toJSON that returns what JSON cannot say': () =>
    [undefined, 1n, Symbol('s'), refuse, Number.NaN, '\ud800'].map((json) => ({
      toJSON: () => json,
    })),
  'a list with holes': () => Object.assign(new Array(3), { 0: 1, 2: 3 }),
  'a list of nothing but holes': () => new Array(2 ** 32 - 1),
  'a list with a member': () => Object.assign([1, 2], { total: 2 }),
  'a list that never ends': () =>
    Object.assign([1], {
      *[Symbol.iterator]() {
        for (;;) yield { again: 'and again' };
      },
    }),
  'a list that breaks off': () =>
    Object.assign([1], {
      *[Symbol.iterator]() {
        yield 1;
        refuse();
      },
    }),
  'a map that lies about its size': () => Object.defineProperty(new Map(), 'size', { get: refuse }),
  'a promise': () => Promise.resolve(1),
  'a thenable': () => Object.fromEntries([['then', refuse]]),
  'a regular expression': () => /x/g,
  'a url': () => new URL('https://example.com/a?b=c'),
  'a weak map': () => new WeakMap(),
  'a generator': () => (function* () {})(),
  bytes: () => [new ArrayBuffer(8), new Uint8Array(8), new DataView(new ArrayBuffer(8))],
  'an error': () => new TypeError('broken', { cause: cyclic() }),
  'an error that cannot be asked': () =>
    Object.defineProperties(new Error('hidden'), {
      stack: { get: refuse },
      message: { get: refuse },
      name: { get: refuse },
      cause: { get: refuse },
    }),
  'a frozen object': () => Object.freeze({ list: Object.freeze([1]) }),
};

const unit: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('\0', '\ud800', '\udbff', '\udc00', '\udfff', '\u{1f600}', '\u2028', '"', '\\'),
  fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)),
);

/** Text of any code units, NUL and lone surrogates among them. */
export const anyText: fc.Arbitrary<string> = fc.string({ unit });

/** Text that can be stored as it is. */
const cleanText: fc.Arbitrary<string> = fc
  .string({ unit: 'binary' })
  .map((text) => text.replaceAll('\0', ' '));

/** Names of members, with those that mean something to JavaScript itself. */
export const anyName: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom('', '__proto__', 'constructor', 'prototype', 'toJSON', 'toString', 'then', '0'),
  fc.constantFrom('length', '[cut]', 'value', 'é', '\u{1f600}', '\ud83d', 'a\0', 'x'.repeat(100)),
  anyText,
);

/**
 * How to make a value. Property tests draw this instead of the value itself, which
 * neither fast-check nor a report could look at safely.
 */
export type Recipe =
  | { value: unknown }
  | { exotic: string }
  | { list: Recipe[] }
  | { object: [name: string, member: Recipe][] }
  | { map: Recipe[] }
  | { set: Recipe[] }
  | { cyclic: Recipe }
  | { shared: Recipe }
  | { toJSON: Recipe }
  | { getter: Recipe };

/** Makes the value of a recipe. */
export function make(recipe: Recipe): unknown {
  if ('value' in recipe) return recipe.value;
  if ('exotic' in recipe) return EXOTIC[recipe.exotic]!();
  if ('list' in recipe) return recipe.list.map(make);
  if ('object' in recipe) {
    return Object.fromEntries(recipe.object.map(([name, member]) => [name, make(member)]));
  }
  if ('map' in recipe) return new Map(recipe.map.map((member) => [make(member), make(member)]));
  if ('set' in recipe) return new Set(recipe.set.map(make));
  if ('cyclic' in recipe) return cyclic({ it: make(recipe.cyclic) });
  if ('shared' in recipe) {
    const it = make(recipe.shared);
    return { first: it, second: it, both: [it, it] };
  }
  if ('toJSON' in recipe) {
    const json = make(recipe.toJSON);
    return { toJSON: () => json };
  }
  const it = make(recipe.getter);
  return Object.defineProperty({}, 'it', { enumerable: true, get: () => it });
}

/** Any value at all, and whatever can be built out of such values. */
export const anyRecipe: fc.Arbitrary<Recipe> = fc.letrec<{ node: Recipe }>((tie) => {
  const node = tie('node');
  const few = fc.array(node, { maxLength: 4 });
  return {
    node: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc
        .anything({
          withBigInt: true,
          withBoxedValues: true,
          withDate: true,
          withMap: true,
          withNullPrototype: true,
          withObjectString: true,
          withSet: true,
          withSparseArray: true,
          withTypedArray: true,
          withUnicodeString: true,
        })
        .map((value) => ({ value })),
      fc.constantFrom(...Object.keys(EXOTIC)).map((exotic) => ({ exotic })),
      anyText.map((value) => ({ value })),
      fc.record({ list: few }),
      fc.record({ object: fc.array(fc.tuple(anyName, node), { maxLength: 4 }) }),
      fc.record({ map: few }),
      fc.record({ set: few }),
      fc.record({ cyclic: node }),
      fc.record({ shared: node }),
      fc.record({ toJSON: node }),
      fc.record({ getter: node }),
    ),
  };
}).node;

const plainName: fc.Arbitrary<string> = fc.oneof(
  anyName.filter((name) => name.isWellFormed() && !name.includes('\0')),
  cleanText,
);

/** Plain JSON, with any names and texts that can be stored. */
const plainJson: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  node: fc.oneof(
    { depthSize: 'medium' },
    fc.constantFrom(null, true, false, 0, 1, -1.5, 1e21, 5e-324, Number.MAX_SAFE_INTEGER, ''),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0),
    cleanText,
    fc.array(tie('node'), { maxLength: 8 }),
    fc.array(fc.tuple(plainName, tie('node')), { maxLength: 8 }).map(Object.fromEntries),
  ),
})).node;

/** A JSON object. */
export const plainPayload: fc.Arbitrary<Record<string, unknown>> = fc
  .array(fc.tuple(plainName, plainJson), { maxLength: 8 })
  .map(Object.fromEntries);
