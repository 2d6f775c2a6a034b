import { invalidArgument } from '../errors.js';
import { cleanText } from '../payload.js';
import { COLUMNS, RUN_ID, TABLE_NAMES, type TableName } from './tables.js';

/** The columns that say whose a row is, and the values that this store writes and asks for. */
export type Owner = Record<string, string>;

/** What every SQL store can be told. */
export interface SqlStoreOptions {
  /**
   * Stands before the names of the four tables `runs`, `run_steps`, `run_calls`
   * and `run_step_links`: lower-case letters, digits and underscores.
   *
   * @default ''
   */
  tablePrefix?: string | undefined;
  /**
   * Whose records these are, as `{ column: value }`. The columns are written on
   * every row and belong to the condition of every statement: no method reads,
   * changes, counts or deletes what is another owner's, and two owners may use the
   * same id.
   *
   * @default no owner columns
   */
  owner?: Owner | undefined;
  /**
   * Whether writes that are issued together share a round trip or a transaction.
   * Turn it off to write inside a transaction of your own.
   *
   * @default true
   */
  groupCommit?: boolean | undefined;
}

/** What a schema is made for; of an owner only the columns matter. */
export interface SchemaOptions {
  /** As of the store that will use the tables. @default '' */
  tablePrefix?: string | undefined;
  /** As of the store that will use the tables, or only the names of the columns. @default no owner columns */
  owner?: Owner | readonly string[] | undefined;
}

/** The checked options that names and conditions are made of. */
export interface Names {
  owner: readonly (readonly [column: string, value: string])[];
  /** The name of a table, quoted. */
  table(table: TableName): string;
  /** The same with an ending: the name of an index. */
  index(table: TableName, ending: string): string;
}

const NAME = /^[a-z_][a-z0-9_]*$/;
/** Postgres cuts longer names, and two may become one then. */
const MAX_NAME_LENGTH = 63;
const MAX_PREFIX_LENGTH = MAX_NAME_LENGTH - '_run_step_links_completed_idx'.length;
/** Each takes a column of every index and a parameter of every statement: Postgres allows 32, D1 100. */
const MAX_OWNER_COLUMNS = 8;

const RECORD_COLUMNS = new Set(
  [...TABLE_NAMES.flatMap((table) => COLUMNS[table]), RUN_ID].map(({ name }) => name),
);

/**
 * Checks the options of a store.
 *
 * @throws {RunsError} `invalid_argument` for a prefix or an owner that cannot be used
 */
export function readOptions(operation: string, options: SqlStoreOptions): Names {
  const { owner } = options;
  if (owner === undefined) return namesOf(operation, options.tablePrefix);
  if (Object(owner) !== owner || Array.isArray(owner)) {
    throw invalidArgument(operation, 'owner', 'an object of columns and their values', owner);
  }
  for (const [column, value] of Object.entries(owner)) {
    // Text that the database cannot store as it is might be stored as that of another owner.
    if (typeof value === 'string' && value !== '' && value === cleanText(value)) continue;
    throw invalidArgument(operation, `owner.${column}`, 'a text that is not empty', value);
  }
  return namesOf(operation, options.tablePrefix, Object.entries(owner));
}

/** As {@link readOptions}, where the owner's values do not matter. */
export function readSchemaOptions(operation: string, options: SchemaOptions): Names {
  const { owner, tablePrefix } = options;
  if (owner === undefined) return namesOf(operation, tablePrefix);
  if (Object(owner) !== owner) {
    throw invalidArgument(operation, 'owner', 'an object or a list of columns', owner);
  }
  const columns: string[] = Array.isArray(owner) ? owner : Object.keys(owner);
  return namesOf(
    operation,
    tablePrefix,
    columns.map((column) => [column, '']),
  );
}

function namesOf(
  operation: string,
  prefix = '',
  owner?: readonly (readonly [column: string, value: string])[],
): Names {
  const isPrefix = typeof prefix === 'string' && (prefix === '' || NAME.test(prefix));
  if (!isPrefix || prefix.length > MAX_PREFIX_LENGTH) {
    const expected = `at most ${MAX_PREFIX_LENGTH} lower-case letters, digits and underscores, not beginning with a digit`;
    throw invalidArgument(operation, 'tablePrefix', expected, prefix);
  }
  const seen = new Set<string>();
  for (const [column] of owner ?? []) {
    if (typeof column !== 'string' || !NAME.test(column) || column.length > MAX_NAME_LENGTH) {
      const expected = `named by at most ${MAX_NAME_LENGTH} lower-case letters, digits and underscores, not beginning with a digit`;
      throw invalidArgument(operation, 'an owner column', expected, column);
    }
    if (RECORD_COLUMNS.has(column)) {
      throw invalidArgument(operation, 'an owner column', 'no column of the records', column);
    }
    if (seen.has(column)) {
      throw invalidArgument(operation, 'an owner column', 'named once', column);
    }
    seen.add(column);
  }
  const isCounted = !owner || (owner.length >= 1 && owner.length <= MAX_OWNER_COLUMNS);
  if (!isCounted) {
    const expected = `made of 1 to ${MAX_OWNER_COLUMNS} columns`;
    throw invalidArgument(operation, 'owner', expected, owner.length);
  }
  return {
    owner: owner ?? [],
    table: (table) => `"${prefix}${table}"`,
    index: (table, ending) => `"${prefix}${table}_${ending}_idx"`,
  };
}
