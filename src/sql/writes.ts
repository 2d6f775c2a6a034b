import { RunsError } from '../errors.js';
import { mergeOutputIncrements, toMilliseconds } from '../helpers.js';
import type { RowConditions } from '../rows.js';
import { type Dialect, Parameters, type SqlRow, type Statement } from './dialect.js';
import type { Names } from './options.js';
import {
  COLUMNS,
  type Column,
  isBelowStep,
  RUN_ID,
  TABLE_NAMES,
  type TableName,
} from './tables.js';

/** A write as it was asked for: encoded at once, so that nobody changes it while it waits. */
export interface Write {
  kind: 'insert' | 'update' | 'increment';
  table: TableName;
  id: string;
  /** What is written, and the value of each as it is bound. */
  columns: readonly Column[];
  values: unknown[];
  conditions: RowConditions;
  /** What an increment adds; it is the value of the column `output` too. */
  counts?: Record<string, number>;
}

/** The tables whose rows are updated, and what one is called. */
const KINDS = { runs: 'run', run_steps: 'step', run_calls: 'call' };
export type UpdatedTable = keyof typeof KINDS;

export function toInsert(dialect: Dialect, table: TableName, record: object): Write {
  const row = record as SqlRow & { id: string };
  const columns = COLUMNS[table];
  const values = columns.map(({ field, type }) => encode(dialect, type, row[field]));
  return { kind: 'insert', table, id: row.id, columns, values, conditions: {} };
}

const BY_FIELD = Object.fromEntries(
  TABLE_NAMES.map((table) => [table, new Map(COLUMNS[table].map((each) => [each.field, each]))]),
) as Record<TableName, Map<string, Column>>;

/** @throws {RunsError} `invalid_argument` for a field that the records do not have */
export function toUpdate(
  dialect: Dialect,
  table: UpdatedTable,
  id: string,
  fields: object,
  conditions: RowConditions = {},
): Write {
  const columns: Column[] = [];
  const values: unknown[] = [];
  const unknown: string[] = [];
  // To merge nothing is to leave the output alone.
  const isKept = conditions.mergeOutput && !(fields as SqlRow).output;
  for (const [field, value] of Object.entries(fields)) {
    if (value === undefined || (isKept && field === 'output')) continue;
    const column = BY_FIELD[table].get(field);
    if (column) {
      columns.push(column);
      values.push(encode(dialect, column.type, value));
    } else {
      unknown.push(field);
    }
  }
  if (unknown.length > 0) {
    const problem = `it has no field ${unknown.join(', ')}`;
    throw new RunsError('invalid_argument', `Cannot update ${KINDS[table]} "${id}": ${problem}`);
  }
  const { mergeOutput: _, ...others } = conditions;
  return { kind: 'update', table, id, columns, values, conditions: isKept ? others : conditions };
}

const COUNTED = COLUMNS.runs.filter(({ field }) => field === 'output' || field === 'updatedAt');

export function toIncrement(
  dialect: Dialect,
  id: string,
  increments: Record<string, number>,
  updatedAt: Date,
): Write {
  // A copy, in which `__proto__` is a member like any other.
  const counts = mergeOutputIncrements(null, increments) as Record<string, number>;
  const values = [JSON.stringify(counts), dialect.bindTime(updatedAt.getTime())];
  return { kind: 'increment', table: 'runs', id, columns: COUNTED, values, conditions: {}, counts };
}

/** How much text a write binds, about, in characters. */
export function sizeOf({ values }: Write): number {
  let size = 0;
  for (const value of values) size += typeof value === 'string' ? value.length : 8;
  return size;
}

function encode(dialect: Dialect, type: Column['type'], value: unknown): unknown {
  if (value === null || value === undefined) return null;
  if (type === 'json') return JSON.stringify(value);
  if (type === 'time') return dialect.bindTime(toMilliseconds(value as Date));
  return type === 'integer' ? toInteger(value as number) : value;
}

/** The nearest whole number that every database and every driver can carry. */
function toInteger(value: number): number | null {
  const { MAX_SAFE_INTEGER: max } = Number;
  return Number.isNaN(value) ? null : Math.max(-max, Math.min(max, Math.round(value)));
}

/** A record as it was inserted. */
export function decode<R>(table: TableName, row: SqlRow): R {
  const entries = COLUMNS[table].map(({ field, name, type }) => {
    const value = row[name];
    return [field, value === null ? null : decodeValue(type, value)];
  });
  return Object.fromEntries(entries) as R;
}

function decodeValue(type: Column['type'], value: unknown): unknown {
  if (type === 'text') return value;
  if (type === 'json') return JSON.parse(value as string);
  return type === 'time' ? new Date(Number(value)) : Number(value);
}

/** How many characters of JSON a row holds. */
export function payloadOf(table: TableName, row: SqlRow): number {
  let size = 0;
  for (const { name, type } of COLUMNS[table]) {
    if (type === 'json') size += (row[name] as string | null)?.length ?? 0;
  }
  return size;
}

/** Makes the statement of a write, alone; the texts are made once for each shape of a write. */
export function createWriteStatements(
  dialect: Dialect,
  names: Names,
  ending = '',
): (write: Write) => Statement {
  const texts = new Map<string, string>();
  const owners = names.owner.map(([, value]) => value);

  function insertText({ table, columns }: Write): string {
    const parameters = new Parameters(dialect);
    const all = [...names.owner.map(([column]) => `"${column}"`), ...columns.map(quoted)];
    const values = owners.map((value) => parameters.bind(value));
    for (const { type } of columns) values.push(parameters.bind(null, type));
    if (isBelowStep(table)) {
      all.push(quoted(RUN_ID));
      const step = `${owned(names, parameters)}"id" = ${parameters.bind(null)}`;
      values.push(`(select "run_id" from ${names.table('run_steps')} where ${step})`);
    }
    return `insert into ${names.table(table)} (${all.join(', ')}) values (${values.join(', ')})`;
  }

  function updateText({ table, columns, conditions: { ifStatus, ifError, mergeOutput } }: Write) {
    const parameters = new Parameters(dialect);
    const changes = columns.map((column) => {
      const value = parameters.bind(null, column.type);
      const isMerged = mergeOutput && column.field === 'output';
      return `${quoted(column)} = ${isMerged ? dialect.merged(value) : value}`;
    });
    const conditions = [`${owned(names, parameters)}"id" = ${parameters.bind(null)}`];
    if (ifStatus) {
      const statuses = ifStatus.map(() => parameters.bind(null)).join(', ');
      conditions.push(statuses ? `"status" in (${statuses})` : '1 = 0');
    }
    if (ifError !== undefined) conditions.push(`"error" = ${parameters.bind(null)}`);
    const set = changes.join(', ') || '"id" = "id"';
    return `update ${names.table(table)} set ${set} where ${conditions.join(' and ')}`;
  }

  function incrementText(): string {
    const parameters = new Parameters(dialect);
    const output = dialect.incremented(parameters.bind(null, 'json'));
    const set = `"output" = ${output}, "updated_at" = ${parameters.bind(null, 'time')}`;
    const condition = `${owned(names, parameters)}"id" = ${parameters.bind(null)}`;
    return `update ${names.table('runs')} set ${set} where ${condition}`;
  }

  function textOf(write: Write): string {
    const { kind, table, columns, conditions } = write;
    const { ifStatus, ifError, mergeOutput } = conditions;
    let shape: string = kind + table;
    if (kind === 'update') {
      shape += `${ifStatus?.length} ${ifError !== undefined} ${mergeOutput}`;
      for (const { name } of columns) shape += `,${name}`;
    }
    let text = texts.get(shape);
    if (text === undefined) {
      text =
        kind === 'insert'
          ? insertText(write)
          : kind === 'update'
            ? updateText(write)
            : incrementText();
      text += ending;
      texts.set(shape, text);
    }
    return text;
  }

  return (write) => {
    const { kind, table, id, values, conditions } = write;
    const text = textOf(write);
    if (kind === 'insert') {
      // Calls and links have their step in the second column.
      const stepId = isBelowStep(table) ? [...owners, values[1]] : [];
      return { text, values: [...owners, ...values, ...stepId] };
    }
    const { ifStatus = [], ifError } = conditions;
    const error = ifError === undefined ? [] : [ifError];
    return { text, values: [...values, ...owners, id, ...ifStatus, ...error] };
  };
}

/** That a row is the owner's, and: it stands in front of every condition. */
export function owned(names: Names, parameters: Parameters, alias = ''): string {
  return names.owner
    .map(([column, value]) => `${alias}"${column}" = ${parameters.bind(value)} and `)
    .join('');
}

/** That two rows are of the same owner, and. */
export function ownedAlike(names: Names, alias: string, other: string): string {
  return names.owner.map(([column]) => `${alias}"${column}" = ${other}"${column}" and `).join('');
}

export function quoted({ name }: Column): string {
  return `"${name}"`;
}
