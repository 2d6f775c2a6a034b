import { setTimeout } from 'node:timers/promises';
import pg from 'pg';
import { type PostgresServer, poolsOf } from '../support/postgres-server.ts';

/** What is true of a whole server, and was said when it was started. */
const OF_SERVER = /^(fsync|full_page_writes|autovacuum)=/;

let started = 0;

/**
 * In the place of a PostgreSQL for each file of tests: a database of its own in the one that
 * runs while mutants are under test, since a server takes longer to start than they to be found.
 */
export async function startPostgres(
  flags: string[] = [],
): Promise<Omit<PostgresServer, 'restart'>> {
  const url = new URL(process.env.MUTATION_POSTGRES as string);
  const admin = new pg.Client({ connectionString: url.href });
  await admin.connect();
  const name = `tests_${process.pid}_${started++}_${Date.now()}`;
  await admin.query(`create database ${name}`);
  for (const flag of flags.filter((each) => each !== '-c' && !OF_SERVER.test(each))) {
    const [setting, value] = flag.split('=');
    await admin.query(`alter database ${name} set ${setting} = '${value}'`);
  }
  url.pathname = name;
  const { pool, endPools } = poolsOf(url.href);
  return {
    url: url.href,
    pool,
    async stop() {
      // A mutant may have left a connection in use, for which the end of its pool would wait for ever.
      await Promise.race([endPools(), setTimeout(1_000)]);
      await admin.query(`drop database ${name} with (force)`);
      await admin.end();
    },
  };
}
