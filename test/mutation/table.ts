import type { MutantResult } from '@stryker-mutator/api/core';

/** How many mutants of each file were found, as lines of Markdown. */
export function tableOf(results: MutantResult[]): string {
  const files = Map.groupBy(results, ({ fileName }) => fileName.slice(fileName.indexOf('src/')));
  const rows = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  return [
    '| file | mutants | found | alive | score |',
    '| ---- | ------- | ----- | ----- | ----- |',
    ...rows.map(([file, mutants]) => rowOf(file, mutants)),
    rowOf('all', results),
  ].join('\n');
}

function rowOf(name: string, results: MutantResult[]): string {
  // Mutants that cannot be loaded, or that somebody has ignored, say nothing about tests.
  const valid = results.filter(({ status }) => status !== 'RuntimeError' && status !== 'Ignored');
  const found = valid.filter(({ status }) => status === 'Killed' || status === 'Timeout');
  const score = ((100 * found.length) / valid.length).toFixed(2);
  return `| ${name} | ${valid.length} | ${found.length} | ${valid.length - found.length} | ${score} % |`;
}
