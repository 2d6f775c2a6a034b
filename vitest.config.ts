import { fileURLToPath } from 'node:url';
import { cloudflareTest } from '@cloudflare/vitest-pool-workers';
import { configDefaults, defineConfig, type ViteUserConfig } from 'vitest/config';

/** What is run by commands of its own. */
const notHere = [...configDefaults.exclude, 'test/runtimes/**', '**/*.browser.test.ts'];
const src = fileURLToPath(new URL('src', import.meta.url));

export const base: ViteUserConfig = {
  // Code that names the package, such as the README's, is tested without a build.
  resolve: {
    alias: [
      { find: /^@systemoperator\/runs$/, replacement: `${src}/index.ts` },
      {
        find: /^@systemoperator\/runs\/(sqlite|d1|durable-object|postgres)$/,
        replacement: `${src}/sql/$1.ts`,
      },
      { find: /^@systemoperator\/runs\/(\w+)$/, replacement: `${src}/$1.ts` },
    ],
  },
};

/** Runs tests in workerd, with a D1 database and Durable Objects. */
export const workers = () =>
  cloudflareTest({
    main: './test/support/worker.ts',
    miniflare: {
      compatibilityDate: '2026-07-01',
      d1Databases: ['DB'],
      durableObjects: { RUNS: { className: 'RunsObject', useSQLite: true } },
    },
  });

export default defineConfig({
  ...base,
  test: {
    // Databases and compilers share the machine with whatever else it does.
    testTimeout: 30_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'node',
          include: ['test/**/*.test.ts'],
          exclude: [...notHere, '**/*.workers.test.ts'],
        },
      },
      {
        extends: true,
        plugins: [workers()],
        test: {
          name: 'workers',
          include: ['test/**/*.test.ts'],
          exclude: [...notHere, '**/*.node.test.ts'],
        },
      },
    ],
    coverage: {
      provider: 'istanbul',
      include: ['src/**/*.{ts,tsx}'],
      reporter: ['text'],
      thresholds: { 100: true },
    },
  },
});
