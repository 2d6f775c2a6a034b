import { expectRecord } from './expect.js';
import { type Check, checkThat } from './store-case.js';
import { add, ID, TABLES, type Table } from './tables.js';

const AWKWARD_KEYS = [
  '',
  ' ',
  '__proto__',
  'constructor',
  'toString',
  'length',
  '0',
  'a.b',
  '$.a',
  '$ref',
  'a[0]',
  '#>',
  '"',
  "it's",
  'back\\slash',
  '}{',
  'line\nbreak',
  "'; drop table runs; --",
  'naïve \u65e5\u672c \u{1f600}',
];

const PAYLOADS: [name: string, cause: string, make: () => Record<string, unknown>][] = [
  [
    'keys and texts of any kind are kept in payloads',
    'JSON put together by hand, values put into SQL in place of bound parameters, or members copied by assignment, where __proto__ is lost (use JSON.parse, structuredClone or a spread)',
    () => {
      const members = AWKWARD_KEYS.map((key) => [key, { text: key, [`${key}!`]: [key] }]);
      return { ...Object.fromEntries(members), nested: Object.fromEntries(members) };
    },
  ],
  [
    'falsy and empty members of payloads are kept',
    'members dropped when they are falsy (`if (value)`) or null (json_patch, jsonb_strip_nulls)',
    () => {
      const members = {
        zero: 0,
        text: '',
        no: false,
        yes: true,
        nothing: null,
        list: [],
        none: {},
      };
      return { ...members, nested: { ...members, list: [0, '', false, null, [], {}] } };
    },
  ],
  [
    'numbers in payloads come back as the same numbers',
    'numbers turned into strings, integers of 32 bits or floats of 32 bits',
    () => ({
      counts: [
        0,
        -0,
        1,
        -1,
        2 ** 31,
        2 ** 32 + 1,
        Number.MAX_SAFE_INTEGER,
        Number.MIN_SAFE_INTEGER,
      ],
      fractions: [0.1, -0.25, 1.005, 1e-7, 19.99, 1e21, 123456.789012],
      price: 24.5,
      total: 3,
    }),
  ],
  [
    'payloads 32 levels deep are kept',
    'a limit on the depth of JSON',
    () => {
      let payload: Record<string, unknown> = { bottom: true };
      for (let level = 1; level < 32; level += 1) {
        payload = { [`level${level}`]: level % 2 ? payload : [payload] };
      }
      return payload;
    },
  ],
  [
    'payloads of 256 KiB are kept whole',
    'a column of limited length, such as MySQL’s text (64 KiB); use jsonb, json or longtext',
    () => {
      const rows = Array.from({ length: 1000 }, (_, id) => ({ id, text: 'x'.repeat(100) }));
      const length = 262_144 - JSON.stringify({ rows, text: '' }).length;
      return { rows, text: 'y'.repeat(length) };
    },
  ],
];

/** What holds for JSON in every field that holds some. */
export const payloadCases: Check[] = TABLES.flatMap((table) =>
  PAYLOADS.map(([name, cause, make]) => caseOf(table, name, cause, make)),
);

function caseOf(
  table: Table,
  name: string,
  cause: string,
  make: () => Record<string, unknown>,
): Check {
  const { insert, get, update } = table.methods;
  const inEvery = (fields: string[]) => Object.fromEntries(fields.map((field) => [field, make()]));
  const changed = table.payloads.filter((field) => field in table.changes);

  return checkThat([])(`${table.kind}: ${name}`, cause, async (store) => {
    const record = await add(table, store, table.full(inEvery(table.payloads)));
    expectRecord(await table.get(store, ID), record, `${get} after ${insert}`);
    const id = `${ID.slice(0, -1)}1`;
    const updated = table.full({ id });
    await table.insert(store, updated);
    await table.update(store, id, inEvery(changed));
    expectRecord(
      await table.get(store, id),
      { ...updated, ...inEvery(changed) },
      `${get} after ${update}`,
    );
  });
}
