import { createHash } from 'node:crypto';

/** Numbers from 0, below 1: always the same for a seed. */
export type Random = () => number;

export function randomOf(seed: number | string): Random {
  let count = 0;
  return () => {
    count += 1;
    return createHash('sha256').update(`${seed} ${count}`).digest().readUInt32BE() / 2 ** 32;
  };
}

/** A whole number from 0, below a limit. */
export function below(limit: number, random: Random): number {
  return Math.floor(random() * limit);
}

/** Choices that are the same for the same seed. */
export interface Chance {
  /** A whole number from 0, below this one. */
  below(limit: number): number;
  /** Whether something happens that happens once in so many times. */
  once(inTimes: number): boolean;
  /** Choices of their own, that do not depend on who else has been choosing. */
  of(number: number): Chance;
}

export function chanceOf(seed: number | string): Chance {
  const random = randomOf(seed);
  return {
    below: (limit) => below(limit, random),
    once: (inTimes) => below(inTimes, random) === 0,
    of: (number) => chanceOf(`${seed}.${number}`),
  };
}
