/**
 * Audits what npm installed, as a tracked run, and prints what was recorded.
 *
 *     node examples/audit-lockfile.ts [lock file] [folder]
 *     node examples/audit-lockfile.ts --list [folder]       lists the audits so far
 *
 * The lock file is by default the one that npm keeps of what it installed here,
 * `node_modules/.package-lock.json`. The folder, by default `.audit`, keeps what the
 * last audit of each lock file found, for the next to compare with, and in `runs.db`,
 * a SQLite file, the record of every audit.
 *
 * Ctrl-C stops it: the run is then cancelled, with all that was counted so far.
 * Pressed once more, it ends the program at once.
 */
import { hash, randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import { getRunSummary, RunTracker } from '@systemoperator/runs';
import { formatRunTree, loadRunTrace } from '@systemoperator/runs/report';
import { SqliteStore } from '@systemoperator/runs/sqlite';

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
const { values, positionals } = parseArgs({
  options: { list: { type: 'boolean', default: false } },
  allowPositionals: true,
});
const paths = positionals.map((path) => resolve(path));
if (values.list) paths.unshift('');
const [lockfile = join(root, 'node_modules/.package-lock.json'), folder = join(root, '.audit')] =
  paths;
const catalogue = join(folder, `${hash('sha256', lockfile).slice(0, 16)}.json`);

await mkdir(folder, { recursive: true });
const database = new DatabaseSync(join(folder, 'runs.db'));
const store = new SqliteStore(database);
await store.migrate();
const runId = randomUUID();
let count = 0;
const tracker = new RunTracker({
  store,
  linkStore: store,
  // In order, so that what begins within one millisecond is listed as it began.
  generateId: () => `${runId}-${String(++count).padStart(6, '0')}`,
});

const controller = new AbortController();
const { signal } = controller;
// Once: with no listener left, the next Ctrl-C does what it always does.
process.once('SIGINT', () => controller.abort(new Error('stopped by Ctrl-C')));

if (values.list) {
  await listAudits();
} else {
  // Whatever an audit that was killed has left open.
  await tracker.failStale({ olderThanMs: 3_600_000 });
  // Why an audit failed is read from its record, like everything else.
  await audit().catch(() => {});
  const trace = await loadRunTrace(store, runId);
  console.log(formatRunTree(trace, { width: process.stdout.columns }));
  const { status } = trace.run;
  // 130 is what shells expect of a program that Ctrl-C has stopped.
  process.exitCode = status === 'completed' ? 0 : status === 'cancelled' ? 130 : 1;
}
database.close();

/** Prints one line for each of the last audits, newest first. */
async function listAudits(): Promise<void> {
  const { items } = await store.listRuns({ runType: 'audit_lockfile' });
  for (const run of items) {
    const counters = Object.entries(run.output ?? {}).map(([name, count]) => `${name} ${count}`);
    const line = `${run.createdAt.toISOString()}  ${getRunSummary(run)}  ${counters.join(' · ')}`;
    console.log(line.trimEnd());
  }
  if (items.length === 0) console.log('no runs yet');
}

async function audit(): Promise<void> {
  const input = { lockfile, catalogue };
  const params = { id: runId, runType: 'audit_lockfile', trigger: 'manual', input } as const;
  const work = async () => {
    const packages = await readLockfile();
    await compareWithCatalogue(packages);
    await checkInstalled(packages);
    // Last, so that an audit that does not complete leaves the catalogue as it was.
    await saveCatalogue(packages);
  };
  await tracker.executeRun(params, work, { signal });
}

/** Passes the packages on, but keeps them out of the record: they would be most of it. */
function readLockfile(): Promise<Packages> {
  const work = async (stepId: string) => {
    const text = await readText(stepId, lockfile);
    const params = { tool: 'json', operation: 'parse' };
    return tracker.executeCall(stepId, params, () => parseLockfile(text, lockfile), {
      output: ({ size }) => ({ packages: size }),
    });
  };
  return tracker.executeStep(runId, { stepType: 'read_lockfile' }, work, { signal, output: false });
}

/** Reads a file in a call; again when that fails, for npm may be replacing it just now. */
function readText(stepId: string, path: string): Promise<string> {
  const params = { tool: 'fs', operation: 'read', input: { path } };
  return tracker.executeCall(stepId, params, () => readFile(path, 'utf8'), {
    signal,
    retry: { maxAttempts: 3, delayMs: 100 },
    output: ({ length }) => ({ characters: length }),
  });
}

async function compareWithCatalogue(packages: Packages): Promise<void> {
  const work = async (stepId: string) => {
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
  };
  await tracker.executeStep(runId, { stepType: 'compare_catalogue' }, work, { signal });
}

/** Each kind of change is a step of its own, so that its links tell what happened. */
async function linkChanged(
  parentStepId: string,
  stepType: string,
  changed: [path: string, Package][],
): Promise<void> {
  if (changed.length === 0) return;
  const work = async (stepId: string) => {
    for (const [path, { version }] of changed) {
      const entity = { entityType: 'package', entityId: path, externalId: version };
      await tracker.linkStep(stepId, { linkType: 'affected', ...entity });
    }
  };
  await tracker.executeStep(runId, { stepType, parentStepId }, work, { signal });
}

/** Compares what is installed with the lock file. What differs is a failed item: the audit goes on. */
async function checkInstalled(packages: Packages): Promise<void> {
  const work = async (stepId: string) => {
    const check = ([path, locked]: [string, Package]) => checkPackage(path, locked);
    const options = { concurrency: 16, signal };
    const { errors } = await tracker.executeItems(stepId, packages, check, options);
    return errors.map(({ error }) => (error as Error).message);
  };
  await tracker.executeStep(runId, { stepType: 'check_installed' }, work, { signal });
}

async function checkPackage(path: string, locked: Package): Promise<void> {
  const file = join(projectFolder(), path, 'package.json');
  if (!existsSync(file)) {
    const isOptional = locked.optional || locked.devOptional;
    throw new Error(`${path} is not installed${isOptional ? ' (optional)' : ''}`);
  }
  const { version } = parseJson(await readFile(file, { encoding: 'utf8', signal }), file);
  if (version !== locked.version) {
    throw new Error(`${path} has version ${version}, not ${locked.version}`);
  }
}

/** npm's own lock file lies inside `node_modules`, any other beside it. */
function projectFolder(): string {
  const folder = dirname(lockfile);
  return basename(lockfile) === '.package-lock.json' ? dirname(folder) : folder;
}

/** Saves the packages in the form of a lock file, so that both are read in the same way. */
async function saveCatalogue(packages: Packages): Promise<void> {
  const work = async (stepId: string) => {
    const params = { tool: 'fs', operation: 'write', input: { path: catalogue } };
    await tracker.executeCall(stepId, params, async () => {
      const content = { lockfileVersion: 3, packages: Object.fromEntries(packages) };
      const unfinished = `${catalogue}.${runId}.tmp`;
      await writeFile(unfinished, JSON.stringify(content, null, 2));
      // In one move, so that nothing ever finds half a catalogue.
      await rename(unfinished, catalogue);
    });
  };
  await tracker.executeStep(runId, { stepType: 'save_catalogue' }, work, { signal });
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
