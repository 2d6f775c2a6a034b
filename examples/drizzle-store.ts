/**
 * A store over an application's own Postgres tables, with Drizzle: every record belongs to a space,
 * and no space can read, change or link what belongs to another.
 *
 *     npm run build && node examples/drizzle-store.ts
 *
 * tracks a small job in two spaces and prints what was recorded. To use it, copy this file and
 * `drizzle-tables.ts`, and name the owner as your application does.
 */
import { PGlite } from '@electric-sql/pglite';
import type { RunStore, StepLinkStore, UpdateConditions } from '@systemoperator/runs';
import { and, asc, type Column, eq, inArray, type SQL, sql } from 'drizzle-orm';
import { drizzle } from 'drizzle-orm/pglite';
import { calls, createTables, type Database, runs, stepLinks, steps } from './drizzle-tables.ts';
import { trackInTwoSpaces } from './two-spaces.ts';

interface OwnedTable {
  spaceId: Column;
  id: Column;
  status: Column;
  error: Column;
}

export function createSpaceStore(db: Database, spaceId: string): RunStore & StepLinkStore {
  /** The condition of every statement below but the inserts, so that none of them forgets the space. */
  function isMine(
    table: OwnedTable,
    id: string,
    { ifStatus, ifError }: UpdateConditions<string> = {},
  ): SQL | undefined {
    return and(
      eq(table.spaceId, spaceId),
      eq(table.id, id),
      // In the WHERE of the one UPDATE, where Postgres looks at the row again after it has waited
      // for a competitor: so exactly one of several that end a record wins.
      ifStatus && inArray(table.status, [...ifStatus]),
      ifError === undefined ? undefined : eq(table.error, ifError),
    );
  }

  return {
    conditionalUpdates: true,

    // The space comes last, so that no column of the record can name another.
    async insertRun(run) {
      await db.insert(runs).values({ ...run, spaceId });
    },
    async getRun(id) {
      const [run] = await db.select().from(runs).where(isMine(runs, id));
      return run;
    },
    async updateRun(id, fields, conditions) {
      const merged = conditions?.mergeOutput && { output: mergedOutput(fields.output) };
      const changed = await db
        .update(runs)
        .set({ ...fields, ...merged })
        .where(isMine(runs, id, conditions))
        .returning({ id: runs.id });
      return changed.length > 0;
    },
    async incrementRunOutput(id, increments, updatedAt) {
      const changed = await db
        .update(runs)
        .set({ output: incrementedOutput(increments), updatedAt })
        .where(isMine(runs, id))
        .returning({ id: runs.id });
      return changed.length > 0;
    },

    async insertStep(step) {
      await db.insert(steps).values({ ...step, spaceId });
    },
    async getStep(id) {
      const [step] = await db.select().from(steps).where(isMine(steps, id));
      return step;
    },
    async updateStep(id, fields, conditions) {
      const changed = await db
        .update(steps)
        .set(fields)
        .where(isMine(steps, id, conditions))
        .returning({ id: steps.id });
      return changed.length > 0;
    },

    async insertCall(call) {
      await db.insert(calls).values({ ...call, spaceId });
    },
    async getCall(id) {
      const [call] = await db.select().from(calls).where(isMine(calls, id));
      return call;
    },
    async updateCall(id, fields, conditions) {
      const changed = await db
        .update(calls)
        .set(fields)
        .where(isMine(calls, id, conditions))
        .returning({ id: calls.id });
      return changed.length > 0;
    },

    async insertStepLink(link) {
      await db.insert(stepLinks).values({ ...link, spaceId });
    },
    async getStepLinks(stepId) {
      return db
        .select()
        .from(stepLinks)
        .where(and(eq(stepLinks.spaceId, spaceId), eq(stepLinks.stepId, stepId)))
        .orderBy(asc(stepLinks.createdAt), asc(stepLinks.id));
    },
  };
}

/** The output so far. In SQL whatever is joined to null is null, so that what was counted would be lost. */
const counted = sql`coalesce(${runs.output}, '{}')`;

/** A bound JSON object. By way of text, because some drivers encode what is bound as jsonb twice. */
function json(value: object): SQL {
  return sql`${JSON.stringify(value)}::text::jsonb`;
}

/** `||` merges one level deep, and keeps members that are null: just what `mergeOutput` asks for. */
function mergedOutput(output: object | null | undefined): SQL | undefined {
  return output ? sql`${counted} || ${json(output)}` : undefined;
}

/** Names of counters are rows here, and so never become part of the SQL or of a JSON path. */
function incrementedOutput(increments: Record<string, number>): SQL {
  const current = sql`case jsonb_typeof(${runs.output} -> key)
    when 'number' then (${runs.output} ->> key)::numeric else 0 end`;
  const sums = sql`select jsonb_object_agg(key, ${current} + value::numeric)
    from jsonb_each_text(${json(increments)})`;
  // An aggregate over no rows is null.
  return sql`${counted} || coalesce((${sums}), '{}')`;
}

export async function main(log: (line: string) => void = console.log): Promise<void> {
  const client = new PGlite();
  const db = drizzle(client);
  await createTables(db);
  await trackInTwoSpaces((spaceId) => createSpaceStore(db, spaceId), log);
  await client.close();
}

if (import.meta.main) await main();
