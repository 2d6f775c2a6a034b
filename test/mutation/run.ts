import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { MutantResult, PartialStrykerOptions } from '@stryker-mutator/api/core';
import { Stryker } from '@stryker-mutator/core';
import { startPostgres } from '../support/postgres-server.ts';
import { EQUIVALENT, type Place } from './equivalent.ts';
import { GROUPS } from './groups.ts';
import { tableOf } from './table.ts';

/*
 * Changes the source, one place at a time, and looks whether the tests notice. What
 * they do not notice must be listed in equivalent.ts, with the reason why it is no bug.
 */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { files: { type: 'string' } },
});
const names = positionals.length > 0 ? positionals : Object.keys(GROUPS);
const unknown = names.filter((name) => !Object.hasOwn(GROUPS, name));
if (unknown.length > 0) {
  const known = Object.keys(GROUPS).join(' | ');
  console.error(`usage: npm run mutation -- [--files src/a.ts,src/b.ts] [${known}]`);
  process.exit(2);
}

/** What stands at the place of a mutant, and what it puts there. */
async function changeOf({
  fileName,
  location,
  replacement,
}: MutantResult): Promise<Place & { replacement: string }> {
  const file = fileName.slice(fileName.indexOf('src/'));
  const { start, end } = location;
  const lines = (await readFile(file, 'utf8')).split('\n').slice(0, end.line);
  const line = lines[start.line - 1]?.trim() ?? '';
  lines.push(lines.pop()?.slice(0, end.column - 1) ?? '');
  const [first = '', ...others] = lines.slice(start.line - 1);
  const text = [first.slice(start.column - 1), ...others].join('\n');
  return { file, line, text, replacement: replacement ?? '' };
}

async function mutate(name: string, mutate: string[], isSlow: boolean): Promise<MutantResult[]> {
  const group = GROUPS[name];
  process.env.MUTATION_TESTS = JSON.stringify(isSlow ? group?.slowTests : group?.tests);
  const isWorkers = group?.isWorkers === true;
  const options: PartialStrykerOptions = {
    mutate,
    testRunner: isWorkers ? 'command' : 'vitest',
    vitest: { configFile: 'vitest.mutation.config.ts' },
    commandRunner: { command: 'npx vitest run --config vitest.mutation-workers.config.ts' },
    coverageAnalysis: isWorkers ? 'off' : 'perTest',
    concurrency: 2,
    // A test that waits for ever fails by its own time limit. What is left to Stryker's, which
    // counts as found too, is code that never comes to an end; not tests that are only slower.
    timeoutMS: isSlow ? 60_000 : 20_000,
    timeoutFactor: isSlow ? 3 : 1.5,
    dryRunTimeoutMinutes: 15,
    reporters: ['progress-append-only'],
    ignorePatterns: ['dist', 'docs', '.git'],
    tempDirName: `.mutation/${name}`,
    warnings: false,
  };
  return new Stryker(options).runMutationTest();
}

const isAlive = ({ status }: MutantResult) => status === 'Survived' || status === 'NoCoverage';

/** Asks the quick tests about everything, and the slow ones about what these leave alive. */
async function run(name: string): Promise<MutantResult[]> {
  const files = values.files?.split(',') ?? GROUPS[name]?.mutate ?? [];
  const results = await mutate(name, files, false);
  const alive = results.filter(isAlive);
  if (!GROUPS[name]?.slowTests || alive.length === 0) return results;
  console.log(`the quick tests leave alive:\n${alive.map(keyOf).join('\n')}`);
  const again = await mutate(name, alive.map(placeOf), true);
  const found = new Set(again.filter((each) => !isAlive(each)).map(keyOf));
  return results.map((each) =>
    isAlive(each) && found.has(keyOf(each)) ? { ...each, status: 'Killed' } : each,
  );
}

function placeOf({ fileName, location: { start, end } }: MutantResult): string {
  const file = fileName.slice(fileName.indexOf('src/'));
  return `${file}:${start.line}:${start.column - 1}-${end.line}:${end.column - 1}`;
}

function keyOf(mutant: MutantResult): string {
  return `${placeOf(mutant)} ${mutant.replacement}`;
}

const settings = ['fsync=off', 'full_page_writes=off', 'autovacuum=off', 'max_connections=300'];
const postgres = await startPostgres(settings.flatMap((each) => ['-c', each]));
process.env.MUTATION_POSTGRES = postgres.url;
const results: MutantResult[] = [];
for (const name of names) results.push(...(await run(name)));
await postgres.stop();

const endless = results.filter(({ status }) => status === 'Timeout');
if (endless.length > 0) {
  console.log(`found since tests did not come to an end:\n${endless.map(keyOf).join('\n')}`);
}
const survivors = await Promise.all(results.filter(isAlive).map(changeOf));
const isSame = (a: Place, b: Place) => a.file === b.file && a.line === b.line && a.text === b.text;
const unexplained = survivors.filter(
  (each) =>
    !EQUIVALENT.some(
      (known) => isSame(known, each) && known.replacements.includes(each.replacement),
    ),
);
console.log(tableOf(results));
// Of files that were measured in part, or not at all, nothing is known.
const measured = values.files ? [] : results.map(({ fileName }) => fileName);
for (const known of EQUIVALENT.filter(({ file }) => measured.some((each) => each.endsWith(file)))) {
  const alive = survivors.filter((each) => isSame(known, each));
  for (const replacement of known.replacements) {
    if (alive.some((each) => each.replacement === replacement)) continue;
    console.log(`\nlisted, but found in ${known.file}, in the line ${known.line}`);
    console.log(`- ${known.text}\n+ ${replacement}`);
  }
}
for (const { file, line, text, replacement } of unexplained) {
  console.log(`\nnobody notices in ${file}, in the line ${line}\n- ${text}\n+ ${replacement}`);
}
console.log(`\n${survivors.length} alive, ${unexplained.length} of them not explained`);
process.exitCode = unexplained.length > 0 ? 1 : 0;
