import type { SqlRow, Statement } from './dialect.js';
import { GroupCommit, type Sending, sendTogether } from './group-commit.js';
import { readOptions, type SqlStoreOptions } from './options.js';
import { type Backend, SqlStore } from './sql-store.js';
import { migrateSqlite, sqlite } from './sqlite-dialect.js';
import { sweepOneByOne } from './sweeping.js';
import { createWriteStatements, type Write } from './writes.js';

export type { Owner, SqlStoreOptions } from './options.js';
export type { SqlStore } from './sql-store.js';

/** A statement of D1, as far as {@link D1Store} uses it. */
export interface D1Statement {
  bind(...values: unknown[]): D1Statement;
  all(): Promise<{ results: unknown[] }>;
}

/** What a {@link D1Store} needs of a D1 binding, or of a session of one. */
export interface D1Binding {
  prepare(query: string): D1Statement;
  batch(statements: D1Statement[]): Promise<{ results: unknown[] }[]>;
}

/** How much one batch carries: far below what a request to D1 may hold. */
const MAX_WRITES = 200;
const MAX_SIZE = 1_000_000;

/**
 * Keeps runs, steps, calls and links in a D1 database.
 *
 * Make one store for each request, from its `env`: it costs no more than the
 * object, and Workers ties what is on its way to the request that sent it.
 *
 * Writes that are issued while others are on their way share one `batch()`.
 *
 * @example
 * const store = new D1Store(env.DB);
 * const tracker = new RunTracker({ store, linkStore: store });
 */
export class D1Store extends SqlStore {
  /** @throws {RunsError} `invalid_argument` for a `tablePrefix` or an `owner` that cannot be used */
  constructor(database: D1Binding, options: SqlStoreOptions = {}) {
    super(backendOf(database, options));
  }
}

function backendOf(database: D1Binding, options: SqlStoreOptions): Backend {
  const names = readOptions('create D1Store', options);
  const statementOf = createWriteStatements(sqlite, names);
  const prepare = ({ text, values }: Statement) => database.prepare(text).bind(...values);
  const execute = async (statement: Statement) =>
    (await prepare(statement).all()).results as SqlRow[];

  const returning = (write: Write, ending = '') => {
    const { text, values } = statementOf(write);
    return { text: `${text}${ending} returning 1`, values };
  };
  const sending: Sending = {
    async together(writes) {
      // One duplicate would fail the whole batch: it is left out, and sent by itself.
      const statements = writes.map((write) =>
        prepare(returning(write, write.kind === 'insert' ? ' on conflict do nothing' : '')),
      );
      const results = await database.batch(statements);
      return writes.map(({ kind }, index) => {
        const isMatch = results[index]?.results.length !== 0;
        return isMatch || kind !== 'insert' ? isMatch : undefined;
      });
    },
    alone: async (write) => (await execute(returning(write))).length > 0,
    isRefusal,
  };
  const group = new GroupCommit({
    maxWrites: MAX_WRITES,
    maxSize: MAX_SIZE,
    send: (entries) => sendTogether(entries, sending),
  });
  return {
    dialect: sqlite,
    names,
    execute,
    write:
      options.groupCommit === false
        ? (write) => sending.alone(write)
        : (write) => group.write(write),
    async sweep(sweep) {
      const statements = sweepOneByOne(sqlite, names, sweep).map(prepare);
      const results = await database.batch(statements);
      return results.flatMap((result) => result.results as SqlRow[]);
    },
    migrate: () =>
      migrateSqlite(names, execute, (texts) =>
        database.batch(texts.map((text) => database.prepare(text))),
      ),
  };
}

/** Whether SQLite itself has refused a row; D1 names its code then. A table that is not there refuses all. */
function isRefusal(error: unknown): boolean {
  const text = String(error);
  return /SQLITE_[A-Z]|D1_TYPE_ERROR/.test(text) && !/no such (table|column)/.test(text);
}
