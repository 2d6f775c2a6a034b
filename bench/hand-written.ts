/**
 * What somebody would write by hand instead of using a store: the same columns of
 * the same tables, prepared once, with nothing that a particular application does
 * not need. Nobody waits for his turn here, and the run of a call is known.
 */
import type { DatabaseSync } from 'node:sqlite';
import type { Pool } from 'pg';
import type { Job } from './store-records.ts';

/** Ways of writing calls: one after the other, or all in as few statements as possible. */
export interface HandWritten {
  single(job: Job): Promise<void> | void;
  bulk: Record<string, (jobs: Job[]) => Promise<void> | void>;
}

const COLUMNS = [
  'id',
  'step_id',
  'tool',
  'operation',
  'input',
  'output',
  'status',
  'error',
  'attempt',
  'retry_of',
  'duration_ms',
  'metadata',
  'created_at',
  'run_id',
];
const INTO = `run_calls (${COLUMNS.join(', ')})`;

/** The types of the columns of Postgres, for rows that come as a list. */
const TYPES: Record<string, string> = {
  input: 'jsonb',
  output: 'jsonb',
  metadata: 'jsonb',
  attempt: 'bigint',
  duration_ms: 'bigint',
  created_at: 'timestamptz',
};
const typeOf = (column: string): string => TYPES[column] ?? 'text';

function json(payload: object | null): string | null {
  return payload && JSON.stringify(payload);
}

function checkCount(count: number | bigint | null, expected: number): void {
  if (Number(count) !== expected) throw new Error(`${count} rows instead of ${expected}`);
}

export function handWrittenPostgres(pool: Pool): HandWritten {
  const insert = `insert into ${INTO} values (${COLUMNS.map((_, index) => `$${index + 1}`).join(', ')})`;
  const update =
    'update run_calls set status = $1, output = $2, duration_ms = $3' +
    " where id = $4 and status = 'running'";

  const arrays = COLUMNS.map((column, index) => `$${index + 1}::${typeOf(column)}[]`);
  const insertArrays = `insert into ${INTO} select * from unnest(${arrays.join(', ')})`;
  const updateArrays =
    'update run_calls t set status = x.status, output = x.output, duration_ms = x.duration_ms' +
    ' from unnest($1::text[], $2::text[], $3::jsonb[], $4::bigint[]) x (id, status, output, duration_ms)' +
    " where t.id = x.id and t.status = 'running'";

  const fields = COLUMNS.map((column) => `${column} ${typeOf(column)}`);
  const insertJson = `insert into ${INTO} select * from json_to_recordset($1) x (${fields.join(', ')})`;
  const updateJson =
    'update run_calls t set status = x.status, output = x.output, duration_ms = x.duration_ms' +
    ' from json_to_recordset($1) x (id text, status text, output jsonb, duration_ms bigint)' +
    " where t.id = x.id and t.status = 'running'";

  const run = async (name: string, text: string, values: unknown[], rows: number) => {
    const { rowCount } = await pool.query({ name, text, values });
    checkCount(rowCount, rows);
  };
  const valuesOf = ({ call, runId }: Job): unknown[] => [
    call.id,
    call.stepId,
    call.tool,
    call.operation,
    json(call.input),
    json(call.output),
    call.status,
    call.error,
    call.attempt,
    call.retryOf,
    call.durationMs,
    json(call.metadata),
    call.createdAt.toISOString(),
    runId,
  ];

  return {
    async single(job) {
      const { call, end } = job;
      await run('insert', insert, valuesOf(job), 1);
      await run('update', update, [end.status, json(end.output), end.durationMs, call.id], 1);
    },
    bulk: {
      async unnest(jobs) {
        const rows = jobs.map(valuesOf);
        const columns = COLUMNS.map((_, index) => rows.map((row) => row[index]));
        await run('insert-arrays', insertArrays, columns, jobs.length);
        const ends = [
          jobs.map(({ call }) => call.id),
          jobs.map(({ end }) => end.status),
          jobs.map(({ end }) => json(end.output)),
          jobs.map(({ end }) => end.durationMs),
        ];
        await run('update-arrays', updateArrays, ends, jobs.length);
      },
      async json_to_recordset(jobs) {
        const rows = jobs.map(({ call, runId }) => ({
          id: call.id,
          step_id: call.stepId,
          tool: call.tool,
          operation: call.operation,
          input: call.input,
          output: call.output,
          status: call.status,
          error: call.error,
          attempt: call.attempt,
          retry_of: call.retryOf,
          duration_ms: call.durationMs,
          metadata: call.metadata,
          created_at: call.createdAt,
          run_id: runId,
        }));
        await run('insert-json', insertJson, [JSON.stringify(rows)], jobs.length);
        const ends = jobs.map(({ call, end }) => ({
          id: call.id,
          status: end.status,
          output: end.output,
          duration_ms: end.durationMs,
        }));
        await run('update-json', updateJson, [JSON.stringify(ends)], jobs.length);
      },
    },
  };
}

export function handWrittenSqlite(database: DatabaseSync): HandWritten {
  const insertStatement = database.prepare(
    `insert into ${INTO} values (${COLUMNS.map(() => '?').join(', ')})`,
  );
  const updateStatement = database.prepare(
    "update run_calls set status = ?, output = ?, duration_ms = ? where id = ? and status = 'running'",
  );
  const members = COLUMNS.map((_, index) => `value ->> ${index}`);
  const insertAll = database.prepare(
    `insert into ${INTO} select ${members.join(', ')} from json_each(?)`,
  );
  const updateAll = database.prepare(
    'update run_calls set status = x.value ->> 1, output = x.value ->> 2, duration_ms = x.value ->> 3' +
      " from json_each(?) x where run_calls.id = x.value ->> 0 and +run_calls.status = 'running'",
  );

  const insert = ({ call, runId }: Job): void => {
    const { changes } = insertStatement.run(
      call.id,
      call.stepId,
      call.tool,
      call.operation,
      json(call.input),
      json(call.output),
      call.status,
      call.error,
      call.attempt,
      call.retryOf,
      call.durationMs,
      json(call.metadata),
      call.createdAt.getTime(),
      runId,
    );
    checkCount(changes, 1);
  };
  const update = ({ call, end }: Job): void => {
    const { changes } = updateStatement.run(end.status, json(end.output), end.durationMs, call.id);
    checkCount(changes, 1);
  };
  const inTransaction = (jobs: Job[], task: (job: Job) => void): void => {
    database.exec('begin immediate');
    for (const job of jobs) task(job);
    database.exec('commit');
  };

  return {
    single(job) {
      insert(job);
      update(job);
    },
    bulk: {
      'one transaction'(jobs) {
        inTransaction(jobs, insert);
        inTransaction(jobs, update);
      },
      json_each(jobs) {
        const rows = jobs.map(({ call, runId }) => [
          call.id,
          call.stepId,
          call.tool,
          call.operation,
          call.input,
          call.output,
          call.status,
          call.error,
          call.attempt,
          call.retryOf,
          call.durationMs,
          call.metadata,
          call.createdAt.getTime(),
          runId,
        ]);
        checkCount(insertAll.run(JSON.stringify(rows)).changes, jobs.length);
        const ends = jobs.map(({ call, end }) => [call.id, end.status, end.output, end.durationMs]);
        checkCount(updateAll.run(JSON.stringify(ends)).changes, jobs.length);
      },
    },
  };
}
