import { fileURLToPath } from 'node:url';
import { mergeConfig, type ViteUserConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { base } from './vitest.config.ts';

/** What takes long is asked last: most mutants are found before. */
const SLOW =
  /(failures|failures-options|items|options-races|payload|postgres.*|plans|owners|values|processes|delete-runs)(\.node)?\.test/;

class QuickFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const slowness = ({ moduleId }: TestSpecification) => Number(SLOW.test(moduleId));
    return files.toSorted((a, b) => slowness(a) - slowness(b));
  }
}

const postgresServer = fileURLToPath(new URL('test/mutation/postgres-server.ts', import.meta.url));

export default mergeConfig(base, {
  resolve: { alias: [{ find: /^.*\/postgres-server\.js$/, replacement: postgresServer }] },
  test: {
    testTimeout: 10_000,
    isolate: false,
    setupFiles: ['test/mutation/few-inputs.ts'],
    include: JSON.parse(process.env.MUTATION_TESTS ?? '[]'),
    exclude: ['**/*.workers.test.ts', '**/node_modules/**'],
    sequence: { sequencer: QuickFirst },
  },
} satisfies ViteUserConfig);
