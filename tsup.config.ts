import { defineConfig } from 'tsup';

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    memory: 'src/memory.ts',
    testing: 'src/testing.ts',
    sqlite: 'src/sql/sqlite.ts',
    d1: 'src/sql/d1.ts',
    'durable-object': 'src/sql/durable-object.ts',
    postgres: 'src/sql/postgres.ts',
    viewer: 'src/viewer.ts',
    report: 'src/report.ts',
  },
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  splitting: true,
  sourcemap: true,
  dts: true,
  clean: true,
  // For the viewer, whose components become strings; preact is bundled.
  esbuildOptions(options) {
    options.jsx = 'automatic';
    options.jsxImportSource = 'preact';
  },
});
