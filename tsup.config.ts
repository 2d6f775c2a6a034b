import { defineConfig } from 'tsup';

export default defineConfig({
  entry: ['src/index.ts', 'src/memory.ts', 'src/testing.ts'],
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  splitting: true,
  sourcemap: true,
  dts: true,
  clean: true,
});
