/**
 * A Worker on Cloudflare: a cron trigger syncs exchange rates as a tracked run in D1,
 * and HTTP shows what ran. Its `wrangler.jsonc`:
 *
 *     {
 *       "name": "rates",
 *       "main": "worker.ts",
 *       "compatibility_date": "2026-07-01",
 *       "triggers": { "crons": ["0 * * * *"] },
 *       "d1_databases": [{ "binding": "DB", "database_name": "rates", "database_id": "…" }],
 *       "services": [{ "binding": "RATES_API", "service": "rates-api" }]
 *     }
 */
import { RunTracker } from '@systemoperator/runs';
import { type D1Binding, D1Store } from '@systemoperator/runs/d1';

export interface Env {
  DB: D1Binding;
  RATES_API: { fetch(url: string, init?: { signal: AbortSignal }): Promise<Response> };
}

type Rate = [currency: string, value: number];

const DAY_MS = 86_400_000;

export default {
  async scheduled({ scheduledTime }: { scheduledTime: number }, env: Env): Promise<void> {
    // A store for each event: Workers ties what is on its way to the event that sent it.
    const store = new D1Store(env.DB);
    await store.migrate();
    const tracker = new RunTracker({ store, linkStore: store });
    // What an earlier event has left open, and what nobody looks at any more.
    await tracker.failStale({ olderThanMs: 3_600_000 });
    await store.deleteRuns({ completedBefore: new Date(Date.now() - 30 * DAY_MS) });
    // Cron may deliver an event twice. The second finds its id taken, and does nothing.
    const id = `sync_rates-${scheduledTime}`;
    if (await store.getRun(id)) return;
    await tracker.executeRun(
      { id, runType: 'sync_rates', trigger: 'cron' },
      async (runId, { signal }) => {
        const rates = await fetchRates(tracker, runId, env, signal);
        await saveRates(tracker, runId, env, rates);
      },
      { timeoutMs: 600_000, heartbeatMs: 30_000 },
    );
  },

  async fetch(request: Request, env: Env): Promise<Response> {
    const store = new D1Store(env.DB);
    const { pathname, searchParams } = new URL(request.url);
    if (pathname === '/runs') {
      const cursor = searchParams.get('cursor') ?? undefined;
      return Response.json(await store.listRuns({ limit: 20, cursor }));
    }
    const [, id] = /^\/runs\/([^/]+)$/.exec(pathname) ?? [];
    const run = id && (await store.getRun(decodeURIComponent(id)));
    if (!run) return new Response('There is no such page.', { status: 404 });
    const steps = await store.listSteps(run.id);
    const calls = await store.listCalls(run.id);
    return Response.json({ ...run, steps: steps.items, calls: calls.items });
  },
};

function fetchRates(
  tracker: RunTracker,
  runId: string,
  { RATES_API }: Env,
  signal: AbortSignal,
): Promise<Rate[]> {
  return tracker.executeStep(runId, { stepType: 'fetch_rates' }, (stepId) =>
    tracker.executeCall(
      stepId,
      { tool: 'rates_api', operation: 'GET /latest' },
      async (context) => {
        const response = await RATES_API.fetch('https://rates-api/latest', context);
        if (!response.ok) throw new Error(`rates_api answered ${response.status}`);
        return Object.entries((await response.json()) as Record<string, number>);
      },
      {
        signal,
        timeoutMs: 10_000,
        retry: { maxAttempts: 3 },
        output: (rates) => ({ rates: rates.length }),
      },
    ),
  );
}

function saveRates(
  tracker: RunTracker,
  runId: string,
  { DB }: Env,
  rates: Rate[],
): Promise<unknown> {
  return tracker.executeStep(runId, { stepType: 'save_rates' }, async (stepId) => {
    await DB.prepare('create table if not exists rates (currency text primary key, value)').all();
    const save = async ([currency, value]: Rate) => {
      if (!(value > 0)) throw new Error(`${currency} has the rate ${value}`);
      await DB.prepare('insert or replace into rates values (?, ?)').bind(currency, value).all();
    };
    const { succeeded, failed } = await tracker.executeItems(stepId, rates, save);
    await tracker.incrementRunOutput(runId, { saved: succeeded, refused: failed });
  });
}
