/**
 * A process that shares a SQLite file with others:
 *
 *   node sqlite-process.mjs migrate|compete <file>
 *
 * Says `ready`, waits for a line, does its task, and prints what came of it as JSON.
 */
import { once } from 'node:events';
import { DatabaseSync } from 'node:sqlite';
import { SqliteStore } from '../../src/sql/sqlite.js';
import { at } from '../../src/testing/tables.js';

const [task, file = ''] = process.argv.slice(2);
const store = new SqliteStore(new DatabaseSync(file));
process.stdout.write('ready\n');
await once(process.stdin, 'data');
const result = task === 'migrate' ? await store.migrate() : await compete();
console.log(JSON.stringify(result ?? null));
process.stdin.destroy();

/** Tries to end what others try to end too, and counts together with them. */
async function compete(): Promise<object> {
  const { items } = await store.listRuns({ runType: 'contested', limit: 500 });
  const won: string[] = [];
  let counted = 0;
  for (const [index, { id }] of items.entries()) {
    const end = store.updateRun(id, { status: 'completed' }, { ifStatus: ['running'] });
    // Some by themselves, and some together with others.
    const counts = Array.from({ length: index % 4 }, () =>
      store.incrementRunOutput('counter', { total: 1, [`by${index % 3}`]: 1 }, at(index)),
    );
    if (await end) won.push(id);
    await Promise.all(counts);
    counted += counts.length;
  }
  const sweep = { before: at(1), error: 'abandoned', now: at(2), limit: 5 };
  const swept: string[] = [];
  for (;;) {
    const { steps } = await store.closeStale(sweep);
    if (steps.length === 0) break;
    swept.push(...steps);
  }
  return { won, counted, swept };
}
