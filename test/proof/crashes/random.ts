/** Numbers from 0, below 1: always the same for a seed. */
export type Random = () => number;

/** Mulberry32, of Tommy Ettinger: public domain. */
export function randomOf(seed: number): Random {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number from 0, below a limit. */
export function below(limit: number, random: Random): number {
  return Math.floor(random() * limit);
}
