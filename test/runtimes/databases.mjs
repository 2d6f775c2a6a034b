import { D1Store } from '@systemoperator/runs/d1';
import { DurableObjectStore } from '@systemoperator/runs/durable-object';
import { SqliteStore } from '@systemoperator/runs/sqlite';
import { storeCases } from '@systemoperator/runs/testing';

/** How each driver of SQLite opens a file. */
const DRIVERS = {
  'node:sqlite': async () => {
    const { DatabaseSync } = await import('node:sqlite');
    return (file) => new DatabaseSync(file);
  },
  'bun:sqlite': async () => {
    const { Database } = await import('bun:sqlite');
    return (file) => new Database(file);
  },
  'better-sqlite3': async () => {
    const { default: Database } = await import('better-sqlite3');
    return (file) => new Database(file);
  },
};

/** Runs every case on a SQLite of this runtime, each in a file of its own; resolves to what it did. */
export async function useSqlite(driver, folder) {
  const open = await DRIVERS[driver]();
  let files = 0;
  const count = await runCases(async () => {
    files += 1;
    const store = new SqliteStore(open(`${folder}/${files}.db`), { owner: { space_id: 'sp_1' } });
    await store.migrate();
    return store;
  });
  return `${count} cases on ${driver}`;
}

export async function useD1(DB) {
  const store = new D1Store(DB);
  await store.migrate();
  const tables = ['run_step_links', 'run_calls', 'run_steps', 'runs'];
  const count = await runCases(async () => {
    await DB.batch(tables.map((table) => DB.prepare(`delete from ${table}`)));
    return store;
  });
  return `${count} cases on D1`;
}

export async function useDurableObject(storage) {
  const store = new DurableObjectStore(storage);
  await store.migrate();
  const tables = ['run_step_links', 'run_calls', 'run_steps', 'runs'];
  const count = await runCases(async () => {
    for (const table of tables) storage.sql.exec(`delete from ${table}`).toArray();
    return store;
  });
  return `${count} cases in a Durable Object`;
}

async function runCases(open) {
  const cases = storeCases(open);
  for (const { run } of cases) await run();
  return cases.length;
}
