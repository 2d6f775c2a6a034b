import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { PgTable } from 'drizzle-orm/pg-core';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import * as core from '../src/index.js';
import { MemoryStore } from '../src/memory.js';
import * as report from '../src/report.js';
import { openPostgres, type Postgres } from './support/postgres.js';
import { blocks, type Code, compile, readme, readTable, root } from './support/readme.js';
import { mapStore } from './support/stores.js';

/** Every block of TypeScript in the README, and the code that stands before it when it is run. */
const PREAMBLES = {
  'first-screen': '',
  'sqlite-store': `const file = ':memory:';`,
  'owner-columns': `
    import type { PostgresClient } from '@systemoperator/runs/postgres';
    const { $client: pool } = (globalThis as unknown as { db: { $client: PostgresClient } }).db;`,
  'postgres-adapters': `const connectionString = 'postgres://user:password@localhost/db';`,
  tables: '',
  store: '',
  'conditional-store': '',
  testing: `
    import type { Database } from './store.js';
    const { db } = globalThis as unknown as { db: Database };
    export const cases: [string, () => Promise<void>][] = [];
    const test = (name: string, run: () => Promise<void>) => cases.push([name, run]);`,
  tracker: `
    import type { Database } from './store.js';
    const { db } = globalThis as unknown as { db: Database };
    const logger = { warn(_details: object, _message: string): void {} };`,
  payloads: `import { store, tracker } from './memory.js';`,
  manual: `import { store, tracker } from './memory.js';`,
  refusal: `import { store, tracker } from './memory.js';`,
  wrappers: `
    import { store, tracker } from './memory.js';
    const priceApi = { list: async () => [19.9, 24.5] };`,
  output: `
    import { stepId, store, tracker } from './memory.js';
    const priceApi = { login: async () => ({ token: 'k'.repeat(40), expiresIn: 3600 }) };`,
  signal: `import { store, tracker } from './memory.js';`,
  timeout: `
    import { stepId, store, tracker } from './memory.js';
    const url = 'https://prices.example';
    const fetch = (_url: string, { signal }: { signal: AbortSignal }) =>
      new Promise<Response>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      });`,
  retry: `import { runId, store, tracker } from './memory.js';`,
  heartbeat: `
    import { RunTracker } from '@systemoperator/runs';
    import { store, tracker } from './memory.js';
    const otherTracker = new RunTracker({ store });
    const importPrices = (signal: AbortSignal) =>
      new Promise<void>((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason));
      });`,
  adopting: `import { store, tracker } from './memory.js';`,
  items: `
    import { store, tracker } from './memory.js';
    const importFile = async (file: string) => {
      if (file === 'b.csv') throw new Error('b.csv is empty');
    };`,
  estimate: '',
  progress: `import { stepId, store, tracker } from './memory.js';`,
  counters: `import { runId, store, tracker } from './memory.js';`,
  'link-store': '',
  links: `
    import { RunTracker } from '@systemoperator/runs';
    import { createLinkStore } from './link-store.js';
    import { stepId, store } from './memory.js';
    import type { Database } from './store.js';
    const { db } = globalThis as unknown as { db: Database };`,
  lists: `
    import { RunTracker } from '@systemoperator/runs';
    import { MemoryStore } from '@systemoperator/runs/memory';
    const store = new MemoryStore();
    let time = 0;
    const tracker = new RunTracker({ store, now: () => new Date(time++) });
    for (const id of ['sync-1', 'sync-2', 'sync-3']) {
      await tracker.createRun({ id, runType: 'sync', trigger: 'cron' });
    }
    await tracker.createStep('sync-3', { stepType: 'fetch' });
    await tracker.createStep('sync-3', { stepType: 'load' });
    await tracker.cancelRun('sync-1');
    await tracker.failRun('sync-3', 'broken');`,
  report: `import { store } from './night.js';`,
  'report-svg': `import { store } from './night.js';`,
  viewer: `
    import { store } from './memory.js';
    const isAdmin = (request: Request) => request.headers.has('cookie');`,
  'viewer-node': `
    import type { AddressInfo } from 'node:net';
    import { createViewer } from '@systemoperator/runs/viewer';
    import { store } from './memory.js';
    const viewer = createViewer({ reader: store, authorize: ({ headers }) => headers.has('cookie') });
    const port = 0;
    export const statuses = new Promise<number[]>((resolve) => {
      setTimeout(async () => {
        const { port } = server.address() as AddressInfo;
        const ask = (headers: HeadersInit) => fetch('http://localhost:' + port, { headers });
        resolve([(await ask({ cookie: 'a' })).status, (await ask({})).status]);
        server.close();
      }, 100);
    });`,
  upkeep: `
    import { DatabaseSync } from 'node:sqlite';
    import { RunTracker } from '@systemoperator/runs';
    import { SqliteStore } from '@systemoperator/runs/sqlite';
    const store = new SqliteStore(new DatabaseSync(':memory:'));
    await store.migrate();
    let time = Date.UTC(2025, 10);
    const tracker = new RunTracker({ store, now: () => new Date(time) });
    for (const id of ['old-1', 'old-2']) {
      await tracker.executeRun({ id, runType: 'sync', trigger: 'cron' }, () => {});
    }
    time = Date.UTC(2026, 2, 1, 11);
    await tracker.startRun(await tracker.createRun({ id: 'import-9', runType: 'import', trigger: 'user' }));
    time = Date.UTC(2026, 2, 1, 12, 15);`,
  helpers: '',
  owners: '',
  failure: '',
};
const NAMES = Object.keys(PREAMBLES);
/** The blocks that print something, which is shown below them. */
const PRINTING = ['first-screen', 'report'];

/** What the preambles import. The blocks' database is the global `db`. */
const MODULES = {
  memory: `
    import { RunTracker } from '@systemoperator/runs';
    import { MemoryStore } from '@systemoperator/runs/memory';
    export const store = new MemoryStore();
    export const tracker = new RunTracker({ store });
    export const runId = await tracker.createRun({ runType: 'sync', trigger: 'manual' });
    export const stepId = await tracker.createStep(runId, { stepType: 'import' });
    await tracker.startRun(runId);`,
  night: `
    import { RunTracker } from '@systemoperator/runs';
    import { MemoryStore } from '@systemoperator/runs/memory';
    export const store = new MemoryStore();
    let time = Date.UTC(2026, 2, 1, 3);
    let count = 0;
    let tries = 0;
    const generateId = () => 'id-' + String(count++).padStart(3, '0');
    const tracker = new RunTracker({ store, linkStore: store, generateId, now: () => new Date(time) });
    const call = { tool: 'price_api', operation: 'GET /prices' };
    const link = { linkType: 'affected', entityType: 'price' } as const;
    await tracker.executeRun({ id: 'sync-9', runType: 'sync_prices', trigger: 'cron' }, async (run) => {
      await tracker.executeStep(run, { stepType: 'fetch_prices' }, async (step) => {
        const fetchPrices = async () => {
          time += 400;
          if (++tries < 2) throw new Error('503 Service Unavailable');
          return [19.9, 24.5];
        };
        const retry = { maxAttempts: 2, delayMs: 0 };
        await tracker.executeCall(step, call, fetchPrices, { retry, output: (all) => ({ count: all.length }) });
      });
      await tracker.incrementRunOutput(run, { fetched: 200, updated: 12 });
      await tracker.executeStep(run, { stepType: 'import' }, async (step) => {
        for (let price = 0; price < 12; price += 1) {
          await tracker.linkStep(step, { ...link, entityId: 'p' + price });
        }
        await tracker.updateStepProgress(step, { itemsTotal: 200, itemsProcessed: 200 });
        await tracker.updateStepProgress(step, { itemsSucceeded: 198, itemsFailed: 2 });
        time += 1600;
      });
      const notify = await tracker.createStep(run, { stepType: 'notify' });
      await tracker.skipStep(notify, 'nobody subscribed');
    });`,
};

/** The blocks that are no TypeScript: what the first program prints, and these. */
const OTHER_BLOCKS = [
  'text: the job threw: price_api answered 503',
  'sh: npm install @systemoperator/runs',
  'text: run     sync_prices               a job: a sync, a webhook, a chat turn, a cron task',
  'text: ✔ sync_prices                            completed   2.4s  ├─────────── 2.4s ─┤',
];

let code: Code;
let db: Postgres;

beforeAll(async () => {
  code = await compile(PREAMBLES, MODULES);
  const { runs, steps, calls } = await code.load<Record<string, PgTable>>('tables');
  const { stepLinks } = await code.load<Record<string, PgTable>>('link-store');
  db = await openPostgres(runs!, steps!, calls!, stepLinks!);
  vi.stubGlobal('db', db);
}, 120_000);

afterAll(async () => {
  await db?.$client.close();
  code?.close();
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
  }, 120_000);

  it.for(NAMES.filter((name) => !PRINTING.includes(name)))(
    'runs, and has the values that it shows: %s',
    async (name) => {
      await expect(code.load(name)).resolves.toBeDefined();
    },
  );

  it('opens a store that passes every case', async () => {
    const { cases } = await code.load<{ cases: [string, () => Promise<void>][] }>('testing');
    expect(cases.length).toBeGreaterThan(100);
    for (const [name, run] of cases) await expect(run(), name).resolves.toBeUndefined();
  }, 120_000);

  it('serves the viewer from Node, to those who are let in', async () => {
    const { statuses } = await code.load<{ statuses: Promise<number[]> }>('viewer-node');
    expect(await statuses).toEqual([200, 403]);
  });

  it.each(PRINTING)('prints what is written below it: %s', async (program) => {
    const index = blocks.findIndex(({ name }) => name === program);
    const printed = await promisify(execFile)(process.execPath, [code.program(program)]);
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
      // Of an overloaded one the signature that covers the others.
      ...tracker.members
        .filter(ts.isMethodDeclaration)
        .filter(({ name, body }) => ts.isIdentifier(name) && body),
    ];
    const rows = readTable('api');
    expect(rows.map(([signature]) => signature).toSorted()).toEqual(
      methods.map((method) => `\`${signatureOf(method)}\``).toSorted(),
    );
    let compared = 0;
    for (const method of methods) {
      const type = method.parameters.at(-1)?.type?.getText().replace('<T>', '') ?? '';
      if (!/(Params|Progress|Options)$/.test(type)) continue;
      const [, parameters = ''] =
        rows.find(([signature]) => signature === `\`${signatureOf(method)}\``) ?? [];
      // Where there is work, its options come after it.
      const named = parameters.replace(/^.*; options /, '').match(/[\w?]+/g) ?? [];
      const members = membersOf(type, ({ questionToken }) => questionToken !== undefined);
      expect(named.toSorted(), type).toEqual(members);
      compared += 1;
    }
    expect(compared).toBe(14);
  });

  it('says of every option of the wrappers what it belongs to, and has a section for it', () => {
    const rows = readTable('options').filter(([, use]) => use?.startsWith('[`'));
    const kinds = { Run: 'runs', Step: 'steps', Call: 'calls' };
    for (const [record, kind] of Object.entries(kinds)) {
      const named = rows
        .filter(([, use, on]) => on?.includes(kind) && !use?.includes('executeItems'))
        .map(([, use = '']) => use.match(/\w+/)?.[0]);
      const options = membersOf(`Execute${record}Options`, () => false);
      expect(named.toSorted(), kind).toEqual(options);
      expect(readme.match(/(?<=^### )\w+$/gm)).toEqual(expect.arrayContaining(options));
    }
  });

  it('names the members of the options that have some', () => {
    const membersIn = (table: string) => readTable(table).map(([name]) => name?.match(/\w+/)?.[0]);
    const members = (type: string) => membersOf(type, () => false);
    expect(membersIn('retry-options').toSorted()).toEqual(members('RetryOptions'));
    expect(membersIn('items-options').toSorted()).toEqual(members('ExecuteItemsOptions'));
  });

  it('names the errors of every method by their codes', async () => {
    const named = readTable('api').flatMap(([signature = '', , , errors = '']) =>
      [...errors.matchAll(/`(\w+)`/g)].map(([, code]) => `${signature.match(/\w+(?=\()/)} ${code}`),
    );
    const provocations = await provokeErrors();
    expect(named).toEqual(Object.keys(provocations));
    for (const [name, provoke] of Object.entries(provocations)) {
      await expect((async () => provoke())(), name).rejects.toMatchObject({
        name: 'RunsError',
        code: name.split(' ')[1],
      });
    }
  });

  it('names everything that the package exports at run time', () => {
    const [, api = ''] = readme.split('\n## API\n');
    for (const name of Object.keys(core))
      expect(api).toMatch(new RegExp(`^\\| \`.*${name}\\b`, 'm'));
  });

  it('names every entry point of the package, and the options of the stores', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    const entries = Object.keys(manifest.exports).map((entry) => entry.slice(1));
    const stores = readTable('stores').map(([entry]) => entry?.replaceAll('`', ''));
    const sections = ['/testing', '/report', '/viewer'];
    for (const entry of sections) expect(readme).toContain(`from '@systemoperator/runs${entry}'`);
    expect([...stores, ...sections, '', '/package.json'].toSorted()).toEqual(entries.toSorted());
    const options = readTable('store-options').map(([name]) => name?.replaceAll('`', ''));
    expect(options.toSorted()).toEqual(
      [
        ...membersOf('SqlStoreOptions', () => false),
        ...membersOf('PostgresStoreOptions', () => false),
      ]
        .filter((name, index, all) => all.indexOf(name) === index)
        .toSorted(),
    );
  });

  it('names every function of the report, with its options', () => {
    const options: Record<string, string> = {
      loadRunTrace: 'LoadTraceOptions',
      loadStepTrace: 'LoadTraceOptions',
      formatRunTree: 'RunTreeOptions',
      renderTimelineSvg: 'TimelineSvgOptions',
    };
    const rows = readTable('report-table');
    const functions = rows.map(([signature]) => signature?.match(/\w+/)?.[0] ?? '');
    expect(functions.toSorted()).toEqual(Object.keys(report).toSorted());
    for (const [index, [, named = '']] of rows.entries()) {
      const type = options[functions[index] ?? ''];
      const members = type ? membersOf(type, () => false) : [];
      expect((named.match(/\w+/g) ?? []).toSorted()).toEqual(members);
    }
  });

  it('names every filter of every list', () => {
    const lists = { listRuns: 'RunQuery', listSteps: 'StepQuery', listCalls: 'StepRecordQuery' };
    for (const [list, query] of Object.entries(lists)) {
      const [, , filters = ''] = readTable('lists-table').find(([name]) => name?.includes(list))!;
      const members = membersOf(query, () => false);
      const page = membersOf('PageQuery', () => false);
      expect(filters.match(/\w+/g)?.toSorted()).toEqual(
        members.filter((name) => !page.includes(name)),
      );
    }
  });

  it('has its sections in the order that a newcomer needs them', () => {
    expect(readme.match(/(?<=^## ).*/gm)).toEqual([
      'Install',
      'The model',
      'Ready-made stores',
      'Implement `RunStore` over your own tables',
      'Create a tracker',
      'Manual lifecycle',
      'Wrappers',
      'Options of the wrappers',
      'Batch progress',
      'Run output counters',
      'Step links',
      'Look at what ran',
      'Report',
      'See it in a browser',
      'Upkeep',
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

/** Makes each method fail in each way that the README names, by method and code. */
async function provokeErrors(): Promise<Record<string, () => unknown>> {
  const store = new MemoryStore();
  const tracker = new core.RunTracker({ store, linkStore: store });
  const run = { runType: 'sync', trigger: 'cron' } as const;
  const step = { stepType: 'load' };
  const call = { tool: 'api', operation: 'GET' };
  const link = { linkType: 'input', entityType: 'file', entityId: undefined as never } as const;
  const noId = { id: '' };
  const noRetry = { retryOf: 'nobody' };
  const work = () => expect.unreachable();

  await tracker.executeRun({ ...run, id: 'done' }, () => {});
  await tracker.executeStep(null, { ...step, id: 'done' }, () => {});
  await tracker.executeCall('done', { ...call, id: 'done' }, () => {});
  await tracker.cancelRun(await tracker.createRun({ ...run, id: 'gone' }));
  await tracker.cancelStep(await tracker.createStep(null, { ...step, id: 'gone' }));
  await tracker.failCall(await tracker.createCall('gone', { ...call, id: 'gone' }), 'x');

  return {
    'RunTracker invalid_argument': () =>
      new core.RunTracker({ store, maxPayloadBytes: Number.NaN }),
    'createRun invalid_argument': () => tracker.createRun({ ...run, ...noId }),
    'startRun not_found': () => tracker.startRun('nobody'),
    'startRun invalid_transition': () => tracker.startRun('done'),
    'finishRun not_found': () => tracker.finishRun('nobody'),
    'finishRun invalid_transition': () => tracker.finishRun('gone'),
    'failRun not_found': () => tracker.failRun('nobody', 'x'),
    'failRun invalid_transition': () => tracker.failRun('done', 'x'),
    'cancelRun not_found': () => tracker.cancelRun('nobody'),
    'cancelRun invalid_transition': () => tracker.cancelRun('done'),
    'updateRunProgress not_found': () => tracker.updateRunProgress('nobody', 'x'),
    'incrementRunOutput not_found': () => tracker.incrementRunOutput('nobody', { a: 1 }),
    'incrementRunOutput invalid_argument': () => tracker.incrementRunOutput('done', { a: NaN }),
    'executeRun invalid_argument': () => tracker.executeRun({ ...run, ...noId }, work),
    'executeRun not_found': () => tracker.executeRun('nobody', work),
    'executeRun invalid_transition': () => tracker.executeRun('done', work),
    'createStep invalid_argument': () => tracker.createStep(null, { ...step, ...noId }),
    'createStep not_found': () => tracker.createStep(null, { ...step, ...noRetry }),
    'startStep not_found': () => tracker.startStep('nobody'),
    'startStep invalid_transition': () => tracker.startStep('done'),
    'finishStep not_found': () => tracker.finishStep('nobody'),
    'finishStep invalid_transition': () => tracker.finishStep('gone'),
    'failStep not_found': () => tracker.failStep('nobody', 'x'),
    'failStep invalid_transition': () => tracker.failStep('done', 'x'),
    'cancelStep not_found': () => tracker.cancelStep('nobody'),
    'cancelStep invalid_transition': () => tracker.cancelStep('done'),
    'skipStep not_found': () => tracker.skipStep('nobody'),
    'skipStep invalid_transition': () => tracker.skipStep('done'),
    'updateStepProgress not_found': () => tracker.updateStepProgress('nobody', { itemsTotal: 1 }),
    'updateStepProgress invalid_argument': () =>
      tracker.updateStepProgress('done', { itemsTotal: NaN }),
    'executeStep invalid_argument': () => tracker.executeStep(null, { ...step, ...noId }, work),
    'executeStep not_found': () => tracker.executeStep(null, { ...step, ...noRetry }, work),
    'createCall invalid_argument': () => tracker.createCall('done', { ...call, ...noId }),
    'createCall not_found': () => tracker.createCall('done', { ...call, ...noRetry }),
    'finishCall not_found': () => tracker.finishCall('nobody'),
    'finishCall invalid_transition': () => tracker.finishCall('gone'),
    'failCall not_found': () => tracker.failCall('nobody', 'x'),
    'failCall invalid_transition': () => tracker.failCall('done', 'x'),
    'executeCall invalid_argument': () => tracker.executeCall('done', { ...call, ...noId }, work),
    'executeCall not_found': () => tracker.executeCall('done', { ...call, ...noRetry }, work),
    'executeItems invalid_argument': () =>
      tracker.executeItems('done', [], work, { concurrency: 0 }),
    'linkStep invalid_argument': () => tracker.linkStep('done', link),
    'failStale invalid_argument': () => tracker.failStale({ olderThanMs: 0 }),
    'failStale unsupported': () =>
      new core.RunTracker({ store: mapStore() }).failStale({ olderThanMs: 1 }),
  };
}

const declarations = [
  'types',
  'store',
  'options',
  'items',
  'tracker',
  'sql/options',
  'sql/postgres',
  'report/trace',
  'report/tree',
  'report/svg',
].flatMap((name) => {
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
