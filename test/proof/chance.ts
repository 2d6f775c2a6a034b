/** Choices that are the same for the same seed. */
export interface Chance {
  /** A whole number from 0, below this one. */
  below(limit: number): number;
  /** Whether something happens that happens once in so many times. */
  once(inTimes: number): boolean;
  /** Choices of their own, that do not depend on who else has been choosing. */
  of(number: number): Chance;
}

/** Mulberry32: https://gist.github.com/tommyettinger/46a874533244883189143505d203312c */
export function chanceOf(seed: number): Chance {
  let state = seed | 0;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return {
    below,
    once: (inTimes) => below(inTimes) === 0,
    of: (number) =>
      chanceOf(Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) + Math.imul(number + 1, 0xc2b2ae35)),
  };
}
