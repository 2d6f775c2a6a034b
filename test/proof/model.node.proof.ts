import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, inject, it } from 'vitest';
import { MemoryStore } from '../../src/memory.js';
import { PostgresStore } from '../../src/sql/postgres.js';
import { SqliteStore } from '../../src/sql/sqlite.js';
import { type PostgresServer, startPostgres } from '../support/postgres-server.js';
import { mapStore } from '../support/stores.js';
import { toCode } from './model/code.js';
import { memory } from './model/memory.js';
import { expectProven } from './model/proof.js';
import type { Subject } from './model/world.js';

const [count, seed] = [inject('count'), inject('seed')];
const all = { conditional: true, isShared: true, sweeps: true, references: true, links: true };
const TABLES = ['run_step_links', 'run_calls', 'run_steps', 'runs'];
const COUNT = `select ${TABLES.map((table) => `(select count(*) from ${table})`).join(' + ')} as count`;

let server: PostgresServer;
beforeAll(async () => {
  server = await startPostgres(['-c', 'fsync=off', '-c', 'full_page_writes=off']);
});
afterAll(() => server?.stop());

it('MemoryStore does what the model says', () =>
  expectProven(
    memory(() => new MemoryStore()),
    count,
    seed,
  ));

it.for([
  ['a plain store of nine methods', {}],
  ['a store with conditional updates', { conditional: true }],
] as const)('%s does what the model says', ([name, options]) => {
  const nothing = { isShared: false, sweeps: false, references: false, links: false };
  const subject: Subject = {
    name,
    abilities: { conditional: 'conditional' in options, ...nothing },
    open: async () => mapStore(options),
    opening: {
      imports: [`import { mapStore } from './support/stores.js';`],
      lines: [`const store = mapStore(${toCode(options)});`],
      hasLinks: false,
    },
  };
  return expectProven(subject, count, seed);
});

it('SqliteStore does what the model says', async () => {
  const database = new DatabaseSync(':memory:');
  const store = new SqliteStore(database);
  await store.migrate();
  const subject: Subject = {
    name: 'SqliteStore',
    abilities: all,
    count: async () => (database.prepare(COUNT).get() as { count: number }).count,
    open: async () => {
      for (const table of TABLES) database.exec(`delete from ${table}`);
      return store;
    },
    opening: {
      imports: [
        `import { DatabaseSync } from 'node:sqlite';`,
        `import { SqliteStore } from '../src/sql/sqlite.js';`,
      ],
      lines: [
        `const store = new SqliteStore(new DatabaseSync(':memory:'));`,
        'await store.migrate();',
      ],
      hasLinks: true,
    },
  };
  await expectProven(subject, count, seed);
});

it('PostgresStore does what the model says', async () => {
  const pool = server.pool(4);
  const store = new PostgresStore(pool);
  await store.migrate();
  const subject: Subject = {
    name: 'PostgresStore',
    isFar: true,
    abilities: all,
    count: async () => Number((await pool.query(COUNT)).rows[0].count),
    open: async () => {
      await pool.query(TABLES.map((table) => `delete from ${table}`).join('; '));
      return store;
    },
    opening: {
      imports: [
        `import { PostgresStore } from '../src/sql/postgres.js';`,
        `import { startPostgres } from './support/postgres-server.js';`,
      ],
      lines: [
        'const server = await startPostgres();',
        'const store = new PostgresStore(server.pool());',
        'await store.migrate();',
      ],
      hasLinks: true,
    },
  };
  await expectProven(subject, count, seed);
});
