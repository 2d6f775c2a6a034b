/** A place in the source, and what a mutant puts there. */
export interface Change {
  file: string;
  text: string;
  replacement: string;
}

/** Mutants that no test can tell from the code, and why. */
export const EQUIVALENT: (Change & { reason: string })[] = [];
