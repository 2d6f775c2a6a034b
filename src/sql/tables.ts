/** How a column is stored; each dialect says as what. */
export type ColumnType = 'text' | 'time' | 'integer' | 'json';

/** A field of a record, as a column. */
export interface Column {
  field: string;
  name: string;
  type: ColumnType;
  isNullable: boolean;
}

export type TableName = 'runs' | 'run_steps' | 'run_calls' | 'run_step_links';

/** What every record of a table has, in order. */
export const COLUMNS: Record<TableName, readonly Column[]> = {
  runs: columnsOf({
    id: 'text',
    runType: 'text',
    trigger: 'text',
    actorType: 'text',
    actorId: 'text?',
    status: 'text',
    currentStep: 'text?',
    startedAt: 'time?',
    completedAt: 'time?',
    durationMs: 'integer?',
    input: 'json?',
    output: 'json?',
    error: 'text?',
    createdAt: 'time',
    updatedAt: 'time',
  }),
  run_steps: columnsOf({
    id: 'text',
    runId: 'text?',
    parentStepId: 'text?',
    stepIndex: 'integer',
    actorType: 'text',
    actorId: 'text?',
    stepType: 'text',
    status: 'text',
    entityType: 'text?',
    entityId: 'text?',
    context: 'json?',
    input: 'json?',
    output: 'json?',
    itemsTotal: 'integer?',
    itemsProcessed: 'integer?',
    itemsSucceeded: 'integer?',
    itemsFailed: 'integer?',
    attempt: 'integer',
    retryOf: 'text?',
    maxRetries: 'integer',
    error: 'text?',
    startedAt: 'time?',
    completedAt: 'time?',
    durationMs: 'integer?',
    createdAt: 'time',
    updatedAt: 'time',
  }),
  run_calls: columnsOf({
    id: 'text',
    stepId: 'text',
    tool: 'text',
    operation: 'text',
    input: 'json?',
    output: 'json?',
    status: 'text',
    error: 'text?',
    attempt: 'integer',
    retryOf: 'text?',
    durationMs: 'integer?',
    metadata: 'json?',
    createdAt: 'time',
  }),
  run_step_links: columnsOf({
    id: 'text',
    stepId: 'text',
    linkType: 'text',
    entityType: 'text',
    entityId: 'text',
    externalId: 'text?',
    createdAt: 'time',
  }),
};

export const TABLE_NAMES: TableName[] = Object.keys(COLUMNS) as TableName[];

/** The run of a call's or a link's step, kept beside it: so all calls of a run are one range of an index. */
export const RUN_ID: Column = {
  field: 'runId',
  name: 'run_id',
  type: 'text',
  isNullable: true,
};

/** Whether a table keeps {@link RUN_ID}, which its records do not have. */
export function isBelowStep(table: TableName): boolean {
  return table === 'run_calls' || table === 'run_step_links';
}

/** What a foreign key refers to: the table, and the column that does. */
export const PARENTS: Record<TableName, [column: string, table: TableName] | undefined> = {
  runs: undefined,
  run_steps: ['run_id', 'runs'],
  run_calls: ['step_id', 'run_steps'],
  run_step_links: ['step_id', 'run_steps'],
};

/** An index, beside the primary key; in front of its columns come those of the owner. */
export interface Index {
  table: TableName;
  name: string;
  columns: string[];
  /** What rows are in it, as a query must say it too. */
  where?: string;
}

/** Runs that completed are most of all, and nobody looks for them by status. */
export const NOT_COMPLETED = `"status" <> 'completed'`;
const RUNNING = `"status" = 'running'`;
const ENDED = `"completed_at" is not null`;

export const INDEXES: readonly Index[] = [
  { table: 'runs', name: 'created', columns: ['created_at', 'id'] },
  {
    table: 'runs',
    name: 'status',
    columns: ['status', 'created_at', 'id'],
    where: NOT_COMPLETED,
  },
  { table: 'runs', name: 'type', columns: ['run_type', 'created_at', 'id'] },
  // Of all runs: of what is in part of them only, Postgres does not know how often a value comes.
  { table: 'runs', name: 'actor', columns: ['actor_id', 'created_at', 'id'] },
  { table: 'runs', name: 'completed', columns: ['completed_at'], where: ENDED },
  { table: 'run_steps', name: 'run', columns: ['run_id', 'created_at', 'id'] },
  { table: 'run_steps', name: 'running', columns: ['created_at', 'id'], where: RUNNING },
  {
    table: 'run_steps',
    name: 'completed',
    columns: ['run_id', 'completed_at'],
    where: `"run_id" is null and ${ENDED}`,
  },
  { table: 'run_calls', name: 'run', columns: ['run_id', 'created_at', 'id'] },
  { table: 'run_calls', name: 'step', columns: ['step_id', 'created_at', 'id'] },
  { table: 'run_calls', name: 'running', columns: ['created_at', 'id'], where: RUNNING },
  { table: 'run_step_links', name: 'run', columns: ['run_id', 'created_at', 'id'] },
  { table: 'run_step_links', name: 'step', columns: ['step_id', 'created_at', 'id'] },
];

function columnsOf(types: Record<string, ColumnType | `${ColumnType}?`>): readonly Column[] {
  return Object.entries(types).map(([field, type]) => ({
    field,
    name: field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
    type: type.replace('?', '') as ColumnType,
    isNullable: type.endsWith('?'),
  }));
}
