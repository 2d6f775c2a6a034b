import { defineConfig } from 'vitest/config';
import { base, workers } from './vitest.config.ts';

declare module 'vitest' {
  interface ProvidedContext {
    count: number;
    seed: number;
  }
}

const { PROOF_COUNT, PROOF_SEED } = process.env;

/** What is repeated very often, or takes processes and databases of its own. */
export default defineConfig({
  ...base,
  test: {
    testTimeout: 3_600_000,
    hookTimeout: 120_000,
    provide: { count: Number(PROOF_COUNT), seed: Number(PROOF_SEED) },
    projects: [
      {
        extends: true,
        test: {
          name: 'node',
          include: ['test/proof/*.proof.ts'],
          exclude: ['**/*.workers.proof.ts'],
        },
      },
      {
        extends: true,
        plugins: [workers()],
        test: { name: 'workers', include: ['test/proof/*.workers.proof.ts'] },
      },
    ],
  },
});
