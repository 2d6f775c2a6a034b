// Packs the package and uses it by its name on every runtime that the README names,
// so that a file missing from the package or a module that one runtime lacks is found here.
import { deepEqual } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { convertV4MiniflareOptions, Miniflare } from 'miniflare';

interface Runtime {
  name: string;
  version: string;
  args?: string[];
  /** Its drivers of SQLite; those that it does not bring itself are installed in a folder of their own. */
  sqlite: string[];
}

const RUNTIMES: Runtime[] = [
  // It has no SQLite, and the driver no binary for it.
  { name: 'node', version: '20.20.2', sqlite: [] },
  { name: 'node', version: '22.23.3', sqlite: ['node:sqlite'] },
  { name: 'node', version: '24.21.0', sqlite: ['node:sqlite', 'better-sqlite3'] },
  { name: 'node', version: '26.10.0', sqlite: ['node:sqlite'] },
  {
    name: 'deno',
    version: '2.9.6',
    args: ['run', '--no-prompt', '--node-modules-dir=manual', '--allow-read', '--allow-write'],
    sqlite: ['node:sqlite'],
  },
  { name: 'bun', version: '1.4.5', sqlite: ['bun:sqlite'] },
];
const BETTER_SQLITE3 = 'better-sqlite3@13.2.0';
/** What the package is used by. */
const PROGRAMS = ['smoke.mjs', 'databases.mjs'];
const COMPATIBILITY_DATE = '2026-07-01';

const root = join(import.meta.dirname, '../..');
const work = await mkdtemp(join(tmpdir(), 'runs-runtimes-'));
/** An application that installed nothing but the packed package. */
const app = join(work, 'app');

let passed = 0;
let failed = 0;

try {
  await check('package', installPackage);
  if (failed === 0) {
    await Promise.all([
      ...RUNTIMES.map((runtime) =>
        check(`${runtime.name}@${runtime.version}`, () => useInRuntime(runtime)),
      ),
      check('workerd', useInWorkerd),
      check('browser bundle', useInBrowserBundle),
    ]);
  }
} finally {
  await rm(work, { recursive: true, force: true });
}
console.log(`runtimes: ${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

async function check(name: string, use: () => Promise<string>): Promise<void> {
  try {
    console.log(`ok    ${name}: ${await use()}`);
    passed += 1;
  } catch (error) {
    console.log(`FAIL  ${name}: ${error instanceof Error ? error.message : error}`);
    failed += 1;
  }
}

async function installPackage(): Promise<string> {
  await run('npm', ['run', 'build'], root);
  await run('npm', ['pack', '--ignore-scripts', '--pack-destination', work], root);
  const [tarball = 'no tarball'] = (await readdir(work)).filter((file) => file.endsWith('.tgz'));
  await install(app, join(work, tarball));

  const lock = JSON.parse(await readFile(join(app, 'node_modules/.package-lock.json'), 'utf8'));
  deepEqual(Object.keys(lock.packages), ['node_modules/@systemoperator/runs']);
  deepEqual((await readdir(join(app, 'node_modules/@systemoperator/runs'))).sort(), [
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'THIRD-PARTY.md',
    'dist',
    'package.json',
  ]);

  for (const file of PROGRAMS) await cp(join(import.meta.dirname, file), join(app, file));
  await writeFile(
    join(app, 'main.mjs'),
    "import { smoke } from './smoke.mjs';\nconsole.log(await smoke());\n",
  );
  return `${tarball} brings no other package`;
}

async function useInRuntime(runtime: Runtime): Promise<string> {
  const { name, version, args = [], sqlite } = runtime;
  const home = join(work, `${name}-${version}`);
  await install(home, `${name}@${version}`);
  const command = join(home, 'node_modules/.bin', name);
  const said = await run(command, [...args, 'main.mjs'], app);
  // Whatever is first on the PATH must not stand in for the runtime that was asked for.
  deepEqual(said.toLowerCase(), `${name} ${version}`);
  const used: string[] = [];
  for (const driver of sqlite) used.push(await useSqlite(driver, command, args, home));
  return [said, ...used].join(', ');
}

/** Runs every case on a SQLite that the runtime has, with the packed package. */
async function useSqlite(
  driver: string,
  command: string,
  args: string[],
  home: string,
): Promise<string> {
  let folder = app;
  if (!driver.includes(':')) {
    // Beside a copy of the package, so that the package itself is seen to need nothing.
    folder = join(home, 'app');
    await cp(app, folder, { recursive: true });
    await install(folder, BETTER_SQLITE3, false);
  }
  const files = await mkdtemp(join(home, 'files-'));
  // Several runtimes share the application's folder, and are used at the same time.
  const program = join(folder, `${basename(home)}-${driver.replace(':', '-')}.mjs`);
  const use = `await useSqlite(${JSON.stringify(driver)}, ${JSON.stringify(files)})`;
  await writeFile(program, `import { useSqlite } from './databases.mjs';\nconsole.log(${use});\n`);
  return run(command, [...args, program], folder);
}

/** workerd is given the published files as they are, each as a module of its own. */
async function useInWorkerd(): Promise<string> {
  const home = join(app, 'node_modules/@systemoperator/runs');
  const { name, exports } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8'));
  const modules = [
    {
      path: 'worker.mjs',
      contents: `import { DurableObject } from 'cloudflare:workers';
        import { useD1, useDurableObject } from './databases.mjs';
        import { smoke } from './smoke.mjs';
        const answer = (use) => use.then(
          (said) => new Response(said),
          (error) => new Response(error.stack, { status: 500 }),
        );
        export class Runs extends DurableObject {
          fetch() {
            return answer(useDurableObject(this.ctx.storage));
          }
        }
        export default {
          async fetch(request, { DB, RUNS }) {
            const { pathname } = new URL(request.url);
            if (pathname === '/d1') return answer(useD1(DB));
            if (pathname === '/durable-object') return RUNS.get(RUNS.newUniqueId()).fetch(request);
            return answer(smoke());
          },
        };`,
    },
  ];
  for (const path of PROGRAMS) {
    modules.push({ path, contents: await readFile(join(app, path), 'utf8') });
  }
  for (const file of await readdir(join(home, 'dist'))) {
    if (!file.endsWith('.js')) continue;
    modules.push({
      path: `dist/${file}`,
      contents: await readFile(join(home, 'dist', file), 'utf8'),
    });
  }
  for (const [entry, target] of Object.entries<{ default?: string }>(exports)) {
    if (!target.default) continue;
    // workerd resolves names from the folder of the importing module, and nothing else.
    const path = join(name, entry);
    const up = '../'.repeat(path.split('/').length - 1);
    modules.push({ path, contents: `export * from '${join(up, target.default)}';` });
  }

  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      compatibilityDate: COMPATIBILITY_DATE,
      d1Databases: ['DB'],
      durableObjects: { RUNS: { className: 'Runs', useSQLite: true } },
      modulesRoot: '/',
      modules: modules.map(({ path, contents }) => ({
        type: 'ESModule',
        path: join('/', path),
        contents,
      })),
    }),
  );
  try {
    const all: string[] = [];
    for (const path of ['', 'd1', 'durable-object']) {
      const response = await miniflare.dispatchFetch(`http://localhost/${path}`);
      const said = await response.text();
      if (!response.ok) throw new Error(said);
      all.push(said);
    }
    return `${all.join(', ')}, compatibility date ${COMPATIBILITY_DATE}`;
  } finally {
    await miniflare.dispose();
  }
}

async function useInBrowserBundle(): Promise<string> {
  const bundled = await build({
    stdin: { contents: "export { smoke } from './smoke.mjs';", resolveDir: app },
    bundle: true,
    platform: 'browser',
    format: 'iife',
    globalName: 'bundle',
    write: false,
    logLevel: 'silent',
  });
  deepEqual(bundled.warnings, []);
  // Node's own globals are hidden from the bundle, as no browser has them.
  const code = `${bundled.outputFiles[0]?.text}; return bundle.smoke();`;
  const smoke = new Function('process', 'Buffer', 'global', 'setImmediate', code);
  return `${await smoke()}, bundled without warnings`;
}

async function install(folder: string, spec: string, isNew = true): Promise<void> {
  await mkdir(folder, { recursive: true });
  // npm 12 runs the install scripts of a dependency only if the application allows them.
  const manifest = { private: true, allowScripts: { node: true, deno: true, bun: true } };
  if (isNew) await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
  await run('npm', ['install', '--no-audit', '--no-fund', spec], folder);
}

async function run(command: string, args: string[], cwd: string): Promise<string> {
  const env = { ...process.env, DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' };
  const { stdout } = await promisify(execFile)(command, args, { cwd, env, timeout: 300_000 });
  return stdout.trim();
}
