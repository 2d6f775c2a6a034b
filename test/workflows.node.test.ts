import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const folder = join(root, '.github/workflows');
const workflows = readdirSync(folder).map((name) => ({
  name,
  text: readFileSync(join(folder, name), 'utf8'),
}));

/** The jobs of a workflow by their names, each as its lines. */
function jobsOf(name: string): Record<string, string> {
  const { text = '' } = workflows.find((workflow) => workflow.name === name) ?? {};
  const [, jobs = ''] = text.split(/^jobs:\n/m);
  const parts = [...jobs.matchAll(/^ {2}(\w+):\n((?: {3}.*\n|\n| {2}#.*\n)*)/gm)];
  return Object.fromEntries(parts.map(([, job = '', lines = '']) => [job, lines]));
}

/** What follows a key, on every line that has it. */
function valuesOf(text: string, key: string): string[] {
  return [...text.matchAll(new RegExp(`^[ -]*${key}: *(.*)$`, 'gm'))].map(
    ([, value = '']) => value,
  );
}

it('there is a workflow for changes and one for publishing', () => {
  expect(workflows.map(({ name }) => name).sort()).toEqual(['ci.yml', 'publish.yml']);
});

describe.each(workflows)('$name', ({ name, text }) => {
  it('uses no action but by the hash of a commit, and says its version', () => {
    const used = valuesOf(text, 'uses');
    expect(used).not.toEqual([]);
    for (const action of used)
      expect(action).toMatch(/^actions\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  });

  it('may do nothing but what a job asks for, and has no secret', () => {
    expect(text).toMatch(/^permissions: \{\}$/m);
    for (const job of Object.values(jobsOf(name))) expect(job).toMatch(/^ {4}permissions:$/m);
    expect(text).not.toMatch(/secrets\.|TOKEN/);
  });

  it('leaves no credentials in the checkout, and shares nothing with other runs', () => {
    const count = (action: string) => text.split(`uses: actions/${action}@`).length - 1;
    expect(valuesOf(text, 'persist-credentials')).toEqual(Array(count('checkout')).fill('false'));
    expect(valuesOf(text, 'package-manager-cache')).toEqual(
      Array(count('setup-node')).fill('false'),
    );
    expect(count('cache')).toBe(0);
    expect(valuesOf(text, 'cache')).toEqual([]);
  });
});

describe('a change', () => {
  const { check = '' } = jobsOf('ci.yml');

  it('is checked by the script that checks it everywhere else', () => {
    expect(valuesOf(check, 'run')).toEqual(['.ci/run']);
  });
});

describe('publishing', () => {
  const { pack = '', publish = '', ...others } = jobsOf('publish.yml');

  it('comes after the same check, of the same commit', () => {
    expect(others).toEqual({});
    expect(valuesOf(pack, 'run').slice(1)).toEqual(['.ci/run', 'npm pack']);
    expect(valuesOf(publish, 'needs')).toEqual(['pack']);
  });

  it('refuses a tag that does not name the version of the package', () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const [check = ''] = valuesOf(pack, 'run');
    const isRefused = (tag: string) => {
      const env = { ...process.env, GITHUB_REF_NAME: tag };
      try {
        execFileSync('bash', ['-e', '-c', check], { cwd: root, env });
        return false;
      } catch {
        return true;
      }
    };
    expect(isRefused(`v${version}`)).toBe(false);
    expect(isRefused(version)).toBe(true);
    expect(isRefused('v99.0.0')).toBe(true);
  });

  it('is done with provenance, by a job that may ask for an identity and runs only npm', () => {
    expect(publish).toMatch(/^ {4}permissions:\n {6}id-token: write( #.*)?\n {4}steps:$/m);
    expect(valuesOf(publish, 'run')).toEqual([
      'npm publish ./*.tgz --provenance --access public --ignore-scripts',
    ]);
    expect(publish).not.toContain('actions/checkout');
  });

  it('is all that may write anything', () => {
    const all = workflows.map(({ text }) => text).join('\n');
    expect(all.match(/\bwrite\b/g)).toEqual(['write']);
    expect(publish).toMatch(/\bwrite\b/);
  });
});
