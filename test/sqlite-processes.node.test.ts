import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SqliteStore } from '../src/sql/sqlite.js';
import { aRun, aStep } from '../src/testing/tables.js';

const folder = mkdtempSync(join(tmpdir(), 'runs-processes-'));
const program = join(folder, 'sqlite-process.mjs');

beforeAll(async () => {
  await build({
    entryPoints: [join(import.meta.dirname, 'support/sqlite-process.ts')],
    outfile: program,
    bundle: true,
    format: 'esm',
    platform: 'node',
    logLevel: 'silent',
  });
});

afterAll(() => rmSync(folder, { recursive: true }));

/** Lets several processes do the same task on one file at the same time, and gives what each printed. */
async function runTogether(count: number, task: string, file: string): Promise<unknown[]> {
  const processes = Array.from({ length: count }, () => {
    const child = spawn(process.execPath, [program, task, file]);
    return { child, ready: once(child.stdout, 'data'), output: outputOf(child) };
  });
  await Promise.all(processes.map(({ ready }) => ready));
  for (const { child } of processes) child.stdin?.end('go\n');
  return Promise.all(processes.map(({ output }) => output));
}

async function outputOf(child: ChildProcess): Promise<unknown> {
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name]?.on('data', (data) => {
      texts[name] += data;
    });
  }
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`a process ended with ${code}: ${texts.stderr}`);
  return JSON.parse(texts.stdout.replace('ready\n', ''));
}

const ids = Array.from({ length: 40 }, (_, index) => `${100 + index}`);

it.for(['delete', 'wal'])(
  'of processes that compete on one file one wins each record, and all that is counted counts: journal mode %s',
  { timeout: 30_000 },
  async (mode) => {
    const file = join(folder, `${mode}.db`);
    const database = new DatabaseSync(file);
    database.exec(`pragma journal_mode = ${mode}`);
    const store = new SqliteStore(database);
    await store.migrate();
    await Promise.all([
      store.insertRun(aRun({ id: 'counter' })),
      ...ids.map((id) => store.insertRun(aRun({ id, runType: 'contested' }))),
      ...ids.map((id) => store.insertStep(aStep({ id, runId: null }))),
    ]);
    const results = (await runTogether(4, 'compete', file)) as {
      won: string[];
      swept: string[];
      counted: number;
    }[];
    const all = (key: 'won' | 'swept') => results.flatMap((result) => result[key]).sort();
    expect(all('won')).toEqual(ids);
    expect(all('swept')).toEqual(ids);
    const total = results.reduce((sum, { counted }) => sum + counted, 0);
    expect(total).toBe(4 * 60);
    const { output } = (await store.getRun('counter')) ?? {};
    expect(output).toEqual({ total, by0: 84, by1: 76, by2: 80 });
  },
);

it('of processes that migrate one new file at the same time, all succeed', async () => {
  const file = join(folder, 'new.db');
  expect(await runTogether(8, 'migrate', file)).toEqual(Array(8).fill(null));
  const database = new DatabaseSync(file);
  const rows = database
    .prepare(`select type, count(*) as n from sqlite_schema where sql is not null group by type`)
    .all();
  expect(rows).toEqual([
    { type: 'index', n: 13 },
    { type: 'table', n: 4 },
  ]);
  await new SqliteStore(database).migrate();
}, 30_000);
