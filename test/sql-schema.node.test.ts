import { describe, expect, it } from 'vitest';
import { postgresSchema } from '../src/sql/postgres.js';
import { sqliteSchema } from '../src/sql/sqlite.js';

// Those who run migrations themselves have these texts in files of their own: they change with a version only.
describe.for([
  ['sqlite', sqliteSchema],
  ['postgres', postgresSchema],
] as const)('the schema for %s', ([name, schema]) => {
  it('is this', async () => {
    const texts = schema().map((text) => `${text};\n`);
    await expect(texts.join('\n')).toMatchFileSnapshot(`schemas/${name}.sql`);
  });

  it('is this with a prefix and owner columns', async () => {
    const options = { tablePrefix: 'jobs_', owner: ['space_id', 'user_id'] };
    const texts = schema(options).map((text) => `${text};\n`);
    await expect(texts.join('\n')).toMatchFileSnapshot(`schemas/${name}-owned.sql`);
  });
});
