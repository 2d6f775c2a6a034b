import { env } from 'cloudflare:test';
import { expect, it } from 'vitest';
import { RunTracker } from '../src/index.js';
import { D1Store } from '../src/sql/d1.js';
import { createViewer } from '../src/viewer.js';

it('a viewer in a Worker shows what is in D1, of one owner alone', async () => {
  const open = (space: string) =>
    new D1Store(env.DB, { tablePrefix: 'viewed_', owner: { space_id: space } });
  await open('a').migrate();
  for (const space of ['a', 'b']) {
    const tracker = new RunTracker({ store: open(space) });
    const run = { id: 'r', runType: `sync_${space}`, trigger: 'cron' } as const;
    await tracker.executeRun(run, (runId) =>
      tracker.executeStep(runId, { id: 's', stepType: 'fetch' }, (stepId) =>
        tracker.executeCall(stepId, { tool: 'api', operation: 'GET' }, () => space),
      ),
    );
  }
  // As a Worker would: a store and a viewer for each request.
  const fetch = (path: string) =>
    createViewer({
      reader: open('a'),
      authorize: (request) => request.headers.get('authorization') === 'Bearer secret',
      basePath: '/admin',
    })(
      new Request(`https://example.com/admin${path}`, {
        headers: { authorization: 'Bearer secret' },
      }),
    );
  for (const path of ['/', '/runs/r', '/steps/s', '/api/runs', '/api/runs/r', '/go?id=r']) {
    const response = await fetch(path);
    const text = await response.text();
    expect([path, response.status]).toEqual([path, path === '/go?id=r' ? 303 : 200]);
    expect(text).not.toContain('sync_b');
    if (path === '/' || path.endsWith('runs/r')) expect(text).toContain('sync_a');
  }
  expect((await fetch('/runs/nobody')).status).toBe(404);
  const etag = (await fetch('/')).headers.get('etag');
  expect(etag).toMatch(/^"[0-9a-f]{32}"$/);
});
