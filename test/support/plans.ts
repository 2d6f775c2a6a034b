import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type pg from 'pg';
import type { Statement } from '../../src/sql/dialect.js';
import type { SqlStoreOptions } from '../../src/sql/options.js';
import { PostgresStore } from '../../src/sql/postgres.js';
import type { SqlStore } from '../../src/sql/sql-store.js';
import { SqliteStore } from '../../src/sql/sqlite.js';
import { at } from '../../src/testing/tables.js';
import { recorded } from './recorded.js';

/** A database of many records, which says how it would execute a statement. */
export interface PlannedDatabase {
  /** What a store would send; to one that only `asks` nothing is answered, and nothing happens. */
  statementsOf(use: (store: SqlStore) => Promise<unknown>, asks?: boolean): Promise<Statement[]>;
  /** The plan of a statement, line by line. */
  explain(statement: Statement): Promise<string[]>;
  /** Whether it weighs its indexes, and may prefer to meet what is frequent on the way through all. */
  isWeighing: boolean;
  /** How a line says that a table is read from its beginning to its end, or rows are sorted. */
  isScan: RegExp;
  isSort: RegExp;
  /** How a line says which part of an index is read. */
  isCondition: RegExp;
}

export async function plannedSqlite(
  options: SqlStoreOptions,
  isAnalyzed: boolean,
): Promise<PlannedDatabase> {
  const database = new DatabaseSync(':memory:');
  await new SqliteStore(database, options).migrate();
  database.exec('pragma foreign_keys = off');
  const fill = filling(options, 2000, {
    numbers: (count) =>
      `(with recursive c(n) as (select 1 union all select n + 1 from c where n < ${count}) select n from c)`,
    time: (seconds) => `${at(0).getTime()} + 1000 * (${seconds})`,
  });
  for (const text of fill) database.exec(text);
  if (isAnalyzed) database.exec('analyze');
  return {
    async statementsOf(use, asks = true) {
      const statements: Statement[] = [];
      const prepare = (text: string) => {
        const all = (...values: unknown[]) => {
          statements.push({ text, values });
          return [];
        };
        return { all, run: () => ({ changes: 0 }) };
      };
      if (asks) {
        await use(new SqliteStore({ exec() {}, prepare, isTransaction: true }, options));
        return statements.filter(isQuery);
      }
      const real = recorded(database as never);
      database.exec('begin');
      await use(new SqliteStore(real.connection, options));
      database.exec('rollback');
      return real.statements.filter(isQuery);
    },
    async explain({ text, values }) {
      const rows = database
        .prepare(`explain query plan ${text}`)
        .all(...(values as SQLInputValue[]));
      return rows.map(({ detail }) => detail as string);
    },
    isWeighing: false,
    isScan: /^SCAN (?!\w+ (USING (COVERING )?INDEX|VIRTUAL TABLE)|CONSTANT ROW)/,
    isSort: /TEMP B-TREE/,
    isCondition: /^SEARCH .*\(.*\?\)+$/,
  };
}

export async function plannedPostgres(
  client: pg.ClientBase,
  options: SqlStoreOptions,
): Promise<PlannedDatabase> {
  await new PostgresStore(client, options).migrate();
  await client.query('set session_replication_role = replica');
  const fill = filling(options, 100_000, {
    numbers: (count) => `(select n from generate_series(1, ${count}) n)`,
    time: (seconds) => `timestamptz '${at(0).toISOString()}' + (${seconds}) * interval '1 second'`,
  });
  for (const text of fill) await client.query(text);
  await client.query('set session_replication_role = origin');
  await client.query('vacuum analyze');
  return {
    async statementsOf(use, asks = true) {
      const statements: Statement[] = [];
      const query = async (text: string, values: unknown[]) => {
        statements.push({ text, values });
        return asks ? { rows: [] } : client.query(text, values);
      };
      if (!asks) await client.query('begin');
      await use(new PostgresStore({ query }, options));
      if (!asks) await client.query('rollback');
      return statements.filter(isQuery);
    },
    async explain({ text, values }) {
      const { rows } = await client.query(`explain (costs off) ${text}`, values);
      return rows.map((row) => (row as Record<string, string>)['QUERY PLAN'] as string);
    },
    isWeighing: true,
    isScan: /Seq Scan/,
    isSort: /(^|-> +)(Incremental )?Sort$/,
    isCondition: /Index Cond:/,
  };
}

function isQuery({ text }: Statement): boolean {
  return /^(select "|select s|select t|insert|update|delete|with)/.test(text);
}

interface Words {
  /** A table of the numbers from 1, as `n`. */
  numbers(count: number): string;
  /** A time so many seconds after the first. */
  time(seconds: string): string;
}

/**
 * The statements that fill the tables. Of the runs half are of one type, of one
 * trigger and of one owner, a third of one actor, a tenth have failed, and one in a
 * thousand goes on; each whatever the others. Every run has a step
 * with a call and a link, but for each tenth of them, which stands alone.
 */
function filling(options: SqlStoreOptions, runs: number, { numbers, time }: Words): string[] {
  const { tablePrefix: prefix = '', owner } = options;
  const insert = (table: string, count: number, run: string, columns: Record<string, string>) => {
    const whose = `case when (${run}) / 240 % 2 = 0 then 'mine' else 'other_' || ((${run}) % 7) end`;
    const owners = Object.keys(owner ?? {}).map((name, index) => [
      name,
      index === 0 ? whose : "'o'",
    ]);
    const all = Object.entries({ ...Object.fromEntries(owners), ...columns });
    const names = all.map(([name]) => `"${name}"`).join(', ');
    const values = all.map(([, value]) => value).join(', ');
    return `insert into ${prefix}${table} (${names}) select ${values} from ${numbers(count)} numbers`;
  };
  const ended = `case n / 12 % 20 when 0 then 'failed' when 1 then 'failed' when 2 then 'pending' when 3 then 'cancelled' else 'completed' end`;
  const status = (of: string) => `case when n % 997 = 0 then 'running' else ${of} end`;
  const runId = `case when n % 10 = 0 then null else 'r' || n end`;
  const stepEnded = (n: string) => `case when n % 997 = 0 then null else ${time(n)} end`;
  return [
    insert('runs', runs, 'n', {
      id: `'r' || n`,
      run_type: `'type_' || (n % 2)`,
      trigger: `case n / 2 % 2 when 0 then 'cron' else 'user' end`,
      actor_type: `'user'`,
      actor_id: `case n / 4 % 3 when 0 then null else 'actor_' || (n / 4 % 3) end`,
      status: status(ended),
      completed_at: `case when n % 997 = 0 or n / 12 % 20 = 2 then null else ${time('n + 5')} end`,
      created_at: time('n'),
      updated_at: time('n + 5'),
    }),
    insert('run_steps', runs, 'n', {
      id: `'s' || n`,
      run_id: runId,
      step_index: '0',
      actor_type: `'user'`,
      step_type: `'fetch'`,
      status: status(`case n / 12 % 20 when 0 then 'failed' else 'completed' end`),
      attempt: '1',
      max_retries: '0',
      completed_at: stepEnded('n + 5'),
      created_at: time('n'),
      updated_at: time('n + 5'),
    }),
    insert('run_calls', runs, 'n', {
      id: `'c' || n`,
      run_id: runId,
      step_id: `'s' || n`,
      tool: `'stripe'`,
      operation: `'GET'`,
      status: status(`'success'`),
      attempt: '1',
      created_at: time('n'),
    }),
    insert('run_step_links', runs, 'n', {
      id: `'l' || n`,
      run_id: runId,
      step_id: `'s' || n`,
      link_type: `'output'`,
      entity_type: `'charge'`,
      entity_id: `'ch_1'`,
      created_at: time('n'),
    }),
  ];
}
