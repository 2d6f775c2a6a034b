// Packs the package and uses it by its name on every runtime that the README names,
// so that a file missing from the package or a module that one runtime lacks is found here.
import { deepEqual } from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { convertV4MiniflareOptions, Miniflare } from 'miniflare';

const RUNTIMES = [
  { name: 'node', version: '20.20.2' },
  { name: 'node', version: '22.23.3' },
  { name: 'node', version: '24.21.0' },
  { name: 'node', version: '26.10.0' },
  { name: 'deno', version: '2.9.6', args: ['run', '--no-prompt', '--node-modules-dir=manual'] },
  { name: 'bun', version: '1.4.5' },
];
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
    'dist',
    'package.json',
  ]);

  await cp(join(import.meta.dirname, 'smoke.mjs'), join(app, 'smoke.mjs'));
  await writeFile(
    join(app, 'main.mjs'),
    "import { smoke } from './smoke.mjs';\nconsole.log(await smoke());\n",
  );
  return `${tarball} brings no other package`;
}

async function useInRuntime(runtime: (typeof RUNTIMES)[number]): Promise<string> {
  const { name, version, args = [] } = runtime;
  const home = join(work, `${name}-${version}`);
  await install(home, `${name}@${version}`);
  const said = await run(join(home, 'node_modules/.bin', name), [...args, 'main.mjs'], app);
  // Whatever is first on the PATH must not stand in for the runtime that was asked for.
  deepEqual(said.toLowerCase(), `${name} ${version}`);
  return said;
}

/** workerd is given the published files as they are, each as a module of its own. */
async function useInWorkerd(): Promise<string> {
  const home = join(app, 'node_modules/@systemoperator/runs');
  const { name, exports } = JSON.parse(await readFile(join(home, 'package.json'), 'utf8'));
  const modules = [
    {
      path: 'worker.mjs',
      contents: `import { smoke } from './smoke.mjs';
        export default {
          fetch: () => smoke().then(
            (said) => new Response(said),
            (error) => new Response(error.stack, { status: 500 }),
          ),
        };`,
    },
    { path: 'smoke.mjs', contents: await readFile(join(app, 'smoke.mjs'), 'utf8') },
  ];
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
      modulesRoot: '/',
      modules: modules.map(({ path, contents }) => ({
        type: 'ESModule',
        path: join('/', path),
        contents,
      })),
    }),
  );
  try {
    const response = await miniflare.dispatchFetch('http://localhost/');
    const said = await response.text();
    if (!response.ok) throw new Error(said);
    return `${said}, compatibility date ${COMPATIBILITY_DATE}`;
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

async function install(folder: string, spec: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  // npm 12 runs the install scripts of a dependency only if the application allows them.
  const manifest = { private: true, allowScripts: { node: true, deno: true, bun: true } };
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest));
  await run('npm', ['install', '--no-audit', '--no-fund', spec], folder);
}

async function run(command: string, args: string[], cwd: string): Promise<string> {
  const env = { ...process.env, DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' };
  const { stdout } = await promisify(execFile)(command, args, { cwd, env, timeout: 300_000 });
  return stdout.trim();
}
