/**
 * What an application installs, and what it then ships, beside comparable packages:
 *
 *   npm run build --silent && node bench/sizes.ts
 *
 * Needs npm and its registry.
 */
import { execFileSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Benchmark, print, type Table } from './report.ts';

const OURS = '@systemoperator/runs';
const OTHERS = [
  '@opentelemetry/sdk-trace-base',
  'langsmith',
  'bullmq',
  '@dbos-inc/dbos-sdk',
  '@trigger.dev/sdk',
  'inngest',
];
/** What cannot be used without another package, which is then asked for too. */
const NEEDS: Record<string, string[]> = {
  '@opentelemetry/sdk-trace-base': ['@opentelemetry/api'],
};
const needsOf = (name: string): string[] => NEEDS[name] ?? [];

const root = join(import.meta.dirname, '..');

interface Installed {
  name: string;
  version: string;
  packages: number;
  bytes: number;
  /** Optional packages that npm should have installed on a machine like this one, and has not. */
  missing: string[];
}

export const sizes: Benchmark = {
  title: 'What is installed, and what is shipped',
  about: `The packages that npm installs into an empty folder when it is asked for one, in the version that was current on
the day of measuring: all below \`node_modules\`, itself, its dependencies, and those of its peers that npm installs of
itself. Install scripts are not run, so what they would fetch is not counted. Bytes are the sizes of all files together, as
they are and not as a disk rounds them up.

**These packages do more.** BullMQ is a queue, DBOS makes workflows durable in Postgres, Inngest and Trigger.dev are
the clients of services that schedule, queue and retry, LangSmith is the client of a service that keeps and evaluates
traces of language models, and OpenTelemetry's spans still need an exporter and something that stores them. This
package records what ran, in a database that is there already. So the table says what it costs to install each for
that purpose, and nothing of what else each is worth.`,
  async measure({ isQuick }, tell) {
    const folder = mkdtempSync(join(tmpdir(), 'runs-sizes-'));
    try {
      const others = isQuick ? OTHERS.slice(0, 2) : OTHERS;
      const installed = [install(folder, OURS, [pack(folder)])];
      for (const name of others) installed.push(install(folder, name, [name, ...needsOf(name)]));
      tell(tableOf(installed));
    } finally {
      rmSync(folder, { recursive: true });
    }
    tell(entryPoints());
  },
};

function tableOf(installed: Installed[]): Table {
  const [ours] = installed as [Installed];
  return {
    title: 'Installed',
    columns: ['', 'version', 'packages', 'bytes', 'to this package'],
    rows: installed.map(({ name, version, packages, bytes, missing }) => [
      [
        name,
        ...needsOf(name).map((each) => `with ${each}`),
        ...missing.map((each) => `without ${each}`),
      ].join(', '),
      version,
      packages,
      bytes,
      name === OURS ? undefined : `${(bytes / ours.bytes).toFixed(1)} ×`,
    ]),
    aimed: [{ name: 'packages of this one', value: ours.packages, aim: { atMost: 1 }, unit: '' }],
  };
}

/** The packed package, as the registry would have it. */
function pack(folder: string): string {
  npm(root, 'pack', '--ignore-scripts', '--pack-destination', folder);
  const [tarball = ''] = readdirSync(folder).filter((name) => name.endsWith('.tgz'));
  return join(folder, tarball);
}

function install(folder: string, name: string, specs: string[]): Installed {
  const app = join(folder, name.replace(/\W/g, '-'));
  mkdirSync(app);
  writeFileSync(join(app, 'package.json'), '{ "private": true }\n');
  npm(app, 'install', '--ignore-scripts', '--no-audit', '--no-fund', ...specs);

  const modules = join(app, 'node_modules');
  const files = readdirSync(modules, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== '.package-lock.json')
    .map((entry) => join(entry.parentPath, entry.name));
  const manifests = files.flatMap((path) => {
    if (!/node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(path)) return [];
    const manifest = readManifest(path);
    return manifest.name && manifest.version ? [manifest] : [];
  });
  const lock = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8'));
  const expected = Object.keys(lock.packages).length;
  if (manifests.length !== expected) {
    throw new Error(
      `${name}: ${manifests.length} packages were found, and npm speaks of ${expected}`,
    );
  }
  const names = new Set(manifests.map((manifest) => manifest.name));
  const optional = manifests.flatMap((manifest) =>
    Object.keys(manifest.optionalDependencies ?? {}),
  );
  return {
    name,
    version: readManifest(join(modules, name, 'package.json')).version ?? '',
    packages: manifests.length,
    bytes: files.reduce((sum, path) => sum + statSync(path).size, 0),
    missing: optional.filter((each) => !names.has(each) && isForThisMachine(each)),
  };
}

interface Manifest {
  name?: string;
  version?: string;
  optionalDependencies?: Record<string, string>;
}

function readManifest(path: string): Manifest {
  return JSON.parse(readFileSync(path, 'utf8'));
}

/** Packages of binaries are named after what they are for: npm leaves out those of other machines. */
function isForThisMachine(name: string): boolean {
  const words = name.split(/[^a-z0-9]+/);
  return words.includes(process.platform) && words.includes(process.arch);
}

/** What each entry point adds to an application that is bundled and minified, by the limits that are tested. */
function entryPoints(): Table {
  const results: { name: string; size: number; sizeLimit: number }[] = JSON.parse(
    npm(root, 'run', 'size', '--silent', '--', '--json'),
  );
  return {
    title: 'Entry points of this package, each bundled by itself',
    columns: ['bytes, minified and gzipped', 'size', 'tested limit'],
    rows: results.map(({ name, size, sizeLimit }) => [name, size, sizeLimit]),
    aimed: [],
  };
}

/** What npm says on its standard output. What it complains of stays untold: it names the registry. */
function npm(cwd: string, ...args: string[]): string {
  const command = ['npm', ...args.filter((arg) => !arg.startsWith('--'))].join(' ');
  try {
    return execFileSync('npm', args, {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  } catch {
    throw new Error(`It failed: ${command}`);
  }
}

if (import.meta.main) await print(sizes);
