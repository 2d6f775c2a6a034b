/** What the figures were measured on. */
import { execFileSync } from 'node:child_process';
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { DatabaseSync } from 'node:sqlite';
import { askVersion, withPlaces } from './databases.ts';
import { formatFigure, median } from './report.ts';

export type Fact = [name: string, value: string];

export async function describeMachine(): Promise<Fact[]> {
  // First of all, before anything here is at work itself.
  const load = loadavg().map((average) => average.toFixed(2));
  const sqlite = new DatabaseSync(':memory:');
  const version = sqlite.prepare('select sqlite_version() as version').get()?.version;
  sqlite.close();
  const facts: Fact[] = [
    ['date', new Date().toISOString().slice(0, 10)],
    ['commit', describeCommit()],
    ['processors', `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`],
    ['memory', `${(totalmem() / 2 ** 30).toFixed(1)} GiB`],
    ['system', describeSystem()],
    ['load average at the start', load.join(', ')],
    ['Node', process.versions.node],
    ['SQLite', String(version)],
  ];
  await withPlaces(async (postgres, fileOf) => {
    facts.push(['PostgreSQL', await askVersion(await postgres())]);
    facts.push(['one `fsync` of 4 KiB', `${formatFigure(timeSync(fileOf('sync')))} ms`]);
  });
  return facts;
}

function describeCommit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { encoding: 'utf8' }).trim();
  const changes = git('status', '--porcelain', '--', ':/', ':(top,exclude)bench/README.md');
  return git('rev-parse', '--short=12', 'HEAD') + (changes ? ', with changes' : '');
}

function describeSystem(): string {
  const path = '/etc/os-release';
  const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const [, name] = /^PRETTY_NAME="(.*)"$/m.exec(text) ?? [];
  return [name, `${type()} ${release().split('-')[0]}`]
    .filter((part) => part !== undefined)
    .join(', ');
}

/** Milliseconds until the disk has what was written: the databases go on no sooner. */
function timeSync(path: string): number {
  const file = openSync(path, 'w');
  const block = new Uint8Array(4096);
  const times = Array.from({ length: 101 }, () => {
    const start = performance.now();
    writeSync(file, block);
    fsyncSync(file);
    return performance.now() - start;
  });
  closeSync(file);
  return median(times);
}
