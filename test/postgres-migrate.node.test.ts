import pg from 'pg';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { RunsError } from '../src/index.js';
import { PostgresStore, postgresSchema, type SqlStoreOptions } from '../src/sql/postgres.js';
import { aCall, aLink, aRun, aStep } from '../src/testing/tables.js';
import { several } from './support/postgres-client.js';
import { type PostgresServer, startPostgres } from './support/postgres-server.js';

let server: PostgresServer;
let admin: pg.Pool;
let schemas = 0;
let pools: pg.Pool[] = [];

beforeAll(async () => {
  server = await startPostgres();
  admin = server.pool(1);
}, 60_000);

afterEach(async () => {
  await Promise.all(pools.map((pool) => pool.end()));
  pools = [];
});

afterAll(() => server?.stop());

/** An empty schema; gives pools that are connected and see nothing else. */
async function emptySchema(): Promise<() => Promise<pg.Pool>> {
  schemas += 1;
  const schema = `empty_${schemas}`;
  await admin.query(`create schema ${schema}`);
  return async () => {
    const options = `-c search_path=${schema}`;
    const pool = new pg.Pool({ connectionString: server.url, options, max: 2 });
    pool.on('error', () => {});
    pools.push(pool);
    await pool.query('select 1');
    return pool;
  };
}

/** What there is: columns, keys and indexes, as Postgres tells of them. */
async function definitionOf(pool: pg.Pool): Promise<string[]> {
  const { rows } = await pool.query(`
    select format('%s.%s %s %s %s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
      (select collname from pg_collation where oid = a.attcollation), a.attnotnull) as line
      from pg_attribute a join pg_class c on c.oid = a.attrelid
      where c.relnamespace = current_schema::regnamespace and a.attnum > 0 and c.relkind = 'r'
    union all select format('%s %s', conrelid::regclass, pg_get_constraintdef(oid))
      from pg_constraint where connamespace = current_schema::regnamespace
    union all select replace(indexdef, schemaname || '.', '') from pg_indexes where schemaname = current_schema order by 1`);
  return rows.map(({ line }) => line);
}

async function writeAll(store: PostgresStore): Promise<void> {
  await store.insertRun(aRun());
  await store.insertStep(aStep());
  await store.insertCall(aCall());
  await store.insertStepLink(aLink());
  expect((await store.listRuns()).items).toEqual([aRun()]);
}

it('migrate creates what is missing, called by twenty processes at once', async () => {
  for (const options of [{}, { owner: { space_id: 'sp_1' }, tablePrefix: 'app_' }]) {
    const connect = await emptySchema();
    const connected = await Promise.all(several(20, connect));
    const stores = connected.map((pool) => new PostgresStore(pool, options));
    await Promise.all(stores.flatMap((store) => [store.migrate(), store.migrate()]));
    await writeAll(stores[0] as PostgresStore);
  }
});

it('migrate changes nothing when it is called again', async () => {
  const pool = await (await emptySchema())();
  const store = new PostgresStore(pool);
  await store.migrate();
  const before = await definitionOf(pool);
  await writeAll(store);
  await store.migrate();
  await new PostgresStore(pool).migrate();
  expect(await definitionOf(pool)).toEqual(before);
  expect((await store.listRuns()).items).toEqual([aRun()]);
  expect(before.length).toBeGreaterThan(60);
});

it('migrate creates again what was lost of it: an index, a table that nothing refers to', async () => {
  const pool = await (await emptySchema())();
  const store = new PostgresStore(pool);
  await store.migrate();
  const before = await definitionOf(pool);
  await pool.query('drop table run_step_links; drop index runs_created_idx');
  await store.migrate();
  expect(await definitionOf(pool)).toEqual(before);
});

it('the statements of postgresSchema, one by one, make what migrate makes', async () => {
  for (const options of [
    {},
    { tablePrefix: 'app_2_' },
    { owner: { space_id: 'sp_1', order: 'o' }, tablePrefix: 'p'.repeat(34) },
  ]) {
    const [byHand, migrated] = [await (await emptySchema())(), await (await emptySchema())()];
    for (const statement of postgresSchema(options)) await byHand.query(statement);
    await new PostgresStore(migrated, options).migrate();
    const definition = await definitionOf(byHand);
    expect(definition).toEqual(await definitionOf(migrated));
    const store = new PostgresStore(byHand, options);
    await store.migrate();
    expect(await definitionOf(byHand)).toEqual(definition);
    await writeAll(store);
    // Applied again, as migrations sometimes are.
    for (const statement of postgresSchema(options)) await byHand.query(statement);
    expect(await definitionOf(byHand)).toEqual(definition);
  }
});

it('postgresSchema takes the names of the owner columns alone', () => {
  const owner = { space_id: 'sp_1', org_id: 'o' };
  expect(postgresSchema({ owner: ['space_id', 'org_id'] })).toEqual(postgresSchema({ owner }));
  expect(postgresSchema({ owner: ['space_id', 'org_id'] })).not.toEqual(postgresSchema());
  expect(() => postgresSchema({ owner: ['drop table'] })).toThrow(RunsError);
  expect(() => postgresSchema({ tablePrefix: 'a"' })).toThrow(RunsError);
});

it('migrate takes tables whose columns are in another order, and sees through dropped ones', async () => {
  const pool = await (await emptySchema())();
  const store = new PostgresStore(pool);
  await store.migrate();
  await pool.query('alter table runs add gone text; alter table runs drop column gone');
  await pool.query(
    'alter table run_calls drop column metadata; alter table run_calls add metadata jsonb',
  );
  await store.migrate();
  await writeAll(store);
});

const owner = { space_id: 'sp_1' };
const OTHERS: Record<
  string,
  [options: SqlStoreOptions, change: string | SqlStoreOptions, told: string[]]
> = {
  'has columns less': [
    {},
    'alter table run_steps drop column items_total, drop column error',
    ['the table "run_steps"', 'has no items_total, error;'],
  ],
  'has columns more': [
    {},
    'alter table runs add space_id text, add note text',
    ['the table "runs"', 'has space_id, note besides;'],
  ],
  'has a column more, where others are missing': [
    {},
    'alter table runs add note text; drop table run_step_links, run_calls, run_steps',
    ['the table "runs"', 'has note besides;'],
  ],
  'has other columns altogether': [
    { tablePrefix: 'x_' },
    'create table x_run_calls (id uuid primary key, started timestamptz)',
    ['the table "x_run_calls"', 'has no step_id, tool, ', ', and has started besides;'],
  ],
  'has another primary key': [
    {},
    'alter table run_step_links drop constraint run_step_links_pkey; alter table run_step_links add primary key (entity_id, id)',
    ['the table "run_step_links"', 'has the primary key (id, entity_id) instead of (id);'],
  ],
  'has no primary key': [
    {},
    'alter table run_calls drop constraint run_calls_pkey',
    ['the table "run_calls"', 'has the primary key () instead of (id);'],
  ],
  "has an owner's columns, and the store has none": [
    {},
    { owner },
    ['the table "runs"', 'has space_id besides', 'the primary key (space_id, id) instead of (id);'],
  ],
  'has no owner columns, and the store has some': [
    { owner },
    {},
    ['the table "runs"', 'has no space_id', 'the primary key (id) instead of (space_id, id);'],
  ],
  "has another owner's columns": [
    { owner: { org_id: 'o' } },
    { owner },
    ['the table "runs"', 'has no org_id, and has space_id besides, and has the primary key'],
  ],
};

for (const [name, [options, change, told]] of Object.entries(OTHERS)) {
  it(`migrate refuses a table of the same name that ${name}, and creates nothing`, async () => {
    const pool = await (await emptySchema())();
    if (typeof change === 'object') {
      await new PostgresStore(pool, change).migrate();
    } else {
      if (!change.startsWith('create')) await new PostgresStore(pool, options).migrate();
      await pool.query(change);
    }
    const before = await definitionOf(pool);
    const error = await new PostgresStore(pool, options).migrate().catch((reason) => reason);
    expect(error).toBeInstanceOf(RunsError);
    expect(error.code).toBe('unsupported');
    for (const part of told) expect(error.message).toContain(part);
    expect(error.message).toMatch(/^Cannot migrate: the table "\w+" exists and /);
    expect(await definitionOf(pool)).toEqual(before);
    // Under a prefix of its own it has what it needs.
    const store = new PostgresStore(pool, { ...options, tablePrefix: 'own_' });
    await store.migrate();
    await writeAll(store);
  });
}

it('migrate refuses what another process creates at the same time with other columns', async () => {
  const connect = await emptySchema();
  const connected = await Promise.all(several(10, connect));
  const stores = connected.map((pool, n) => new PostgresStore(pool, n % 2 === 0 ? {} : { owner }));
  const results = await Promise.allSettled(stores.map((store) => store.migrate()));
  const isDone = results.map(({ status }) => status === 'fulfilled');
  const isOwned = isDone.indexOf(true) % 2 === 1;
  // All whose columns came first, and none of the others.
  expect(isDone).toEqual(stores.map((_, n) => (n % 2 === 1) === isOwned));
  const reasons = results.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
  expect(reasons).toEqual(several(5, () => expect.any(RunsError)));
  await writeAll(stores[isDone.indexOf(true)] as PostgresStore);
});

it('tables of several prefixes live in one schema without touching each other', async () => {
  const pool = await (await emptySchema())();
  for (const tablePrefix of ['', 'a_', 'a_run_', '_']) {
    const store = new PostgresStore(pool, { tablePrefix });
    await store.migrate();
    await writeAll(store);
  }
});
