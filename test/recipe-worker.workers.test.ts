import { env } from 'cloudflare:test';
import { beforeEach, describe, expect, it } from 'vitest';
import worker, { type Env } from '../examples/worker.js';
import type { Call, Page, Run, Step } from '../src/index.js';
import { D1Store } from '../src/sql/d1.js';
import { aRun } from './support/records.js';

/** A service that answers as the plan says, one answer after the other. */
function workerEnv(...answers: (Response | Error)[]): Env {
  const fetch = async () => {
    const answer = answers.shift();
    if (answer instanceof Response) return answer;
    throw answer ?? new Error('nobody answers');
  };
  return { DB: env.DB, RATES_API: { fetch } };
}

async function get<T>(path: string): Promise<T> {
  const response = await worker.fetch(new Request(`https://example.com${path}`), workerEnv());
  return response.ok ? ((await response.json()) as T) : (response.status as T);
}

const SCHEDULED = Date.UTC(2026, 6, 1, 12);
const ID = `sync_rates-${SCHEDULED}`;
const RATES = { EUR: 1.08, GBP: 1.27, XXX: -1 };

beforeEach(async () => {
  await new D1Store(env.DB).migrate();
  for (const table of ['run_step_links', 'run_calls', 'run_steps', 'runs']) {
    await env.DB.prepare(`delete from ${table}`).all();
  }
});

describe('the Worker', () => {
  it('syncs at its time, once however often it is told', async () => {
    const event = { scheduledTime: SCHEDULED };
    await worker.scheduled(event, workerEnv(Response.json(RATES)));
    await worker.scheduled(event, workerEnv(Response.json(RATES)));

    const { items } = await get<Page<Run>>('/runs');
    expect(items).toMatchObject([
      { id: ID, status: 'completed', trigger: 'cron', output: { saved: 2, refused: 1 } },
    ]);
    const run = await get<Run & { steps: Step[]; calls: Call[] }>(`/runs/${ID}`);
    expect(run.steps.map(({ stepType }) => stepType).sort()).toEqual(['fetch_rates', 'save_rates']);
    expect(run.calls).toMatchObject([
      { tool: 'rates_api', status: 'success', output: { rates: 3 } },
    ]);
    const saved = await env.DB.prepare('select * from rates order by currency').all();
    expect(saved.results).toEqual([
      { currency: 'EUR', value: 1.08 },
      { currency: 'GBP', value: 1.27 },
    ]);
  });

  it('tries again when the service fails, and records each attempt', async () => {
    const answers = [new Response('', { status: 503 }), Response.json(RATES)];
    await worker.scheduled({ scheduledTime: SCHEDULED }, workerEnv(...answers));
    const { calls } = await get<{ calls: Call[] }>(`/runs/${ID}`);
    const attempts = calls.sort((a, b) => a.attempt - b.attempt);
    expect(attempts).toMatchObject([
      { attempt: 1, status: 'error', error: 'rates_api answered 503' },
      { attempt: 2, status: 'success' },
    ]);
  });

  it('says why a sync failed', async () => {
    const failing = worker.scheduled({ scheduledTime: SCHEDULED }, workerEnv());
    await expect(failing).rejects.toThrow('nobody answers');
    expect(await get(`/runs/${ID}`)).toMatchObject({ status: 'failed', error: 'nobody answers' });
  });

  it('ends what was left open, and deletes what is old', async () => {
    const store = new D1Store(env.DB);
    const createdAt = new Date(Date.now() - 40 * 86_400_000);
    const old = { startedAt: createdAt, createdAt, updatedAt: createdAt, completedAt: createdAt };
    await store.insertRun(aRun({ ...old, id: 'old', status: 'completed' }));
    await store.insertRun(aRun({ ...old, id: 'open', status: 'running', completedAt: null }));
    await worker.scheduled({ scheduledTime: SCHEDULED }, workerEnv(Response.json(RATES)));
    expect(await get('/runs/old')).toBe(404);
    expect(await get('/runs/open')).toMatchObject({
      status: 'failed',
      error: expect.stringMatching(/^abandoned: /),
    });
  });

  it('answers with 404 for anything else', async () => {
    expect([await get('/'), await get('/runs/nobody')]).toEqual([404, 404]);
  });
});
