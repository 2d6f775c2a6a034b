import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** The packages that an entry point takes in when it is built. */
const BUNDLED: Record<string, string[]> = {
  './report': ['ansi-regex', 'get-east-asian-width', 'string-width', 'strip-ansi'],
  './viewer': ['preact', 'preact-render-to-string'],
};

describe('the manifest', () => {
  it('brings no other package', () => {
    expect(manifest).not.toHaveProperty('dependencies');
    expect(manifest).not.toHaveProperty('peerDependencies');
    expect(manifest).not.toHaveProperty('optionalDependencies');
    expect(manifest).not.toHaveProperty('bundledDependencies');
  });

  it('runs nothing on the machine that installs it', () => {
    const onInstall = /^((pre|post)?install|(pre|post)?prepare)$/;
    expect(Object.keys(manifest.scripts).filter((name) => onInstall.test(name))).toEqual([]);
  });

  it('names the types of every entry point before its code, and no other condition', () => {
    const { './package.json': itself, ...entries } = manifest.exports;
    expect(itself).toBe('./package.json');
    expect(Object.keys(entries)).toEqual(
      expect.arrayContaining(['.', './memory', './testing', './sqlite', './postgres']),
    );
    for (const [entry, target] of Object.entries<Record<string, string>>(entries)) {
      const name = entry === '.' ? 'index' : entry.slice(2);
      expect(Object.entries(target)).toEqual([
        ['types', `./dist/${name}.d.ts`],
        ['default', `./dist/${name}.js`],
      ]);
    }
  });

  it('says that the package is ESM without side effects', () => {
    expect(manifest).toMatchObject({ type: 'module', sideEffects: false });
    expect(manifest).not.toHaveProperty('main');
  });

  it('pins every development dependency to one version', () => {
    for (const [name, version] of Object.entries(manifest.devDependencies)) {
      expect(version, name).toMatch(/^\d+\.\d+\.\d+(-[\w.]+)?$/);
    }
  });
});

describe('the source', () => {
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.tsx?$/.test(file))
    .map((file) => {
      const text = readFileSync(join(root, 'src', file), 'utf8');
      return ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
    });

  it('imports nothing but its own files', () => {
    const imported = files.flatMap((file) =>
      ts.preProcessFile(file.text).importedFiles.map(({ fileName }) => [file.fileName, fileName]),
    );
    expect(imported).toContainEqual(['store.ts', './types.js']);
    // What is built takes these in.
    const others = imported.filter(([, name = '']) => !/^\.\.?\//.test(name));
    expect(others.filter(([file = '']) => !file.startsWith('viewer/'))).toEqual([
      ['report/text.ts', 'string-width'],
    ]);
    const packages = new Set(others.map(([, name = '']) => name));
    expect([...packages].sort()).toEqual(['preact', 'preact-render-to-string', 'string-width']);
  });

  it('uses nothing that only Node has', () => {
    const ofNode = /^(Buffer|process|require|global|setImmediate|__dirname|__filename)$/;
    expect(findAll((node) => ts.isIdentifier(node) && ofNode.test(node.text))).toEqual([]);
  });

  it('has no default export', () => {
    const isDefault = (node: ts.Node) =>
      ts.isExportAssignment(node) ||
      node.kind === ts.SyntaxKind.DefaultKeyword ||
      (ts.isExportSpecifier(node) && node.name.text === 'default');
    expect(findAll(isDefault)).toEqual([]);
  });

  it('has no any', () => {
    expect(findAll((node) => node.kind === ts.SyntaxKind.AnyKeyword)).toEqual([]);
  });

  /** The file and line of each node that `matches`. */
  function findAll(matches: (node: ts.Node) => boolean): string[] {
    const found: string[] = [];
    for (const file of files) {
      const visit = (node: ts.Node): void => {
        const line = file.getLineAndCharacterOfPosition(node.getStart()).line + 1;
        if (matches(node)) found.push(`${file.fileName}:${line}`);
        ts.forEachChild(node, visit);
      };
      visit(file);
    }
    return found;
  }
});

describe('what is built', () => {
  const entries = Object.keys(manifest.exports).filter((entry) => !entry.endsWith('.json'));

  it.each(entries)('%s imports no other package, and nothing of a runtime', async (entry) => {
    const file = entry === '.' ? 'index.ts' : `${entry}.ts`;
    const paths = [join(root, 'src', file), join(root, 'src/sql', file)];
    const { metafile } = await build({
      entryPoints: [paths.find((path) => existsSync(path)) ?? file],
      bundle: true,
      // As in the real build. What is neither there nor part of every runtime fails it.
      platform: 'neutral',
      format: 'esm',
      metafile: true,
      write: false,
      logLevel: 'silent',
    });
    const [output] = Object.values(metafile.outputs);
    expect(output?.imports).toEqual([]);
    const packages = Object.keys(metafile.inputs).flatMap(
      (path) => path.match(/(?<=node_modules\/)(@[^/]+\/)?[^/]+/g)?.at(-1) ?? [],
    );
    expect([...new Set(packages)].sort()).toEqual(BUNDLED[entry] ?? []);
    // Else a release could hold another version than the one before it, from the same source.
    expect(Object.keys(manifest.devDependencies)).toEqual(expect.arrayContaining(packages));
  });
});
