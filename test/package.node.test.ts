import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

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
    expect(Object.keys(entries)).toEqual(expect.arrayContaining(['.', './memory', './testing']));
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
    .filter((file) => file.endsWith('.ts'))
    .map((file) => {
      const text = readFileSync(join(root, 'src', file), 'utf8');
      return ts.createSourceFile(file, text, ts.ScriptTarget.ES2022, true);
    });

  it('imports nothing but its own files', () => {
    const imported = files.flatMap((file) => ts.preProcessFile(file.text).importedFiles);
    const names = imported.map(({ fileName }) => fileName);
    expect(names).toContain('./types.js');
    expect(names.filter((name) => !/^\.\.?\//.test(name))).toEqual([]);
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
