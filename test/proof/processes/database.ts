import { DatabaseSync } from 'node:sqlite';
import pg from 'pg';
import { PostgresStore } from '../../../src/sql/postgres.js';
import { SqliteStore, type SqlStore } from '../../../src/sql/sqlite.js';

/** A database that several processes open. */
export interface Place {
  kind: 'postgres' | 'sqlite';
  /** The address of the server, or the path of the file. */
  at: string;
}

/** Opens a database, over connections of this process's own. */
export function open({ kind, at }: Place): SqlStore {
  return kind === 'sqlite'
    ? new SqliteStore(new DatabaseSync(at))
    : new PostgresStore(new pg.Pool({ connectionString: at, max: 4 }));
}
