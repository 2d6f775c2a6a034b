import { mutantsOf } from './mutations.js';
import type { Language, Rendered } from './tokens.js';

/** Something that must go wrong when a statement is mutated. */
export interface Trial {
  name: string;
  /** Does it in empty tables; rejects when something goes wrong. */
  run(mutant: Mutant): Promise<unknown>;
}

/** A database, and all that is tried on it. */
export interface Trials {
  language: Language;
  trials: Trial[];
  /** Whether the database can make anything of a statement, without executing it. */
  takes(text: string): Promise<boolean>;
  close(): Promise<unknown>;
}

/** What becomes of statements: one mutation, wherever its context is found. Without a key, none. */
export class Mutant {
  readonly key: string | undefined;
  /** The statements that were asked for, and those that the database did not take when they were mutated. */
  readonly seen = new Set<string>();
  readonly refused = new Set<string>();
  /** Whether anything was executed that is mutated. */
  isExecuted = false;
  /** How often the database has refused writes that went together, so that they were sent again. */
  refusals = 0;
  readonly #language: Language;

  constructor(language: Language, key?: string) {
    this.#language = language;
    this.key = key;
  }

  /** What is executed in the place of a statement, if anything else. */
  of(text: string): Rendered | undefined {
    this.seen.add(text);
    if (this.key === undefined || this.refused.has(text)) return undefined;
    return knownMutants(text, this.#language).get(this.key);
  }

  /** Says that the database does not take the mutated statement: its syntax or its types are wrong. */
  refuse(text: string): void {
    this.refused.add(text);
  }
}

/** Whether a case of the kit tells anything of writes: most lists do not. */
export function isOfWrites(name: string): boolean {
  return !/^list\w+: (?!those of)/.test(name);
}

const known = new Map<string, Map<string, Rendered>>();

export function knownMutants(text: string, language: Language): Map<string, Rendered> {
  const name = language + text;
  let mutants = known.get(name);
  if (!mutants) {
    mutants = mutantsOf(text, language);
    known.set(name, mutants);
  }
  return mutants;
}
