import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { RunsError } from '../src/index.js';
import { SqliteStore, sqliteSchema } from '../src/sql/sqlite.js';
import { aCall, aLink, aRun, aStep } from '../src/testing/tables.js';
import { DRIVERS } from './support/drivers.js';
import { recorded } from './support/recorded.js';

const OPTIONS = {
  'as they are': {},
  'with a prefix': { tablePrefix: 'app_' },
  'with owner columns': { owner: { space_id: 'sp_1', order: 'o' } },
  'with both': { tablePrefix: 'app_', owner: { space_id: 'sp_1' } },
};

/** What there is in a database, by name. */
function schemaOf(database: DatabaseSync): unknown[] {
  return database
    .prepare('select type, name, sql from sqlite_schema where sql is not null order by name')
    .all();
}

/** A database with the tables of a store, changed by the statements that follow. */
function databaseWith(options: Parameters<typeof sqliteSchema>[0], ...changes: string[]) {
  const database = new DatabaseSync(':memory:');
  for (const text of [...sqliteSchema(options), ...changes]) database.exec(text);
  return database;
}

async function fill(store: SqliteStore): Promise<void> {
  await store.insertRun(aRun({ id: 'r' }));
  await store.insertStep(aStep({ id: 's', runId: 'r' }));
  await store.insertCall(aCall({ id: 'c', stepId: 's' }));
  await store.insertStepLink(aLink({ id: 'l', stepId: 's' }));
}

describe.for(Object.entries(OPTIONS))('tables %s', ([, options]) => {
  it('are the same from migrate and from sqliteSchema', async () => {
    const migrated = new DatabaseSync(':memory:');
    await new SqliteStore(migrated, options).migrate();
    const made = databaseWith(options);
    expect(schemaOf(migrated)).toEqual(schemaOf(made));
    expect(schemaOf(migrated)).toHaveLength(sqliteSchema(options).length);
    const before = schemaOf(made);
    const store = new SqliteStore(made, options);
    await store.migrate();
    expect(schemaOf(made)).toEqual(before);
    await fill(store);
  });

  it('are left as they are when they are migrated again, with what is in them', async () => {
    const database = new DatabaseSync(':memory:');
    const { connection, statements } = recorded(DRIVERS['node:sqlite']!(database));
    const store = new SqliteStore(connection, options);
    await Promise.all([store.migrate(), store.migrate()]);
    await fill(store);
    const before = schemaOf(database);
    await Promise.all([store.migrate(), new SqliteStore(database, options).migrate()]);
    expect(schemaOf(database)).toEqual(before);
    expect(await store.getRun('r')).toEqual(aRun({ id: 'r' }));
    expect(await store.getStepLinks('s')).toHaveLength(1);
    const words = statements.map(({ text }) => text.split(' ', 2).join(' '));
    expect(words.filter((word) => word === 'begin immediate')).toHaveLength(3);
    expect(words).not.toContain('drop table');
  });

  it('are completed when some of them are missing, or an index', async () => {
    const complete = schemaOf(databaseWith(options));
    const { tablePrefix = '' } = options as { tablePrefix?: string };
    for (const missing of [
      `drop table ${tablePrefix}run_step_links`,
      `drop index ${tablePrefix}runs_status_idx`,
      `drop table ${tablePrefix}run_calls`,
    ]) {
      const database = databaseWith(options, missing);
      expect(schemaOf(database)).not.toEqual(complete);
      await new SqliteStore(database, options).migrate();
      expect(schemaOf(database)).toEqual(complete);
    }
  });
});

it('stores with different prefixes do not notice each other', async () => {
  const database = new DatabaseSync(':memory:');
  const stores = ['', 'a_', 'b_'].map((tablePrefix) => new SqliteStore(database, { tablePrefix }));
  for (const store of stores) await store.migrate();
  for (const store of stores) await fill(store);
  expect(await stores[0]!.deleteRuns({ completedBefore: new Date(8e15) })).toBe(0);
  await stores[1]!.updateRun('r', { error: 'a' });
  expect(await stores[0]!.getRun('r')).toMatchObject({ error: null });
  expect(await stores[2]!.getRun('r')).toMatchObject({ error: null });
});

const owner = { space_id: 'sp_1' };
const REFUSED: Record<
  string,
  [database: () => DatabaseSync, options: object, message: (string | RegExp)[]]
> = {
  'a table of the application’s with the same name': [
    () => databaseWith({}, 'drop table runs', 'create table runs (id text primary key, km real)'),
    {},
    ['"runs"', /has no run_type, trigger, .*updated_at/, 'has km besides'],
  ],
  'a column too many': [
    () => databaseWith({}, 'alter table run_steps add column note text'),
    {},
    ['"run_steps"', 'has note besides'],
  ],
  'a column too few': [
    () => databaseWith({}, 'alter table run_calls drop column metadata'),
    {},
    ['"run_calls"', 'has no metadata'],
  ],
  'a column of another name': [
    () => databaseWith({}, 'alter table run_step_links rename column external_id to source_id'),
    {},
    ['"run_step_links"', 'has no external_id', 'has source_id besides'],
  ],
  'another primary key': [
    () =>
      databaseWith({}, 'drop table run_step_links', withKey(sqliteSchema()[3]!, '"id", "step_id"')),
    {},
    ['"run_step_links"', 'the primary key (id, step_id) instead of (id)'],
  ],
  'no primary key': [
    () =>
      databaseWith(
        {},
        'drop table run_step_links',
        sqliteSchema()[3]!.replace(/\s+primary key \(.*?\),/, ''),
      ),
    {},
    ['"run_step_links"', 'the primary key () instead of (id)'],
  ],
  'a primary key without the owner': [
    () =>
      databaseWith(
        { owner },
        'drop table run_step_links',
        withKey(sqliteSchema({ owner })[3]!, '"id"').replace(/,\s+foreign key.*/, ''),
      ),
    { owner },
    ['"run_step_links"', 'the primary key (id) instead of (space_id, id)'],
  ],
  'a primary key of as many columns, one of them another': [
    () =>
      databaseWith(
        { owner },
        'drop table run_step_links',
        withKey(sqliteSchema({ owner })[3]!, '"step_id", "id"').replace(/,\s+foreign key.*/, ''),
      ),
    { owner },
    ['"run_step_links"', 'the primary key (id, step_id) instead of (space_id, id)'],
  ],
  'owner columns, opened without an owner': [
    () => databaseWith({ owner }),
    {},
    ['"runs"', 'has space_id besides', 'the primary key (space_id, id) instead of (id)'],
  ],
  'no owner columns, opened with an owner': [
    () => databaseWith({}),
    { owner },
    ['"runs"', 'has no space_id', 'the primary key (id) instead of (space_id, id)'],
  ],
  'other owner columns': [
    () => databaseWith({ owner: ['user_id'] }),
    { owner },
    ['"runs"', 'has no space_id', 'has user_id besides'],
  ],
  'some of the owner columns': [
    () => databaseWith({ owner: ['space_id', 'user_id'] }),
    { owner },
    ['"runs"', 'has user_id besides'],
  ],
  'a view of the same name': [
    () =>
      databaseWith({}, 'drop table run_step_links', 'create view run_step_links as select 1 as id'),
    {},
    ['"run_step_links"', /has no step_id/],
  ],
};

function withKey(text: string, columns: string): string {
  return text.replace(/primary key \(.*?\)/, `primary key (${columns})`);
}

it.for(Object.entries(REFUSED))('migrate refuses %s, and changes nothing', async ([, refused]) => {
  const [databaseOf, options, messages] = refused;
  const database = databaseOf();
  const before = schemaOf(database);
  const store = new SqliteStore(database, options);
  const error = await store.migrate().then(
    () => undefined,
    (reason: Error) => reason,
  );
  expect(error).toMatchObject({ name: 'RunsError', code: 'unsupported' });
  expect(error?.message).toContain('Cannot migrate: the table ');
  expect(error?.message).toContain(
    'give the store the owner columns that the table has, or a tablePrefix',
  );
  for (const message of messages) expect(error?.message).toMatch(message);
  expect(schemaOf(database)).toEqual(before);
  expect(database.isTransaction).toBe(false);
});

it('migrate says all that is wrong with a table, and nothing that is not', async () => {
  const advice = 'give the store the owner columns that the table has, or a tablePrefix of its own';
  for (const [texts, problem] of [
    [
      ['alter table runs add column note text', 'alter table runs add column km real'],
      'has note, km besides',
    ],
    [
      ['alter table runs drop column error', 'alter table runs add column note text'],
      'has no error, and has note besides',
    ],
  ] as const) {
    const store = new SqliteStore(databaseWith({}, ...texts));
    const message = `Cannot migrate: the table "runs" exists and ${problem}; ${advice}`;
    await expect(store.migrate()).rejects.toThrow(new RunsError('unsupported', message));
  }
  const owned = { owner: { space_id: 'a', user_id: 'b' } };
  const database = new DatabaseSync(':memory:');
  database.exec(withKey(sqliteSchema(owned)[0]!, '"space_id", "id"'));
  const store = new SqliteStore(database, owned);
  const message =
    'Cannot migrate: the table "runs" exists and has the primary key (space_id, id) instead of' +
    ` (space_id, user_id, id); ${advice}`;
  await expect(store.migrate()).rejects.toThrow(new RunsError('unsupported', message));
});

it('migrate refuses a table that another process makes while it begins', async () => {
  const database = new DatabaseSync(':memory:');
  const { connection } = recorded(DRIVERS['node:sqlite']!(database));
  const exec = connection.exec.bind(connection);
  connection.exec = (text) => {
    const withNote = sqliteSchema()[0]!.replace('"id" text', '"note" text, "id" text');
    if (text === 'begin immediate') database.exec(withNote);
    return exec(text);
  };
  await expect(new SqliteStore(connection).migrate()).rejects.toMatchObject({
    code: 'unsupported',
    message: expect.stringContaining('has note besides'),
  });
});

it('a migration that fails in the middle leaves nothing behind', async () => {
  const database = new DatabaseSync(':memory:');
  // A table, where an index of the store’s is to be.
  database.exec('create table runs_completed_idx (id)');
  const before = schemaOf(database);
  await expect(new SqliteStore(database).migrate()).rejects.toThrow('runs_completed_idx');
  expect(schemaOf(database)).toEqual(before);
  expect(database.isTransaction).toBe(false);
});
