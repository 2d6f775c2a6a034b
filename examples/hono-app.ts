/**
 * A Hono app on Postgres: imports run in the background, each as a tracked run of the
 * space that asked for it, and can be looked at and cancelled over HTTP.
 *
 *     DATABASE_URL=postgres://… node examples/hono-app.ts
 */
import { serve } from '@hono/node-server';
import { RunsError, RunTracker } from '@systemoperator/runs';
import { PostgresStore } from '@systemoperator/runs/postgres';
import { type Context, Hono } from 'hono';
import { Pool } from 'pg';

type Variables = { store: PostgresStore; tracker: RunTracker };
type App = Hono<{ Variables: Variables }>;

/** What an import does with each line; an application's own work. */
export type ImportLine = (line: string, signal: AbortSignal) => Promise<void>;

export function createApp(pool: Pool, importLine: ImportLine): App {
  const app: App = new Hono();

  // Whoever calls sees the runs of their own space and no others. In real life the
  // space comes from the session, never from a header that anybody can write.
  app.use(async (context, next) => {
    const space = context.req.header('x-space');
    if (!space) return context.json({ error: 'x-space is missing' }, 401);
    // A store and a tracker cost no more than the objects.
    const store = new PostgresStore(pool, { owner: { space_id: space } });
    context.set('store', store);
    context.set('tracker', new RunTracker({ store, linkStore: store }));
    return next();
  });

  app.post('/imports', async (context) => {
    const { tracker } = context.var;
    const lines = (await context.req.text()).split('\n').filter(Boolean);
    // Recorded before the answer is given: what was accepted is never lost from sight.
    const runId = await tracker.createRun({
      runType: 'import',
      trigger: 'user',
      input: { lines: lines.length },
    });
    runImport(tracker, runId, lines, importLine).catch(() => {
      // Why it failed is in its record.
    });
    return context.json({ runId }, 202);
  });

  app.get('/runs', async (context) => {
    const { cursor, status } = context.req.query();
    const query = { cursor, status: status as never };
    return context.json(await context.var.store.listRuns(query));
  });

  app.get('/runs/:id', async (context) => {
    const { store } = context.var;
    const run = await store.getRun(context.req.param('id'));
    if (!run) return notFound(context);
    const { items: steps } = await store.listSteps(run.id);
    return context.json({ ...run, steps });
  });

  // Reaches the import in whatever process it runs, with its next heartbeat.
  app.post('/runs/:id/cancel', async (context) => {
    await context.var.tracker.cancelRun(context.req.param('id'), 'cancelled by the user');
    return context.body(null, 204);
  });

  app.onError((error, context) => {
    if (!(error instanceof RunsError)) return context.json({ error: 'something broke' }, 500);
    const statuses = { not_found: 404, invalid_transition: 409, invalid_argument: 400 } as const;
    const status = error.code === 'unsupported' ? 500 : statuses[error.code];
    return context.json({ error: error.message }, status);
  });

  return app;
}

async function runImport(
  tracker: RunTracker,
  runId: string,
  lines: string[],
  importLine: ImportLine,
): Promise<void> {
  await tracker.executeRun(
    runId,
    (_, { signal }) =>
      tracker.executeStep(runId, { stepType: 'import_lines' }, async (stepId) => {
        const work = (line: string) => importLine(line, signal);
        const { succeeded, failed } = await tracker.executeItems(stepId, lines, work, { signal });
        await tracker.incrementRunOutput(runId, { imported: succeeded, failed });
      }),
    { heartbeatMs: 1000 },
  );
}

function notFound(context: Context): Response {
  return context.json({ error: 'there is no such run' }, 404);
}

if (import.meta.main) {
  const pool = new Pool({ connectionString: process.env.DATABASE_URL });
  await new PostgresStore(pool, { owner: { space_id: 'migration' } }).migrate();
  const app = createApp(pool, async (line) => console.log('imported', line));
  serve({ fetch: app.fetch, port: 3000 }, ({ port }) => console.log(`http://localhost:${port}`));
}
