/** How often each proof is repeated: in CI, and by itself. */
export const SIZES = {
  /** Random sequences of operations, on each store. */
  model: { ci: 2_000, full: 20_000 },
  /** Processes killed, on each database. */
  crashes: { ci: 20, full: 300 },
  /** Runs recorded while Postgres restarts and loses connections. */
  faults: { ci: 2_000, full: 2_000 },
  /** Increments of each process, and runs that several processes end. */
  processes: { ci: 2_000, full: 10_000 },
  /** Calls under one tracker. */
  load: { ci: 50_000, full: 1_000_000 },
  /** Mutated statements, of each database. */
  sql: { ci: 60, full: 10_000 },
} as const;

export type Proof = keyof typeof SIZES;
