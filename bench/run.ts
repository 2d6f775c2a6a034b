/**
 * What tracking costs, beside OpenTelemetry's spans: `npm run bench`.
 *
 * Every figure is measured in a process of its own, and the processes take turns,
 * so that a machine that is slow for a while is slow for everybody.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { type Benchmark, formatCount, median, print, type Table } from './report.ts';

const TURNS = 5;
const OPERATIONS = {
  call: '`executeCall`',
  nested: '`executeRun` ⊃ `executeStep` ⊃ `executeCall`',
};
type Operation = keyof typeof OPERATIONS;

const SUBJECTS = {
  none: 'nothing is tracked',
  opentelemetry: 'OpenTelemetry',
  'no-op store': 'a store that does nothing',
  'conditional Map': 'a `Map`, conditional updates',
  'plain Map': 'a `Map`, nine methods',
  MemoryStore: '`MemoryStore`',
};
/** The most that each may take, as a ratio to OpenTelemetry's spans. */
const AIMS: Record<string, { call?: number; nested?: number }> = {
  'no-op store': { call: 0.5, nested: 0.5 },
  'conditional Map': { call: 0.7, nested: 0.85 },
  'plain Map': { nested: 1.1 },
};

const here = fileURLToPath(new URL('.', import.meta.url));

export const tracking: Benchmark = {
  title: 'What tracking costs',
  about: `Time of the processor in the application, beside what [OpenTelemetry](https://opentelemetry.io)'s spans cost:
one function that does nothing is called inside one \`executeCall\`, and inside a run around a step around a call; for
OpenTelemetry, inside one span and inside three, with the same texts as attributes, a processor that drops them and no
context manager. What is measured is the bookkeeping alone, without any database: the stores keep records in a \`Map\`,
or do nothing at all. Ids are random UUIDs, but counted up for the two \`Map\`s. \`MemoryStore\` is made for tests: it
copies whatever goes in and comes out. Each figure is the median of ${TURNS} processes, each of which takes the median of
many rounds.`,
  async measure({ isQuick }, tell) {
    for (const operation of Object.keys(OPERATIONS) as Operation[]) {
      tell(compare(operation, isQuick ? 1 : TURNS));
    }
    tell(preparing());
  },
};

function compare(operation: Operation, turns: number): Table {
  const times = new Map<string, number[]>(Object.keys(SUBJECTS).map((name) => [name, []]));
  for (let turn = 0; turn < turns; turn += 1) {
    for (const [name, values] of times) {
      values.push(Number(run(join(here, 'subject.ts'), name, operation)));
    }
  }
  const base = median(times.get('opentelemetry') ?? []);
  return {
    title: OPERATIONS[operation],
    columns: ['kept in', 'ns', 'to OpenTelemetry'],
    rows: Object.entries(SUBJECTS).map(([name, title]) => {
      const time = median(times.get(name) ?? []);
      return [title, Math.round(time), time / base];
    }),
    aimed: Object.entries(SUBJECTS).flatMap(([name, title]) => {
      const atMost = AIMS[name]?.[operation];
      if (!atMost) return [];
      const value = median(times.get(name) ?? []) / base;
      return [{ name: `${title}, to OpenTelemetry`, value, aim: { atMost }, unit: ' ×' }];
    }),
  };
}

/** What it costs to make a payload safe to store. */
function preparing(): Table {
  const scratch = mkdtempSync(join(tmpdir(), 'runs-bench-'));
  const outfile = join(scratch, 'payload.mjs');
  buildSync({
    entryPoints: [join(here, 'payload.ts')],
    outfile,
    bundle: true,
    minify: true,
    format: 'esm',
    logLevel: 'warning',
  });
  const times: { bytes: number; stringify: number; prepare: number } = JSON.parse(run(outfile));
  rmSync(scratch, { recursive: true });
  const { bytes, stringify, prepare } = times;
  return {
    title: `Making a plain payload of ${formatCount(bytes)} bytes safe to store`,
    columns: ['', 'ns'],
    rows: [
      ['this library', Math.round(prepare)],
      ['one `JSON.stringify` of the same', Math.round(stringify)],
    ],
    aimed: [
      { name: 'to `JSON.stringify`', value: prepare / stringify, aim: { atMost: 1.3 }, unit: ' ×' },
    ],
  };
}

function run(program: string, ...args: string[]): string {
  return execFileSync(process.execPath, [program, ...args], { encoding: 'utf8' });
}

if (import.meta.main) await print(tracking);
