import { beforeEach, describe, expect, it, vi } from 'vitest';
import type { Run, RunReader } from '../src/index.js';
import { MemoryStore } from '../src/memory.js';
import { aLink } from '../src/testing/tables.js';
import { createViewer, type ViewerOptions } from '../src/viewer.js';
import { HOSTILE_STRINGS } from './support/hostile-strings.js';
import { aCall, aRun, aStep } from './support/records.js';

const at = (second: number) => new Date(Date.UTC(2026, 2, 1, 12, 0, second));

let store: MemoryStore;
let reads: string[];
let reader: RunReader;

beforeEach(() => {
  store = new MemoryStore();
  reads = [];
  reader = new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name) as unknown;
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        reads.push(String(name));
        return value.apply(target, args) as unknown;
      };
    },
  });
});

type Init = { method?: string; headers?: Record<string, string> };

function get(path: string, init: Init = {}, options: Partial<ViewerOptions> = {}) {
  const viewer = createViewer({ reader, authorize: () => true, ...options });
  return viewer(new Request(`https://example.com${path}`, init));
}

async function read(path: string, options: Partial<ViewerOptions> = {}): Promise<string> {
  const response = await get(path, {}, options);
  expect([response.status, path]).toEqual([200, path]);
  return response.text();
}

/** What a page says, without its tags; in places where it matters only as text. */
const textOf = (html: string) =>
  html
    .replace(/<[^>]*>/g, ' ')
    .replace(/&quot;/g, '"')
    .replace(/&lt;/g, '<')
    .replace(/&amp;/g, '&')
    .replace(/\s+/g, ' ');

const namesIn = (html: string) =>
  [...html.matchAll(/<a class="name" href="[^"]*">([^<]*)</g)].map(([, name]) => name);

/** A run with everything that a page can show. */
async function insertJob(): Promise<void> {
  await store.insertRun(
    aRun({
      id: 'r1',
      runType: 'sync_prices',
      trigger: 'webhook',
      actorType: 'user',
      actorId: 'user_7',
      status: 'failed',
      startedAt: at(0),
      completedAt: at(9),
      durationMs: 9000,
      input: { account: { name: 'acme', tags: ['a', 'b'], none: null, empty: [] } },
      output: { fetched: 12_345, source: 'api' },
      error: 'price_api answered 503\ncaused by: socket closed',
      createdAt: at(0),
    }),
  );
  const ended = { startedAt: at(1), completedAt: at(5), durationMs: 4000, createdAt: at(1) };
  await store.insertStep(
    aStep({
      ...ended,
      id: 's1',
      stepType: 'fetch_page',
      status: 'completed',
      actorType: 'agent',
      actorId: 'agent_1',
      entityType: 'page',
      entityId: 'p_1',
      context: { page: 1 },
      itemsTotal: 2000,
      itemsProcessed: 2000,
      itemsSucceeded: 1990,
      itemsFailed: 10,
    }),
  );
  await store.insertStep(
    aStep({
      ...ended,
      id: 's2',
      parentStepId: 's1',
      stepType: 'parse',
      status: 'failed',
      error: 'bad row',
    }),
  );
  await store.insertStep(
    aStep({ ...ended, id: 's3', parentStepId: 's1', stepType: 'parse', attempt: 2, retryOf: 's2' }),
  );
  const call = { stepId: 's1', tool: 'price_api', operation: 'GET /prices', createdAt: at(2) };
  await store.insertCall(
    aCall({ ...call, id: 'c1', status: 'error', error: 'timeout', durationMs: 500 }),
  );
  await store.insertCall(
    aCall({ ...call, id: 'c2', attempt: 2, retryOf: 'c1', status: 'success', metadata: { m: 1 } }),
  );
  await store.insertStepLink(
    aLink({ id: 'l1', stepId: 's1', entityType: 'price', entityId: 'pr_1', externalId: 'ext_9' }),
  );
}

const PATHS = [
  '/',
  '/runs/r1',
  '/steps/s1',
  '/go?id=r1',
  '/api/runs',
  '/api/runs/r1',
  '/viewer.js',
  '/viewer.css',
  '/nothing',
  '/runs/nobody',
  '/?cursor=nonsense',
];

describe('who is not allowed in', () => {
  const REFUSALS: Record<string, ViewerOptions['authorize']> = {
    'is refused': () => false,
    'is refused later': async () => false,
    'makes it throw': () => {
      throw new Error('no session');
    },
    'makes it reject': () => Promise.reject(new Error('no session')),
    'is let in by anything but true': () => 'yes' as never,
  };
  for (const [name, authorize] of Object.entries(REFUSALS)) {
    it(`gets nothing from any path, by any method: ${name}`, async () => {
      await insertJob();
      for (const path of PATHS) {
        for (const method of ['GET', 'HEAD', 'POST', 'DELETE', 'OPTIONS']) {
          const response = await get(path, { method }, { authorize });
          const body = await response.text();
          expect([response.status, body]).toEqual([403, method === 'HEAD' ? '' : 'Forbidden\n']);
          expect(response.headers.get('etag')).toBeNull();
        }
      }
      expect(reads).toEqual([]);
    });
  }

  it('is decided for each request anew, and is given the request', async () => {
    const asked: string[] = [];
    const authorize = (request: Request) => {
      asked.push(new URL(request.url).pathname);
      return request.headers.get('cookie') === 'admin';
    };
    const viewer = createViewer({ reader, authorize });
    const statuses: number[] = [];
    for (const cookie of ['admin', 'nobody', 'admin']) {
      const request = new Request('https://example.com/viewer.css', { headers: { cookie } });
      statuses.push((await viewer(request)).status);
    }
    expect([statuses, asked]).toEqual([[200, 403, 200], Array(3).fill('/viewer.css')]);
  });
});

describe('every answer', () => {
  it('keeps browsers from loading, framing, guessing and keeping anything', async () => {
    await insertJob();
    const broken = { ...reader, listRuns: () => Promise.reject(new Error('broken')) };
    vi.spyOn(console, 'error').mockImplementation(() => {});
    const responses = [
      ...(await Promise.all(PATHS.map((path) => get(path)))),
      await get('/', { method: 'POST' }),
      await get('/', {}, { authorize: () => false }),
      await get('/', {}, { reader: broken as RunReader }),
    ];
    expect(new Set(responses.map(({ status }) => status))).toEqual(
      new Set([200, 303, 400, 403, 404, 405, 500]),
    );
    for (const { headers } of responses) {
      expect(headers.get('content-security-policy')).toBe(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
      );
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('cache-control')).toBe('no-store');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('content-type')).toMatch(/; charset=utf-8$/);
    }
  });

  it('to another method than GET and HEAD is a refusal', async () => {
    for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const response = await get('/', { method });
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    }
    expect(reads).toEqual([]);
  });

  it('to HEAD is that to GET, without the body', async () => {
    await insertJob();
    for (const path of PATHS) {
      const [got, head] = [await get(path), await get(path, { method: 'HEAD' })];
      expect([head.status, await head.text()]).toEqual([got.status, '']);
      expect(Object.fromEntries(head.headers)).toEqual(Object.fromEntries(got.headers));
    }
  });

  it('has no inline script and no inline style, and names nothing outside', async () => {
    await insertJob();
    for (const path of ['/', '/runs/r1', '/steps/s1']) {
      const html = await read(path);
      expect(html).not.toMatch(/<style| style=| on\w+=|javascript:|https?:|\/\//i);
      expect(html.match(/<script/g)).toHaveLength(1);
      expect(html).toContain('<script src="/viewer.js" defer');
    }
  });

  it('is told by its ETag, which changes with the records and with nothing else', async () => {
    await insertJob();
    for (const path of ['/', '/runs/r1', '/steps/s1', '/api/runs', '/api/runs/r1', '/viewer.js']) {
      const first = await get(path);
      const etag = String(first.headers.get('etag'));
      for (const known of [etag, `W/${etag}`, `"other", ${etag}`]) {
        const again = await get(path, { headers: { 'if-none-match': known } });
        expect([again.status, await again.text(), path]).toEqual([304, '', path]);
      }
      expect((await get(path, { headers: { 'if-none-match': '"other"' } })).status).toBe(200);
      if (path === '/viewer.js') continue;
      await store.updateRun('r1', { error: path });
      await store.updateStep('s1', { error: path });
      const changed = await get(path, { headers: { 'if-none-match': etag } });
      expect([changed.status, path]).toEqual([200, path]);
      expect(await changed.text()).toContain(path);
    }
  });
});

describe('the list', () => {
  const insertRuns = async (...runs: Partial<Run>[]) => {
    for (const [index, fields] of runs.entries()) {
      const id = `r${index}`;
      await store.insertRun(aRun({ id, runType: id, createdAt: at(index), ...fields }));
    }
  };

  it('shows runs newest first: status, type, id, who, when, how long, and why not', async () => {
    await insertJob();
    await store.insertRun(aRun({ id: 'r2', runType: 'import', createdAt: at(30) }));
    const html = await read('/');
    expect(namesIn(html)).toEqual(['import', 'sync_prices']);
    const text = textOf(html);
    expect(text).toContain('○ pending import r2');
    expect(text).toMatch(/✗ failed sync_prices r1 price_api answered 503 webhook user user_7/);
    expect(text).toContain('2026-03-01 12:00:00 UTC 9.0s');
    expect(text).not.toContain('socket closed');
    expect(html).toContain('<time datetime="2026-03-01T12:00:00.000Z" title="2026-03-01T12:00:00.');
  });

  it('shows of a running run the step that it is at, with its progress', async () => {
    const startedAt = new Date(Date.now() - 10_000);
    await insertRuns(
      { status: 'running', currentStep: 'load', startedAt },
      { status: 'running', currentStep: 'wait', startedAt },
      { status: 'completed' },
    );
    const running = { runId: 'r0', status: 'running', startedAt } as const;
    await store.insertStep(
      aStep({ ...running, id: 'a', stepType: 'load', itemsTotal: 200, itemsProcessed: 50 }),
    );
    await store.insertStep(aStep({ ...running, id: 'b', stepType: 'watch', createdAt: at(50) }));
    const html = await read('/');
    const text = textOf(html);
    expect(text).toMatch(/r0 r0 load 50 of 200 · 5\/s · (29\.\d|30\.0)s left/);
    expect(html).toContain('<progress aria-label="load: items processed" value="50" max="200">');
    expect(text).toMatch(/r1 r1 wait/);
    expect(text).toMatch(/1\d\.\ds /);
    // One bounded read for each running run, and one for the page.
    expect(reads.sort()).toEqual(['listRuns', 'listSteps', 'listSteps']);
  });

  it('is filtered by its address, and shows what it is filtered by', async () => {
    await insertRuns(
      { status: 'failed', runType: 'sync' },
      { status: 'failed', trigger: 'user', actorId: 'u 1' },
      { status: 'cancelled', trigger: 'user' },
      { status: 'completed' },
    );
    const filters: [string, string[]][] = [
      ['status=failed', ['r1', 'sync']],
      ['status=failed&status=cancelled', ['r2', 'r1', 'sync']],
      ['runType=sync', ['sync']],
      ['trigger=user', ['r2', 'r1']],
      ['actorId=u+1', ['r1']],
      ['createdAfter=2026-03-01T12:00:01', ['r3', 'r2']],
      ['createdBefore=2026-03-01T12:00:01.500Z', ['r1', 'sync']],
      ['createdBefore=2026-03-01T13:00:01%2B01:00', ['sync']],
      ['createdAfter=2026-03-02', []],
      ['status=&runType=&trigger=&actorId=&createdAfter=&cursor=', ['r3', 'r2', 'r1', 'sync']],
      ['status=failed&trigger=user&limit=1', ['r1']],
    ];
    for (const [query, names] of filters) {
      expect([query, namesIn(await read(`/?${query}`))]).toEqual([query, names]);
    }
    const html = await read(
      '/?status=failed&runType=sync&trigger=cron&createdAfter=2026-03-01T10:00Z',
    );
    expect(html).toMatch(/value="failed" checked/);
    expect(html).toMatch(/name="runType" value="sync"/);
    expect(html).toMatch(/<option[^>]* value="cron"[^>]*>|<option[^>]*selected[^>]*>cron/);
    expect(html).toMatch(/name="createdAfter" value="2026-03-01T10:00"/);
    expect(html).toContain('Show all');
    expect(await read('/')).not.toContain('Show all');
  });

  it('is paged, keeps its filters, and leads back', async () => {
    await insertRuns(...Array.from({ length: 7 }, () => ({ status: 'failed' as const })));
    await insertRuns();
    const seen: (string | undefined)[] = [];
    let path: string | undefined = '/?status=failed&limit=3';
    let pages = 0;
    while (path) {
      const html = await read(path);
      seen.push(...namesIn(html));
      expect(html.includes('>Newest</a>')).toBe(pages > 0);
      path = html.match(/href="([^"]*)" rel="next"/)?.[1]?.replaceAll('&amp;', '&');
      if (path) expect(path).toMatch(/^\/\?status=failed&limit=3&cursor=/);
      pages += 1;
    }
    expect([seen, pages]).toEqual([['r6', 'r5', 'r4', 'r3', 'r2', 'r1', 'r0'], 3]);
  });

  it('says when there is nothing', async () => {
    expect(textOf(await read('/'))).toContain('No runs that match.');
    await insertRuns({}, {});
    const { nextCursor } = await store.listRuns({ limit: 1 });
    const text = textOf(await read(`/?runType=none&cursor=${nextCursor}`));
    expect(text).toContain('No runs further back.');
  });

  it('goes on while pages are looked at, whatever runs', async () => {
    expect(await read('/')).toContain('data-live="true"');
  });
});

describe('the page of a run', () => {
  it('shows what it is, what it counted and why it failed', async () => {
    await insertJob();
    const html = await read('/runs/r1');
    const text = textOf(html);
    expect(html).toContain('<title>sync_prices · Runs</title>');
    expect(text).toMatch(/sync_prices ✗ failed Id r1 Trigger webhook Actor user user_7/);
    expect(text).toContain('Duration 9.0s price_api answered 503 caused by: socket closed');
    expect(html).toMatch(/<dt>fetched<\/dt><dd>12,345<\/dd>/);
    expect(text).toContain('input 1 member account 4 members name acme tags 2 items 0 a 1 b');
    expect(text).toMatch(/none null empty \[\]/);
    expect(text).toContain('output 2 members fetched 12345 source api');
    expect(html).not.toContain('data-live');
  });

  it('shows its steps and calls as a tree, each with its place in time', async () => {
    await insertJob();
    const html = await read('/runs/r1');
    const ids = [...html.matchAll(/<details id="([^"]*)"/g)].map(([, id]) => id);
    expect(ids).toEqual(['step-s1', 'call-c1', 'call-c2', 'step-s2', 'step-s3']);
    const bars = [...html.matchAll(/<rect x="([\d.]+)" y="1" width="([\d.]+)"/g)];
    expect(bars).toHaveLength(5);
    expect(Math.round(Number(bars[0]?.[1]))).toBe(111);
    expect(Math.round(Number(bars[0]?.[2]))).toBe(444);
    expect(html).toContain('href="#step-s2"');
    expect(html).toContain('href="#call-c1"');
    const text = textOf(html);
    expect(text).toContain('✗ failed parse bad row');
    expect(text).toContain('parse attempt 2');
    expect(text).toContain('2,000 of 2,000 · 1,990 succeeded · 10 failed · 500/s');
    expect(text).toContain('by agent agent_1 about page p_1');
    expect(text).toMatch(/Linked entities .* output price pr_1 ext_9/);
    expect(text).toContain('context 1 member page 1');
    expect(text).toContain('metadata 1 member m 1');
  });

  it('is live until it has ended', async () => {
    await store.insertRun(
      aRun({ id: 'r', status: 'running', startedAt: at(0), currentStep: 'load' }),
    );
    const html = await read('/runs/r');
    expect(html).toContain('data-live="true"');
    expect(html).toContain('data-since="2026-03-01T12:00:00.000Z"');
    expect(textOf(html)).toContain('Current step load');
    expect(textOf(html)).toContain('No steps yet.');
  });

  it('shows what a step counts without a total, and a total without a count', async () => {
    await store.insertRun(aRun({ id: 'r' }));
    await store.insertStep(aStep({ id: 's1', runId: 'r', itemsProcessed: 7 }));
    await store.insertStep(aStep({ id: 's2', runId: 'r', itemsTotal: 9 }));
    const html = await read('/runs/r');
    expect(textOf(html)).toMatch(/ 7 .* 0 of 9 /);
    expect(html.match(/<progress/g)).toHaveLength(1);
  });

  it('bears times that are none', async () => {
    const never = new Date(Number.NaN);
    await store.insertRun(
      aRun({ id: 'r', status: 'running', startedAt: never, createdAt: never, updatedAt: never }),
    );
    expect(textOf(await read('/runs/r'))).toContain('Created unknown Started unknown Duration');
  });

  it('says where there is more than it shows', async () => {
    await store.insertRun(aRun({ id: 'r' }));
    await store.insertStep(aStep({ id: 's', runId: 'r' }));
    for (let index = 0; index < 1001; index += 1) {
      await store.insertCall(aCall({ id: `c${index}`, stepId: 's', createdAt: at(index) }));
    }
    expect(textOf(await read('/runs/r'))).toContain('There are more calls than are shown here.');
  });

  it('shows a payload of very many members as text', async () => {
    const list = Array.from({ length: 600 }, (_, index) => index);
    await store.insertRun(aRun({ id: 'r', output: { list, nested: { deep: list } } }));
    const html = await read('/runs/r');
    expect(html).toMatch(/<pre>\{\n {2}&quot;list&quot;: \[\n {4}0,/);
    expect(html.match(/<li>/g)).toBeNull();
  });
});

describe('the page of a step', () => {
  it('shows a step that stands alone, with its calls and links', async () => {
    await store.insertStep(
      aStep({
        id: 'alone',
        runId: null,
        status: 'running',
        startedAt: at(0),
        error: 'so far\nso bad',
      }),
    );
    await store.insertCall(aCall({ id: 'c', stepId: 'alone', tool: 'db', operation: 'select' }));
    await store.insertStepLink(aLink({ stepId: 'alone', entityId: 'ch_5' }));
    const html = await read('/steps/alone');
    const text = textOf(html);
    expect(text).toMatch(/fetch ◐ running Id alone Run none: it stands alone Actor system/);
    expect(text).toContain('so far so bad');
    expect(text).toContain('db select');
    expect(text).toContain('output charge ch_5');
    expect(html).toContain('data-live="true"');
  });

  it('leads to its run, to the step it is part of and to the attempt before', async () => {
    await insertJob();
    const html = await read('/steps/s3');
    for (const href of ['/runs/r1', '/steps/s1', '/steps/s2']) {
      expect(html).toContain(`href="${href}"`);
    }
    expect(textOf(html)).toContain('Attempt 2, after s2');
    expect(textOf(await read('/steps/s1'))).toContain('About page p_1');
  });

  it.for([
    ['s', '/steps/s'],
    ['..', '/steps?id=..'],
  ] as const)(
    'shows all calls of %s, page by page, and says where there are more links',
    async ([id, start]) => {
      await store.insertStep(aStep({ id, runId: null, status: 'completed' }));
      for (let index = 0; index < 450; index += 1) {
        await store.insertCall(aCall({ id: `c${index}`, stepId: id, createdAt: at(index) }));
        await store.insertStepLink(aLink({ id: `l${index}`, stepId: id }));
      }
      const seen: string[] = [];
      let path: string | undefined = start;
      while (path) {
        const html: string = await read(path);
        seen.push(...[...html.matchAll(/id="call-(c\d+)"/g)].map(([, id]) => String(id)));
        expect(textOf(html)).toContain('There are more links than these.');
        path = html.match(/href="([^"]*)" rel="next"/)?.[1]?.replaceAll('&amp;', '&');
      }
      expect(seen).toEqual(Array.from({ length: 450 }, (_, index) => `c${index}`));
    },
  );
});

describe('JSON', () => {
  it('is what the reader lists, with the same filters', async () => {
    await insertJob();
    const page = JSON.parse(await read('/api/runs?status=failed&limit=1'));
    expect(page).toEqual(JSON.parse(JSON.stringify(await store.listRuns({ status: 'failed' }))));
    expect(JSON.parse(await read('/api/runs?status=completed')).items).toEqual([]);
  });

  it('of a run has its steps as a tree, with their calls and links', async () => {
    await insertJob();
    const { run, steps, isCut } = JSON.parse(await read('/api/runs/r1'));
    expect(run).toEqual(JSON.parse(JSON.stringify(await store.getRun('r1'))));
    expect(isCut).toEqual({ steps: false, calls: false, links: false });
    expect(steps[0].step.id).toBe('s1');
    expect(steps[0].steps.map(({ step }: { step: { id: string } }) => step.id)).toEqual([
      's2',
      's3',
    ]);
    expect(steps[0].calls.map(({ id }: { id: string }) => id)).toEqual(['c1', 'c2']);
    expect(steps[0].links).toMatchObject([{ entityId: 'pr_1' }]);
  });
});

describe('what makes no sense', () => {
  const BAD: [path: string, status: number, message: RegExp][] = [
    ['/?cursor=nonsense', 400, /Cannot list runs: cursor must be the nextCursor of a page/],
    ['/?status=done', 400, /status must be one of pending, running/],
    ['/?trigger=often', 400, /trigger must be one of cron/],
    ['/?limit=501', 400, /limit must be a whole number from 1 to 500/],
    ['/?createdAfter=yesterday', 400, /createdAfter must be a time such as .*, not "yesterday"/],
    ['/?createdBefore=2026-13-01T00:00', 400, /createdBefore must be a time/],
    ['/runs/nobody', 404, /run "nobody": it does not exist/],
    ['/steps/nobody', 404, /step "nobody": it does not exist/],
    ['/steps/s1?cursor=nonsense', 400, /Cannot list calls: cursor must be/],
    ['/runs/%E0%A4%A', 400, /the id must be encoded as URLs are/],
    ['/go?id=nobody', 404, /There is no run and no step with the id "nobody"/],
    ['/go', 400, /id must be the id of a run or of a step/],
    ['/runs', 404, /There is no such page/],
    ['/runs/r1/more', 404, /There is no such page/],
    ['/api', 404, /There is no such page/],
    ['/api/steps/s1', 404, /There is no such page/],
    ['/api/runs/nobody', 404, /run "nobody": it does not exist/],
    ['/api/runs?limit=x', 400, /limit must be/],
    ['/viewer.js.map', 404, /There is no such page/],
  ];
  it.for(BAD)('%s is answered with %i and what is wrong', async ([path, status, message]) => {
    await insertJob();
    const response = await get(path);
    const body = await response.text();
    expect(response.status).toBe(status);
    if (path.startsWith('/api/')) expect(JSON.parse(body).error).toMatch(message);
    else expect(textOf(body)).toMatch(message);
  });

  it('is what breaks inside: it is logged, and nothing of it is shown', async () => {
    const logged = vi.spyOn(console, 'error').mockImplementation(() => {});
    const secret = new Error('password=hunter2\nat /srv/app.ts');
    for (const method of ['listRuns', 'getRun', 'getStep'] as const) {
      const broken = { ...memoryMethods(store), [method]: () => Promise.reject(secret) };
      for (const path of {
        listRuns: ['/', '/api/runs'],
        getRun: ['/runs/r1', '/go?id=r1'],
        getStep: ['/steps/s1'],
      }[method]) {
        const response = await get(path, {}, { reader: broken });
        const body = await response.text();
        expect([response.status, path]).toEqual([500, path]);
        expect(body).toContain('Something went wrong');
        expect(body).not.toMatch(/hunter2|app\.ts/);
      }
    }
    expect(logged).toHaveBeenCalledWith(
      '[@systemoperator/runs] viewer: password=hunter2 at /srv/app.ts',
    );
  });
});

function memoryMethods(memory: MemoryStore): RunReader {
  return {
    getRun: (id) => memory.getRun(id),
    getStep: (id) => memory.getStep(id),
    listRuns: (query) => memory.listRuns(query),
    listSteps: (runId, query) => memory.listSteps(runId, query),
    listCalls: (runId, query) => memory.listCalls(runId, query),
    listLinks: (runId, query) => memory.listLinks(runId, query),
  };
}

describe('where it is mounted', () => {
  it('is where all of its addresses begin', async () => {
    await insertJob();
    for (const basePath of ['/admin/runs', '/admin/runs/']) {
      for (const path of ['/admin/runs', '/admin/runs/', '/admin/runs/runs/r1']) {
        const html = await read(path, { basePath });
        const addresses = [...html.matchAll(/(?:href|src|action)="([^"]*)"/g)].map(([, to]) => to);
        const own = addresses.filter((to) => !to?.startsWith('#') && to !== 'data:,');
        expect(own.length).toBeGreaterThan(4);
        expect(own.filter((to) => !to?.startsWith('/admin/runs/'))).toEqual([]);
      }
      for (const path of ['/', '/admin', '/admin/runsome', '/runs/r1']) {
        expect((await get(path, {}, { basePath })).status).toBe(404);
      }
    }
    const location = (await get('/x/go?id=s1', {}, { basePath: '/x' })).headers.get('location');
    expect(location).toBe('/x/steps/s1');
  });

  it('is refused when it is no path, and so is a viewer that lets everybody in', () => {
    for (const basePath of ['admin', '/a b', '//evil.example', '/a"b', '/<x>', 'https://x']) {
      const create = () => createViewer({ reader, authorize: () => true, basePath });
      expect(create).toThrow(/^Cannot create viewer: basePath must be a path/);
    }
    for (const authorize of [undefined, true, 'yes']) {
      const create = () => createViewer({ reader, authorize: authorize as never });
      expect(create).toThrow(/^Cannot create viewer: authorize must be a function/);
    }
  });

  it('has the title that it is given', async () => {
    expect(await read('/', { title: 'Jobs & <more>' })).toContain(
      '<title>Jobs &amp; &lt;more></title>',
    );
  });
});

describe('ids', () => {
  const IDS = [
    'a/b',
    '..',
    '.',
    'a b',
    '?x=1',
    '#x',
    '%2F',
    'ä€😀',
    '<b>',
    '"',
    "'",
    '\\',
    'a&b=c',
  ];
  it.for(IDS)('%s leads from the list to the run and to the step', async (id) => {
    await store.insertRun(aRun({ id, runType: 'odd', status: 'completed' }));
    await store.insertStep(aStep({ id, runId: id, stepType: 'odd_step' }));
    const html = await read('/');
    const href = html.match(/<a class="name" href="([^"]*)"/)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const page = await read(href);
    expect(page).toContain('odd_step');
    const stepHref = page.match(/<a href="([^"]*)">Step<\/a>/)?.[1]?.replaceAll('&amp;', '&') ?? '';
    expect(await read(stepHref)).toContain('<title>odd_step · Runs</title>');
    const to = await get(`/go?id=${encodeURIComponent(id)}`);
    expect([to.status, to.headers.get('location')]).toEqual([303, href]);
    expect(JSON.parse(await read(`/api${href}`)).run.id).toBe(id);
  });
});

it('texts of any kind stay texts', async () => {
  // What a browser makes of them is seen in a browser; here, that no tag comes from a record.
  const tags = (html: string) => html.match(/<\/?[a-z]+/g)?.length;
  const render = async (text: string) => {
    store = new MemoryStore();
    reader = store;
    const payload = { [text]: text, list: [text] };
    await store.insertRun(
      aRun({
        id: 'r',
        runType: text,
        trigger: text as never,
        actorType: text as never,
        actorId: text,
        status: text as never,
        currentStep: text,
        input: payload,
        output: { ...payload, [`${text}!`]: 1 },
        error: text,
      }),
    );
    const step = { runId: 'r', stepType: text, error: text, entityType: text, entityId: text };
    await store.insertStep(
      aStep({
        ...step,
        id: text,
        actorId: text,
        context: payload,
        input: payload,
        output: payload,
      }),
    );
    await store.insertStep(aStep({ ...step, id: `${text}2`, retryOf: text, attempt: 2 }));
    await store.insertCall(
      aCall({ stepId: text, tool: text, operation: text, error: text, metadata: payload }),
    );
    const link = { stepId: text, entityType: text, entityId: text, externalId: text };
    await store.insertStepLink(aLink({ ...link, linkType: text as never }));
    const stepPath = `/steps?id=${encodeURIComponent(text)}`;
    const pages = await Promise.all(['/', '/runs/r', stepPath].map((path) => read(path)));
    const query = new URLSearchParams({ runType: text, actorId: text, trigger: 'cron' });
    pages.push(
      await read(`/?${query}`),
      await (await get(`/runs/${encodeURIComponent(text)}`)).text(),
    );
    return pages.map(tags);
  };
  const plain = await render('plain');
  expect(plain.every((count) => (count ?? 0) > 20)).toBe(true);
  for (const text of HOSTILE_STRINGS) expect([text, await render(text)]).toEqual([text, plain]);
});
