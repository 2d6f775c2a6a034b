import { describe, expect, it } from 'vitest';
import { RunsError } from '../src/index.js';
import { type D1Statement, D1Store } from '../src/sql/d1.js';
import { DurableObjectStore } from '../src/sql/durable-object.js';
import { PostgresStore, postgresSchema } from '../src/sql/postgres.js';
import { SqliteStore, sqliteSchema } from '../src/sql/sqlite.js';
import { COLUMNS } from '../src/sql/tables.js';

/** Whatever options these are: those of a JavaScript caller are of any type. */
type Options = Record<string, unknown>;

/** Writes down each text, and gives the same answer to all. */
function writing<T>(sent: unknown[], answer: T): (text: string) => T {
  return (text) => {
    sent.push(text);
    return answer;
  };
}

/** The four stores, on databases that are empty and stay so; each writes down what it sends. */
const STORES: Record<string, (options: Options, sent?: unknown[]) => { migrate(): unknown }> = {
  SqliteStore: (options, sent = []) => {
    const statement = { run: () => ({ changes: 0 }), all: () => [{ timeout: 5000 }] };
    const exec = (text: string) => sent.push(text);
    return new SqliteStore({ exec, prepare: writing(sent, statement) }, options);
  },
  D1Store: (options, sent = []) => {
    const statement: D1Statement = { bind: () => statement, all: async () => ({ results: [] }) };
    const prepare = writing(sent, statement);
    return new D1Store({ prepare, batch: async () => [] }, options);
  },
  DurableObjectStore: (options, sent = []) => {
    const exec = writing(sent, { toArray: () => [] });
    const transactionSync = <T>(task: () => T) => task();
    return new DurableObjectStore({ sql: { exec }, transactionSync }, options);
  },
  PostgresStore: (options, sent = []) => {
    return new PostgresStore({ query: writing(sent, Promise.resolve({ rows: [] })) }, options);
  },
};

const SCHEMAS: Record<string, (options?: Options) => string[]> = { sqliteSchema, postgresSchema };

/** Everything that takes the options, and what its errors say that it could not do. */
const TAKERS: [name: string, operation: string, take: (options: Options) => unknown][] = [
  ...Object.entries(STORES).map(
    ([name, create]) => [name, `create ${name}`, create] as [string, string, typeof create],
  ),
  ...Object.entries(SCHEMAS).map(
    ([name, schema]) => [name, 'make a schema', schema] as [string, string, typeof schema],
  ),
];
const ONLY_STORES = TAKERS.slice(0, 4);
const ONLY_SCHEMAS = TAKERS.slice(4);

const LONGEST_PREFIX = `p${'_1'.repeat(16)}x`;
const LONGEST_NAME = `o${'_1'.repeat(31)}`;

/** No identifier that is written without quotes, and then some that a careless check lets through. */
const NO_NAMES: Record<string, unknown> = {
  'a quote': 'a"',
  'a quote that ends the name': 'a" text); drop table runs; --',
  'an apostrophe': "a'",
  'a backtick': 'a`',
  'a bracket': '[a]',
  'a semicolon': 'a;',
  'a comment': 'a--',
  'a dot': 'public.a',
  'a hyphen': 'a-b',
  'a dollar sign': 'a$1',
  'a question mark': 'a?',
  'a backslash': 'a\\',
  'a percent sign': 'a%',
  'a space': 'a b',
  'a space before it': ' a',
  'a line break after it': 'a\n',
  'a tabulator': 'a\tb',
  NUL: 'a\0',
  'an upper-case letter': 'aB',
  'upper-case letters': 'SPACE',
  'a digit in front': '1a',
  'a letter beyond ASCII': 'größe',
  'a letter that lower case makes ASCII': '\u212a',
  'a digit beyond ASCII': 'a\u0661',
  'an invisible letter': 'a\u200b',
  'half a character': 'a\ud83d',
};

/** What only JavaScript can give in place of a name. */
const NO_TEXTS: Record<string, unknown> = {
  null: null,
  'a number': 5,
  'a boolean': true,
  'a list of a name': ['a'],
  'an object that becomes a name': { toString: () => 'a' },
  'a name in a box': Object('a'),
  'a symbol': Symbol('a'),
};

/** Takes options that must be refused, and gives the message. */
function refusalOf(take: (options: Options) => unknown, options: Options): string {
  try {
    take(options);
  } catch (error) {
    expect(error).toBeInstanceOf(RunsError);
    expect((error as RunsError).code).toBe('invalid_argument');
    return (error as RunsError).message;
  }
  throw new Error('the options were not refused');
}

/** How a message shows a value. */
function shown(value: unknown): string {
  return typeof value === 'string' ? JSON.stringify(value).slice(0, 100) : '';
}

/** What is said of options that cannot be used. */
const MESSAGES: [options: Options, message: string][] = [
  [
    { tablePrefix: 'Jobs_' },
    'tablePrefix must be at most 34 lower-case letters, digits and underscores, not beginning with a digit, not "Jobs_"',
  ],
  [
    { owner: { '1st': 'a' } },
    'an owner column must be named by at most 63 lower-case letters, digits and underscores, not beginning with a digit, not "1st"',
  ],
  [
    { owner: { run_type: 'a' } },
    'an owner column must be no column of the records, not "run_type"',
  ],
  [{ owner: {} }, 'owner must be made of 1 to 8 columns, not 0'],
];

describe.for(TAKERS)('%s', ([, operation, take]) => {
  it.for(MESSAGES)('says what is wrong with %j', ([options, message]) => {
    expect(() => take(options)).toThrow(
      new RunsError('invalid_argument', `Cannot ${operation}: ${message}`),
    );
  });

  const refusal = (options: Options) => {
    const message = refusalOf(take, options);
    expect(message).toContain(`Cannot ${operation}: `);
    return message;
  };

  it.for(Object.entries({ ...NO_NAMES, ...NO_TEXTS }))('refuses a prefix with %s', ([, prefix]) => {
    const message = refusal({ tablePrefix: prefix });
    expect(message).toContain('tablePrefix');
    expect(message).toContain(shown(prefix));
  });

  it('refuses a prefix with which names would be cut, and takes the longest that is not', () => {
    expect(refusal({ tablePrefix: `${LONGEST_PREFIX}x` })).toContain(`${LONGEST_PREFIX}x`);
    take({ tablePrefix: LONGEST_PREFIX });
  });

  it.for(Object.entries(NO_NAMES))('refuses an owner column with %s', ([, column]) => {
    const message = refusal({ owner: { space_id: 'a', [column as string]: 'b' } });
    expect(message).toContain('owner column');
    expect(message).toContain(shown(column));
  });

  it('refuses an owner column without a name', () => {
    expect(refusal({ owner: { '': 'a' } })).toContain('owner column');
  });

  it('refuses an owner column with a name that would be cut, and takes the longest that is not', () => {
    expect(refusal({ owner: { [`${LONGEST_NAME}x`]: 'a' } })).toContain(`${LONGEST_NAME}x`);
    take({ owner: { [LONGEST_NAME]: 'a' } });
  });

  it('refuses owner columns that are columns of the records, of any table', () => {
    const columns = new Set(Object.values(COLUMNS).flatMap((table) => table.map((c) => c.name)));
    expect(columns).toContain('run_id');
    expect(columns.size).toBeGreaterThan(30);
    for (const column of columns) {
      const message = refusal({ owner: { [column]: 'a' } });
      expect(message).toContain('no column of the records');
      expect(message).toContain(shown(column));
    }
  });

  it('refuses an owner of no column, or of more than eight', () => {
    const columns = Array.from({ length: 9 }, (_, index) => [`column_${index}`, 'a']);
    for (const owner of [{}, Object.fromEntries(columns)]) {
      expect(refusal({ owner })).toContain('owner must be made of 1 to 8 columns');
    }
    take({ owner: Object.fromEntries(columns.slice(1)) });
  });

  it.for(Object.entries({ null: null, 'a number': 5, 'a text': 'space_id', true: true }))(
    'refuses %s in place of an owner',
    ([, owner]) => {
      expect(refusal({ owner })).toContain('owner');
    },
  );

  it('takes names that mean something to SQL or to JavaScript', () => {
    for (const name of ['order', 'select', 'value', 'key', 't', '_', '__proto__', 'constructor']) {
      const owner = Object.fromEntries([[name, 'a']]);
      expect(() => take({ owner, tablePrefix: name })).not.toThrow();
    }
  });

  it('takes options that are left out, or undefined', () => {
    for (const options of [{}, { tablePrefix: undefined, owner: undefined }, { tablePrefix: '' }]) {
      expect(() => take(options)).not.toThrow();
    }
  });
});

describe.for(ONLY_STORES)('%s', ([name, operation, take]) => {
  it('says what an owner must be, and its values', () => {
    const say = (message: string) =>
      new RunsError('invalid_argument', `Cannot ${operation}: ${message}`);
    const noOwner = say('owner must be an object of columns and their values, not 5');
    expect(() => take({ owner: 5 })).toThrow(noOwner);
    const noValue = say('owner.space_id must be a text that is not empty, not ""');
    expect(() => take({ owner: { space_id: '' } })).toThrow(noValue);
  });

  it.for(
    Object.entries({
      ...NO_TEXTS,
      'nothing in it': '',
      undefined,
      NUL: 'a\0b',
      'a lone high surrogate': 'a\ud83d',
      'a lone low surrogate': '\udc00a',
    }),
  )('refuses an owner value with %s', ([, value]) => {
    const message = refusalOf(take, { owner: { space_id: 'a', user_id: value } });
    expect(message).toContain(`Cannot ${operation}: owner.user_id`);
    expect(message).toContain(shown(value));
  });

  it('refuses a list in place of an owner', () => {
    for (const owner of [['space_id'], [], [['space_id', 'a']]]) {
      expect(refusalOf(take, { owner })).toContain(`Cannot ${operation}: owner`);
    }
  });

  it('takes any value that every database can store', () => {
    for (const value of [' ', '0', 'null', `'"; drop table runs; --`, '\u{1f600}', '\ufffd']) {
      expect(() => take({ owner: { space_id: value } })).not.toThrow();
    }
  });

  it('keeps the names that it was given, whatever becomes of the options', async () => {
    const owner: Options = { space_id: 'sp_1' };
    const options = { tablePrefix: 'a_', owner };
    const sent: unknown[] = [];
    const store = STORES[name]!(options, sent);
    options.tablePrefix = '"; drop table runs; --';
    owner['"; drop table runs; --'] = 'sp_2';
    await Promise.resolve(store.migrate()).catch(() => {});
    expect(sent.join()).toContain('a_runs');
    expect(sent.join()).not.toContain('drop table');
  });
});

describe.for(ONLY_SCHEMAS)('%s', ([name, , take]) => {
  it('says what an owner must be, and that each of its columns is named once', () => {
    const say = (message: string) =>
      new RunsError('invalid_argument', `Cannot make a schema: ${message}`);
    const noOwner = say('owner must be an object or a list of columns, not 5');
    expect(() => take({ owner: 5 })).toThrow(noOwner);
    const twice = say('an owner column must be named once, not "space_id"');
    expect(() => take({ owner: ['space_id', 'space_id'] })).toThrow(twice);
  });

  const schema = SCHEMAS[name]!;

  it('takes the columns of an owner as a list too', () => {
    const owner = { space_id: 'sp_1', user_id: 'u_1' };
    expect(schema({ owner: Object.keys(owner) })).toEqual(schema({ owner }));
    expect(schema({ owner }).join()).not.toMatch(/sp_1|u_1/);
    expect(schema()).toEqual(schema({}));
    expect(schema()).not.toEqual(schema({ owner }));
  });

  it.for(Object.entries({ ...NO_NAMES, ...NO_TEXTS, undefined, 'nothing in it': '' }))(
    'refuses a list of columns with %s',
    ([, column]) => {
      const message = refusalOf(take, { owner: ['space_id', column] });
      expect(message).toContain('Cannot make a schema: ');
      expect(message).toContain('owner column');
      expect(message).toContain(shown(column));
    },
  );

  it('refuses a list of no column, of too many, and of one twice', () => {
    const columns = Array.from({ length: 9 }, (_, index) => `column_${index}`);
    for (const owner of [[], columns]) expect(refusalOf(take, { owner })).toContain('1 to 8');
    expect(refusalOf(take, { owner: ['user_id', 'space_id', 'user_id'] })).toContain('"user_id"');
  });

  it('makes names that are not cut and not the same, with the longest prefix', () => {
    const statements = schema({ tablePrefix: LONGEST_PREFIX, owner: ['space_id'] });
    const names = statements.map((text) => /^create \w+ if not exists "([^"]+)"/.exec(text)?.[1]);
    expect(names.length).toBeGreaterThan(10);
    const lengths = names.map((each) => new TextEncoder().encode(each).length);
    expect(Math.max(...lengths)).toBeLessThanOrEqual(63);
    expect(Math.min(...lengths)).toBeGreaterThan(LONGEST_PREFIX.length);
    expect(new Set(names).size).toBe(names.length);
  });

  it('names nothing that the prefix is not in front of', () => {
    const text = schema({ tablePrefix: 'x_', owner: ['space_id'] }).join('\n');
    const objects = [...text.matchAll(/(?:exists|references|on) "(\w+)"/g)];
    expect(objects.length).toBeGreaterThan(20);
    for (const [, object] of objects) expect(object).toMatch(/^x_run/);
  });

  it('begins every index and every key with the columns of the owner, in their order', () => {
    const statements = schema({ owner: ['user_id', 'space_id'] });
    const lists = statements.flatMap((text) =>
      text.startsWith('create index')
        ? [/ \((.+?)\)(?: where .*)?$/.exec(text)?.[1]]
        : [...text.matchAll(/(?:key|references "\w+") \((.+?)\)/g)].map(([, list]) => list),
    );
    // Four primary keys, three foreign ones with two lists each, and the indexes.
    expect(lists.length).toBe(10 + statements.length - 4);
    for (const list of lists) expect(list).toMatch(/^"user_id", "space_id", /);
  });
});
