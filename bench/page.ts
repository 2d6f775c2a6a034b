/**
 * Runs all benchmarks, and writes `bench/README.md`: `npm run bench:page`.
 *
 * With `--quick` it does little of everything, and prints the page instead: to see
 * that it works, for its figures mean nothing.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { d1 } from './d1.ts';
import { deleting } from './deleting.ts';
import { growth } from './growth.ts';
import { lists } from './lists.ts';
import { describeMachine } from './machine.ts';
import { type Chapter, formatPage } from './markdown.ts';
import { type Benchmark, printTable, readOptions, type Table } from './report.ts';
import { tracking } from './run.ts';
import { sizes } from './sizes.ts';
import { stores } from './stores.ts';

const BENCHMARKS: Benchmark[] = [tracking, sizes, stores, d1, lists, growth, deleting];

const options = readOptions(process.argv.slice(2));
const start = performance.now();
const facts = await describeMachine();
const chapters: Chapter[] = [];
for (const { title, about, measure } of BENCHMARKS) {
  const began = performance.now();
  console.log(`\n# ${title}`);
  const tables: Table[] = [];
  await measure(options, (table) => {
    printTable(table);
    tables.push(table);
  });
  chapters.push({ title, about, tables });
  console.log(`\n(${minutesSince(began).toFixed(1)} minutes)`);
}
const page = formatPage(facts, chapters, Math.ceil(minutesSince(start)));
if (options.isQuick) console.log(`\n${page}`);
else writeFileSync(join(import.meta.dirname, 'README.md'), page);

function minutesSince(time: number): number {
  return (performance.now() - time) / 60_000;
}
