import type { PageRequest } from '../pages.js';
import type { RunQuery, StepQuery, StepRecordQuery } from '../store.js';
import { type Dialect, Parameters, type Statement } from './dialect.js';
import type { Names } from './options.js';
import { COLUMNS, NOT_COMPLETED, type TableName } from './tables.js';
import { owned, quoted } from './writes.js';

/** Makes the statements that read. In each, `t` is the table that is read. */
export interface ReadStatements {
  get(table: TableName, id: string): Statement;
  links(stepId: string): Statement;
  runs(query: RunQuery, part: PageRequest): Statement;
  steps(runId: string | null, query: StepQuery, part: PageRequest): Statement;
  ofSteps(
    table: 'run_calls' | 'run_step_links',
    runId: string | null,
    query: StepRecordQuery,
    part: PageRequest,
  ): Statement;
}

const NEWEST_FIRST = 't."created_at" desc, t."id" desc';
const OLDEST_FIRST = 't."created_at", t."id"';
/** The same of one run; Postgres does not see that all rows without a run have the same one. */
const OLDEST_OF_RUN_FIRST = `t."run_id", ${OLDEST_FIRST}`;

export function createReadStatements(dialect: Dialect, names: Names): ReadStatements {
  /** The columns of a table as they are read. */
  function columnsOf(table: TableName): string {
    return COLUMNS[table]
      .map((column) => `${dialect.read(`t.${quoted(column)}`, column.type)} as ${quoted(column)}`)
      .join(', ');
  }

  const selects = new Map<TableName, string>();
  function select(table: TableName): string {
    const text = selects.get(table) ?? `select ${columnsOf(table)} from`;
    selects.set(table, text);
    return text;
  }

  function whole(table: TableName): string {
    return `${select(table)} ${names.table(table)} t where`;
  }

  function get(table: TableName, id: string): Statement {
    const parameters = new Parameters(dialect);
    const condition = `${owned(names, parameters, 't.')}t."id" = ${parameters.bind(id)}`;
    return { text: `${whole(table)} ${condition}`, values: parameters.values };
  }

  function links(stepId: string): Statement {
    const parameters = new Parameters(dialect);
    const condition = `${owned(names, parameters, 't.')}t."step_id" = ${parameters.bind(stepId)}`;
    const text = `${whole('run_step_links')} ${condition} order by ${OLDEST_FIRST}`;
    return { text, values: parameters.values };
  }

  /** That a row comes after the last of the page before. */
  function further(
    { after }: PageRequest,
    parameters: Parameters,
    comparison: '<' | '>',
  ): string[] {
    if (!after) return [];
    const position = `(${parameters.bindTime(after.createdAt)}, ${parameters.bind(after.id)})`;
    return [`(t."created_at", t."id") ${comparison} ${position}`];
  }

  function runs(query: RunQuery, part: PageRequest): Statement {
    const parameters = new Parameters(dialect);
    const bind = (value: unknown) => parameters.bind(value);
    const { runType, trigger, actorId, createdAfter, createdBefore, updatedBefore } = query;

    /** The condition of the rows whose status is one of these; of all rows without. */
    function conditionOf(statuses?: readonly string[]): string {
      const conditions: string[] = [];
      const mine = owned(names, parameters, 't.');
      if (statuses) conditions.push(isStatus(statuses, parameters));
      if (dialect.repeatsConditions && statuses?.includes('completed') === false) {
        conditions.push(`t.${NOT_COMPLETED}`);
      }
      if (runType !== undefined) conditions.push(matches('run_type', runType));
      if (trigger !== undefined) conditions.push(`t."trigger" = ${bind(trigger)}`);
      if (actorId !== undefined) conditions.push(matches('actor_id', actorId));
      if (createdAfter) conditions.push(`t."created_at" > ${parameters.bindTime(createdAfter)}`);
      if (updatedBefore) conditions.push(`t."updated_at" < ${parameters.bindTime(updatedBefore)}`);
      // The earlier of these says all. With both, an index might be walked from the later one on.
      const isFurther = part.after && !(Number(createdBefore) <= part.after.createdAt);
      if (isFurther) conditions.push(...further(part, parameters, '<'));
      else if (createdBefore) {
        conditions.push(`t."created_at" < ${parameters.bindTime(createdBefore)}`);
      }
      return mine + (conditions.join(' and ') || '1 = 1');
    }

    function matches(column: string, text: string): string {
      return dialect.isText(`t."${column}"`, text, bind);
    }

    const { status } = query;
    const statuses = status === undefined ? undefined : [...new Set([status].flat())];
    const table = names.table('runs');
    let from: string;
    // Completed runs have no index by status: they are met on the way through all of them.
    if (!statuses || statuses.length < 2 || statuses.includes('completed')) {
      from = `${table} t where ${conditionOf(statuses)}`;
    } else {
      const arms = statuses.map((each) => `select * from ${table} t where ${conditionOf([each])}`);
      from = `(${dialect.union(arms, NEWEST_FIRST, () => parameters.bind(part.limit))}) t`;
    }
    return ordered(`${select('runs')} ${from}`, NEWEST_FIRST, part, parameters);
  }

  function steps(runId: string | null, { status }: StepQuery, part: PageRequest): Statement {
    const parameters = new Parameters(dialect);
    const conditions = [`${owned(names, parameters, 't.')}${isRun(runId, parameters)}`];
    if (status !== undefined) {
      conditions.push(isStatus([...new Set([status].flat())], parameters));
    }
    conditions.push(...further(part, parameters, '>'));
    return ordered(
      `${whole('run_steps')} ${conditions.join(' and ')}`,
      OLDEST_OF_RUN_FIRST,
      part,
      parameters,
    );
  }

  function ofSteps(
    table: 'run_calls' | 'run_step_links',
    runId: string | null,
    { stepId }: StepRecordQuery,
    part: PageRequest,
  ): Statement {
    const parameters = new Parameters(dialect);
    const mine = owned(names, parameters, 't.');
    const conditions =
      stepId === undefined
        ? [mine + isRun(runId, parameters)]
        : // A step has fewer calls than its run: no index may be used for the run.
          [
            `${mine}t."step_id" = ${parameters.bind(stepId)}`,
            isRun(runId, parameters, `(t."run_id" || '')`),
          ];
    conditions.push(...further(part, parameters, '>'));
    const order = stepId === undefined ? OLDEST_OF_RUN_FIRST : OLDEST_FIRST;
    return ordered(`${whole(table)} ${conditions.join(' and ')}`, order, part, parameters);
  }

  function isRun(runId: string | null, parameters: Parameters, column = 't."run_id"'): string {
    return runId === null ? `${column} is null` : `${column} = ${parameters.bind(runId)}`;
  }

  function isStatus(statuses: readonly string[], parameters: Parameters): string {
    const wanted = statuses.map((status) => parameters.bind(status));
    return wanted.length > 0 ? `t."status" in (${wanted.join(', ')})` : '1 = 0';
  }

  function ordered(
    text: string,
    order: string,
    { limit }: PageRequest,
    parameters: Parameters,
  ): Statement {
    const limited = `${text} order by ${order} limit ${parameters.bind(limit)}`;
    return { text: limited, values: parameters.values };
  }

  return { get, links, runs, steps, ofSteps };
}
