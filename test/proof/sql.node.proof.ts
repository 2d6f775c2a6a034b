import { expect, inject, it } from 'vitest';
import { mutate } from './sql/mutating.js';
import { postgresTrials } from './sql/postgres-trials.js';
import { sqliteTrials } from './sql/sqlite-trials.js';

const count = inject('count');
const seed = inject('seed');

it.for([
  ['SQLite', sqliteTrials],
  ['PostgreSQL', postgresTrials],
] as const)(
  'of the writes that are sent to %s no mutant is taken for the original',
  async ([name, open]) => {
    const trials = await open();
    try {
      const { all, equivalent, killed, invalid, survived } = await mutate(trials, { count, seed });
      const explained = equivalent.map(
        ([{ reason }, number]) => `\n  ${number} survive: ${reason}`,
      );
      console.log(
        `${name}: ${all} mutants; ${killed + invalid.length + survived.length} were tried: ` +
          `${killed} killed, ${invalid.length} no SQL, ${survived.length} survived${explained.join('')}`,
      );
      expect(survived).toEqual([]);
      // What is explained must still be there.
      expect(equivalent.filter(([, number]) => number === 0)).toEqual([]);
    } finally {
      await trials.close();
    }
  },
);
