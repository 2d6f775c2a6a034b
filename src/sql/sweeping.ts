import type { StaleSweep } from '../store.js';
import { type Dialect, Parameters, type Statement } from './dialect.js';
import type { Names } from './options.js';
import { NOT_COMPLETED, type TableName } from './tables.js';
import { owned, ownedAlike } from './writes.js';

/** What closes the stale records of one table, for a dialect to make a statement of. */
export interface Closing {
  kind: 'runs' | 'steps' | 'calls';
  table: string;
  /** Selects the oldest that are stale, of `t`: their ids, or other columns. */
  stale: (columns?: string) => string;
  /** What is set; its columns are those of the table itself. */
  changes: () => string;
}

/** Makes the parts of a sweep, and binds what they need in the order in which they are asked for. */
export function closings(
  dialect: Dialect,
  names: Names,
  { before, error, now, limit }: StaleSweep,
  parameters: Parameters,
): Record<Closing['kind'], Closing> {
  const bindBefore = () => parameters.bindTime(before);
  const table = (name: TableName) => names.table(name);

  /** That a call was made in a record since. */
  const wasCalled = (column: string, row: string) =>
    `exists (select 1 from ${table('run_calls')} k where ${ownedAlike(names, 'k.', row)}` +
    `k."${column}" = ${row}"id" and k."created_at" >= ${bindBefore()})`;
  const isStaleStep = (row: string) =>
    `${row}"status" = 'running' and ${row}"updated_at" < ${bindBefore()} and not ${wasCalled('step_id', row)}`;

  const isStale = {
    runs: () =>
      `t."status" = 'running'${dialect.repeatsConditions ? ` and t.${NOT_COMPLETED}` : ''}` +
      ` and t."updated_at" < ${bindBefore()}` +
      ` and not exists (select 1 from ${table('run_steps')} s where ${ownedAlike(names, 's.', 't.')}` +
      `s."run_id" = t."id" and s."updated_at" >= ${bindBefore()}) and not ${wasCalled('run_id', 't.')}`,
    steps: () => isStaleStep('t.'),
    // A call is left alone while its step goes on.
    calls: () =>
      `t."status" = 'running' and t."created_at" < ${bindBefore()}` +
      ` and not exists (select 1 from ${table('run_steps')} s where ${ownedAlike(names, 's.', 't.')}` +
      `s."id" = t."step_id" and s."status" in ('pending', 'running') and not (${isStaleStep('s.')}))`,
  };

  function closing(kind: Closing['kind'], name: TableName): Closing {
    const isCall = kind === 'calls';
    return {
      kind,
      table: table(name),
      stale: (columns = 't."id"') =>
        `select ${columns} from ${table(name)} t where ${owned(names, parameters, 't.')}${isStale[kind]()}` +
        ` order by t."created_at", t."id" limit ${parameters.bind(limit)}`,
      changes: () => {
        const changes = [
          `"status" = '${isCall ? 'error' : 'failed'}'`,
          `"error" = ${parameters.bind(error)}`,
        ];
        const since = isCall ? '"created_at"' : '"started_at"';
        changes.push(`"duration_ms" = ${dialect.duration(since, parameters.bindTime(now))}`);
        if (!isCall) {
          changes.push(`"completed_at" = ${parameters.bindTime(now)}`);
          changes.push(`"updated_at" = ${parameters.bindTime(now)}`);
        }
        if (kind === 'runs') changes.push(`"current_step" = null`);
        return changes.join(', ');
      },
    };
  }

  return {
    runs: closing('runs', 'runs'),
    steps: closing('steps', 'run_steps'),
    calls: closing('calls', 'run_calls'),
  };
}

/**
 * Makes a statement for each table: for databases in which nothing else happens
 * while they are executed, in one transaction.
 */
export function sweepOneByOne(dialect: Dialect, names: Names, sweep: StaleSweep): Statement[] {
  // What decides about a record is looked at before it is written: a call's step, a run's steps.
  const order = ['calls', 'runs', 'steps'] as const;
  return order.map((kind) => {
    const parameters = new Parameters(dialect);
    const { table, changes, stale } = closings(dialect, names, sweep, parameters)[kind];
    const text =
      `update ${table} set ${changes()} where ${owned(names, parameters)}"id" in (${stale()})` +
      ` returning '${kind}' as "kind", "id" as "id"`;
    return { text, values: parameters.values };
  });
}
