/** A place in the source, and what a mutant puts there. */
export interface Change {
  file: string;
  /** The line that it begins in. */
  line: string;
  text: string;
  replacement: string;
}

/** Mutants that no test can tell from the code, and why. */
export const EQUIVALENT: (Change & { reason: string })[] = [
  {
    file: 'src/report/nesting.ts',
    line: 'const path: (N | undefined)[] = [];',
    text: '[]',
    replacement: '["Stryker was here"]',
    reason:
      'The path is only searched for a node, and what is taken of it begins there: a text before is never reached.',
  },
  {
    file: 'src/report/record-text.ts',
    line: "return kind !== 'run' && record.attempt > 1 ? `attempt ${record.attempt}` : '';",
    text: "kind !== 'run'",
    replacement: 'true',
    reason: 'A run has no attempt, and undefined is not above 1: the check is for the compiler.',
  },
  {
    file: 'src/report/record-text.ts',
    line: "return kind !== 'run' && record.attempt > 1 ? `attempt ${record.attempt}` : '';",
    text: "'run'",
    replacement: '""',
    reason: 'A run has no attempt, and undefined is not above 1: the check is for the compiler.',
  },
  {
    file: 'src/report/record-text.ts',
    line: "if (kind !== 'step') return null;",
    text: "kind !== 'step'",
    replacement: 'false',
    reason:
      'Runs and calls have no counts of items, of which it is asked next: the check is for the compiler.',
  },
  {
    file: 'src/report/svg.ts',
    line: 'if (!spanMs) return [];',
    text: '[]',
    replacement: '["Stryker was here"]',
    reason: 'A list is drawn as what its members have drawn, and a text has drawn nothing.',
  },
];
