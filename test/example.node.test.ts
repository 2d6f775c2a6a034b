import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

// The program is bundled with the sources it names, so that no build has to come first. It lies
// in a checkout of its own, because it looks for its default lock file beside itself.
let scratch: string;
let checkout: string;
let project: string;
let catalogues: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'audit-lockfile-'));
  checkout = join(scratch, 'checkout');
  await build({
    absWorkingDir: join(import.meta.dirname, '..'),
    entryPoints: ['examples/audit-lockfile.ts'],
    outfile: join(checkout, 'examples/audit-lockfile.mjs'),
    tsconfig: 'tsconfig.dev.json',
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });
});

afterAll(() => rm(scratch, { recursive: true }));

beforeEach(async () => {
  project = await mkdtemp(join(scratch, 'project-'));
  catalogues = join(project, 'catalogues');
});

interface Entry {
  version?: string;
  resolved?: string;
  integrity?: string;
  optional?: boolean;
  devOptional?: boolean;
  link?: boolean;
  inBundle?: boolean;
  name?: string;
}

async function write(path: string, content: unknown): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
}

function writeLockfile(packages: Record<string, Entry>, name = 'package-lock.json') {
  return write(join(project, name), { lockfileVersion: 3, packages });
}

/** Writes the `package.json` of what is installed, by install path. */
async function install(versions: Record<string, string | undefined>): Promise<void> {
  for (const [path, version] of Object.entries(versions)) {
    await write(join(project, path, 'package.json'), { version });
  }
}

interface Result {
  exitCode: number | null;
  /** The signal that killed it, if one did. */
  killedBy: NodeJS.Signals | null;
  output: string;
  /**
   * What is printed of a record: its name and status, and what stands below it, but
   * for links. Without the mark, the duration and the bars.
   */
  line: (name: string) => string | undefined;
  /** Whether a text is printed, wherever its lines are broken. */
  says: (text: string) => boolean;
}

/** The line of a run, a step or a call: its mark, name and status, and what follows. */
const RECORD = /^ *[○●✔✖⊘↷] (?<name>\S.*?) {2,}(?<status>[a-z]+)(?: {2}.*)?$/;

function readLine(output: string, name: string): string | undefined {
  const lines = output.split('\n');
  const index = lines.findIndex((line) => RECORD.exec(line)?.groups?.name === name);
  if (index < 0) return undefined;
  const below = lines.slice(index + 1);
  const end = below.findIndex((line) => RECORD.test(line));
  const details = below.slice(0, end < 0 ? undefined : end);
  const words = [name, RECORD.exec(lines[index] ?? '')?.groups?.status];
  words.push(...details.filter((line) => !/^ +(→|…)/.test(line)));
  return words
    .join(' ')
    .replace(/[\s█░]+/g, ' ')
    .trim();
}

/** @param marker a line of its output that it is sent a SIGINT for, as Ctrl-C does */
function run(args: string[], marker?: RegExp): Promise<Result> {
  return new Promise((resolve) => {
    // Nothing depends on the folder that it is started from.
    const options = { cwd: tmpdir(), timeout: 20_000, killSignal: 'SIGKILL' } as const;
    const child = execFile(process.execPath, args, options, (_, stdout, stderr) => {
      const output = stdout + stderr;
      resolve({
        exitCode: child.exitCode,
        killedBy: child.signalCode,
        output,
        line: (name) => readLine(output, name),
        says: (text) => output.replace(/\s/g, '').includes(text.replace(/\s/g, '')),
      });
    });
    child.stdout?.on('data', (chunk: string) => {
      if (marker?.test(chunk)) child.kill('SIGINT');
    });
  });
}

const program = () => join(checkout, 'examples/audit-lockfile.mjs');

function audit(name = 'package-lock.json'): Promise<Result> {
  return run([program(), join(project, name), catalogues]);
}

/** Audits with a `read` of its own in place of Node's `readFile`, which it may call. */
async function auditReading(read: string, marker?: RegExp): Promise<Result> {
  const preload = join(project, 'preload.mjs');
  const replace = `
    import fs from 'node:fs/promises';
    import { syncBuiltinESMExports } from 'node:module';
    const { readFile } = fs;
    let count = 0;
    fs.readFile = ${read};
    syncBuiltinESMExports();`;
  await write(preload, replace);
  const url = pathToFileURL(preload).href;
  return run(['--import', url, program(), join(project, 'package-lock.json'), catalogues], marker);
}

/** The catalogues that were saved. */
async function saved(folder = catalogues): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith('.json'));
}

const counters = (output: string) => output.match(/fetched.*/)?.[0];

describe('a project with one package of each kind', () => {
  beforeEach(async () => {
    await writeLockfile({
      '': { version: '9.9.9' },
      'node_modules/plain': { version: '1.0.0', integrity: 'sha512-a' },
      'node_modules/plain/node_modules/nested': { version: '2.0.0' },
      'node_modules/@scope/bundled': { version: '3.0.0', inBundle: true },
      'node_modules/alias': { name: 'real', version: '4.0.0' },
      'node_modules/git': { version: '5.0.0', resolved: 'git+ssh://host/git.git#1111111' },
      'node_modules/workspace': { resolved: 'packages/workspace', link: true },
      'packages/workspace': {},
      'node_modules/other-platform': { version: '6.0.0', optional: true },
      'node_modules/left-out': { version: '6.0.0', devOptional: true },
      'node_modules/wrong': { version: '7.0.0' },
      'node_modules/missing': { version: '8.0.0' },
    });
    await install({
      'node_modules/plain': '1.0.0',
      'node_modules/plain/node_modules/nested': '2.0.0',
      'node_modules/@scope/bundled': '3.0.0',
      'node_modules/alias': '4.0.0',
      'node_modules/git': '5.0.0',
      'packages/workspace': undefined,
      'node_modules/wrong': '7.0.1',
    });
  });

  it('its first audit inserts every package but the project and the link', async () => {
    const { exitCode, output, line } = await audit();

    expect(exitCode).toBe(0);
    expect(output).toMatch(/^✔ audit_lockfile +completed +[\d.]+m?s /);
    expect(counters(output)).toBe('fetched 10 · inserted 10 · updated 0 · unchanged 0 · removed 0');
    expect(line('read_lockfile')).toBe('read_lockfile completed');
    expect(line('fs read')).toMatch(/^fs read success characters \d+$/);
    expect(line('json parse')).toBe('json parse success packages 10');
    // Neither the text nor the packages that were parsed from it.
    expect(output.match(/(?<=^ +✔ )\w+( \w+)?(?= )/gm)?.slice(0, 4)).toEqual([
      'read_lockfile',
      'fs read',
      'json parse',
      'compare_catalogue',
    ]);
    expect(output).not.toContain('sha512-a');
    expect(line('insert_packages')).toBe('insert_packages completed');
    expect(output).toContain('      → affected package node_modules/plain (1.0.0)\n');
    expect(line('save_catalogue')).toBe('save_catalogue completed');
    expect(line('fs write')).toBe('fs write success');
  });

  it('packages that are missing or differ are failed items, not a failed audit', async () => {
    const { exitCode, output, line } = await audit();

    expect(exitCode).toBe(0);
    expect(line('check_installed')).toMatch(
      /^check_installed completed 10\/10 · 6 succeeded · 4 failed( |$)/,
    );
    expect(output).toContain('node_modules/other-platform is not installed (optional)\n');
    expect(output).toContain('node_modules/left-out is not installed (optional)\n');
    expect(output).toContain('node_modules/wrong has version 7.0.1, not 7.0.0\n');
    expect(output).toContain('node_modules/missing is not installed\n');
  });

  it('its second audit finds everything unchanged', async () => {
    await audit();
    const { exitCode, output } = await audit();

    expect(exitCode).toBe(0);
    expect(counters(output)).toBe('fetched 10 · inserted 0 · updated 0 · unchanged 10 · removed 0');
    expect(output).not.toMatch(/insert_packages|update_packages|remove_packages|→/);
  });
});

it('each package that changed is linked to the step that changed it', async () => {
  const git = 'git+ssh://host/git.git';
  await writeLockfile({
    'node_modules/same': { version: '1.0.0', integrity: 'sha512-a', resolved: 'one mirror' },
    'node_modules/updated': { version: '1.0.0' },
    'node_modules/git': { version: '1.0.0', resolved: `${git}#1111111` },
    'node_modules/removed': { version: '1.0.0' },
  });
  await audit();
  await writeLockfile({
    'node_modules/same': { version: '1.0.0', integrity: 'sha512-a', resolved: 'another mirror' },
    'node_modules/updated': { version: '1.1.0' },
    'node_modules/git': { version: '1.0.0', resolved: `${git}#2222222` },
    'node_modules/added': { version: '3.0.0' },
  });
  const { output } = await audit();

  expect(counters(output)).toBe('fetched 4 · inserted 1 · updated 2 · unchanged 1 · removed 1');
  expect(output.replace(/ +completed .*$/gm, '')).toContain(
    [
      '    ✔ insert_packages',
      '      → affected package node_modules/added (3.0.0)',
      '    ✔ update_packages',
      '      → affected package node_modules/updated (1.1.0)',
      '      → affected package node_modules/git (1.0.0)',
      '    ✔ remove_packages',
      '      → affected package node_modules/removed (1.0.0)',
      '  ✔ check_installed',
    ].join('\n'),
  );
});

it('packages are checked in batches, all of them', async () => {
  const paths = Array.from({ length: 120 }, (_, index) => `node_modules/package-${index}`);
  await writeLockfile(Object.fromEntries(paths.map((path) => [path, { version: '1.0.0' }])));
  await install(Object.fromEntries(paths.slice(0, 110).map((path) => [path, '1.0.0'])));
  const { output, line } = await audit();

  expect(line('check_installed')).toMatch(
    /^check_installed completed 120\/120 · 110 succeeded · 10 failed( |$)/,
  );
  expect(output).toContain('… and 117 more\n');
  expect(output).toContain('… and 7 more\n');
});

it('of very many problems all are counted', async () => {
  const paths = Array.from({ length: 120 }, (_, index) => `node_modules/package-${index}`);
  await writeLockfile(Object.fromEntries(paths.map((path) => [path, { version: '1.0.0' }])));
  const { output, line } = await audit();

  expect(line('check_installed')).toMatch(
    /^check_installed completed 120\/120 · 0 succeeded · 120 failed( |$)/,
  );
  // All are counted, a hundred recorded, and a few shown.
  expect(output.match(/is not installed\n/g)).toHaveLength(3);
  expect(output).toMatch(/is not installed\n {4}… and 97 more\n/);
});

it('a lock file that cannot be read is read again, each time in a call of its own', async () => {
  await writeLockfile({ 'node_modules/a': { version: '1.0.0' } });
  const { exitCode, line } = await auditReading(`async (path, options) => {
    if (path.endsWith('package-lock.json') && count++ < 2) throw new Error('busy ' + count);
    return readFile(path, options);
  }`);

  expect(exitCode).toBe(0);
  expect(line('fs read')).toBe('fs read error busy 1');
  expect(line('fs read · attempt 2')).toBe('fs read · attempt 2 error busy 2');
  expect(line('fs read · attempt 3')).toMatch(/^fs read · attempt 3 success characters \d+$/);
  expect(line('read_lockfile')).toBe('read_lockfile completed');
});

describe('Ctrl-C in the middle of the checks', () => {
  beforeEach(async () => {
    const paths = Array.from({ length: 100 }, (_, index) => `node_modules/package-${index}`);
    await writeLockfile(Object.fromEntries(paths.map((path) => [path, { version: '1.0.0' }])));
    await install(Object.fromEntries(paths.map((path) => [path, '1.0.0'])));
    await install({ 'node_modules/package-7': '1.0.1' });
  });

  // Of the files to check all but the first 60 are never read. As soon as all of the 16 that
  // are checked at a time are such, the 60 are counted. The timer keeps the process alive.
  const read = (stall: string) => `async (path, options) => {
    if (!path.endsWith('package.json') || ++count <= 60) return readFile(path, options);
    if (count === 60 + 16) console.log('checking');
    const alive = setTimeout(() => {}, 4000);
    return new Promise((_, reject) => {
      ${stall}
    });
  }`;

  it('cancels the run, with everything counted so far', async () => {
    const stall = `options.signal.addEventListener('abort', () => {
      clearTimeout(alive);
      reject(options.signal.reason);
    });`;
    const { exitCode, output, line } = await auditReading(read(stall), /checking/);

    expect(exitCode).toBe(130);
    expect(output).toMatch(/^checking\n⊘ audit_lockfile +cancelled /);
    expect(counters(output)).toBe(
      'fetched 100 · inserted 100 · updated 0 · unchanged 0 · removed 0',
    );
    expect(line('compare_catalogue')).toBe('compare_catalogue completed');
    expect(line('check_installed')).toMatch(
      /^check_installed cancelled stopped by Ctrl-C 60\/100 · 59 succeeded · 1 failed( |$)/,
    );
    expect(output).not.toContain('save_catalogue');
    expect(await saved()).toEqual([]);
  });

  it('ends the program at once when it is pressed again', async () => {
    // Work that does not stop. What is printed later is printed when the first Ctrl-C was handled.
    const stall = `if (count === 60 + 16) {
      process.once('SIGINT', () => setImmediate(() => console.log('stopping')));
    }`;
    const { killedBy, output } = await auditReading(read(stall), /checking|stopping/);

    expect(killedBy).toBe('SIGINT');
    expect(output).toBe('checking\nstopping\n');
  });
});

it('an installed package whose package.json cannot be read is a failed item', async () => {
  await writeLockfile({ 'node_modules/damaged': { version: '1.0.0' } });
  await write(join(project, 'node_modules/damaged/package.json'), '{');
  const { exitCode, line, says } = await audit();

  expect(exitCode).toBe(0);
  expect(line('check_installed')).toMatch(
    /^check_installed completed 1\/1 · 0 succeeded · 1 failed( |$)/,
  );
  expect(says('node_modules/damaged/package.json is not valid JSON')).toBe(true);
});

it('a byte order mark does no harm, as it does none to npm', async () => {
  await writeLockfile({ 'node_modules/a': { version: '1.0.0' } });
  await write(join(project, 'node_modules/a/package.json'), '\uFEFF{ "version": "1.0.0" }');
  const { line } = await audit();

  expect(line('check_installed')).toMatch(
    /^check_installed completed 1\/1 · 1 succeeded · 0 failed( |$)/,
  );
});

it('a lock file without packages is audited too', async () => {
  await writeLockfile({ '': {} });
  const { exitCode, line } = await audit();

  expect(exitCode).toBe(0);
  expect(line('check_installed')).toMatch(
    /^check_installed completed 0\/0 · 0 succeeded · 0 failed( |$)/,
  );
});

it('by default it audits the lock file inside node_modules of its own checkout', async () => {
  const packages = { 'node_modules/a': { version: '1.0.0' } };
  await write(join(checkout, 'node_modules/.package-lock.json'), { lockfileVersion: 3, packages });
  await write(join(checkout, 'node_modules/a/package.json'), { version: '1.0.0' });
  const { exitCode, line } = await run([program()]);

  expect(exitCode).toBe(0);
  expect(line('check_installed')).toMatch(
    /^check_installed completed 1\/1 · 1 succeeded · 0 failed( |$)/,
  );
  expect(await saved(join(checkout, '.audit'))).toHaveLength(1);
});

it('each lock file has a catalogue of its own', async () => {
  await writeLockfile({ 'node_modules/a': { version: '1.0.0' } });
  await writeLockfile({ 'node_modules/b': { version: '1.0.0' } }, 'npm-shrinkwrap.json');
  await audit();
  const { output } = await audit('npm-shrinkwrap.json');

  expect(counters(output)).toBe('fetched 1 · inserted 1 · updated 0 · unchanged 0 · removed 0');
  expect(await saved()).toHaveLength(2);
});

describe('a lock file that cannot be audited', () => {
  it.each([
    ['is not JSON', '{ "packages":', 'is not valid JSON'],
    ['is no object', '[]', 'does not hold a JSON object'],
    ['is of npm 6', '{ "lockfileVersion": 1 }', 'its lockfileVersion is 1'],
    ['has no version', '{}', 'its lockfileVersion is missing'],
    ['has no packages', '{ "lockfileVersion": 3 }', 'has no valid "packages"'],
    ['has no objects in it', '{ "lockfileVersion": 3, "packages": { "a": null } }', 'has no valid'],
  ])('fails the run when it %s', async (_, content, message) => {
    await write(join(project, 'package-lock.json'), content);
    const { exitCode, output, line, says } = await audit();

    expect(exitCode).toBe(1);
    expect(output).toMatch(/^✖ audit_lockfile +failed /);
    expect(line('audit_lockfile')).toContain(message);
    expect(says(join(project, 'package-lock.json'))).toBe(true);
    expect(line('read_lockfile')).toContain('read_lockfile failed');
    expect(line('fs read')).toContain('fs read success');
    expect(line('json parse')).toContain('json parse error');
    expect(line('json parse')).toContain(message);
    expect(output).not.toMatch(/compare_catalogue|^\s+at /m);
    expect(await saved()).toEqual([]);
  });

  it('is printed with what caused the error', async () => {
    await write(join(project, 'package-lock.json'), '');
    const { output } = await audit();

    expect(output).toContain('not valid JSON\n  caused by: Unexpected end of JSON input\n');
  });

  it('fails the run when it is missing', async () => {
    const { exitCode, output, line, says } = await audit();

    expect(exitCode).toBe(1);
    expect(output).toMatch(/^✖ audit_lockfile +failed /);
    expect(line('audit_lockfile')).toContain('ENOENT: no such file');
    expect(says(join(project, 'package-lock.json'))).toBe(true);
    expect(line('read_lockfile')).toContain('read_lockfile failed ENOENT');
    expect(line('fs read')).toContain('fs read error ENOENT');
    expect(line('fs read · attempt 3')).toContain('fs read · attempt 3 error ENOENT');
    expect(output.match(/fs read/g)).toHaveLength(3);
    expect(output).not.toMatch(/json parse|^\s+at /m);
  });

  it('leaves the catalogue as it was', async () => {
    const packages = { 'node_modules/a': { version: '1.0.0' } };
    await writeLockfile(packages);
    await audit();
    await write(join(project, 'package-lock.json'), 'broken');
    await audit();
    await writeLockfile(packages);
    const { output } = await audit();

    expect(counters(output)).toBe('fetched 1 · inserted 0 · updated 0 · unchanged 1 · removed 0');
  });
});

it('a catalogue that cannot be read fails the comparison, and stays', async () => {
  await writeLockfile({ 'node_modules/a': { version: '1.0.0' } });
  await audit();
  const [name = ''] = await saved();
  await write(join(catalogues, name), 'broken');
  const { exitCode, output, line, says } = await audit();

  expect(exitCode).toBe(1);
  expect(output).toMatch(/^✖ audit_lockfile +failed /);
  expect(says(`${name} is not valid JSON`)).toBe(true);
  expect(line('read_lockfile')).toBe('read_lockfile completed');
  expect(line('compare_catalogue')).toContain('compare_catalogue failed');
  expect(output).not.toContain('check_installed');
  expect(await readFile(join(catalogues, name), 'utf8')).toBe('broken');
});

it('a catalogue that cannot be saved fails the audit, with all that it had found', async () => {
  await writeLockfile({ 'node_modules/a': { version: '1.0.0' } });
  await audit();
  const [name = ''] = await saved();
  await rm(join(catalogues, name));
  await write(join(catalogues, name, 'file'), 'in a folder where the catalogue should be');
  const { exitCode, output, line } = await auditReading(`async (path, options) => {
    return path.endsWith(${JSON.stringify(name)}) ? '{"lockfileVersion":3,"packages":{}}' : readFile(path, options);
  }`);

  expect(exitCode).toBe(1);
  expect(counters(output)).toBe('fetched 1 · inserted 1 · updated 0 · unchanged 0 · removed 0');
  expect(line('check_installed')).toMatch(
    /^check_installed completed 1\/1 · 0 succeeded · 1 failed( |$)/,
  );
  expect(line('save_catalogue')).toContain('save_catalogue failed');
  expect(line('fs write')).toContain('fs write error');
});

describe('the list of audits', () => {
  const list = () => run([program(), '--list', catalogues]);

  it('is empty before the first', async () => {
    const { exitCode, output } = await list();
    expect([exitCode, output]).toEqual([0, 'no runs yet\n']);
  });

  it('shows those of all lock files, newest first, with what they counted or why they failed', async () => {
    await writeLockfile({ 'node_modules/a': { version: '1.0.0' } });
    await audit();
    await write(join(project, 'npm-shrinkwrap.json'), 'broken');
    await audit('npm-shrinkwrap.json');
    await audit();
    const { exitCode, output } = await list();

    expect(exitCode).toBe(0);
    const lines = output.trim().split('\n');
    expect(lines).toHaveLength(3);
    const time = String.raw`\d{4}-\d\d-\d\dT[\d:.]+Z`;
    const completed = String.raw`^${time}  audit_lockfile completed in \d+ms  fetched 1 ·`;
    expect(lines[0]).toMatch(new RegExp(`${completed} inserted 0 · updated 0 · unchanged 1`));
    expect(lines[1]).toMatch(new RegExp(`^${time}  audit_lockfile failed: .*is not valid JSON$`));
    expect(lines[2]).toMatch(new RegExp(`${completed} inserted 1 · updated 0 · unchanged 0`));
  });
});
