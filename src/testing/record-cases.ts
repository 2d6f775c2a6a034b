import { expectRecord, expectRejection, mismatch } from './expect.js';
import { type Check, checkThat } from './store-case.js';
import { add, at, type Fields, ID, TABLES, type Table, UNKNOWN_ID } from './tables.js';

/** Longer than the usual `varchar(255)`. */
export const LONG_NAME: string = 'sync_stripe_charges '.repeat(16).slice(0, 300);
/** As long as an error can be, and longer in bytes. */
const LONG_ERROR = 'price_api: délai dépassé; '.repeat(400).slice(0, 8192);

const AWKWARD_TEXTS = [
  "'; drop table runs; --",
  '"double", \'single\', `back`',
  'C:\\temp\\new\\\\',
  '  spaces around\tand\r\nlines  ',
  '100 % _ $1 :name ? @p {0}',
  'naïve ŁÓDŹ \u65e5\u672c\u8a9e \u05e9\u05dc\u05d5\u05dd \u{1f600} e\u0301',
  '{"not":"parsed"}',
  '2026-01-01T00:00:00.000Z',
  'null',
  '007',
];

/** From the beginning of the year; the last is one of the summer. */
const TIMES = [1, 123, 999, 15_683_696_789];

/** What holds for the nine methods that every store has, whatever it is given. */
export const recordCases: Check[] = TABLES.flatMap(casesOf);

function casesOf(table: Table): Check[] {
  const { kind } = table;
  const { insert, get, update } = table.methods;
  const all = checkThat([]);
  const everyText = (text: string) => Object.fromEntries(table.texts.map((field) => [field, text]));
  /** The fields with a text that an update may change. */
  const changedTexts = (text: string) =>
    Object.fromEntries(Object.entries(everyText(text)).filter(([field]) => field in table.changes));

  return [
    all(
      `${kind}: an unknown id is null`,
      'a query that throws, or makes an empty record, when it finds no row',
      async (store) => {
        await add(table, store, table.full());
        const record = await table.get(store, UNKNOWN_ID);
        if (record !== null && record !== undefined) {
          throw mismatch(`${get} of an unknown id`, 'null', record);
        }
      },
    ),
    all(
      `${kind}: every field comes back as it was inserted`,
      'a column that is missing, mapped to another field, or of a type that cannot hold the value: integers of 32 bits overflow, and some drivers give those of 64 bits as strings',
      async (store) => {
        const record = await add(table, store, table.full());
        expectRecord(await table.get(store, ID), record, `${get} after ${insert}`);
      },
    ),
    all(
      `${kind}: what is null comes back as null`,
      'a mapping that leaves nulls out, or makes them undefined, 0, empty or the JSON text "null"',
      async (store) => {
        const record = await add(table, store, table.bare());
        expectRecord(await table.get(store, ID), record, `${get} after ${insert} with nulls`);
      },
    ),
    all(
      `${kind}: inserting an id twice rejects and leaves the first as it was`,
      'an id that is no primary key, or an insert that replaces, ignores or updates on conflict',
      async (store) => {
        const record = await add(table, store, table.full());
        const second = table.bare();
        await expectRejection(() => table.insert(store, second), `${insert} of an id twice`);
        expectRecord(await table.get(store, ID), record, `${get} after that rejection`);
      },
    ),
    all(
      `${kind}: updating an unknown id creates nothing and does not throw`,
      'an update that inserts where there is no row (upsert), or that throws when none has matched',
      async (store) => {
        await table.insertParents(store);
        const result = await table.update(store, UNKNOWN_ID, table.changes);
        if (store.conditionalUpdates && result !== false) {
          throw mismatch(`${update} of an unknown id, with conditionalUpdates`, 'false', result);
        }
        const record = await table.get(store, UNKNOWN_ID);
        if (record !== null && record !== undefined) {
          throw mismatch(`${get} after ${update} of an unknown id`, 'null', record);
        }
      },
    ),
    all(
      `${kind}: an update changes the given fields and leaves the others alone`,
      'an update that writes the whole row, with null or a default for what it was not given, or that leaves a column out',
      async (store) => {
        const record: Fields = await add(table, store, table.full());
        for (const [field, value] of Object.entries(table.changes)) {
          record[field] = value;
          await table.update(store, ID, { [field]: value });
          expectRecord(await table.get(store, ID), record, `${get} after ${update} of ${field}`);
        }
      },
    ),
    all(
      `${kind}: an update of one record leaves the others alone`,
      'an update without its condition on the id',
      async (store) => {
        await add(table, store, table.bare());
        const other = table.full({ id: UNKNOWN_ID });
        await table.insert(store, other);
        await table.update(store, ID, table.changes);
        expectRecord(
          await table.get(store, UNKNOWN_ID),
          other,
          `${get} of a record after ${update} of another`,
        );
      },
    ),
    all(
      `${kind}: a field that is set to null is null`,
      'an update that skips every field that is null, where only those that are left out stay',
      async (store) => {
        const record: Fields = await add(table, store, table.full());
        const bare: Fields = table.bare();
        for (const field of Object.keys(table.changes).filter((name) => bare[name] === null)) {
          record[field] = null;
          await table.update(store, ID, { [field]: null });
          expectRecord(await table.get(store, ID), record, `${get} after ${update} to null`);
        }
      },
    ),
    all(
      `${kind}: long texts are kept whole`,
      'a column of limited length, such as varchar(255); use text. An error has up to 8 192 characters',
      async (store) => {
        const texts = { ...everyText(LONG_NAME), error: LONG_ERROR };
        const record = await add(table, store, table.full(texts));
        expectRecord(await table.get(store, ID), record, `${get} after ${insert}`);
        const changed = { ...changedTexts(`${LONG_NAME} 2`), error: `2 ${LONG_ERROR.slice(2)}` };
        await table.update(store, ID, changed);
        expectRecord(
          await table.get(store, ID),
          { ...record, ...changed },
          `${get} after ${update}`,
        );
      },
    ),
    all(
      `${kind}: texts come back exactly as they were given`,
      'values put into SQL by hand in place of bound parameters, a column that trims or is not UTF-8, or texts parsed as JSON, dates or numbers',
      async (store) => {
        const record: Fields = await add(table, store, table.full(everyText("it's a \\ test")));
        expectRecord(await table.get(store, ID), record, `${get} after ${insert}`);
        for (const [index, text] of AWKWARD_TEXTS.entries()) {
          const id = `${ID.slice(0, -3)}${500 + index}`;
          const another = table.full({ ...everyText(text), id });
          await table.insert(store, another);
          expectRecord(await table.get(store, id), another, `${get} after ${insert}`);
          Object.assign(record, changedTexts(text));
          await table.update(store, ID, changedTexts(text));
          expectRecord(await table.get(store, ID), record, `${get} after ${update}`);
        }
      },
    ),
    all(
      `${kind}: times are kept to the millisecond`,
      'a column of whole seconds; use timestamptz(3), or milliseconds as a 64-bit integer. Or a time written without its time zone',
      async (store) => {
        const fields = Object.entries(table.full()).filter(([, value]) => value instanceof Date);
        const everyTime = (time: number) =>
          Object.fromEntries(fields.map(([field], index) => [field, at(time + index)]));
        const record: Fields = await add(table, store, table.full(everyTime(7)));
        expectRecord(await table.get(store, ID), record, `${get} after ${insert}`);
        for (const time of TIMES) {
          const changed = Object.fromEntries(
            Object.entries(everyTime(time)).filter(([field]) => field in table.changes),
          );
          Object.assign(record, changed);
          await table.update(store, ID, { error: null, ...changed });
          expectRecord(
            await table.get(store, ID),
            { ...record, error: null },
            `${get} after ${update}`,
          );
        }
      },
    ),
    all(
      `${kind}: later changes to what a store was given do not reach it`,
      'an object that is kept as it is; store a copy (structuredClone) or its JSON',
      async (store) => {
        const record = table.full({ input: { list: [1, { a: 1 }] } });
        const inserted = structuredClone(record);
        await add(table, store, record);
        mutate(record);
        expectRecord(
          await table.get(store, ID),
          inserted,
          `${get}, after the object given to ${insert} was changed`,
        );
        const fields = structuredClone(table.changes);
        await table.update(store, ID, fields);
        mutate(fields);
        expectRecord(
          await table.get(store, ID),
          { ...inserted, ...table.changes },
          `${get}, after the object given to ${update} was changed`,
        );
      },
    ),
    all(
      `${kind}: changes to what a store gave do not reach it`,
      'a read that hands out the stored object itself; hand out a copy (structuredClone)',
      async (store) => {
        const record = structuredClone(await add(table, store, table.full()));
        mutate((await table.get(store, ID)) as Fields);
        expectRecord(
          await table.get(store, ID),
          record,
          `${get}, after what an earlier ${get} gave was changed`,
        );
      },
    ),
  ];
}

/** Changes an object in place, however deep it is. */
function mutate(fields: Fields): void {
  for (const [field, value] of Object.entries(fields)) {
    if (value instanceof Date) value.setTime(0);
    else if (typeof value === 'object' && value !== null) mutate(value as Fields);
    else fields[field] = 'changed';
  }
}
