/**
 * The tables of `kysely-store.ts`: a column for each field of a record, and one for its owner.
 *
 * SQLite knows neither times nor JSON: times are stored as milliseconds, payloads as text.
 */
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import type { Call, Payload, Run, Step, StepLink } from '@systemoperator/runs';
import { CamelCasePlugin, Kysely, type SqliteDatabase, SqliteDialect } from 'kysely';

/** What is stored of a value. */
type Stored<V> = V extends Date ? number : V extends Payload ? string : V;
/** A record as a row. */
export type Row<R> = { [Field in keyof R]: Stored<R[Field]> };
type OwnedRow<R> = Row<R> & { spaceId: string };

export interface Database {
  runs: OwnedRow<Run>;
  steps: OwnedRow<Step>;
  calls: OwnedRow<Call>;
  stepLinks: OwnedRow<StepLink>;
}

/*
 * A record is known by its space and its id, so two spaces may use the same id. The foreign keys
 * hold the space too: a parent in another space is refused exactly like one that does not exist,
 * and a key that holds null is not checked. Deleting a run takes along all that belongs to it.
 *
 * In your application the space is also a foreign key, to the table of your spaces.
 */
const SCHEMA = `
  create table if not exists runs (
    space_id text not null,
    id text not null,
    run_type text not null,
    trigger text not null,
    actor_type text not null,
    actor_id text,
    status text not null,
    current_step text,
    started_at integer,
    completed_at integer,
    duration_ms integer,
    input text,
    output text,
    error text,
    created_at integer not null,
    updated_at integer not null,
    primary key (space_id, id)
  ) strict;
  create index if not exists runs_created_at on runs (space_id, created_at, id);

  create table if not exists steps (
    space_id text not null,
    id text not null,
    run_id text,
    parent_step_id text,
    step_index integer not null,
    actor_type text not null,
    actor_id text,
    step_type text not null,
    status text not null,
    entity_type text,
    entity_id text,
    context text,
    input text,
    output text,
    items_total integer,
    items_processed integer,
    items_succeeded integer,
    items_failed integer,
    attempt integer not null,
    retry_of text,
    max_retries integer not null,
    error text,
    started_at integer,
    completed_at integer,
    duration_ms integer,
    created_at integer not null,
    updated_at integer not null,
    primary key (space_id, id),
    foreign key (space_id, run_id) references runs on delete cascade,
    foreign key (space_id, parent_step_id) references steps,
    foreign key (space_id, retry_of) references steps
  ) strict;
  create index if not exists steps_run_id on steps (space_id, run_id, created_at, id);
  create index if not exists steps_parent_step_id on steps (space_id, parent_step_id);
  create index if not exists steps_retry_of on steps (space_id, retry_of);

  create table if not exists calls (
    space_id text not null,
    id text not null,
    step_id text not null,
    tool text not null,
    operation text not null,
    input text,
    output text,
    status text not null,
    error text,
    attempt integer not null,
    retry_of text,
    duration_ms integer,
    metadata text,
    created_at integer not null,
    primary key (space_id, id),
    foreign key (space_id, step_id) references steps on delete cascade,
    foreign key (space_id, retry_of) references calls
  ) strict;
  create index if not exists calls_step_id on calls (space_id, step_id, created_at, id);
  create index if not exists calls_retry_of on calls (space_id, retry_of);

  create table if not exists step_links (
    space_id text not null,
    id text not null,
    step_id text not null,
    link_type text not null,
    entity_type text not null,
    entity_id text not null,
    external_id text,
    created_at integer not null,
    primary key (space_id, id),
    foreign key (space_id, step_id) references steps on delete cascade
  ) strict;
  create index if not exists step_links_step_id on step_links (space_id, step_id, created_at, id);
  create index if not exists step_links_entity on step_links (space_id, entity_type, entity_id);
`;

/**
 * Opens the database, with its tables.
 *
 * Kysely gives a SQLite database one connection, which a transaction keeps for itself: work that is
 * tracked inside `db.transaction()` would wait for its own end. Open one Kysely for the store, and
 * another for the application.
 */
export function openDatabase(path: string): Kysely<Database> {
  // Processes that write at the same time wait for each other. The default is to fail at once.
  const database = new DatabaseSync(path, { timeout: 5000 });
  database.exec('pragma journal_mode = wal');
  database.exec(SCHEMA);
  return new Kysely({
    dialect: new SqliteDialect({ database: toDriver(database) }),
    plugins: [new CamelCasePlugin()],
  });
}

/** Makes `node:sqlite` look like better-sqlite3, which Kysely expects. */
function toDriver(database: DatabaseSync): SqliteDatabase {
  return {
    close: () => database.close(),
    prepare(text) {
      const statement = database.prepare(text);
      const bound = (parameters: readonly unknown[]) => parameters as SQLInputValue[];
      return {
        // A statement with columns is one that returns rows.
        reader: statement.columns().length > 0,
        all: (parameters) => statement.all(...bound(parameters)),
        run: (parameters) => statement.run(...bound(parameters)),
        iterate: (parameters) => statement.iterate(...bound(parameters)),
      };
    },
  };
}

const TIMES = new Set(['startedAt', 'completedAt', 'createdAt', 'updatedAt']);
const PAYLOADS = new Set(['context', 'input', 'output', 'metadata']);

export function toRow<R extends object>(record: R): Row<R> {
  const columns = Object.entries(record).map(([field, value]) => {
    if (value instanceof Date) return [field, value.getTime()];
    return [field, typeof value === 'object' && value !== null ? JSON.stringify(value) : value];
  });
  return Object.fromEntries(columns);
}

/**
 * Decides by the name of a column what is JSON: Kysely's `ParseJSONResultsPlugin` looks at the
 * text, and would also parse an error that reads `{"code":503}`.
 */
export function fromRow<R>(row: Row<R>): R {
  const fields = Object.entries(row).map(([field, value]) => {
    if (value === null) return [field, null];
    if (TIMES.has(field)) return [field, new Date(value as number)];
    return [field, PAYLOADS.has(field) ? JSON.parse(value as string) : value];
  });
  return Object.fromEntries(fields);
}
