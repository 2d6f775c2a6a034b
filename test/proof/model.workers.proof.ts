import { env } from 'cloudflare:test';
import { inject, it } from 'vitest';
import { MemoryStore } from '../../src/memory.js';
import { D1Store } from '../../src/sql/d1.js';
import { memory } from './model/memory.js';
import { expectProven } from './model/proof.js';
import type { Subject } from './model/world.js';

const [count, seed] = [inject('count'), inject('seed')];
const TABLES = ['run_step_links', 'run_calls', 'run_steps', 'runs'];
const COUNT = `select ${TABLES.map((table) => `(select count(*) from ${table})`).join(' + ')} as count`;

it('MemoryStore does what the model says', () =>
  expectProven(
    memory(() => new MemoryStore()),
    count,
    seed,
  ));

it('D1Store does what the model says', async () => {
  const store = new D1Store(env.DB);
  await store.migrate();
  const subject: Subject = {
    name: 'D1Store',
    isFar: true,
    abilities: { conditional: true, isShared: true, sweeps: true, references: true, links: true },
    count: async () => ((await env.DB.prepare(COUNT).all()).results[0] as { count: number }).count,
    open: async () => {
      await env.DB.batch(TABLES.map((table) => env.DB.prepare(`delete from ${table}`)));
      return store;
    },
    opening: {
      imports: [
        `import { env } from 'cloudflare:test';`,
        `import { D1Store } from '../src/sql/d1.js';`,
      ],
      lines: ['const store = new D1Store(env.DB);', 'await store.migrate();'],
      hasLinks: true,
    },
  };
  await expectProven(subject, count, seed);
});
