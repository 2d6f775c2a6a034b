/** The most or the least that a figure should be. */
export type Aim = { atMost: number } | { atLeast: number };

export function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] as number;
}

/** A figure beside its aim. */
export function printAim(name: string, value: number, aim: Aim, unit = ''): void {
  const isMost = 'atMost' in aim;
  const limit = isMost ? aim.atMost : aim.atLeast;
  const isMet = isMost ? value <= limit : value >= limit;
  const digits = value < 10 ? 2 : 1;
  const columns = [
    `  ${name}`.padEnd(52),
    `${value.toFixed(digits)}${unit}`.padStart(12),
    `   aim ${isMost ? '≤' : '≥'} ${limit}${unit}`.padEnd(18),
    isMet ? 'met' : 'MISSED',
  ];
  console.log(columns.join(''));
}

/** A row of figures; one that does not apply is left out. */
export function printRow(name: string, figures: (number | string | undefined)[]): void {
  const cells = figures.map((figure) => {
    if (typeof figure === 'string') return figure.padStart(16);
    return (figure?.toFixed(figure < 10 ? 2 : 1) ?? '').padStart(16);
  });
  console.log(`  ${name}`.padEnd(36) + cells.join(''));
}
