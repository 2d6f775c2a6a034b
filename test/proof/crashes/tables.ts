import { isDeepStrictEqual } from 'node:util';
import type { Dialect, SqlRow } from '../../../src/sql/dialect.js';
import { COLUMNS, TABLE_NAMES, type TableName } from '../../../src/sql/tables.js';
import { decode } from '../../../src/sql/writes.js';
import type { Fields } from './journal.js';

/** All that is stored, by id. */
export type Tables = Record<TableName, Map<string, Fields>>;

export async function readTables(
  dialect: Dialect,
  query: (text: string) => Promise<SqlRow[]>,
): Promise<Tables> {
  const tables: Partial<Tables> = {};
  for (const table of TABLE_NAMES) {
    const columns = COLUMNS[table].map(
      ({ name, type }) => `${dialect.read(`"${name}"`, type)} as "${name}"`,
    );
    const rows = await query(`select ${columns.join(', ')} from "${table}"`);
    const records: Fields[] = rows.map((row) => asJson(decode(table, row)));
    tables[table] = new Map(records.map((record) => [record.id as string, record]));
  }
  return tables as Tables;
}

function asJson(record: unknown): Fields {
  return JSON.parse(JSON.stringify(record));
}

/** The records that are not what they should be. */
export function differencesOf(expected: Tables, actual: Tables): string[] {
  return TABLE_NAMES.flatMap((table) => {
    const ids = new Set([...expected[table].keys(), ...actual[table].keys()]);
    return [...ids].flatMap((id) => {
      const wanted = expected[table].get(id);
      const found = actual[table].get(id);
      if (isDeepStrictEqual(wanted, found)) return [];
      return [`${table} ${id} is ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`];
    });
  });
}

/** The records that others do not hold. */
export function without(others: Tables, tables: Tables): Tables {
  const entries = TABLE_NAMES.map((table) => {
    const own = [...tables[table]].filter(([id]) => !others[table].has(id));
    return [table, new Map(own)];
  });
  return Object.fromEntries(entries);
}
