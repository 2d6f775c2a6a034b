/** What benchmarks tell, and how it is printed. */
import { cpus } from 'node:os';

/** The most or the least that a figure should be. */
export type Aim = { atMost: number } | { atLeast: number };

export interface AimedFigure {
  name: string;
  value: number;
  aim: Aim;
  unit: string;
}

export interface Table {
  title: string;
  /** What the rows are, and then what each of their figures is, with its unit. */
  columns: string[];
  rows: Row[];
  aimed: AimedFigure[];
}

/** Whole numbers are taken for counts. A figure that does not apply is left out. */
export type Row = [name: string, ...figures: (number | string | undefined)[]];

export interface Options {
  /** Small tables and few rounds, to see that it works: the figures mean nothing. */
  isQuick: boolean;
  only?: 'postgres' | 'sqlite' | undefined;
}

export interface Benchmark {
  title: string;
  /** What is measured and how, in Markdown. */
  about: string;
  /** Measures, and tells each table as soon as it is complete. */
  measure(options: Options, tell: (table: Table) => void): Promise<void>;
}

export function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

export function readOptions(words: string[]): Options {
  return {
    isQuick: words.includes('--quick'),
    only: (['postgres', 'sqlite'] as const).find((kind) => words.includes(kind)),
  };
}

/** Runs a benchmark as the command line asks for. */
export async function print({ title, measure }: Benchmark): Promise<void> {
  console.log(`${title}: Node ${process.version}, ${cpus().length} × ${cpus()[0]?.model}`);
  await measure(readOptions(process.argv.slice(2)), printTable);
}

export function printTable({ title, columns, rows, aimed }: Table): void {
  console.log(`\n${title}`);
  const [what = '', ...names] = columns;
  for (const [name, ...figures] of [[what, ...names] as Row, ...rows]) {
    const cells = figures.map((figure) => formatFigure(figure).padStart(20));
    console.log(`  ${name}`.padEnd(40) + cells.join(''));
  }
  for (const figure of aimed) {
    const columns = [
      `  ${figure.name}`.padEnd(52),
      formatValue(figure).padStart(12),
      `   aim ${formatAim(figure)}`.padEnd(20),
      isMet(figure) ? 'met' : 'MISSED',
    ];
    console.log(columns.join(''));
  }
}

/** A whole number, in groups of three digits. */
export function formatCount(count: number): string {
  return count.toLocaleString('en').replaceAll(',', ' ');
}

export function formatFigure(figure: number | string | undefined): string {
  if (typeof figure !== 'number') return figure ?? '';
  if (Number.isInteger(figure)) return formatCount(figure);
  return figure.toFixed(figure < 10 ? 2 : figure < 1000 ? 1 : 0);
}

export function formatValue({ value, unit }: AimedFigure): string {
  return formatFigure(value) + unit;
}

export function formatAim({ aim, unit }: AimedFigure): string {
  return 'atMost' in aim ? `≤ ${aim.atMost}${unit}` : `≥ ${aim.atLeast}${unit}`;
}

export function isMet({ value, aim }: AimedFigure): boolean {
  return 'atMost' in aim ? value <= aim.atMost : value >= aim.atLeast;
}
