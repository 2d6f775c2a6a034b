import type { Statement } from '../../src/sql/dialect.js';
import type { SqliteDatabase } from '../../src/sql/sqlite.js';

/** A SQLite connection that writes down what is executed on it, in order. */
export interface Recorded {
  connection: SqliteDatabase;
  statements: Statement[];
}

export function recorded(database: SqliteDatabase): Recorded {
  const statements: Statement[] = [];
  const write = (text: string, values: unknown[] = []) => {
    statements.push({ text, values });
    return values;
  };
  const connection: SqliteDatabase = {
    exec: (text) => {
      write(text);
      return database.exec(text);
    },
    prepare(text) {
      const statement = database.prepare(text);
      return {
        run: (...values) => statement.run(...write(text, values)),
        all: (...values) => statement.all(...write(text, values)),
      };
    },
  };
  return { connection: withState(connection, database), statements };
}

/** A connection that says as much of its transaction as another does. */
function withState(connection: SqliteDatabase, database: SqliteDatabase): SqliteDatabase {
  for (const name of ['isTransaction', 'inTransaction'] as const) {
    if (name in database) Object.defineProperty(connection, name, { get: () => database[name] });
  }
  return connection;
}
