import { defineConfig, mergeConfig } from 'vitest/config';
import { base } from './vitest.config.ts';

/** The tests that drive a real Chromium, which `npm test` does not ask for. */
export default mergeConfig(
  base,
  defineConfig({
    test: { include: ['test/**/*.browser.test.ts'], testTimeout: 120_000, hookTimeout: 120_000 },
  }),
);
