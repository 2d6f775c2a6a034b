import type pg from 'pg';
import { type PostgresClient, PostgresStore } from '../../../src/sql/postgres.js';
import type { SqlStore } from '../../../src/sql/sql-store.js';
import { storeCases } from '../../../src/testing.js';
import { onPostgres } from '../../support/node-databases.js';
import { ownerCases } from '../../support/owners.js';
import { watched } from '../../support/postgres-client.js';
import { startPostgres } from '../../support/postgres-server.js';
import { writeCases } from '../../support/writes.js';
import { connectionTrials } from './connection-trials.js';
import { crowded } from './crowded.js';
import { MINE, THEIRS } from './owners.js';
import { kindOf } from './statements.js';
import { isOfWrites, type Mutant, type Trial, type Trials } from './trials.js';

const TABLES = ['run_step_links', 'run_calls', 'run_steps', 'runs'];

/** What every Postgres store must do, each write in a statement of its own, and together with others. */
export async function postgresTrials(): Promise<Trials> {
  const server = await startPostgres([
    ...['-c', 'fsync=off', '-c', 'full_page_writes=off', '-c', 'autovacuum=off'],
    ...['-c', 'deadlock_timeout=50ms', '-c', 'synchronous_commit=off'],
    // A mutant may take for ever, or wait for itself.
    ...['-c', 'statement_timeout=10000', '-c', 'lock_timeout=3000'],
  ]);
  const pool = server.pool();
  const others = server.pool(3);
  const unordered = await server.pool(1).connect();
  // What is in order because of an index is out of it in another plan.
  for (const plan of ['indexscan', 'indexonlyscan', 'bitmapscan', 'mergejoin']) {
    await unordered.query(`set enable_${plan} = off`);
  }
  const single = await server.pool(1).connect();
  await new PostgresStore(pool, { owner: MINE }).migrate();
  const clear = () => pool.query(TABLES.map((table) => `delete from ${table}`).join(';'));

  /** Does something with a mutated client, and waits until that has nothing more to do. */
  async function withMutated<C extends PostgresClient>(
    target: C,
    mutant: Mutant,
    act: (client: C) => Promise<unknown> | undefined,
  ): Promise<void> {
    const { client, isIdle } = mutated(target, mutant);
    try {
      await act(client);
    } finally {
      await isIdle();
    }
  }

  type Open = (client: PostgresClient) => SqlStore;
  const emptied = (open: Open) => async (client: PostgresClient) => {
    await clear();
    return open(client);
  };

  /** What the kit asks of a store that is opened like this. */
  function kitTrials(
    how: string,
    target: PostgresClient,
    open: Open,
    isTried: (name: string) => boolean,
  ): Trial[] {
    const cases = (client: PostgresClient) =>
      storeCases(() => emptied(open)(client)).filter(({ name }) => isTried(name));
    return cases(target).map(({ name }, index) => ({
      name: `${how}: ${name}`,
      run: (mutant) => withMutated(target, mutant, (client) => cases(client)[index]?.run()),
    }));
  }

  const writeTrials = (how: string, open: Open): Trial[] =>
    writeCases.map(({ name, run }) => ({
      name: `${how}, writes: ${name}`,
      run: (mutant) =>
        withMutated(pool, mutant, async (client) => run(await emptied(open)(client))),
    }));

  const alone: Open = (client) => new PostgresStore(client, { owner: MINE, groupCommit: false });
  const isSweep = (name: string) => name.startsWith('sweep');
  const trials: Trial[] = [
    ...kitTrials('alone', pool, alone, isOfWrites),
    ...writeTrials('alone', alone),
    ...(['alike', 'others'] as const).flatMap((crowd) => {
      const open: Open = (client) => crowded(new PostgresStore(client, { owner: MINE }), crowd);
      const how = `beside ${crowd}`;
      // A sweep is the same whatever goes on beside it.
      return [
        ...kitTrials(how, pool, open, (name) => isOfWrites(name) && !isSweep(name)),
        ...writeTrials(how, open),
      ];
    }),
    ...kitTrials('in another plan', unordered, alone, (name) => /^sweep: .*limit/.test(name)),
    ...connectionTrials.map(({ name, run }) => ({
      name: `connections: ${name}`,
      run: (mutant: Mutant) =>
        withMutated(unordered, mutant, async (client) => {
          await clear();
          await run(client, others);
        }),
    })),
    ...ownerCases.map(({ name, run }) => ({
      name: `owners: ${name}`,
      run: (mutant: Mutant) =>
        withMutated(single, mutant, (client) => run(onPostgres(client), MINE, THEIRS)),
    })),
  ];
  return {
    language: 'postgres',
    trials,
    async takes(text) {
      try {
        await single.query(`prepare mutant as ${text}`);
        await single.query('deallocate mutant');
        return true;
      } catch {
        return false;
      }
    },
    async close() {
      single.release();
      unordered.release();
      await server.stop();
    },
  };
}

/** A client that executes other statements than it is asked for, and tells when it has executed all. */
function mutated<C extends PostgresClient>(
  target: C,
  mutant: Mutant,
): { client: C; isIdle: () => Promise<void> } {
  const under = new Set<Promise<unknown>>();
  const { client } = watched(target, (sent, proceed) => {
    const answer = execute(target, mutant, sent, proceed);
    under.add(answer);
    const done = () => void under.delete(answer);
    answer.then(done, done);
    return answer;
  });
  const isIdle = async () => {
    do {
      await Promise.allSettled(under);
      // Whoever has waited for these may ask for more.
      await new Promise((resolve) => setImmediate(resolve));
    } while (under.size > 0);
  };
  return { client, isIdle };
}

type Answer = ReturnType<PostgresClient['query']>;

async function execute(
  client: PostgresClient,
  mutant: Mutant,
  { text, values }: { text: string; values: unknown[] },
  proceed: () => Answer,
): Answer {
  const rendered = mutant.of(text);
  try {
    if (!rendered) return await proceed();
    const answer = await client.query(
      rendered.text,
      rendered.values.map((index) => values[index] as string),
    );
    mutant.isExecuted = true;
    return answer;
  } catch (error) {
    // https://www.postgresql.org/docs/current/errcodes-appendix.html
    const state = String((error as pg.DatabaseError).code);
    const isSyntax = state.startsWith('42');
    if (rendered && isSyntax) {
      mutant.refuse(text);
      return proceed();
    }
    if (rendered) mutant.isExecuted = true;
    const isOfData = state.startsWith('22') || state.startsWith('23');
    if (isOfData && kindOf(text)?.endsWith('together')) mutant.refusals += 1;
    throw error;
  }
}
