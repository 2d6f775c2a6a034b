import { toCode } from './code.js';
import type { Outcome } from './outcomes.js';

const PREAMBLE = `  const clock = { at: Date.parse('2026-03-01T12:00:00.000Z') };
  const reports: string[] = [];
  let lastId = 0;
  const options: RunTrackerOptions = {
    store,
    now: () => new Date(clock.at),
    generateId: () => \`g\${++lastId}\`,
    onTrackingError: (error, { operation, record, id, work }) => {
      const why = error instanceof RunsError ? error.code : 'error';
      reports.push([operation, record, id, work, why].join(' '));
    },
  };`;

/** What the printed test may need, by a name that is in it then. */
const HELPERS = {
  tracker: '  const tracker = new RunTracker(options);',
  other: '  const other = new RunTracker({ ...options, bestEffort: true });',
  told: `  const told = async (calls: Promise<unknown>[]) =>
    (await Promise.allSettled(calls)).map((each) =>
      each.status === 'fulfilled' ? 'done' : each.reason instanceof RunsError ? each.reason.code : 'error',
    );`,
  inTurn: `  const inTurn =
    (...works: (() => Promise<unknown>)[]) =>
    async () =>
      works.shift()?.();`,
  allOf: `  const allOf = async <T>(list: (cursor?: string) => Promise<Page<T>>) => {
    const items: T[] = [];
    for (let cursor: string | null | undefined; cursor !== null; ) {
      const page = await list(cursor);
      items.push(...page.items);
      cursor = page.nextCursor;
    }
    return items;
  };`,
};

/** How a printed test gets at its store. */
export interface Opening {
  imports: string[];
  /** Makes \`store\`. */
  lines: string[];
  /** Whether the store keeps links. */
  hasLinks: boolean;
}

/** Writes down what was done, as the code of a test. */
export class Trace {
  readonly #lines: string[] = [];
  #depth = 1;
  #names = 0;

  write(line: string): void {
    this.#lines.push('  '.repeat(this.#depth) + line);
  }

  /** Changes the last line. */
  amend(from: string, to: string): void {
    this.#lines.push(this.#lines.pop()?.replace(from, to) as string);
  }

  /** Begins a block. */
  open(line: string): void {
    this.write(line);
    this.#depth += 1;
  }

  /** Ends a block, and begins another one. */
  next(line: string): void {
    this.#depth -= 1;
    this.open(line);
  }

  close(line: string): void {
    this.#depth -= 1;
    this.write(line);
  }

  /** An operation, and what has to come of it. */
  expect(code: string, outcome: Outcome): void {
    if ('code' in outcome) {
      this.write(`await expect(${code}).rejects.toMatchObject({ code: '${outcome.code}' });`);
    } else if ('error' in outcome) {
      this.write(`await expect(${code}).rejects.not.toBeInstanceOf(RunsError);`);
    } else if (outcome.value === undefined) {
      this.write(`await ${code};`);
    } else {
      this.write(`expect(await ${code}).toEqual(${toCode(outcome.value)});`);
    }
  }

  /** The name of a promise that a later line waits for. */
  nextName(): string {
    this.#names += 1;
    return `work${this.#names}`;
  }

  /** A whole file, to paste. */
  toTest(name: string, { imports, lines, hasLinks }: Opening): string {
    const body = this.#lines.join('\n');
    const helpers = Object.entries(HELPERS).filter(([each]) =>
      new RegExp(`\\b${each}\\b`).test(body),
    );
    return [
      `import { expect, it } from 'vitest';`,
      `import { type Page, RunsError, RunTracker, type RunTrackerOptions } from '../../src/index.js';`,
      ...imports,
      '',
      `it(${toCode(name)}, async () => {`,
      ...lines.map((line) => `  ${line}`),
      hasLinks ? PREAMBLE.replace('store,', 'store,\n    linkStore: store,') : PREAMBLE,
      ...helpers.map(([, helper]) => helper),
      '',
      body,
      '});',
      '',
    ].join('\n');
  }
}
