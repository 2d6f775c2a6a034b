import { PGlite } from '@electric-sql/pglite';
import { getTableConfig, type IndexedColumn, type PgTable } from 'drizzle-orm/pg-core';
import { drizzle, type PgliteDatabase } from 'drizzle-orm/pglite';

export type Postgres = PgliteDatabase & { $client: PGlite };

/** A Postgres of its own, in this process, that holds these tables as Drizzle defines them. */
export async function openPostgres(...tables: PgTable[]): Promise<Postgres> {
  const client = new PGlite();
  for (const table of tables) await client.exec(definition(table));
  return drizzle(client);
}

function definition(table: PgTable): string {
  const { name, columns, indexes } = getTableConfig(table);
  const fields = columns.map((column) => {
    const constraint = column.primary ? ' primary key' : column.notNull ? ' not null' : '';
    return `"${column.name}" ${column.getSQLType()}${constraint}`;
  });
  const keys = indexes.map(({ config }) => {
    const on = config.columns.map((column) => `"${(column as IndexedColumn).name}"`);
    return `create index "${config.name}" on "${name}" (${on.join(', ')});`;
  });
  return `create table "${name}" (${fields.join(', ')});\n${keys.join('\n')}`;
}
