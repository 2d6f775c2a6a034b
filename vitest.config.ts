import { fileURLToPath } from 'node:url';
import { cloudflareTest } from '@cloudflare/vitest-pool-workers';
import { configDefaults, defineConfig } from 'vitest/config';

const src = fileURLToPath(new URL('src', import.meta.url));

export default defineConfig({
  // Code that names the package, such as the README's, is tested without a build.
  resolve: {
    alias: [
      { find: /^@systemoperator\/runs$/, replacement: `${src}/index.ts` },
      { find: /^@systemoperator\/runs\/(\w+)$/, replacement: `${src}/$1.ts` },
    ],
  },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'node',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, 'test/runtimes/**', '**/*.workers.test.ts'],
        },
      },
      {
        extends: true,
        plugins: [cloudflareTest({ miniflare: { compatibilityDate: '2026-07-01' } })],
        test: {
          name: 'workers',
          include: ['test/**/*.test.ts'],
          exclude: [...configDefaults.exclude, 'test/runtimes/**', '**/*.node.test.ts'],
        },
      },
    ],
    coverage: {
      provider: 'istanbul',
      include: ['src/**'],
      reporter: ['text'],
      thresholds: { 100: true },
    },
  },
});
