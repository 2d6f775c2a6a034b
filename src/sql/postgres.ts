import type { SqlRow, Statement } from './dialect.js';
import { type Entry, GroupCommit, type Sending, sendTogether } from './group-commit.js';
import { type Names, readOptions, type SqlStoreOptions } from './options.js';
import { incrementTogether, insertTogether, updateTogether } from './postgres-bulk.js';
import { migratePostgres, postgres, sweepAtOnce } from './postgres-dialect.js';
import { type Backend, SqlStore } from './sql-store.js';
import { TABLE_NAMES } from './tables.js';
import { createWriteStatements, type Write } from './writes.js';

export type { Owner, SchemaOptions, SqlStoreOptions } from './options.js';
export { postgresSchema } from './postgres-dialect.js';
export type { SqlStore } from './sql-store.js';

/**
 * What a {@link PostgresStore} needs: a pool or a client of `pg`, a PGlite, or an
 * adapter of one line. For postgres.js that is
 * `{ query: async (text, values) => ({ rows: await sql.unsafe(text, values) }) }`.
 */
export interface PostgresClient {
  query(text: string, values: (string | number | null)[]): Promise<{ rows: unknown[] }>;
}

/** What a {@link PostgresStore} can be told. */
export interface PostgresStoreOptions extends SqlStoreOptions {
  /**
   * Whether writes and gets are prepared statements with names, as `pg` takes them.
   * Turn it off behind a pooler that does not keep them.
   *
   * @default true for a pool or a client of `pg`, false for anything else
   */
  prepare?: boolean | undefined;
}

const MAX_WRITES = 1000;
const MAX_SIZE = 4_000_000;
/** How often a statement is sent that Postgres has undone because of another one. */
const MAX_TRIES = 100;
/** How long it waits before that at most, in milliseconds. */
const MAX_PAUSE_MS = 100;

/**
 * Keeps runs, steps, calls and links in Postgres.
 *
 * Writes that are issued while others are on their way go together next, as one
 * statement for each table. Every promise resolves when its row is committed. A
 * connection that is lost rejects what was on its way, and nothing of it is sent
 * again; serialization failures and deadlocks, which store nothing, are.
 *
 * @example
 * const store = new PostgresStore(new Pool({ connectionString }));
 * await store.migrate();
 * const tracker = new RunTracker({ store, linkStore: store });
 */
export class PostgresStore extends SqlStore {
  /** @throws {RunsError} `invalid_argument` for a `tablePrefix` or an `owner` that cannot be used */
  constructor(client: PostgresClient, options: PostgresStoreOptions = {}) {
    super(backendOf(client, options));
  }
}

function backendOf(client: PostgresClient, options: PostgresStoreOptions): Backend {
  const names = readOptions('create PostgresStore', options);
  const statementOf = createWriteStatements(postgres, names, ' returning "id"');
  const isPrepared = options.prepare ?? isPg(client);

  const query = ({ text, values }: Statement, isNamed = false): Promise<SqlRow[]> =>
    repeat(async () => {
      const answer =
        isNamed && isPrepared
          ? await client.query({ name: nameOf(text), text, values } as never, undefined as never)
          : await client.query(text, values as string[]);
      return answer.rows as SqlRow[];
    });

  const sending: Sending = {
    together: (writes) => queryTogether(names, query, writes),
    alone: async (write) => {
      const rows = await query(statementOf(write), true);
      return rows.length > 0;
    },
    isRefusal,
  };
  const group = new GroupCommit({
    maxWrites: MAX_WRITES,
    maxSize: MAX_SIZE,
    async send(entries) {
      for (const alike of inOrder(entries)) await sendTogether(alike, sending);
    },
  });
  return {
    dialect: postgres,
    names,
    // A list that is prepared falls to a plan for any values, which is slower ten times over.
    execute: (statement) => query(statement),
    get: (statement) => query(statement, true),
    write:
      options.groupCommit === false
        ? (write) => sending.alone(write)
        : (write) => group.write(write),
    sweep: (sweep) => query(sweepAtOnce(names, sweep)),
    migrate: () => migratePostgres(names, query),
  };
}

/** Writes of one kind to one table, parents before children and inserts before the rest. */
function inOrder(entries: Entry[]): Entry[][] {
  const kinds = (['insert', 'update', 'increment'] as const).flatMap((kind) =>
    TABLE_NAMES.map((table) =>
      entries.filter(({ write }) => write.kind === kind && write.table === table),
    ),
  );
  return kinds.filter((alike) => alike.length > 0);
}

async function queryTogether(
  names: Names,
  query: (statement: Statement) => Promise<SqlRow[]>,
  writes: Write[],
): Promise<(boolean | undefined)[]> {
  const { kind } = writes[0] as Write;
  const combine =
    kind === 'insert' ? insertTogether : kind === 'update' ? updateTogether : incrementTogether;
  const rows = await query(combine(names, writes));
  const ids = new Set(rows.map(({ id }) => id));
  return writes.map(({ id }) => ids.has(id) || (kind === 'insert' ? undefined : false));
}

/** Sends again what Postgres has undone as a whole, because of what others did at the same time. */
async function repeat<T>(send: () => Promise<T>): Promise<T> {
  let first: unknown;
  for (let tries = 1; ; tries += 1) {
    try {
      return await send();
    } catch (error) {
      const state = stateOf(error);
      // In a transaction of the application's, nothing more can be sent after that.
      if (first !== undefined && state === '25P02') throw first;
      if ((state !== '40001' && state !== '40P01') || tries === MAX_TRIES) throw error;
      first ??= error;
    }
    await pause(tries);
  }
}

/** Waits longer from try to try; for a random time, so that those who met do not meet again. */
function pause(tries: number): Promise<void> {
  const longest = Math.min(MAX_PAUSE_MS, 2 ** tries);
  return new Promise((resolve) => setTimeout(resolve, Math.random() * longest));
}

/** Whether Postgres has refused a row: what it says of data, constraints, limits and functions. A table that is not there refuses all. */
function isRefusal(error: unknown): boolean {
  const state = stateOf(error);
  return /^(21|22|23|42|54|P0|0A)/.test(state) && !['42P01', '42703', '42501'].includes(state);
}

/** The SQLSTATE of an error: https://www.postgresql.org/docs/current/errcodes-appendix.html */
function stateOf(error: unknown): string {
  return String((error as { code?: unknown } | null)?.code);
}

/** Whether `query` takes `{ name, text, values }` too, as that of `pg` does. */
function isPg(client: object): boolean {
  return 'escapeIdentifier' in client || 'totalCount' in client;
}

const statementNames = new Map<string, string>();

/** A name for a statement, made of its text alone: connections may be shared with other processes. */
function nameOf(text: string): string {
  let name = statementNames.get(text);
  if (name === undefined) {
    name = `runs_${hash(text, 0x811c9dc5)}${hash(text, 0x01234567)}`;
    statementNames.set(text, name);
  }
  return name;
}

/** FNV-1a: http://www.isthe.com/chongo/tech/comp/fnv/ */
function hash(text: string, seed: number): string {
  let value = seed;
  for (let index = 0; index < text.length; index += 1) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  }
  return (value >>> 0).toString(36);
}
