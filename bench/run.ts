/**
 * What tracking costs, beside OpenTelemetry's spans: `npm run bench`.
 *
 * Every figure is measured in a process of its own, and the processes take turns,
 * so that a machine that is slow for a while is slow for everybody.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { constants, gzipSync } from 'node:zlib';
import { buildSync } from 'esbuild';

const TURNS = 5;
const OPERATIONS = ['call', 'nested'] as const;
const SUBJECTS = [
  'none',
  'opentelemetry',
  'no-op store',
  'conditional Map',
  'plain Map',
  'MemoryStore',
];
/** The most that each may take, as a ratio to OpenTelemetry's spans. */
const AIMS: Record<string, { call?: number; nested?: number }> = {
  'no-op store': { call: 0.5, nested: 0.5 },
  'conditional Map': { call: 0.7, nested: 0.85 },
  'plain Map': { nested: 1.1 },
};

const here = fileURLToPath(new URL('.', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'runs-bench-'));

function run(program: string, ...args: string[]): string {
  return execFileSync(process.execPath, [program, ...args], { encoding: 'utf8' });
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

function bundle(source: string, name: string): string {
  const outfile = join(scratch, name);
  buildSync({
    entryPoints: [join(here, source)],
    outfile,
    bundle: true,
    minify: true,
    format: 'esm',
    logLevel: 'warning',
  });
  return outfile;
}

console.log(`Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}`);
console.log(`medians of ${TURNS} processes each, in ns; ratio to OpenTelemetry, and the aim\n`);
for (const operation of OPERATIONS) {
  const times = new Map<string, number[]>(SUBJECTS.map((subject) => [subject, []]));
  for (let turn = 0; turn < TURNS; turn += 1) {
    for (const subject of SUBJECTS) {
      times.get(subject)?.push(Number(run(join(here, 'subject.ts'), subject, operation)));
    }
  }
  console.log(operation === 'call' ? 'executeCall' : '\nexecuteRun ⊃ executeStep ⊃ executeCall');
  const base = median(times.get('opentelemetry') ?? []);
  for (const [subject, values] of times) {
    const time = median(values);
    const aim = AIMS[subject]?.[operation];
    const columns = [
      subject.padEnd(18),
      time.toFixed(0).padStart(8),
      (time / base).toFixed(2).padStart(8),
      aim ? `≤ ${aim}`.padStart(8) : '',
    ];
    console.log(columns.join(''));
  }
}

const payload = JSON.parse(run(bundle('payload.ts', 'payload.mjs'))) as Record<string, number>;
const { bytes, stringify, prepare } = payload as {
  bytes: number;
  stringify: number;
  prepare: number;
};
console.log(`\npreparing a plain payload of ${bytes} bytes: ${prepare.toFixed(0)} ns`);
console.log(
  `one JSON.stringify of it: ${stringify.toFixed(0)} ns; ratio ${(prepare / stringify).toFixed(2)}, aim ≤ 1.3`,
);

const core = readFileSync(bundle('../src/index.ts', 'core.mjs'));
const size = gzipSync(core, { level: constants.Z_BEST_COMPRESSION }).length;
console.log(`\ncore entry, minified and gzipped: ${size} bytes`);
rmSync(scratch, { recursive: true });
