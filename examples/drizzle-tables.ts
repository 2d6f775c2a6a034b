/**
 * The tables of `drizzle-store.ts`: a column for each field of a record, and one for its owner.
 *
 * A record is known by its space and its id, so two spaces may use the same id. The foreign keys
 * hold the space too: a parent in another space is refused exactly like one that does not exist.
 */
import type { Call, Payload, Run, Step, StepLink } from '@systemoperator/runs';
import { getTableName, sql } from 'drizzle-orm';
import {
  bigint,
  foreignKey,
  getTableConfig,
  type IndexedColumn,
  index,
  integer,
  jsonb,
  type PgDatabase,
  type PgQueryResultHKT,
  pgTable,
  primaryKey,
  text,
  timestamp,
} from 'drizzle-orm/pg-core';

/** What `drizzle(…)` returns, with any of its Postgres drivers. */
export type Database = PgDatabase<PgQueryResultHKT>;

// As exact as the times of the library: microseconds would not survive a Date, seconds lose some.
const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });
// 64 bits: milliseconds in 32 bits overflow after 25 days.
const count = (name: string) => bigint(name, { mode: 'number' });
const json = (name: string) => jsonb(name).$type<Payload>();
// In your application also a foreign key to the table of your spaces, users or organisations.
const owner = () => text('space_id').notNull();

export const runs = pgTable(
  'runs',
  {
    spaceId: owner(),
    id: text('id').notNull(),
    runType: text('run_type').notNull(),
    trigger: text('trigger').$type<Run['trigger']>().notNull(),
    actorType: text('actor_type').$type<Run['actorType']>().notNull(),
    actorId: text('actor_id'),
    status: text('status').$type<Run['status']>().notNull(),
    currentStep: text('current_step'),
    startedAt: time('started_at'),
    completedAt: time('completed_at'),
    durationMs: count('duration_ms'),
    input: json('input'),
    output: json('output'),
    error: text('error'),
    createdAt: time('created_at').notNull(),
    updatedAt: time('updated_at').notNull(),
  },
  (run) => [
    primaryKey({ columns: [run.spaceId, run.id] }),
    index('runs_created_at').on(run.spaceId, run.createdAt, run.id),
  ],
);

export const steps = pgTable(
  'steps',
  {
    spaceId: owner(),
    id: text('id').notNull(),
    runId: text('run_id'),
    parentStepId: text('parent_step_id'),
    stepIndex: integer('step_index').notNull(),
    actorType: text('actor_type').$type<Step['actorType']>().notNull(),
    actorId: text('actor_id'),
    stepType: text('step_type').notNull(),
    status: text('status').$type<Step['status']>().notNull(),
    entityType: text('entity_type'),
    entityId: text('entity_id'),
    context: json('context'),
    input: json('input'),
    output: json('output'),
    itemsTotal: count('items_total'),
    itemsProcessed: count('items_processed'),
    itemsSucceeded: count('items_succeeded'),
    itemsFailed: count('items_failed'),
    attempt: integer('attempt').notNull(),
    retryOf: text('retry_of'),
    maxRetries: integer('max_retries').notNull(),
    error: text('error'),
    startedAt: time('started_at'),
    completedAt: time('completed_at'),
    durationMs: count('duration_ms'),
    createdAt: time('created_at').notNull(),
    updatedAt: time('updated_at').notNull(),
  },
  (step) => {
    const self = [step.spaceId, step.id] as const;
    return [
      primaryKey({ columns: [...self] }),
      // Deleting a run takes its steps along, and so their calls and links. A key that holds null
      // is not checked: a step may stand alone.
      foreignKey({
        columns: [step.spaceId, step.runId],
        foreignColumns: [runs.spaceId, runs.id],
      }).onDelete('cascade'),
      foreignKey({ columns: [step.spaceId, step.parentStepId], foreignColumns: [...self] }),
      foreignKey({ columns: [step.spaceId, step.retryOf], foreignColumns: [...self] }),
      index('steps_run_id').on(step.spaceId, step.runId, step.createdAt, step.id),
      index('steps_parent_step_id').on(step.spaceId, step.parentStepId),
      index('steps_retry_of').on(step.spaceId, step.retryOf),
    ];
  },
);

export const calls = pgTable(
  'calls',
  {
    spaceId: owner(),
    id: text('id').notNull(),
    stepId: text('step_id').notNull(),
    tool: text('tool').notNull(),
    operation: text('operation').notNull(),
    input: json('input'),
    output: json('output'),
    status: text('status').$type<Call['status']>().notNull(),
    error: text('error'),
    attempt: integer('attempt').notNull(),
    retryOf: text('retry_of'),
    durationMs: count('duration_ms'),
    metadata: json('metadata'),
    createdAt: time('created_at').notNull(),
  },
  (call) => [
    primaryKey({ columns: [call.spaceId, call.id] }),
    foreignKey({
      columns: [call.spaceId, call.stepId],
      foreignColumns: [steps.spaceId, steps.id],
    }).onDelete('cascade'),
    foreignKey({
      columns: [call.spaceId, call.retryOf],
      foreignColumns: [call.spaceId, call.id],
    }),
    index('calls_step_id').on(call.spaceId, call.stepId, call.createdAt, call.id),
    index('calls_retry_of').on(call.spaceId, call.retryOf),
  ],
);

export const stepLinks = pgTable(
  'step_links',
  {
    spaceId: owner(),
    id: text('id').notNull(),
    stepId: text('step_id').notNull(),
    linkType: text('link_type').$type<StepLink['linkType']>().notNull(),
    entityType: text('entity_type').notNull(),
    entityId: text('entity_id').notNull(),
    externalId: text('external_id'),
    createdAt: time('created_at').notNull(),
  },
  (link) => [
    primaryKey({ columns: [link.spaceId, link.id] }),
    foreignKey({
      columns: [link.spaceId, link.stepId],
      foreignColumns: [steps.spaceId, steps.id],
    }).onDelete('cascade'),
    index('step_links_step_id').on(link.spaceId, link.stepId, link.createdAt, link.id),
    index('step_links_entity').on(link.spaceId, link.entityType, link.entityId),
  ],
);

/**
 * Creates the tables as they are defined above, in an empty database.
 *
 * Only so that the recipe needs nothing but this repository: in an application,
 * `npx drizzle-kit generate` makes a migration of the same definitions.
 */
export async function createTables(db: Database): Promise<void> {
  const list = (columns: { name?: string | undefined }[]) =>
    `(${columns.map(({ name }) => `"${name}"`).join(', ')})`;
  for (const table of [runs, steps, calls, stepLinks]) {
    const { name, columns, primaryKeys, foreignKeys, indexes } = getTableConfig(table);
    const lines = [
      ...columns.map((column) => {
        const nullable = column.notNull ? ' not null' : '';
        return `"${column.name}" ${column.getSQLType()}${nullable}`;
      }),
      ...primaryKeys.map((key) => `primary key ${list(key.columns)}`),
      ...foreignKeys.map((key) => {
        const { columns, foreignTable, foreignColumns } = key.reference();
        const target = `"${getTableName(foreignTable)}" ${list(foreignColumns)}`;
        return `foreign key ${list(columns)} references ${target} on delete ${key.onDelete ?? 'no action'}`;
      }),
    ];
    await db.execute(sql.raw(`create table "${name}" (${lines.join(', ')})`));
    for (const { config } of indexes) {
      const on = `"${name}" ${list(config.columns as IndexedColumn[])}`;
      await db.execute(sql.raw(`create index "${config.name}" on ${on}`));
    }
  }
}
