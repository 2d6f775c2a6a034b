import { RunsError } from '../errors.js';
import type { Names } from './options.js';
import {
  COLUMNS,
  type Column,
  INDEXES,
  isBelowStep,
  PARENTS,
  RUN_ID,
  type TableName,
} from './tables.js';

/** A table as a database has it: the names of its columns, and of those in its primary key. */
export interface ActualTable {
  columns: string[];
  primaryKey: string[];
}

/** The statement that creates a table unless it is there; `typeOf` says how its columns are declared. */
export function createTable(
  names: Names,
  table: TableName,
  typeOf: (column: Column | 'owner') => string,
): string {
  const owner = names.owner.map(([column]) => `"${column}"`);
  const columns = columnsOf(table).map(
    (column) => `"${column.name}" ${typeOf(column)}${column.isNullable ? '' : ' not null'}`,
  );
  const keys = [`primary key (${[...owner, '"id"'].join(', ')})`];
  const parent = PARENTS[table];
  if (parent) {
    const [column, parentTable] = parent;
    const from = [...owner, `"${column}"`].join(', ');
    const to = [...owner, '"id"'].join(', ');
    keys.push(`foreign key (${from}) references ${names.table(parentTable)} (${to})`);
  }
  const owners = owner.map((column) => `${column} ${typeOf('owner')} not null`);
  const lines = [...owners, ...columns, ...keys].map((line) => `  ${line}`);
  return `create table if not exists ${names.table(table)} (\n${lines.join(',\n')}\n)`;
}

/** The statements that create the indexes that are not there; `expressionOf` says what of a column is in it. */
export function createIndexes(names: Names, expressionOf: (column: string) => string): string[] {
  const owner = names.owner.map(([column]) => `"${column}"`);
  return INDEXES.map(({ table, name, columns, where }) => {
    const parts = [...owner, ...columns.map(expressionOf)].join(', ');
    const rows = where ? ` where ${where}` : '';
    return `create index if not exists ${names.index(table, name)} on ${names.table(table)} (${parts})${rows}`;
  });
}

/**
 * Checks that a table is one that this store can use.
 *
 * @throws {RunsError} `unsupported` for a table of other columns, or of another owner's columns
 */
export function checkTable(names: Names, table: TableName, actual: ActualTable): void {
  const owner = names.owner.map(([column]) => column);
  const expected = [...owner, ...columnsOf(table).map(({ name }) => name)];
  const missing = expected.filter((name) => !actual.columns.includes(name));
  const more = actual.columns.filter((name) => !expected.includes(name));
  const key = [...owner, 'id'];
  const isKey =
    key.length === actual.primaryKey.length &&
    key.every((column) => actual.primaryKey.includes(column));
  if (missing.length === 0 && more.length === 0 && isKey) return;
  const problems = [
    missing.length > 0 && `has no ${missing.join(', ')}`,
    more.length > 0 && `has ${more.join(', ')} besides`,
    !isKey &&
      `has the primary key (${actual.primaryKey.join(', ')}) instead of (${key.join(', ')})`,
  ].filter(Boolean);
  throw new RunsError(
    'unsupported',
    `Cannot migrate: the table ${names.table(table)} exists and ${problems.join(', and ')};` +
      ' give the store the owner columns that the table has, or a tablePrefix of its own',
  );
}

function columnsOf(table: TableName): readonly Column[] {
  return isBelowStep(table) ? [...COLUMNS[table], RUN_ID] : COLUMNS[table];
}
