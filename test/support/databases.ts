import type { SqlRow } from '../../src/sql/dialect.js';
import type { SqlStoreOptions } from '../../src/sql/options.js';
import type { SqlStore } from '../../src/sql/sql-store.js';

/** A database for tests that are the same for every SQL store. */
export interface Database {
  /** Makes a store on it. */
  store(options?: SqlStoreOptions): SqlStore;
  /** Executes a statement of the test's own. */
  query(text: string): Promise<SqlRow[]>;
  /** The text of every statement that the stores have sent. */
  readonly texts: string[];
}
