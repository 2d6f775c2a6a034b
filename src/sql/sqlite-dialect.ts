import type { Dialect, SqlRow, Statement } from './dialect.js';
import { type Names, readSchemaOptions, type SchemaOptions } from './options.js';
import { type ActualTable, checkTable, createIndexes, createTable } from './schema.js';
import { TABLE_NAMES, type TableName } from './tables.js';

/** The largest number; a sum beyond it is not taken. */
const MAX_NUMBER = '1.7976931348623157e308';

/** A number of SQLite's as JSON, to the last digit: by itself SQLite writes fifteen. */
function exactly(number: string): string {
  return `json(printf('%!.17g', ${number}))`;
}

/** The SQL of SQLite, D1 and Durable Objects. */
export const sqlite: Dialect = {
  // better-sqlite3 takes no numbered ones.
  placeholder: () => '?',
  bindTime: (milliseconds) => milliseconds,
  read: (column) => column,
  // Rebuilt member by member: json_patch drops members that are null, and merges deeper than one level.
  merged: (output) => {
    const json =
      `case m.type when 'object' then json(m.value) when 'array' then json(m.value)` +
      ` when 'true' then json('true') when 'false' then json('false')` +
      ` when 'real' then ${exactly('m.value')} else m.value end`;
    return (
      `(with n(output) as (select ${output}) select json_group_object(m.key, ${json}) from (` +
      `select o.key, o.type, o.value from json_each("output") o` +
      ` where o.key not in (select x.key from n, json_each(n.output) x)` +
      ` union all select x.key, x.type, x.value from n, json_each(n.output) x) m)`
    );
  },
  // json_patch leaves the text of the other members alone, and numbers are not null.
  incremented: (counts) => {
    const stored =
      `coalesce((select o.value from json_each("output") o` +
      ` where o.key = i.key and o.type in ('integer', 'real')), 0)`;
    const json = `case typeof(s.total) when 'real' then ${exactly('s.total')} else s.total end`;
    return (
      `json_patch(coalesce("output", '{}'), (select json_group_object(s.key, ${json}) from (` +
      `select i.key, i.value + ${stored} as total from json_each(${counts}) i) s` +
      ` where s.total between -${MAX_NUMBER} and ${MAX_NUMBER}))`
    );
  },
  elements: (list) => `select value from json_each(${list})`,
  isText: (column, text, bind) => `${column} = ${bind(text)}`,
  repeatsConditions: true,
  duration: (since, until) => `max(0, ${until} - ${since})`,
  union: (arms) => arms.join(' union all '),
};

const TYPES = { text: 'text', time: 'integer', integer: 'integer', json: 'text' };

/**
 * The statements that create the tables and indexes of a SQLite, D1 or Durable
 * Object store where they are missing, for those who run migrations themselves.
 *
 * @throws {RunsError} `invalid_argument` for names that cannot be used
 */
export function sqliteSchema(options: SchemaOptions = {}): string[] {
  return statementsOf(readSchemaOptions('make a schema', options));
}

function statementsOf(names: Names): string[] {
  const typeOf = (column: 'owner' | { type: keyof typeof TYPES }) =>
    column === 'owner' ? 'text' : TYPES[column.type];
  return [
    ...TABLE_NAMES.map((table) => createTable(names, table, typeOf)),
    ...createIndexes(names, (column) => `"${column}"`),
  ];
}

/** Creates what is missing, and checks what is there, before and after: another may be doing the same. */
export async function migrateSqlite(
  names: Names,
  read: (statement: Statement) => Promise<SqlRow[]>,
  atomically: (texts: string[]) => Promise<unknown>,
): Promise<void> {
  const check = async () => {
    for (const table of TABLE_NAMES) {
      const actual = await readTable(names, table, read);
      if (actual.columns.length > 0) checkTable(names, table, actual);
    }
  };
  await check();
  await atomically(statementsOf(names));
  await check();
}

async function readTable(
  names: Names,
  table: TableName,
  read: (statement: Statement) => Promise<SqlRow[]>,
): Promise<ActualTable> {
  const text = `select "name" as "name", "pk" as "pk" from pragma_table_info(${literal(names.table(table))})`;
  const rows = await read({ text, values: [] });
  return {
    columns: rows.map(({ name }) => name as string),
    primaryKey: rows.filter(({ pk }) => pk !== 0).map(({ name }) => name as string),
  };
}

function literal(quotedName: string): string {
  return `'${quotedName.slice(1, -1)}'`;
}
