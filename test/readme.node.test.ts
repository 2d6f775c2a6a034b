import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as core from '../src/index.js';
import type { Postgres } from './support/postgres.js';
import { blocks, type Code, compile, readme, readTable, root } from './support/readme.js';

/** Every block of TypeScript in the README, and the code that stands before it when it is run. */
const PREAMBLES = {
  'first-screen': '',
  tables: '',
  store: '',
  'conditional-store': '',
  tracker: `
    import { db } from './database.js';
    const logger = { warn(_details: object, _message: string): void {} };`,
  payloads: `import { store, tracker } from './memory.js';`,
  manual: `import { store, tracker } from './memory.js';`,
  refusal: `import { store, tracker } from './memory.js';`,
  wrappers: `
    import { store, tracker } from './memory.js';
    const priceApi = { list: async () => [19.9, 24.5] };`,
  progress: `import { stepId, store, tracker } from './memory.js';`,
  counters: `import { runId, store, tracker } from './memory.js';`,
  'link-store': '',
  links: `
    import { RunTracker } from '@systemoperator/runs';
    import { db } from './database.js';
    import { createLinkStore } from './link-store.js';
    import { stepId, store } from './memory.js';`,
  helpers: '',
  owners: '',
  failure: '',
};
const NAMES = Object.keys(PREAMBLES);

/** What the preambles import. */
const MODULES = {
  memory: `
    import { RunTracker } from '@systemoperator/runs';
    import { MemoryStore } from '@systemoperator/runs/memory';
    export const store = new MemoryStore();
    export const tracker = new RunTracker({ store });
    export const runId = await tracker.createRun({ runType: 'sync', trigger: 'manual' });
    export const stepId = await tracker.createStep(runId, { stepType: 'import' });
    await tracker.startRun(runId);`,
  database: `
    import { openPostgres } from '../../../test/support/postgres.js';
    import { stepLinks } from './link-store.js';
    import { calls, runs, steps } from './tables.js';
    export const db = await openPostgres(runs, steps, calls, stepLinks);`,
};

/** The blocks that are no TypeScript: what the first program prints, and these. */
const OTHER_BLOCKS = [
  'text: the job threw: price_api answered 503',
  'sh: npm install @systemoperator/runs',
  'text: run     sync_prices               a job: a sync, a webhook, a chat turn, a cron task',
];

let code: Code;

beforeAll(async () => {
  code = await compile(PREAMBLES, MODULES);
}, 60_000);

afterAll(async () => {
  const { db } = await code.load<{ db: Postgres }>('database');
  await db.$client.close();
  code.close();
});

describe('the code in the README', () => {
  it('has a name where it is TypeScript, and is listed here', () => {
    const programs = blocks.filter(({ language }) => language === 'ts');
    expect(programs.map(({ name }) => name)).toEqual(NAMES);
    const others = blocks.filter(({ language }) => language !== 'ts');
    expect(others.map((each) => `${each.language}: ${each.code.split('\n')[0]}`)).toEqual(
      OTHER_BLOCKS,
    );
    // Nothing opens a block in a way that is not looked for.
    expect(readme.match(/^\s*(```|~~~)/gm)).toHaveLength(2 * blocks.length);
  });

  it('compiles as strictly as the library itself', () => {
    expect(code.diagnose()).toEqual([]);
  }, 60_000);

  it.for(NAMES.slice(1))('runs, and has the values that it shows: %s', async (name) => {
    await expect(code.load(name)).resolves.toBeDefined();
  });

  it('prints on the first screen what is written below it', async () => {
    const index = blocks.findIndex(({ name }) => name === 'first-screen');
    const printed = await promisify(execFile)(process.execPath, [code.program('first-screen')]);
    expect(printed).toEqual({ stdout: `${blocks[index + 1]?.code}\n`, stderr: '' });
  });
});

describe('the prose of the README', () => {
  it('names every field of every record, and whether it can be null', () => {
    const rows = readTable('fields');
    for (const [index, record] of ['Run', 'Step', 'Call', 'StepLink'].entries()) {
      const named = rows.flatMap((row) => row[index + 1]?.match(/[\w?]+/g) ?? []);
      const fields = membersOf(record, ({ type }) => /\bnull\b/.test(type?.getText() ?? ''));
      expect(named.toSorted(), record).toEqual(fields);
    }
  });

  it('names every method of the tracker, with its parameters and what they may hold', () => {
    const tracker = declaration('RunTracker', ts.isClassDeclaration);
    const methods = [
      ...tracker.members.filter(ts.isConstructorDeclaration),
      ...tracker.members.filter(ts.isMethodDeclaration).filter(({ name }) => ts.isIdentifier(name)),
    ];
    const rows = readTable('api');
    expect(rows.map(([signature]) => signature).toSorted()).toEqual(
      methods.map((method) => `\`${signatureOf(method)}\``).toSorted(),
    );
    let compared = 0;
    for (const method of methods) {
      const isWrapper = method.parameters.some(({ name }) => name.getText() === 'fn');
      const type = method.parameters.at(-1)?.type?.getText() ?? '';
      if (isWrapper || !/(Params|Progress|Options)$/.test(type)) continue;
      const row = rows.find(([signature]) => signature === `\`${signatureOf(method)}\``);
      const named = row?.[1]?.match(/[\w?]+/g) ?? [];
      const members = membersOf(type, ({ questionToken }) => questionToken !== undefined);
      expect(named.toSorted(), type).toEqual(members);
      compared += 1;
    }
    expect(compared).toBe(9);
  });

  it('names everything that the package exports at run time', () => {
    const [, api = ''] = readme.split('\n## API\n');
    for (const name of Object.keys(core))
      expect(api).toMatch(new RegExp(`^\\| \`.*${name}\\b`, 'm'));
  });

  it('has its sections in the order that a newcomer needs them', () => {
    expect(readme.match(/(?<=^## ).*/gm)).toEqual([
      'Install',
      'The model',
      'Implement `RunStore` over your own tables',
      'Create a tracker',
      'Manual lifecycle',
      'Wrappers',
      'Batch progress',
      'Run output counters',
      'Step links',
      'Helpers',
      'Owner fields',
      'What happens on failure',
      'Guarantees',
      'API',
      'Licence',
    ]);
  });

  it('points to commands, files and sections that are there', () => {
    const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const named = [...readme.matchAll(/npm (?:run )?(?!install|run)(\w+)`/g)].map(
      ([, name]) => name,
    );
    expect(named).toEqual(['example', 'test']);
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(named));

    const headings = readme.match(/(?<=^#+ ).*/gm) ?? [];
    const anchors = headings.map((heading) => `#${heading.toLowerCase().replaceAll(' ', '-')}`);
    for (const [, target = ''] of readme.matchAll(/\]\(([^)]+)\)/g)) {
      if (target.startsWith('https://')) continue;
      if (target.startsWith('#')) expect(anchors).toContain(target);
      else expect(existsSync(join(root, target)), target).toBe(true);
    }
  });
});

const declarations = ['types', 'tracker'].flatMap((name) => {
  const path = join(root, 'src', `${name}.ts`);
  const file = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.ES2022, true);
  return [...file.statements];
});

function declaration<D extends ts.InterfaceDeclaration | ts.ClassDeclaration>(
  name: string,
  isKind: (node: ts.Node) => node is D,
): D {
  return declarations.filter(isKind).find((each) => each.name?.text === name)!;
}

/** The members of an interface, in alphabetical order, with a `?` after those that are marked. */
function membersOf(name: string, isMarked: (member: ts.PropertySignature) => boolean): string[] {
  const { members, heritageClauses = [] } = declaration(name, ts.isInterfaceDeclaration);
  const own = members
    .filter(ts.isPropertySignature)
    .map((member) => `${member.name.getText()}${isMarked(member) ? '?' : ''}`);
  const inherited = heritageClauses
    .flatMap(({ types }) => types)
    .flatMap(({ expression }) => membersOf(expression.getText(), isMarked));
  return [...own, ...inherited].toSorted();
}

function signatureOf(method: ts.ConstructorDeclaration | ts.MethodDeclaration): string {
  const name = ts.isConstructorDeclaration(method) ? 'new RunTracker' : method.name.getText();
  const parameters = method.parameters.map(
    (each) => `${each.name.getText()}${each.questionToken ? '?' : ''}`,
  );
  return `${name}(${parameters.join(', ')})`;
}
