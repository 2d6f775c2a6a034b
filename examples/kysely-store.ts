/**
 * A store over an application's own SQLite tables, with Kysely: every record belongs to a space,
 * and no space can read, change or link what belongs to another.
 *
 *     npm run build && node examples/kysely-store.ts
 *
 * tracks a small job in two spaces and prints what was recorded. To use it, copy this file and
 * `kysely-tables.ts`, and name the owner as your application does.
 */
import type {
  Call,
  CallStatus,
  Run,
  RunStore,
  Step,
  StepLink,
  StepLinkStore,
  StepStatus,
  UpdateConditions,
} from '@systemoperator/runs';
import {
  type Expression,
  expressionBuilder,
  type Kysely,
  type RawBuilder,
  type SqlBool,
  sql,
  type UpdateResult,
} from 'kysely';
import { type Database, fromRow, openDatabase, toRow } from './kysely-tables.ts';
import { trackInTwoSpaces } from './two-spaces.ts';

export function createSpaceStore(db: Kysely<Database>, spaceId: string): RunStore & StepLinkStore {
  /** The condition of every statement below but the inserts, so that none of them forgets the space. */
  function isMine(
    id: string,
    { ifStatus, ifError }: UpdateConditions<StepStatus | CallStatus> = {},
  ): Expression<SqlBool> {
    const row = expressionBuilder<Database, 'runs' | 'steps' | 'calls'>();
    return row.and([
      row('spaceId', '=', spaceId),
      row('id', '=', id),
      // In the WHERE of the one UPDATE: so exactly one of several that end a record wins.
      ...(ifStatus ? [row('status', 'in', ifStatus)] : []),
      ...(ifError === undefined ? [] : [row('error', '=', ifError)]),
    ]);
  }

  return {
    conditionalUpdates: true,

    // The space comes last, so that no column of the record can name another.
    async insertRun(run) {
      await db
        .insertInto('runs')
        .values({ ...toRow(run), spaceId })
        .execute();
    },
    async getRun(id) {
      const row = await db.selectFrom('runs').selectAll().where(isMine(id)).executeTakeFirst();
      return row && fromRow<Run>(row);
    },
    async updateRun(id, fields, conditions) {
      const row = toRow(fields);
      const merged = conditions?.mergeOutput && { output: mergedOutput(row.output) };
      const update = db.updateTable('runs').set({ ...row, ...merged });
      return hasMatched(update.where(isMine(id, conditions)));
    },
    async incrementRunOutput(id, increments, updatedAt) {
      const output = incrementedOutput(JSON.stringify(increments));
      const update = db.updateTable('runs').set({ output, ...toRow({ updatedAt }) });
      return hasMatched(update.where(isMine(id)));
    },

    async insertStep(step) {
      await db
        .insertInto('steps')
        .values({ ...toRow(step), spaceId })
        .execute();
    },
    async getStep(id) {
      const row = await db.selectFrom('steps').selectAll().where(isMine(id)).executeTakeFirst();
      return row && fromRow<Step>(row);
    },
    async updateStep(id, fields, conditions) {
      const update = db.updateTable('steps').set(toRow(fields));
      return hasMatched(update.where(isMine(id, conditions)));
    },

    async insertCall(call) {
      await db
        .insertInto('calls')
        .values({ ...toRow(call), spaceId })
        .execute();
    },
    async getCall(id) {
      const row = await db.selectFrom('calls').selectAll().where(isMine(id)).executeTakeFirst();
      return row && fromRow<Call>(row);
    },
    async updateCall(id, fields, conditions) {
      const update = db.updateTable('calls').set(toRow(fields));
      return hasMatched(update.where(isMine(id, conditions)));
    },

    async insertStepLink(link) {
      await db
        .insertInto('stepLinks')
        .values({ ...toRow(link), spaceId })
        .execute();
    },
    async getStepLinks(stepId) {
      const rows = await db
        .selectFrom('stepLinks')
        .selectAll()
        .where('spaceId', '=', spaceId)
        .where('stepId', '=', stepId)
        .orderBy('createdAt')
        .orderBy('id')
        .execute();
      return rows.map((row) => fromRow<StepLink>(row));
    },
  };
}

async function hasMatched(update: { execute(): Promise<UpdateResult[]> }): Promise<boolean> {
  const [result] = await update.execute();
  return result !== undefined && result.numUpdatedRows > 0n;
}

/**
 * Lays the members of an output over those that are stored.
 *
 * Not with `json_patch`, which merges deeper than one level and drops members that are null. Names
 * of members are rows here, and so never become part of the SQL or of a JSON path.
 */
function mergedOutput(output: string | null | undefined): RawBuilder<string> | undefined {
  if (!output) return undefined;
  // `json_each` gives true as 1 and objects as text: this makes JSON of them again.
  const members = sql`key, case when type in ('true', 'false') then type
    when type in ('object', 'array') then value else json_quote(value) end as member`;
  return sql`(
    select json_group_object(key, json(member)) from (
      select ${members} from json_each(${output})
      union all
      select ${members} from json_each(runs.output)
        where key not in (select key from json_each(${output}))
    )
  )`;
}

/** Here `json_patch` is right: what it lays over the output are numbers, and no member is null. */
function incrementedOutput(increments: string): RawBuilder<string> {
  return sql`json_patch(coalesce(runs.output, '{}'), (
    select json_group_object(more.key, more.value + coalesce(counted.value, 0))
      from json_each(${increments}) as more
      left join json_each(runs.output) as counted
        on counted.key = more.key and counted.type in ('integer', 'real')
  ))`;
}

export async function main(log: (line: string) => void = console.log): Promise<void> {
  const db = openDatabase(':memory:');
  await trackInTwoSpaces((spaceId) => createSpaceStore(db, spaceId), log);
  await db.destroy();
}

if (import.meta.main) await main();
