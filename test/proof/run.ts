import { spawnSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { type Proof, SIZES } from './sizes.ts';

const usage = `usage: npm run proof -- [${Object.keys(SIZES).join(' | ')}] [--full | --count N] [--seed N]`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    full: { type: 'boolean', default: false },
    count: { type: 'string' },
    seed: { type: 'string' },
  },
});
const proofs = (positionals.length > 0 ? positionals : Object.keys(SIZES)) as Proof[];
const isKnown = proofs.every((proof) => Object.hasOwn(SIZES, proof));
const isCounted = [values.count, values.seed].every((each) => !each || /^\d+$/.test(each));
if (!isKnown || !isCounted) {
  console.error(usage);
  process.exit(2);
}

for (const proof of proofs) {
  const count = values.count ?? String(SIZES[proof][values.full ? 'full' : 'ci']);
  const seed = values.seed ?? String(Math.trunc(Math.random() * 0x7fffffff));
  console.log(`\n${proof}: count ${count}, seed ${seed}`);
  const { status } = spawnSync(
    'npx',
    ['vitest', 'run', '--config', 'vitest.proof.config.ts', `test/proof/${proof}.`],
    { stdio: 'inherit', env: { ...process.env, PROOF_COUNT: count, PROOF_SEED: seed } },
  );
  if (status !== 0) process.exit(status ?? 1);
}
