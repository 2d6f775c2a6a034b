import { defineConfig } from 'vitest/config';
import { base, workers } from './vitest.config.ts';

declare module 'vitest' {
  interface ProvidedContext {
    mutant: string | undefined;
  }
}

export default defineConfig({
  ...base,
  plugins: [workers()],
  test: {
    testTimeout: 60_000,
    bail: 1,
    include: JSON.parse(process.env.MUTATION_TESTS ?? '[]'),
    setupFiles: ['test/mutation/activate.ts'],
    provide: { mutant: process.env.__STRYKER_ACTIVE_MUTANT__ },
  },
});
