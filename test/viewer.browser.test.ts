import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import type { Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import axe from 'axe-core';
import { build } from 'esbuild';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RunTracker } from '../src/index.js';
import { MemoryStore } from '../src/memory.js';
import { SqliteStore } from '../src/sql/sqlite.js';
import { aLink } from '../src/testing/tables.js';
import { createViewer } from '../src/viewer.js';
import { launchChromium, openPage, serveViewer } from './support/browser.js';
import { HOSTILE_STRINGS } from './support/hostile-strings.js';
import { aCall, aRun, aStep } from './support/records.js';

const root = join(import.meta.dirname, '..');
let browser: Browser;
const servers: Server[] = [];
const folders: string[] = [];

beforeAll(async () => {
  browser = await launchChromium();
});

afterAll(async () => {
  await browser?.close();
  for (const server of servers) server.close();
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

async function serve(viewer: Parameters<typeof serveViewer>[0]): Promise<string> {
  const { url, server } = await serveViewer(viewer);
  servers.push(server);
  return url;
}

/** What axe-core finds wrong with a page. */
async function findBarriers(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const violations = await page.evaluate(async () => {
    const found = await (globalThis as unknown as { axe: typeof axe }).axe.run();
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html)}`);
  });
  return violations;
}

/** Audits what npm installed here, in a SQLite file; resolves to the store of the file. */
async function audit(times: number): Promise<SqliteStore> {
  const folder = mkdtempSync(join(tmpdir(), 'runs-viewer-'));
  folders.push(folder);
  const program = join(folder, 'audit.mjs');
  await build({
    absWorkingDir: root,
    entryPoints: ['examples/audit-lockfile.ts'],
    outfile: program,
    tsconfig: 'tsconfig.dev.json',
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });
  const lockfile = join(root, 'node_modules/.package-lock.json');
  for (let count = 0; count < times; count += 1) {
    execFileSync(process.execPath, [program, lockfile, folder]);
  }
  return new SqliteStore(new DatabaseSync(join(folder, 'runs.db')));
}

describe('audits of a lock file in SQLite, served by Node', () => {
  let store: SqliteStore;
  let url: string;

  beforeAll(async () => {
    store = await audit(3);
    await store.insertRun(
      aRun({ id: 'old', runType: 'import', status: 'failed', error: 'first line\nsecond line' }),
    );
    url = await serve(createViewer({ reader: store, authorize: () => true }));
  });

  it('are listed, filtered by an address that can be shared, and paged', async () => {
    const { page, problems } = await openPage(browser, url);
    await page.goto('/');
    expect(await page.title()).toBe('Runs');
    const names = () => page.locator('.runs .name').allTextContents();
    expect(await names()).toEqual(['audit_lockfile', 'audit_lockfile', 'audit_lockfile', 'import']);
    expect(await page.locator('tr', { hasText: 'first line' }).textContent()).not.toMatch(/second/);

    await page.getByLabel('failed').check();
    await page.getByRole('button', { name: 'Filter' }).click();
    expect(new URL(page.url()).searchParams.getAll('status')).toEqual(['failed']);
    expect(await names()).toEqual(['import']);
    expect(await page.getByLabel('failed').isChecked()).toBe(true);
    const shared = page.url();
    await page.goto('about:blank');
    await page.goto(shared);
    expect(await names()).toEqual(['import']);

    await page.goto('/?limit=2');
    await page.getByRole('link', { name: 'Older' }).click();
    expect(await names()).toEqual(['audit_lockfile', 'import']);
    await page.getByRole('link', { name: 'Newest' }).click();
    expect(await names()).toEqual(['audit_lockfile', 'audit_lockfile']);
    expect(problems).toEqual([]);
  });

  it('are shown with their steps and calls, times in the zone of the reader', async () => {
    const { page, problems } = await openPage(browser, url, { timezoneId: 'Asia/Tokyo' });
    await page.goto('/');
    await page.locator('.runs .name').first().click();
    await expect.poll(() => page.locator('h1').textContent()).toContain('audit_lockfile');
    expect(await page.locator('.figures').textContent()).toMatch(/unchanged/);
    const labels = await page.locator('.tree > li > details > summary .name').allTextContents();
    expect(labels).toEqual([
      'read_lockfile',
      'compare_catalogue',
      'check_installed',
      'save_catalogue',
    ]);
    const step = page.locator('details', { hasText: 'read_lockfile' }).first();
    await step.locator('summary').first().click();
    expect(await step.locator('.calls .name').allTextContents()).toEqual(['fs read', 'json parse']);
    const time = page.locator('dl time').first();
    const iso = String(await time.getAttribute('title'));
    const shown = new Date(iso).toLocaleString('en-GB', { timeZone: 'Asia/Tokyo' });
    expect(await time.textContent()).toBe(shown);
    // Each bar lies where its record does in time: none before the one above it.
    const starts = await page
      .locator('.tree > li > details > summary rect')
      .evaluateAll((bars) => bars.map((bar) => Number(bar.getAttribute('x'))));
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
    expect(problems).toEqual([]);
  });

  it('are found by id', async () => {
    const { page } = await openPage(browser, url);
    await page.goto('/');
    await page.getByLabel('Go to id').fill('old');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/runs/old');
    expect(await page.locator('pre.error').textContent()).toBe('first line\nsecond line');
    await page.getByLabel('Go to id').fill('nobody');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/go?id=nobody');
    expect(await page.locator('main').textContent()).toContain('no run and no step with the id');
  });

  it('are used by keyboard alone', async () => {
    const { page, problems } = await openPage(browser, url);
    await page.goto('/');
    await page.keyboard.press('Tab');
    expect(await page.locator(':focus').textContent()).toContain('Skip to the content');
    await page.keyboard.press('Enter');
    const focusOn = async (selector: string) => {
      for (let count = 0; count < 40; count += 1) {
        await page.keyboard.press('Tab');
        if (await page.evaluate((s) => document.activeElement?.matches(s), selector)) return;
      }
      throw new Error(`Tab does not lead to ${selector}`);
    };
    await focusOn('.runs .name');
    await page.keyboard.press('Enter');
    await page.waitForURL('**/runs/*');
    await focusOn('.tree summary');
    await page.keyboard.press('Enter');
    expect(await page.locator('.tree details[open]').count()).toBe(1);
    await focusOn('.calls summary');
    await page.keyboard.press('Enter');
    expect(await page.locator('.calls details[open]').count()).toBe(1);
    const outline = await page.evaluate(
      () => getComputedStyle(document.activeElement as Element).outlineStyle,
    );
    expect(outline).toBe('solid');
    expect(problems).toEqual([]);
  });

  it('are shown without JavaScript', async () => {
    const { page } = await openPage(browser, url, { javaScriptEnabled: false });
    await page.goto('/?status=completed');
    expect(await page.locator('.runs .name').count()).toBe(3);
    expect(await page.locator('.runs time').first().textContent()).toMatch(/UTC$/);
    await page.locator('.runs .name').first().click();
    const step = page.locator('.tree > li > details').first();
    await step.locator('summary').first().click();
    expect(await step.locator('.calls .name').first().isVisible()).toBe(true);
    await page.getByLabel('Go to id').fill('old');
    await page.getByRole('button', { name: 'Go' }).click();
    expect(await page.locator('h1').textContent()).toContain('import');
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    for (const width of [375, 1280]) {
      it(`have no barriers and no sideways scrolling: ${colorScheme}, ${width} px`, async () => {
        const viewport = { width, height: 800 };
        const { page, problems } = await openPage(browser, url, { colorScheme, viewport });
        const { items } = await store.listRuns();
        const [step] = (await store.listSteps(String(items[0]?.id))).items;
        const paths = ['/', `/runs/${items[0]?.id}`, `/steps/${step?.id}`, '/runs/old', '/runs/no'];
        for (const path of paths) {
          await page.goto(path);
          for (const summary of await page.locator('summary').all()) {
            if (await summary.isVisible()) await summary.click();
          }
          expect([path, await findBarriers(page)]).toEqual([path, []]);
          const scrolls = await page.evaluate(
            () => document.documentElement.scrollWidth > document.documentElement.clientWidth,
          );
          expect([path, scrolls]).toEqual([path, false]);
        }
        // A run that is not there is an answer with the status 404, which Chromium reports.
        expect(problems.filter((text) => !text.includes('404'))).toEqual([]);
      });
    }
  }
});

describe('a run that goes on', () => {
  it('is followed to its end without a reload, and nothing that was unfolded folds', async () => {
    const store = new MemoryStore();
    const tracker = new RunTracker({ store });
    const run = await tracker.createRun({ id: 'r', runType: 'import', trigger: 'user' });
    await tracker.startRun(run);
    await tracker.createStep(run, { id: 's', stepType: 'load', itemsTotal: 100, input: { a: 1 } });
    await tracker.startStep('s');
    const answers: number[] = [];
    const viewer = createViewer({ reader: store, authorize: () => true });
    const url = await serve(async (request) => {
      const answer = await viewer(request);
      if (new URL(request.url).pathname === '/runs/r') answers.push(answer.status);
      return answer;
    });
    const { page, problems } = await openPage(browser, url);
    await page.goto('/runs/r');
    await page.evaluate(() => Object.assign(window, { isSamePage: true }));
    await page.locator('#step-s > summary').click();
    await page.locator('#step-s .json summary').click();
    await page.getByLabel('Go to id').fill('half an id');

    await expect.poll(() => answers.includes(304), { timeout: 20_000 }).toBe(true);
    await tracker.updateStepProgress('s', { itemsProcessed: 40, itemsSucceeded: 40 });
    await expect
      .poll(() => page.locator('#step-s progress').getAttribute('value'), { timeout: 40_000 })
      .toBe('40');
    const callId = await tracker.createCall('s', { tool: 'db', operation: 'insert' });
    await tracker.finishCall(callId);
    await expect
      .poll(() => page.locator('.calls .name').allTextContents(), { timeout: 40_000 })
      .toEqual(['db insert']);
    await tracker.finishStep('s');
    await tracker.finishRun(run, { output: { rows: 100 } });
    await expect
      .poll(() => page.locator('h1').textContent(), { timeout: 40_000 })
      .toMatch(/completed/);

    expect(await page.locator('.figures dd').textContent()).toBe('100');
    expect(await page.locator('#step-s').getAttribute('open')).not.toBeNull();
    expect(await page.locator('#step-s .json').getAttribute('open')).not.toBeNull();
    expect(await page.getByLabel('Go to id').inputValue()).toBe('half an id');
    expect(await page.evaluate(() => 'isSamePage' in window)).toBe(true);
    // What has ended is not asked for any more.
    const count = answers.length;
    await page.waitForTimeout(4000);
    expect(answers.length).toBe(count);
    expect(problems).toEqual([]);
  });

  it('comes into the list while that is looked at, and is asked for less often meanwhile', async () => {
    const store = new MemoryStore();
    const tracker = new RunTracker({ store });
    let asked = 0;
    const viewer = createViewer({ reader: store, authorize: () => true });
    const url = await serve((request) => {
      if (new URL(request.url).pathname === '/') asked += 1;
      return viewer(request);
    });
    const { page, problems } = await openPage(browser, url);
    await page.goto('/');
    expect(await page.locator('main').textContent()).toContain('No runs');
    await page.waitForTimeout(6500);
    // After 1, 1.5, 2.25 … seconds, and not every second.
    expect(asked).toBeLessThanOrEqual(5);
    await tracker.createRun({ runType: 'import', trigger: 'user' });
    await expect.poll(() => page.locator('.runs .name').count(), { timeout: 40_000 }).toBe(1);
    expect(problems).toEqual([]);
  });
});

describe('texts that would be something else', () => {
  /** What may be in the pages, and nothing else. */
  const TAGS = new Set(
    'html head meta title link script body a header form label input button main h1 h2 p span fieldset legend select option table caption thead tbody tr th td time nav dl div dt dd pre details summary ol li ul svg rect progress'
      .toUpperCase()
      .split(' '),
  );

  async function inspect(page: Page): Promise<string[]> {
    return page.evaluate(() => {
      const found: string[] = [];
      for (const element of document.querySelectorAll('*')) {
        found.push(`<${element.tagName.toUpperCase()}>`);
        for (const { name, value } of element.attributes) {
          if (/^on|^style$|^srcdoc$/.test(name)) found.push(`attribute ${name}`);
          const isAddress = ['href', 'src', 'action', 'xlink:href'].includes(name);
          if (isAddress && !/^(\/(?!\/)|#|data:,$)/.test(value)) found.push(`address ${value}`);
        }
        // A hostile text that tries for the focus, or reacts to the pointer, gets its chance.
        element.dispatchEvent(new MouseEvent('mouseover', { bubbles: true }));
      }
      return [...new Set(found)];
    });
  }

  it(`stay texts: ${HOSTILE_STRINGS.length} of them, in every field, on every page`, async () => {
    expect(HOSTILE_STRINGS.length).toBeGreaterThanOrEqual(200);
    const store = new MemoryStore();
    const at = (index: number) => new Date(Date.UTC(2026, 0, 1) + index);
    await store.insertRun(aRun({ id: 'all', status: 'running', startedAt: at(0) }));
    for (const [index, text] of HOSTILE_STRINGS.entries()) {
      const any = text as never;
      const payload = { [text]: text, list: [text], nested: { [text]: { [text]: text } } };
      const fields = { input: payload, output: { ...payload, [`${text}#`]: index }, error: text };
      await store.insertRun(
        aRun({
          ...fields,
          id: text,
          runType: text,
          trigger: any,
          actorType: any,
          actorId: text,
          status: index % 2 ? any : 'running',
          currentStep: text,
          createdAt: at(index),
        }),
      );
      const step = {
        ...fields,
        context: payload,
        stepType: text,
        actorType: any,
        actorId: text,
        entityType: text,
        entityId: text,
        itemsTotal: 10,
        itemsProcessed: 5,
        retryOf: text,
        attempt: 2,
        startedAt: at(index),
        createdAt: at(index),
      };
      await store.insertStep(aStep({ ...step, id: text, runId: 'all', parentStepId: text }));
      const own = { ...step, id: `own ${text}`, runId: text, status: 'running' as const };
      await store.insertStep(aStep(own));
      const call = { ...fields, metadata: payload, tool: text, operation: text, status: any };
      await store.insertCall(
        aCall({ ...call, id: text, stepId: text, retryOf: text, attempt: 2, createdAt: at(index) }),
      );
      const link = { linkType: any, entityType: text, entityId: text, externalId: text };
      await store.insertStepLink(aLink({ ...link, id: text, stepId: text }));
    }
    const viewer = createViewer({
      reader: store,
      authorize: () => true,
      title: HOSTILE_STRINGS[40],
    });
    const { page, problems } = await openPage(browser, await serve(viewer));

    const visit = async (path: string, ...shown: string[]) => {
      await page.goto(path, { waitUntil: 'domcontentloaded' });
      const found = await inspect(page);
      const odd = found.filter((what) => !TAGS.has(what.slice(1, -1)));
      expect([path, odd]).toEqual([path, []]);
      const text = await page.evaluate(() => document.body.textContent ?? '');
      const missing = shown.filter((each) => !text.includes(each));
      expect([path, missing]).toEqual([path, []]);
    };
    const encode = encodeURIComponent;
    for (let cursor: string | null = ''; cursor !== null; ) {
      const query: { limit: number; cursor?: string } = { limit: 100 };
      if (cursor) query.cursor = cursor;
      const { items, nextCursor } = await store.listRuns(query);
      const texts = items.filter(({ id }) => id !== 'all').map(({ runType }) => runType);
      await visit(`/?limit=100&cursor=${encode(cursor)}`, ...texts);
      cursor = nextCursor;
    }
    await visit('/runs/all', ...HOSTILE_STRINGS);
    for (const text of HOSTILE_STRINGS) {
      await visit(`/runs?id=${encode(text)}`, text);
      await visit(`/steps?id=${encode(text)}`, text);
      await visit(`/?runType=${encode(text)}&actorId=${encode(text)}&trigger=cron`);
    }
    for (const text of HOSTILE_STRINGS.slice(0, 40)) {
      await visit(`/runs/no${encode(text)}`, text);
      await visit(`/?trigger=${encode(text)}&createdAfter=${encode(text)}`);
    }
    // Answers with the status 400 and 404 are what Chromium reports, and all that it may.
    const executed = problems.filter((text) => !/status of 40[04]/.test(text));
    expect(executed).toEqual([]);
  }, 600_000);
});
