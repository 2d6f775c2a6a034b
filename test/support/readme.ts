import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import ts from 'typescript';

export const root = join(import.meta.dirname, '../..');
export const readme = readFileSync(join(root, 'README.md'), 'utf8');

/** A fenced block of the README. */
export interface Block {
  language: string;
  /** From the comment `<!-- test: name -->` on the line before it. */
  name: string | undefined;
  code: string;
  /** Where the code begins in the README, from 1. */
  line: number;
}

export const blocks: Block[] = [
  ...readme.matchAll(/^(?:<!-- test: (\S+) -->\n)?```(\w*)\n(.*?)\n```$/gms),
].map((match) => {
  const [text, name, language = '', code = ''] = match;
  const start = match.index + text.indexOf(`\`\`\`${language}\n`);
  return { language, name, code, line: readme.slice(0, start).split('\n').length + 1 };
});

/** The rows of the table below the comment `<!-- test: name -->`, cell by cell, without its head. */
export function readTable(name: string): string[][] {
  const [, table = ''] = readme.match(new RegExp(`<!-- test: ${name} -->\n\n((?:\\|.*\n)+)`)) ?? [];
  const rows = table.trim().split('\n').slice(2);
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

/** The blocks of TypeScript, compiled against the sources of the library. */
export interface Code {
  /** Runs a block, once, and resolves to what it exports. */
  load<T>(name: string): Promise<T>;
  /** The program that runs a block. */
  program(name: string): string;
  /** The compiler's complaints about the blocks, each with its line in the README. */
  diagnose(): string[];
  close(): void;
}

/**
 * Makes a module of each block of TypeScript, named as the block is, so that
 * one can import another as `./name.js`. `preambles` stand before the code of
 * a block, `modules` are there to be imported too.
 *
 * In a block, `// →` after a statement shows the value of the statement: such
 * a line is made into an assertion.
 */
export async function compile(
  preambles: Record<string, string> = {},
  modules: Record<string, string> = {},
): Promise<Code> {
  // Inside the repository, where the blocks find what is installed.
  mkdirSync(join(root, 'node_modules/.cache'), { recursive: true });
  const folder = mkdtempSync(join(root, 'node_modules/.cache/readme-'));
  const path = (name: string, extension: string) => join(folder, `${name}.${extension}`);

  const files: Record<string, string> = { ...modules };
  for (const { language, name, code } of blocks) {
    if (language !== 'ts' || name === undefined) continue;
    files[name] = `${preamble(preambles[name])}\n${assertValues(code)}`;
  }
  writeFileSync(path('package', 'json'), '{ "type": "module" }');
  for (const [name, text] of Object.entries(files)) writeFileSync(path(name, 'ts'), text);

  await build({
    entryPoints: Object.keys(files).map((name) => path(name, 'ts')),
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    alias: sources(),
    logLevel: 'silent',
  });

  return {
    load: (name) => import(pathToFileURL(path(name, 'mjs')).href),
    program: (name) => path(name, 'mjs'),
    diagnose() {
      const roots = Object.keys(files).map((name) => path(name, 'ts'));
      const program = ts.createProgram(roots, compilerOptions());
      return roots
        .flatMap((root) => ts.getPreEmitDiagnostics(program, program.getSourceFile(root)))
        .map(describeDiagnostic);
    },
    close: () => rmSync(folder, { recursive: true }),
  };
}

/** Where each entry point of the package has its source. */
function sources(): Record<string, string> {
  const { name, exports } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const entries = Object.keys(exports).filter((entry) => !entry.endsWith('.json'));
  return Object.fromEntries(
    entries.map((entry) => {
      const file = entry === '.' ? 'index.ts' : `${entry}.ts`;
      const paths = [join(root, 'src', file), join(root, 'src/sql', file)];
      return [join(name, entry), paths.find((path) => existsSync(path)) as string];
    }),
  );
}

/** On one line, so that the lines of the block keep their distance from it. */
function preamble(code = ''): string {
  return `import { deepStrictEqual as equal$ } from 'node:assert/strict'; ${code.replaceAll('\n', ' ')}`;
}

const VALUE = /^(?:const (\w+) = )?(\S.*);([ \n])\/\/ → (.+(?:\n\/\/ {3}.*)*)$/gm;

function assertValues(code: string): string {
  const asserted = code.replaceAll(VALUE, (_line, name, expression, gap, shown) => {
    const value = shown.replaceAll('\n//', '\n');
    if (name === undefined) return `equal$(${expression},${gap}${value});`;
    return `const ${name} = ${expression}; equal$(${name},${gap}${value});`;
  });
  if (asserted.includes('→'))
    throw new Error(`A value is shown where it cannot be checked:\n${asserted}`);
  return asserted;
}

function compilerOptions(): ts.CompilerOptions {
  const host = { ...ts.sys, onUnRecoverableConfigFileDiagnostic: () => {} };
  const config = ts.getParsedCommandLineOfConfigFile(join(root, 'tsconfig.dev.json'), {}, host);
  if (!config) throw new Error('tsconfig.dev.json cannot be read');
  return config.options;
}

function describeDiagnostic({ file, start = 0, messageText }: ts.Diagnostic): string {
  const text = ts.flattenDiagnosticMessageText(messageText, '\n');
  if (!file) return text;
  const { line } = file.getLineAndCharacterOfPosition(start);
  const name = file.fileName.replace(/^.*\/(.+)\.ts$/, '$1');
  const block = blocks.find((each) => each.name === name);
  // The preamble is line 0 of the file.
  return block
    ? `README.md:${block.line + line - 1} (${name}): ${text}`
    : `${relative(root, file.fileName)}:${line + 1}: ${text}`;
}
