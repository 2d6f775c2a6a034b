import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const work = mkdtempSync(join(tmpdir(), 'runs-tarball-'));
const app = join(work, 'app');
const home = join(app, 'node_modules/@systemoperator/runs');
const { files, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

let installed: string[];

beforeAll(() => {
  execFileSync('npm', ['pack', '--pack-destination', work], { cwd: root, stdio: 'pipe' });
  const [tarball = ''] = readdirSync(work).filter((name) => name.endsWith('.tgz'));

  mkdirSync(app);
  // Without a network, because nothing but the tarball may be needed; with install scripts.
  const options = ['--offline', '--no-audit', '--no-fund', '--prefix', app];
  execFileSync('npm', ['install', ...options, join(work, tarball)], { cwd: app, stdio: 'pipe' });
  installed = listFiles(home);
}, 180_000);

afterAll(() => rmSync(work, { recursive: true, force: true }));

describe('installing the package', () => {
  it('brings one package, and runs nothing', () => {
    const lock = JSON.parse(readFileSync(join(app, 'node_modules/.package-lock.json'), 'utf8'));
    expect(Object.keys(lock.packages)).toEqual(['node_modules/@systemoperator/runs']);
    // npm writes it down where a package has an install script, or something to compile.
    expect(Object.values(lock.packages)).not.toContainEqual(
      expect.objectContaining({ hasInstallScript: true }),
    );
    const found = listFiles(join(app, 'node_modules')).filter((path) =>
      /(^|\/)package\.json$/.test(path),
    );
    expect(found).toEqual(['@systemoperator/runs/package.json']);
  });

  it('asks for no other package, of whatever kind', () => {
    const manifest = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
    const kinds = Object.keys(manifest).filter((name) => /dependencies/i.test(name));
    // Those of development are the publisher's own; npm installs none of them.
    expect(kinds).toEqual(['devDependencies']);
  });
});

describe('what is installed', () => {
  it('is what `files` names, and of `dist` what the entry points are made of', () => {
    const top = new Set(installed.map((path) => path.split('/')[0]));
    expect([...top].sort()).toEqual([...files, 'package.json'].sort());
    const dist = installed.filter((path) => path.startsWith('dist/'));
    expect(dist.filter((path) => !/^dist\/[\w-]+(\.js|\.js\.map|\.d\.ts)$/.test(path))).toEqual([]);
    const targets = Object.values<Record<string, string>>(exports).flatMap(Object.values);
    const named = targets.filter((target) => target.startsWith('./dist/'));
    expect(named.length).toBeGreaterThan(10);
    expect(dist).toEqual(expect.arrayContaining(named.map((path) => path.slice(2))));
  });

  it('imports nothing but its own files', () => {
    const imported = code().flatMap(({ path, text }) =>
      ts.preProcessFile(text).importedFiles.map(({ fileName }) => {
        if (!/^\.\.?\//.test(fileName)) return fileName;
        const file = posix.join(dirname(path), fileName);
        return path.endsWith('.d.ts') ? file.replace(/\.js$/, '.d.ts') : file;
      }),
    );
    expect(imported).not.toEqual([]);
    expect(imported.filter((path) => !installed.includes(path))).toEqual([]);
  });

  it('makes no code of texts, loads nothing late, and asks no network', () => {
    const isForbidden = (node: ts.Node) =>
      node.kind === ts.SyntaxKind.ImportKeyword
        ? ts.isCallExpression(node.parent)
        : ts.isIdentifier(node) &&
          /^(eval|Function|require|fetch|XMLHttpRequest|WebSocket|EventSource|WebAssembly)$/.test(
            node.text,
          );
    const found: string[] = [];
    for (const { path, text } of code()) {
      if (!path.endsWith('.js')) continue;
      const visit = (node: ts.Node): void => {
        if (isForbidden(node)) found.push(`${path}: ${node.parent.getText().slice(0, 80)}`);
        ts.forEachChild(node, visit);
      };
      visit(ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true));
    }
    expect(found).toEqual([]);
  });

  it('names no path of the machine that made it', () => {
    const places = [root, work, homedir(), 'file://'];
    const naming = installed.filter((path) => {
      const text = readFileSync(join(home, path), 'utf8');
      return places.some((place) => text.includes(place));
    });
    expect(naming).toEqual([]);
  });

  it('maps to the sources of the library and of what it takes in, and to no test', () => {
    const maps = installed.filter((path) => path.endsWith('.map'));
    const sources = maps.flatMap((path) => {
      const map: { sources: string[] } = JSON.parse(readFileSync(join(home, path), 'utf8'));
      expect(map, path).not.toHaveProperty('sourceRoot');
      return map.sources;
    });
    expect(sources).toContain('../src/tracker.ts');
    expect(sources.filter((path) => !/^\.\.\/(src|node_modules)\//.test(path))).toEqual([]);
  });

  function code(): { path: string; text: string }[] {
    const paths = installed.filter((path) => /\.(js|d\.ts)$/.test(path));
    return paths.map((path) => ({ path, text: readFileSync(join(home, path), 'utf8') }));
  }
});

/** The files below a folder, by their paths in it. */
function listFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true, encoding: 'utf8' })
    .filter((entry) => entry.isFile())
    .map((entry) => posix.relative(folder, posix.join(entry.parentPath, entry.name)))
    .sort();
}
