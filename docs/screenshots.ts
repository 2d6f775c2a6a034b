/**
 * Makes the screenshots in this folder, from real runs: `npm run screenshots`.
 *
 * Audits of a lock file, a run that fails, one that waits and one that is at work, in a
 * SQLite file that a viewer shows. Needs Chromium on the path.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { RunTracker } from '@systemoperator/runs';
import { SqliteStore } from '@systemoperator/runs/sqlite';
import { createViewer } from '@systemoperator/runs/viewer';
import { launchChromium, openPage, serveViewer } from '../test/support/browser.ts';

const root = join(import.meta.dirname, '..');
const folder = mkdtempSync(join(tmpdir(), 'runs-screenshots-'));
const audit = () => {
  const lockfile = join(root, 'node_modules/.package-lock.json');
  execFileSync(process.execPath, [join(root, 'examples/audit-lockfile.ts'), lockfile, folder]);
};

audit();
const store = new SqliteStore(new DatabaseSync(join(folder, 'runs.db')));
const tracker = new RunTracker({ store });
// Nobody listens at that port: this run fails as a real one does.
await tracker
  .executeRun({ runType: 'fetch_prices', trigger: 'cron' }, (runId) =>
    tracker.executeStep(runId, { stepType: 'fetch_page' }, (stepId) => {
      const call = { tool: 'price_api', operation: 'GET /prices' };
      return tracker.executeCall(stepId, call, () => fetch('http://localhost:1/prices'), {
        retry: { maxAttempts: 2, delayMs: 100 },
      });
    }),
  )
  .catch(() => {});
await tracker.createRun({
  runType: 'import_prices',
  trigger: 'user',
  actorType: 'user',
  actorId: 'user_7',
});
audit();

/** Work that is still going on while the pictures are made: it counts every file that npm installed. */
const files = execFileSync('find', [join(root, 'node_modules'), '-name', 'package.json'])
  .toString()
  .trim()
  .split('\n');
const controller = new AbortController();
const { signal } = controller;
const work = tracker.executeRun(
  { runType: 'measure_packages', trigger: 'cron' },
  (runId) =>
    tracker.executeStep(runId, { stepType: 'measure' }, (stepId) =>
      tracker.executeItems(stepId, files, () => new Promise((resolve) => setTimeout(resolve, 15)), {
        signal,
        progressMs: 100,
      }),
    ),
  { signal },
);
const viewer = createViewer({
  reader: store,
  authorize: () => true,
  title: 'Runs of this checkout',
});
const { url, server } = await serveViewer(viewer);
const browser = await launchChromium();
const { items } = await store.listRuns({ runType: 'audit_lockfile' });
await new Promise((resolve) => setTimeout(resolve, 4000));
for (const colorScheme of ['light', 'dark'] as const) {
  const options = { colorScheme, viewport: { width: 1100, height: 640 }, deviceScaleFactor: 1.5 };
  const { page } = await openPage(browser, url, options);
  await page.goto('/');
  await page.screenshot({ path: join(import.meta.dirname, `list-${colorScheme}.png`) });
  await page.goto(`/runs/${items[0]?.id}`);
  await page.locator('.tree > li > details > summary').first().click();
  await page.screenshot({ path: join(import.meta.dirname, `run-${colorScheme}.png`) });
}
await browser.close();
server.close();
controller.abort();
await work.catch(() => {});
rmSync(folder, { recursive: true });
