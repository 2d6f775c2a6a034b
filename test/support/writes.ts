import { expect } from 'vitest';
import type { SqlStore } from '../../src/sql/sql-store.js';
import {
  type AnyRecord,
  add,
  aRun,
  aStep,
  at,
  calls,
  ID,
  idOf,
  runs,
  steps,
  TABLES,
  type Table,
  UNKNOWN_ID,
} from '../../src/testing/tables.js';

/** What a write of a SQL store does beyond what is asked of every store. */
export interface WriteCase {
  name: string;
  /** Tries it out in a store with nothing in it. */
  run(store: SqlStore): Promise<void>;
}

export const writeCases: WriteCase[] = [
  ...TABLES.flatMap(casesOf),
  {
    name: 'run: a sum beyond the largest number is not taken, the others of the same increment are',
    async run(store) {
      const output = { up: 1e308, down: -1e308, most: 0 };
      await store.insertRun(aRun({ id: ID, output }));
      const most = Number.MAX_VALUE;
      await store.incrementRunOutput(ID, { up: 1e308, down: -1e308, most, others: 1 }, at(1));
      expect((await store.getRun(ID))?.output).toEqual({ ...output, most, others: 1 });
      await store.incrementRunOutput(ID, { most: -most }, at(1));
      await store.incrementRunOutput(ID, { most: -most, up: -1e308, down: 1e308 }, at(1));
      const sums = { up: 0, down: 0, most: -most, others: 1 };
      expect((await store.getRun(ID))?.output).toEqual(sums);
    },
  },
];

function casesOf(table: Table): WriteCase[] {
  const { kind } = table;
  return [
    {
      name: `${kind}: every field but the id can be changed, by itself and with the others`,
      async run(store) {
        const record = await add(table, store, table.bare());
        const texts = Object.fromEntries(table.texts.map((field) => [field, `another ${field}`]));
        const parents = await otherParents(table, store);
        const { id: _, ...fields } = table.full({ ...texts, ...parents });
        for (const [field, value] of Object.entries(fields)) {
          record[field] = value;
          expect(await table.update(store, ID, { [field]: value })).toBe(true);
          expect(await table.get(store, ID)).toEqual(record);
        }
        const { id: __, ...others } = table.bare();
        expect(await table.update(store, ID, others)).toBe(true);
        expect(await table.get(store, ID)).toEqual(table.bare());
        const reversed = Object.fromEntries(Object.entries(fields).reverse());
        expect(await table.update(store, ID, reversed)).toBe(true);
        expect(await table.get(store, ID)).toEqual({ id: ID, ...fields });
      },
    },
    {
      name: `${kind}: an update of no field changes nothing, and tells whether the row matches`,
      async run(store) {
        const record = await add(table, store, table.full());
        const results = [
          await table.update(store, ID, {}),
          await table.update(store, ID, {}, { ifStatus: [record.status] }),
          await table.update(store, ID, {}, { ifStatus: ['running'] }),
          await table.update(store, ID, {}, { ifError: 'another' }),
          await table.update(store, UNKNOWN_ID, {}),
        ];
        expect(results).toEqual([true, true, false, false, false]);
        expect(await table.get(store, ID)).toEqual(record);
      },
    },
  ];
}

/** Inserts other records that one may point to, and gives the fields that do. */
async function otherParents(table: Table, store: SqlStore): Promise<Partial<AnyRecord>> {
  const [runId, stepId] = [idOf(11), idOf(12)];
  if (table === runs) return {};
  await store.insertRun(aRun({ id: runId }));
  if (table === steps) return { runId };
  await store.insertStep(aStep({ id: stepId, runId }));
  return table === calls ? { stepId } : {};
}
