import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createApp } from '../examples/hono-app.js';
import type { Page, Run, Step } from '../src/index.js';
import { PostgresStore } from '../src/sql/postgres.js';
import { type PostgresServer, startPostgres } from './support/postgres-server.js';

let server: PostgresServer;
let app: ReturnType<typeof createApp>;
let forever: Promise<void>;

beforeAll(async () => {
  server = await startPostgres();
  const pool = server.pool();
  await new PostgresStore(pool, { owner: { space_id: 'migration' } }).migrate();
  app = createApp(pool, async (line, signal) => {
    if (line === 'bad') throw new Error('a bad line');
    if (line !== 'endless') return;
    forever = new Promise((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
    });
    await forever;
  });
}, 60_000);

afterAll(() => server?.stop());

async function request<T>(space: string, path: string, body?: string): Promise<[number, T]> {
  const method = body === undefined ? 'GET' : 'POST';
  const headers = space ? { 'x-space': space } : undefined;
  const response = await app.request(path, { method, headers, body } as RequestInit);
  const text = await response.text();
  return [response.status, (text && JSON.parse(text)) as T];
}

type Details = Run & { steps: Step[] };

async function startImport(space: string, lines: string): Promise<string> {
  const [status, { runId }] = await request<{ runId: string }>(space, '/imports', lines);
  expect(status).toBe(202);
  return runId;
}

async function ended(space: string, runId: string): Promise<Details> {
  return vi.waitFor(async () => {
    const [, run] = await request<Details>(space, `/runs/${runId}`);
    expect(run.completedAt).not.toBeNull();
    return run;
  }, 10_000);
}

describe('the Hono app', () => {
  it('accepts an import, does it in the background and shows how far it got', async () => {
    const runId = await startImport('a', 'one\nbad\ntwo\n');
    const run = await ended('a', runId);
    expect(run).toMatchObject({ status: 'completed', output: { imported: 2, failed: 1 } });
    expect(run.steps).toMatchObject([{ stepType: 'import_lines', itemsTotal: 3, itemsFailed: 1 }]);
    const [, { items }] = await request<Page<Run>>('a', '/runs?status=completed');
    expect(items.map(({ id }) => id)).toContain(runId);
  });

  it('cancels an import that runs', async () => {
    const runId = await startImport('a', 'endless');
    await vi.waitFor(() => expect(forever).toBeDefined(), 10_000);
    expect(await request('a', `/runs/${runId}/cancel`, '')).toEqual([204, '']);
    await expect(forever).rejects.toThrow('run was cancelled');
    expect(await ended('a', runId)).toMatchObject({
      status: 'cancelled',
      error: 'cancelled by the user',
    });
  });

  it('shows a space nothing of another', async () => {
    const runId = await startImport('a', 'one');
    await ended('a', runId);
    expect((await request('b', `/runs/${runId}`))[0]).toBe(404);
    expect((await request('b', `/runs/${runId}/cancel`, ''))[0]).toBe(404);
    expect((await request<Page<Run>>('b', '/runs'))[1].items).toEqual([]);
    expect((await request('', '/runs'))[0]).toBe(401);
  });

  it('refuses what makes no sense, with what is wrong with it', async () => {
    const [status, answer] = await request<{ error: string }>('a', '/runs?status=done');
    expect(status).toBe(400);
    expect(answer.error).toMatch(/^Cannot list runs: status must be one of/);
    const runId = await startImport('a', 'one');
    await ended('a', runId);
    expect((await request('a', `/runs/${runId}/cancel`, ''))[0]).toBe(409);
  });
});
