import { basename, dirname, join } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '../..');

/**
 * Makes a program that Node runs by itself, in a process of its own: in the sources,
 * `./x.js` means a file that is called `x.ts`. Gives its path.
 */
export async function bundle(entry: string): Promise<string> {
  const name = `${basename(dirname(entry))}-${process.pid}.mjs`;
  // Below the folder of the packages, which it imports.
  const outfile = join(root, 'node_modules/.cache/proof', name);
  await build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'silent',
  });
  return outfile;
}
