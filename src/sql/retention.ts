import { type Dialect, Parameters, type SqlRow, type Statement } from './dialect.js';
import type { Names } from './options.js';
import type { TableName } from './tables.js';
import { owned } from './writes.js';

/** How many runs are deleted together. */
const RUNS_AT_A_TIME = 100;
const MAX_ROWS = 1000;
/** How long a statement should hold up other writers, in milliseconds; a tenth of a second is too long. */
const MAX_PAUSE_MS = 20;

/** What a deletion needs of a store. */
export interface Deleting {
  dialect: Dialect;
  names: Names;
  /** Executes a statement that returns a row for each row that it deleted. */
  execute: (statement: Statement) => Promise<SqlRow[]>;
}

/**
 * Deletes runs that ended before a time, with everything under them, and steps
 * that stood alone and did. Children go first, so many at a time that nobody waits
 * long for the database.
 *
 * @returns how many runs were deleted
 */
export async function deleteEnded(
  { dialect, names, execute }: Deleting,
  completedBefore: Date,
  limit: number,
): Promise<number> {
  let rowsAtATime = 100;

  /**
   * Executes a deletion, and then leaves the database to others for as long as that
   * took. Those who wait for SQLite ask again ever more rarely, each time at most as
   * much later as they have waited already: a shorter pause they would miss.
   */
  async function change(statement: Statement): Promise<{ rows: SqlRow[]; took: number }> {
    const startedAt = Date.now();
    const rows = await execute(statement);
    const took = Math.max(1, Date.now() - startedAt);
    await new Promise((resolve) => setTimeout(resolve, took));
    return { rows, took };
  }

  /** The ids of what ended long enough ago, the first first: in the order of an index, word for word. */
  async function findEnded(
    table: TableName,
    condition: string,
    order = '"completed_at"',
  ): Promise<string[]> {
    const parameters = new Parameters(dialect);
    const mine = owned(names, parameters);
    const text =
      `select "id" as "id" from ${names.table(table)} where ${mine}${condition}` +
      ` and "completed_at" is not null and "completed_at" < ${parameters.bindTime(completedBefore)}` +
      ` order by ${order} limit ${parameters.bind(limit)}`;
    return idsOf(await execute({ text, values: parameters.values }));
  }

  /** Deletes the rows of a table whose `column` is one of these, part by part. */
  async function deleteWhere(table: TableName, column: string, ids: string[], also = '') {
    for (let isMore = true; isMore; ) {
      const parameters = new Parameters(dialect);
      const outer = owned(names, parameters);
      const inner = owned(names, parameters);
      const wanted = `"${column}" in (${dialect.elements(parameters.bind(JSON.stringify(ids), 'json'))})`;
      const size = rowsAtATime;
      const text =
        `delete from ${names.table(table)} where ${outer}"id" in (select "id" from ${names.table(table)}` +
        ` where ${inner}${wanted}${also} limit ${parameters.bind(size)}) returning "id" as "id"`;
      const { rows, took } = await change({ text, values: parameters.values });
      rowsAtATime = Math.ceil(Math.min(MAX_ROWS, (size * MAX_PAUSE_MS) / took, size * 2));
      isMore = rows.length === size;
    }
  }

  /** Deletes these records themselves, unless something has come under them since. */
  async function deleteRecords(table: TableName, ids: string[], children: [TableName, string][]) {
    const parameters = new Parameters(dialect);
    const mine = owned(names, parameters);
    const wanted = `"id" in (${dialect.elements(parameters.bind(JSON.stringify(ids), 'json'))})`;
    const isEnded = `"completed_at" < ${parameters.bindTime(completedBefore)}`;
    const text =
      `delete from ${names.table(table)} where ${mine}${wanted} and ${isEnded}` +
      `${withoutChildren(table, children)} returning "id" as "id"`;
    return (await change({ text, values: parameters.values })).rows;
  }

  function withoutChildren(table: TableName, children: [TableName, string][]): string {
    const parent = names.table(table);
    return children
      .map(([child, column]) => {
        const same = names.owner.map(([owner]) => `c."${owner}" = ${parent}."${owner}" and `);
        return ` and not exists (select 1 from ${names.table(child)} c where ${same.join('')}c."${column}" = ${parent}."id")`;
      })
      .join('');
  }

  const underStep: [TableName, string][] = [
    ['run_calls', 'step_id'],
    ['run_step_links', 'step_id'],
  ];
  const isEnded = `"status" in ('completed', 'failed', 'cancelled', 'skipped')`;
  let count = 0;
  for (const ids of inParts(await findEnded('runs', isEnded))) {
    await deleteWhere('run_step_links', 'run_id', ids);
    await deleteWhere('run_calls', 'run_id', ids);
    await deleteWhere('run_steps', 'run_id', ids, withoutChildren('run_steps', underStep));
    count += (await deleteRecords('runs', ids, [['run_steps', 'run_id']])).length;
  }
  for (const ids of inParts(
    await findEnded('run_steps', `"run_id" is null and ${isEnded}`, '"run_id", "completed_at"'),
  )) {
    await deleteWhere('run_step_links', 'step_id', ids);
    await deleteWhere('run_calls', 'step_id', ids);
    await deleteRecords('run_steps', ids, underStep);
  }
  return count;
}

function* inParts(ids: string[]): Generator<string[]> {
  for (let start = 0; start < ids.length; start += RUNS_AT_A_TIME) {
    yield ids.slice(start, start + RUNS_AT_A_TIME);
  }
}

function idsOf(rows: SqlRow[]): string[] {
  return rows.map(({ id }) => id as string);
}
