import type { StaleSweep } from '../store.js';
import { type Dialect, Parameters, type SqlRow, type Statement } from './dialect.js';
import { type Names, readSchemaOptions, type SchemaOptions } from './options.js';
import { checkTable, createIndexes, createTable } from './schema.js';
import { type Closing, closings } from './sweeping.js';
import { type ColumnType, TABLE_NAMES } from './tables.js';
import { owned, ownedAlike } from './writes.js';

/** The largest number of JavaScript; a sum beyond it is not taken. */
const MAX_NUMBER = '1.7976931348623157e308';
/** How much of a text is in an index: Postgres refuses rows whose indexed part is longer than 2 704 bytes. */
const INDEXED_LENGTH = 200;
const INDEXED_IN_PART = ['run_type', 'actor_id'];

/** How each type is bound; through text, since postgres.js would encode JSON and times itself. */
const CASTS: Record<ColumnType, string> = {
  text: '',
  time: '::text::timestamptz',
  integer: '',
  json: '::text::jsonb',
};

export const postgres: Dialect = {
  placeholder: (position, type) => `$${position}${CASTS[type]}`,
  bindTime: toTimestamp,
  read(column, type) {
    if (type === 'time') return `(extract(epoch from ${column}) * 1000)::float8`;
    return type === 'json' ? `${column}::text` : column;
  },
  merged: (output) => merged('"output"', output),
  incremented: (counts) => incremented('"output"', counts),
  elements: (list) => `select jsonb_array_elements_text(${list})`,
  isText(column, text, bind) {
    const value = bind(text);
    const begins = `left(${column}, ${INDEXED_LENGTH}) = left(${value}, ${INDEXED_LENGTH})`;
    // Said twice it would be taken for rarer than it is, and rows be sorted that are in order.
    return text.length < INDEXED_LENGTH ? begins : `${begins} and ${column} = ${value}`;
  },
  repeatsConditions: false,
  duration: (since, until) =>
    `case when ${since} is not null then greatest(0, round(extract(epoch from ${until} - ${since}) * 1000)) end`,
  union(arms, order, bindLimit) {
    const limit = bindLimit();
    return arms.map((arm) => `(${arm} order by ${order} limit ${limit})`).join(' union all ');
  },
};

/** The stored output with the members of another laid over it. */
export function merged(stored: string, output: string): string {
  return `coalesce(${stored}, '{}') || ${output}`;
}

/** The stored output with numbers added to its members. */
export function incremented(stored: string, counts: string): string {
  const current =
    `case jsonb_typeof(${stored} -> c.key) when 'number'` +
    ` then (${stored} ->> c.key)::numeric else 0 end`;
  const sums =
    `select jsonb_object_agg(s.key, s.total) from (select c.key, ${current} + c.value::numeric as total` +
    ` from jsonb_each_text(${counts}) c) s where abs(s.total) <= ${MAX_NUMBER}`;
  // Of no sums the aggregate is null, and null would erase what was counted.
  return `coalesce(${stored}, '{}') || coalesce((${sums}), '{}')`;
}

/** A time as Postgres reads it: in years of four digits or more, with an era, and without a year 0. */
function toTimestamp(milliseconds: number): string {
  const date = new Date(milliseconds);
  const year = date.getUTCFullYear();
  const iso = date.toISOString();
  // Of `2026-…`, `+012345-06-07T…` and `-000044-03-15T…`, what follows the year.
  const rest = iso.slice(iso.indexOf('-', 1), -1);
  const digits = String(year > 0 ? year : 1 - year).padStart(4, '0');
  return `${digits}${rest}+00${year > 0 ? '' : ' BC'}`;
}

const TYPES: Record<ColumnType, string> = {
  text: 'text',
  time: 'timestamptz(3)',
  integer: 'bigint',
  json: 'jsonb',
};

/** How a column is declared; ids are compared byte by byte, as lists are ordered. */
export function typeOf(column: 'owner' | { name: string; type: ColumnType }): string {
  if (column === 'owner' || column.name.endsWith('id') || column.name === 'retry_of') {
    return 'text collate "C"';
  }
  return TYPES[column.type];
}

/**
 * The statements that create the tables and indexes of a Postgres store where they
 * are missing, for those who run migrations themselves.
 *
 * @throws {RunsError} `invalid_argument` for names that cannot be used
 */
export function postgresSchema(options: SchemaOptions = {}): string[] {
  return statementsOf(readSchemaOptions('make a schema', options));
}

function statementsOf(names: Names): string[] {
  const expressionOf = (column: string) =>
    INDEXED_IN_PART.includes(column) ? `left("${column}", ${INDEXED_LENGTH})` : `"${column}"`;
  return [
    ...TABLE_NAMES.map((table) => createTable(names, table, typeOf)),
    ...createIndexes(names, expressionOf),
  ];
}

/** Creates what is missing, and checks what is there, before and after: another may be doing the same. */
export async function migratePostgres(
  names: Names,
  execute: (statement: Statement) => Promise<SqlRow[]>,
): Promise<void> {
  await checkTables(names, execute);
  // One statement is one transaction. `create … if not exists` fails where two do it at once.
  const body = statementsOf(names).join(';\n');
  const lock = `perform pg_advisory_xact_lock(hashtext('@systemoperator/runs'))`;
  const text = `do $migrate$ begin ${lock};\n${body};\nend $migrate$`;
  const created = await Promise.allSettled([execute({ text, values: [] })]);
  // Where a table of other columns has come up meanwhile, this tells it better.
  await checkTables(names, execute);
  if (created[0].status === 'rejected') throw created[0].reason;
}

async function checkTables(
  names: Names,
  execute: (statement: Statement) => Promise<SqlRow[]>,
): Promise<void> {
  for (const table of TABLE_NAMES) {
    const text =
      `select a.attname::text as "name", coalesce(a.attnum = any(i.indkey), false)::int as "isKey"` +
      ` from pg_attribute a left join pg_index i on i.indrelid = a.attrelid and i.indisprimary` +
      ` where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped`;
    const rows = await execute({ text, values: [names.table(table)] });
    const keys = rows.filter(({ isKey }) => isKey === 1);
    const namesOf = (some: SqlRow[]) => some.map(({ name }) => name as string);
    if (rows.length > 0) {
      checkTable(names, table, { columns: namesOf(rows), primaryKey: namesOf(keys) });
    }
  }
}

/**
 * Makes the one statement of a sweep. Records that somebody else is writing are
 * passed over, and a record is looked at once more when it is locked: who has just
 * moved it has saved it, and a step its calls.
 */
export function sweepAtOnce(names: Names, sweep: StaleSweep): Statement {
  const parameters = new Parameters(postgres);
  const { runs, steps, calls } = closings(postgres, names, sweep, parameters);
  /** Selects records that nobody else is writing, as they are once they are locked. */
  const lock = (name: string, query: string) =>
    `"${name}" as materialized (${query} for no key update of t skip locked)`;
  const close = ({ kind, table, changes }: Closing) =>
    `"closed_${kind}" as (update ${table} set ${changes()}` +
    ` where ${owned(names, parameters)}"id" in (select "id" from "stale_${kind}") returning "id")`;
  const mine = () => owned(names, parameters, 't.');
  const bindBefore = () => parameters.bindTime(sweep.before);

  // The limit is that of each kind: a stale step may have to wait for another sweep, and its calls not.
  const heldSteps =
    `select t."id" from ${steps.table} t where ${mine()}t."id" in (select "step_id" from "old_calls")` +
    ` and t."updated_at" < ${bindBefore()}`;
  const isStepRunning =
    `exists (select 1 from ${steps.table} s where ${ownedAlike(names, 's.', 't.')}` +
    `s."id" = t."step_id" and s."status" = 'running')`;
  const staleCalls =
    `select t."id" from ${calls.table} t where ${mine()}t."id" in (select "id" from "old_calls")` +
    ` and t."status" = 'running' and (not ${isStepRunning}` +
    ` or t."step_id" in (select "id" from "closed_steps")` +
    ` or t."step_id" in (select "id" from "held_steps"))`;
  const parts = [
    lock('stale_runs', runs.stale()),
    close(runs),
    lock('stale_steps', steps.stale()),
    close(steps),
    `"old_calls" as materialized (${calls.stale('t."id", t."step_id"')})`,
    lock('held_steps', heldSteps),
    lock('stale_calls', staleCalls),
    close(calls),
  ];
  const rows = [runs, steps, calls].map(
    ({ kind }) => `select '${kind}' as "kind", "id" as "id" from "closed_${kind}"`,
  );
  return {
    text: `with ${parts.join(', ')} ${rows.join(' union all ')}`,
    values: parameters.values,
  };
}
