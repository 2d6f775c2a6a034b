/** The page of the benchmarks, from what they told. */
import type { Fact } from './machine.ts';
import { formatAim, formatFigure, formatValue, isMet, type Table } from './report.ts';

/** A benchmark that has been run. */
export interface Chapter {
  title: string;
  about: string;
  tables: Table[];
}

export function formatPage(facts: Fact[], chapters: Chapter[], minutes: number): string {
  const parts = [
    '# Benchmarks',
    `This page is written by one command, in a checkout of the repository:

\`\`\`sh
npm install && npm run bench:page
\`\`\`

All figures are of one machine, measured within ${minutes} minutes. Compare them within a table: another machine has others, and
ratios say more than times. An aim is what the library is held to, and says so when it is missed.`,
    tableOf(['the machine', ''], facts),
    ...chapters.flatMap(({ title, about, tables }) => [
      `## ${title}`,
      about,
      ...tables.flatMap((table) => formatTable(table)),
    ]),
  ];
  return `${parts.join('\n\n')}\n`;
}

function formatTable({ title, columns, rows, aimed }: Table): string[] {
  const cells = rows.map(([name, ...figures]) => [
    name,
    ...columns.slice(1).map((_, index) => formatFigure(figures[index])),
  ]);
  const parts = [`### ${title}`, tableOf(columns, cells)];
  if (aimed.length > 0) {
    const figures = aimed.map((figure) => [
      figure.name,
      formatValue(figure),
      formatAim(figure),
      isMet(figure) ? 'met' : '**missed**',
    ]);
    parts.push(tableOf(['', 'measured', 'aim', ''], figures));
  }
  return parts;
}

/** A table whose first column is of names, and whose others are of figures. */
function tableOf(columns: string[], rows: string[][]): string {
  const all = [columns, ...rows].map((row) => row.map((cell) => cell.replaceAll('|', '\\|')));
  const widths = columns.map((_, index) => {
    const lengths = all.map((row) => row[index]?.length ?? 0);
    return Math.max(3, ...lengths);
  });
  const isText = columns.length === 2 && columns[1] === '';
  const isLeft = (index: number) => index === 0 || isText;
  const [head = '', ...lines] = all.map((row) => {
    const cells = widths.map((width, index) => {
      const cell = row[index] ?? '';
      return isLeft(index) ? cell.padEnd(width) : cell.padStart(width);
    });
    return `| ${cells.join(' | ')} |`;
  });
  const rule = widths.map((width, index) =>
    isLeft(index) ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
  );
  return [head, `| ${rule.join(' | ')} |`, ...lines].join('\n');
}
