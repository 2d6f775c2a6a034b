/**
 * Audits what npm installed, as a tracked run, and prints what was recorded.
 *
 *     node examples/audit-lockfile.ts [lock file] [catalogue folder]
 *
 * The lock file is by default the one that npm keeps of what it installed here,
 * `node_modules/.package-lock.json`. The catalogue folder, by default `.audit`,
 * keeps what the last audit of each lock file found, for the next to compare with.
 */
import { hash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { RunTracker } from '@systemoperator/runs';
import { ListingStore, printRun } from './print-run.ts';

/** What a lock file says about a package, as far as the audit needs it. */
interface Package {
  version?: string;
  integrity?: string;
  resolved?: string;
  optional?: boolean;
  devOptional?: boolean;
  link?: boolean;
}

/** Packages by install path, such as `node_modules/a/node_modules/b`. */
type Packages = Map<string, Package>;

const root = join(import.meta.dirname, '..');
const [lockfile = join(root, 'node_modules/.package-lock.json'), folder = join(root, '.audit')] =
  process.argv.slice(2).map((path) => resolve(path));
const catalogue = join(folder, `${hash('sha256', lockfile).slice(0, 16)}.json`);

const store = new ListingStore();
const tracker = new RunTracker({ store, linkStore: store });
const runId = randomUUID();

// Why an audit failed is read from its record, like everything else.
await audit().catch(() => {});
await printRun(store, runId);
const run = await store.getRun(runId);
process.exitCode = run?.status === 'completed' ? 0 : 1;

async function audit(): Promise<void> {
  const input = { lockfile, catalogue };
  const params = { id: runId, runType: 'audit_lockfile', trigger: 'manual', input } as const;
  await tracker.executeRun(params, async () => {
    const packages = await readLockfile();
    await compareWithCatalogue(packages);
    await checkInstalled(packages);
    // Last, so that an audit that fails leaves the catalogue as it was.
    await saveCatalogue(packages);
  });
}

async function readLockfile(): Promise<Packages> {
  let packages: Packages = new Map();
  await tracker.executeStep(runId, { stepType: 'read_lockfile' }, async (stepId) => {
    const text = await readText(stepId, lockfile);
    await tracker.executeCall(stepId, { tool: 'json', operation: 'parse' }, () => {
      packages = parseLockfile(text, lockfile);
      return { packages: packages.size };
    });
  });
  return packages;
}

/** Reads a file in a call. What the work returns is recorded: here not the text, but its length. */
async function readText(stepId: string, path: string): Promise<string> {
  let text = '';
  const params = { tool: 'fs', operation: 'read', input: { path } };
  await tracker.executeCall(stepId, params, async () => {
    text = await readFile(path, 'utf8');
    return { characters: text.length };
  });
  return text;
}

async function compareWithCatalogue(packages: Packages): Promise<void> {
  await tracker.executeStep(runId, { stepType: 'compare_catalogue' }, async (stepId) => {
    const previous: Packages = existsSync(catalogue)
      ? parseLockfile(await readText(stepId, catalogue), catalogue)
      : new Map();
    const inserted = [...packages].filter(([path]) => !previous.has(path));
    const removed = [...previous].filter(([path]) => !packages.has(path));
    const kept = [...packages].filter(([path]) => previous.has(path));
    const updated = kept.filter(([path, now]) => identity(now) !== identity(previous.get(path)));

    await tracker.incrementRunOutput(runId, {
      fetched: packages.size,
      inserted: inserted.length,
      updated: updated.length,
      unchanged: kept.length - updated.length,
      removed: removed.length,
    });
    await linkChanged(stepId, 'insert_packages', inserted);
    await linkChanged(stepId, 'update_packages', updated);
    await linkChanged(stepId, 'remove_packages', removed);
  });
}

/** Each kind of change is a step of its own, so that its links tell what happened. */
async function linkChanged(
  parentStepId: string,
  stepType: string,
  changed: [path: string, Package][],
): Promise<void> {
  if (changed.length === 0) return;
  await tracker.executeStep(runId, { stepType, parentStepId }, async (stepId) => {
    for (const [path, { version }] of changed) {
      const entity = { entityType: 'package', entityId: path, externalId: version };
      await tracker.linkStep(stepId, { linkType: 'affected', ...entity });
    }
  });
}

async function checkInstalled(packages: Packages): Promise<void> {
  const params = { stepType: 'check_installed', itemsTotal: packages.size };
  await tracker.executeStep(runId, params, async (stepId) => {
    const problems: string[] = [];
    const entries = [...packages];
    for (let done = 0; done < entries.length; ) {
      const batch = entries.slice(done, done + 50);
      const found = await Promise.all(batch.map(([path, locked]) => findProblem(path, locked)));
      problems.push(...found.filter((problem) => problem !== null));
      done += batch.length;
      await tracker.updateStepProgress(stepId, {
        itemsProcessed: done,
        itemsSucceeded: done - problems.length,
        itemsFailed: problems.length,
      });
    }
    return problems;
  });
}

/** What is wrong with an installed package, or null. Never rejects: the audit goes on. */
async function findProblem(path: string, locked: Package): Promise<string | null> {
  const file = join(projectFolder(), path, 'package.json');
  const isOptional = locked.optional || locked.devOptional;
  if (!existsSync(file)) return `${path} is not installed${isOptional ? ' (optional)' : ''}`;
  try {
    const { version } = parseJson(await readFile(file, 'utf8'), file);
    if (version === locked.version) return null;
    return `${path} has version ${version}, not ${locked.version}`;
  } catch (error) {
    return `${path} cannot be checked: ${(error as Error).message}`;
  }
}

/** npm's own lock file lies inside `node_modules`, any other beside it. */
function projectFolder(): string {
  const folder = dirname(lockfile);
  return basename(lockfile) === '.package-lock.json' ? dirname(folder) : folder;
}

/** Saves the packages in the form of a lock file, so that both are read in the same way. */
async function saveCatalogue(packages: Packages): Promise<void> {
  await tracker.executeStep(runId, { stepType: 'save_catalogue' }, async (stepId) => {
    const params = { tool: 'fs', operation: 'write', input: { path: catalogue } };
    await tracker.executeCall(stepId, params, async () => {
      const content = { lockfileVersion: 3, packages: Object.fromEntries(packages) };
      const unfinished = `${catalogue}.${runId}.tmp`;
      await mkdir(folder, { recursive: true });
      await writeFile(unfinished, JSON.stringify(content, null, 2));
      // In one move, so that nothing ever finds half a catalogue.
      await rename(unfinished, catalogue);
    });
  });
}

function parseLockfile(text: string, path: string): Packages {
  const { lockfileVersion, packages } = parseJson(text, path);
  if (lockfileVersion !== 2 && lockfileVersion !== 3) {
    const found = lockfileVersion ?? 'missing';
    throw new Error(`${path} is not from npm 7 or newer: its lockfileVersion is ${found}`);
  }
  if (!isObject(packages) || !Object.values(packages).every(isObject)) {
    throw new Error(`${path} has no valid "packages"`);
  }
  const entries = Object.entries(packages as Record<string, Package>);
  // '' is the project itself; a link leads to a folder that has an entry of its own.
  return new Map(entries.filter(([key, { link }]) => key !== '' && !link));
}

function parseJson(text: string, path: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (cause) {
    throw new Error(`${path} is not valid JSON`, { cause });
  }
  if (isObject(value)) return value;
  throw new Error(`${path} does not hold a JSON object`);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Differs when the content does: other commits of a git repository may have the same version. */
function identity(entry: Package | undefined): string {
  return `${entry?.version} ${entry?.integrity ?? entry?.resolved}`;
}
