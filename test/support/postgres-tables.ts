import type pg from 'pg';
import { afterAll, beforeEach } from 'vitest';
import { PostgresStore } from '../../src/sql/postgres.js';
import { type PostgresServer, startPostgres } from './postgres-server.js';

export interface PostgresTables {
  server: PostgresServer;
  pool: pg.Pool;
  /** How many rows a table has, or those of them that meet a condition. */
  count(table: string, condition?: string): Promise<number>;
  /** How many statements wait for a lock, of those that contain a text. */
  blocked(text: string): Promise<number>;
}

/** Starts a PostgreSQL with the tables of a store, which are empty again before each test of the file. */
export async function startPostgresTables(flags?: string[]): Promise<PostgresTables> {
  const server = await startPostgres(flags);
  afterAll(() => server.stop());
  const pool = server.pool();
  await new PostgresStore(pool).migrate();
  beforeEach(() => pool.query('truncate runs, run_steps, run_calls, run_step_links'));
  const count = async (table: string, condition = 'true') =>
    (await pool.query(`select count(*)::int as n from ${table} where ${condition}`)).rows[0].n;
  const blocked = (text: string) =>
    count(
      'pg_stat_activity',
      `datname = current_database() and wait_event_type = 'Lock' and query like '%${text}%'`,
    );
  return { server, pool, count, blocked };
}
