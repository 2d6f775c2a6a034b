import { describe, expect, it } from 'vitest';
import type { Call, Payload, Run, RunQuery, StaleSweep, Step } from '../src/index.js';
import { MemoryStore } from '../src/memory.js';
import { StoreCaseError, type StoreUnderTest, storeCases } from '../src/testing.js';
import { type MapStore, mapStore } from './support/stores.js';

const STORES: Record<string, () => StoreUnderTest | Promise<StoreUnderTest>> = {
  'a MemoryStore': () => new MemoryStore(),
  'a plain store': async () => mapStore(),
  'a store with conditional updates': () => mapStore({ conditional: true }),
  'a store with conditional updates and counters': () =>
    mapStore({ conditional: true, counters: true }),
  'a plain store that sweeps': () => ({
    ...delegate(new MemoryStore()),
    conditionalUpdates: false,
  }),
  'a store that reads links and stores none': () => {
    const { insertStepLink: _, ...store } = delegate(new MemoryStore());
    return store;
  },
  'a store that stores links and reads none': () => {
    const { getStepLinks: _, ...store } = delegate(new MemoryStore());
    return store;
  },
  'a store with foreign keys': () => withForeignKeys(),
  'a store whose times are ISO strings': () => withTimes((time) => time.toISOString()),
  'a store whose times are milliseconds': () => withTimes(Number),
  'a store with columns of its own, in another order': () => {
    const right = delegate(new MemoryStore());
    const turn = async (row: Promise<object | null>) => {
      const entries = Object.entries((await row) ?? {}).reverse();
      return entries.length > 0 ? Object.fromEntries([...entries, ['spaceId', 'sp_1']]) : undefined;
    };
    return {
      ...right,
      getRun: (id) => turn(right.getRun(id)) as Promise<Run>,
      getStep: (id) => turn(right.getStep(id)) as never,
      getCall: (id) => turn(right.getCall(id)) as never,
    };
  },
};

describe.for(Object.entries(STORES))('%s', ([, open]) => {
  for (const { name, run } of storeCases(open)) it(name, run);
});

describe('storeCases', () => {
  it('opens a store once per case, and none before it runs', async () => {
    let opened = 0;
    const cases = storeCases(() => {
      opened += 1;
      return mapStore();
    });
    expect(opened).toBe(0);
    for (const [index, { run }] of cases.entries()) {
      await run();
      expect(opened).toBe(index + 1);
    }
  });

  it('has cases of different names, each the same for every store', () => {
    const names = storeCases(() => new MemoryStore()).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names.length).toBeGreaterThan(100);
    expect(storeCases(() => mapStore()).map(({ name }) => name)).toEqual(names);
  });

  it('rejects with what open rejects with', async () => {
    const error = new Error('no database');
    const [first] = storeCases(() => Promise.reject(error));
    await expect(first?.run()).rejects.toBe(error);
  });

  it('says what was done, what was expected, what was found, and what usually causes it', async () => {
    const message = await failureOf('run: long texts are kept whole', (right) => ({
      getRun: changed(right.getRun, (run) => ({ ...run, error: run.error?.slice(0, 255) ?? null })),
    }));
    expect(message).toBe(
      'run: long texts are kept whole. getRun after insertRun at error: ' +
        'expected "price_api: délai dépassé; price_api: délai dépassé; price_a… (8192 characters), ' +
        'but got "price_api: délai dépassé; price_api: délai dépassé; price_a… (255 characters). ' +
        'Usual cause: a column of limited length, such as varchar(255); use text. ' +
        'An error has up to 8 192 characters.',
    );
  });

  it('says what a store threw that must not throw, and keeps it as the cause', async () => {
    const error = new Error('value too long for type character varying(255)');
    const run = caseOf('step: an unknown id is null', () => ({
      getStep: () => Promise.reject(error),
    }));
    const failure = await run().catch((thrown) => thrown);
    expect(failure).toBeInstanceOf(StoreCaseError);
    expect(failure.cause).toBe(error);
    expect(failure.message).toContain(
      'expected everything to resolve, but the store threw "value too long for type',
    );
  });

  it('tells an id that comes twice from one that is left out', async () => {
    const name = 'cursors neither repeat nor skip while records are added';
    const failures = [
      await failureOf(`listSteps: ${name}`, BUGS['a cursor that is an offset']?.[0] as Bug),
      await failureOf(
        `listRuns: ${name}`,
        BUGS['a cursor by time alone, which skips equal times']?.[0] as Bug,
      ),
    ];
    expect(failures[0]).toContain('while records are added, no id twice');
    expect(failures[1]).toContain('while records are added, the ids that were there before');
  });

  it('describes any value', async () => {
    const values: [unknown, string][] = [
      [5n, '5n'],
      ['5', '"5"'],
      [5, '5'],
      [undefined, 'undefined'],
      [[1], 'a list of 1'],
      [{ a: 1 }, 'an object'],
      [new Date(5), '1970-01-01T00:00:00.005Z'],
      [new Date(Number.NaN), 'an object'],
    ];
    for (const [value, text] of values) {
      const message = await failureOf(
        'run: every field comes back as it was inserted',
        (right) => ({
          getRun: changed(right.getRun, (run) => ({ ...run, startedAt: value as Date })),
        }),
      );
      expect(message).toContain(
        `getRun after insertRun at startedAt: expected 2026-01-01T00:01:00.000Z, but got ${text}.`,
      );
    }
  });
});

type Right = ReturnType<typeof delegate>;
type Bug = (right: Right) => object;

const NAMES = [
  ...['insertRun', 'getRun', 'updateRun', 'insertStep', 'getStep', 'updateStep'],
  ...['insertCall', 'getCall', 'updateCall', 'incrementRunOutput', 'insertStepLink'],
  ...['getStepLinks', 'listRuns', 'listSteps', 'listCalls', 'listLinks', 'closeStale'],
] as (keyof MemoryStore)[];

/** The same store, as an object whose methods can be replaced one by one. */
function delegate(store: MemoryStore) {
  const methods = NAMES.map((name) => [name, (store[name] as () => unknown).bind(store)]);
  return { conditionalUpdates: true, ...Object.fromEntries(methods) } as Pick<
    MemoryStore,
    (typeof NAMES)[number]
  >;
}

/** A correct store, but for one bug. */
function caseOf(name: string, bug: Bug): () => Promise<void> {
  const cases = storeCases(() => {
    const right = delegate(new MemoryStore());
    return { ...right, ...bug(right) };
  });
  return cases.find((each) => each.name === name)?.run ?? expect.unreachable(name);
}

async function failureOf(name: string, bug: Bug): Promise<string> {
  const failure = await caseOf(name, bug)().catch((error) => error);
  expect(failure, name).toBeInstanceOf(StoreCaseError);
  return failure.message;
}

/** A method of which the result, where there is one, is changed. */
function changed<A extends unknown[], R>(
  method: (...args: A) => Promise<R | null>,
  change: (result: R) => unknown,
) {
  return async (...args: A) => {
    const result = await method(...args);
    return result && change(result);
  };
}

/** A method of which the argument at `index` is changed. */
function given<A extends unknown[], R, K extends keyof A>(
  method: (...args: A) => R,
  index: K,
  change: (argument: NonNullable<A[K]>) => unknown,
) {
  return (...args: A): R => {
    const all = [...args] as unknown as A;
    if (all[index]) all[index] = change(all[index]) as A[K];
    return method(...all);
  };
}

function withTimes(write: (time: Date) => unknown): StoreUnderTest {
  const right = delegate(new MemoryStore());
  const convert = (row: object) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        value instanceof Date ? write(value) : value,
      ]),
    );
  const converted = Object.entries(right).map(([name, method]) => [
    name,
    typeof method !== 'function'
      ? method
      : async (...args: never[]) => {
          const result = (await (method as (...args: never[]) => unknown)(...args)) as object;
          if (Array.isArray(result)) return result.map(convert);
          if (name.startsWith('list')) return { ...result, items: items(result).map(convert) };
          return name.startsWith('get') && result ? convert(result) : result;
        },
  ]);
  return Object.fromEntries(converted);
}

/** Refuses what points to a record that is not there. */
function withForeignKeys(): StoreUnderTest {
  const right = delegate(new MemoryStore());
  const refer = async (record: Promise<object | null>) => {
    if (!(await record)) throw new Error('violates a foreign key');
  };
  return {
    ...right,
    insertStep: async (step) => {
      if (step.runId) await refer(right.getRun(step.runId));
      if (step.parentStepId) await refer(right.getStep(step.parentStepId));
      if (step.retryOf) await refer(right.getStep(step.retryOf));
      return right.insertStep(step);
    },
    insertCall: async (call) => {
      await refer(right.getStep(call.stepId));
      if (call.retryOf) await refer(right.getCall(call.retryOf));
      return right.insertCall(call);
    },
    insertStepLink: async (link) => {
      await refer(right.getStep(link.stepId));
      return right.insertStepLink(link);
    },
  };
}

const items = (page: object): object[] => (page as { items: object[] }).items;
const tick = () => new Promise((resolve) => setTimeout(resolve));
const cut = (text: string | null) => text?.slice(0, 255);
const wholeSeconds = <R extends object>(row: R): R =>
  mapped(row, (value) =>
    value instanceof Date ? new Date(Math.floor(value.getTime() / 1000) * 1000) : value,
  );
const mapped = <R extends object>(row: R, change: (value: unknown) => unknown): R =>
  Object.fromEntries(Object.entries(row).map(([name, value]) => [name, change(value)])) as R;
const eachPayload = (change: (payload: Payload) => Payload | null) => (row: object) =>
  mapped(row, (value) =>
    value && typeof value === 'object' && !(value instanceof Date)
      ? change(value as Payload)
      : value,
  );
const rewritten = (replacer: (key: string, value: unknown) => unknown) =>
  eachPayload((payload) => JSON.parse(JSON.stringify(payload, replacer)));

type AnyRow = Run | Step | Call;

/** Whether a sweep ends a record; asked of each one before a sweep. */
type SweepRule = (about: {
  row: AnyRow;
  /** Whether a correct sweep ends it. */
  isStale: boolean;
  /** Whether it ran, and did not move since the time that the sweep asks for. */
  isOld: boolean;
  sweep: StaleSweep;
  run: Run | undefined;
  step: Step | undefined;
  rows: AnyRow[];
}) => boolean;

const kindOf = (row: AnyRow) => ('stepId' in row ? 'calls' : 'runId' in row ? 'steps' : 'runs');

function updateIn(right: Right, row: AnyRow, fields: object): Promise<unknown> {
  const update = { runs: right.updateRun, steps: right.updateStep, calls: right.updateCall };
  return update[kindOf(row)](row.id, fields);
}

async function rowsOf(right: Right): Promise<AnyRow[]> {
  const runs = (await right.listRuns({ limit: 500 })).items;
  const children = [null, ...runs.map(({ id }) => id)].map(async (runId) => [
    ...(await right.listSteps(runId, { limit: 500 })).items,
    ...(await right.listCalls(runId, { limit: 500 })).items,
  ]);
  return [...runs, ...(await Promise.all(children)).flat()];
}

/** A sweep that is right, but ends other records. */
const sweepingBy =
  (isEnded: SweepRule): Bug =>
  (right) => ({
    closeStale: async (sweep: StaleSweep) => {
      const rows = await rowsOf(right);
      const find = (id: string | null) => rows.find((row) => row.id === id);
      const ids = await right.closeStale(sweep);
      for (const row of rows) {
        const list = ids[kindOf(row)];
        const isStale = list.includes(row.id);
        const movedAt = 'updatedAt' in row ? row.updatedAt : row.createdAt;
        const isOld = row.status === 'running' && movedAt < sweep.before;
        const step = ('stepId' in row ? find(row.stepId) : undefined) as Step | undefined;
        const run = ('runId' in row ? find(row.runId) : undefined) as Run | undefined;
        if (isEnded({ row, isStale, isOld, sweep, step, run, rows }) === isStale) continue;
        if (isStale) list.splice(list.indexOf(row.id), 1);
        else list.push(row.id);
        const status = kindOf(row) === 'calls' ? 'error' : 'failed';
        await updateIn(right, row, isStale ? row : { status, error: sweep.error });
      }
      return ids;
    },
  });

/** A sweep that is right, but writes something else into what it ends. */
const sweepingTo =
  (fieldsOf: (row: AnyRow, sweep: StaleSweep) => object): Bug =>
  (right) => ({
    closeStale: async (sweep: StaleSweep) => {
      const rows = await rowsOf(right);
      const ids = await right.closeStale(sweep);
      for (const row of rows.filter((row) => ids[kindOf(row)].includes(row.id))) {
        await updateIn(right, row, fieldsOf(row, sweep));
      }
      return ids;
    },
  });

/** Bugs, one at a time in a store that is right, and the cases that must find them. */
const BUGS: Record<string, [bug: Bug, caughtBy: string[]]> = {
  'a get that makes an empty record of nothing': [
    (right) => ({ getRun: async (id: string) => (await right.getRun(id)) ?? {} }),
    ['run: an unknown id is null'],
  ],
  'a get of a step that gives any step': [
    (right) => {
      let last: string;
      return {
        insertStep: given(right.insertStep, 0, (step) => {
          last = step.id;
          return step;
        }),
        getStep: async (id: string) => (await right.getStep(id)) ?? right.getStep(last),
      };
    },
    ['step: an unknown id is null'],
  ],
  'an insert that stores nothing': [
    () => ({ insertCall: async () => {} }),
    ['call: every field comes back as it was inserted'],
  ],
  'a column that is missing': [
    (right) => ({ insertStep: given(right.insertStep, 0, (step) => ({ ...step, maxRetries: 0 })) }),
    ['step: every field comes back as it was inserted'],
  ],
  'a field that is not read': [
    (right) => ({ getCall: changed(right.getCall, ({ metadata: _, ...call }) => call) }),
    ['call: every field comes back as it was inserted'],
  ],
  'integers of 64 bits as strings': [
    (right) => ({
      getRun: changed(right.getRun, (run) => ({
        ...run,
        durationMs: run.durationMs && String(run.durationMs),
      })),
    }),
    ['run: every field comes back as it was inserted'],
  ],
  'nulls as undefined': [
    (right) => ({
      getStep: changed(right.getStep, (step) => mapped(step, (value) => value ?? undefined)),
    }),
    ['step: what is null comes back as null', 'step: a field that is set to null is null'],
  ],
  'nulls left out': [
    (right) => ({
      getRun: changed(right.getRun, (run) =>
        Object.fromEntries(Object.entries(run).filter(([, value]) => value !== null)),
      ),
    }),
    ['run: what is null comes back as null'],
  ],
  'no payload as an empty one': [
    (right) => ({
      getCall: changed(right.getCall, (call) => ({ ...call, input: call.input ?? {} })),
    }),
    ['call: what is null comes back as null'],
  ],
  'an insert that overwrites': [
    (right) => ({
      insertRun: async (run: Run) => {
        if (!(await right.updateRun(run.id, run))) await right.insertRun(run);
      },
    }),
    ['run: inserting an id twice rejects and leaves the first as it was'],
  ],
  'an insert that overwrites and rejects': [
    (right) => ({
      insertRun: async (run: Run) => {
        await right.updateRun(run.id, run);
        await right.insertRun(run);
      },
    }),
    ['run: inserting an id twice rejects and leaves the first as it was'],
  ],
  'an insert that ignores a conflict': [
    (right) => ({ insertCall: async (call: never) => right.insertCall(call).catch(() => {}) }),
    ['call: inserting an id twice rejects and leaves the first as it was'],
  ],
  'an update that inserts': [
    (right) => ({
      updateRun: async (id: string, fields: Partial<Run>, conditions?: object) => {
        if (!(await right.getRun(id))) await right.insertRun({ ...fields, id } as Run);
        return right.updateRun(id, fields, conditions);
      },
    }),
    ['run: updating an unknown id creates nothing and does not throw'],
  ],
  'an update that inserts and says no': [
    (right) => ({
      updateRun: async (id: string, fields: Partial<Run>, conditions?: object) => {
        const isMatch = await right.updateRun(id, fields, conditions);
        if (!isMatch) await right.insertRun({ ...fields, id } as Run).catch(() => {});
        return isMatch;
      },
    }),
    ['run: updating an unknown id creates nothing and does not throw'],
  ],
  'an update that throws when it finds no row': [
    (right) => ({
      updateStep: async (...args: Parameters<Right['updateStep']>) => {
        if (!(await right.updateStep(...args))) throw new Error('no such step');
      },
    }),
    ['step: updating an unknown id creates nothing and does not throw'],
  ],
  'an update that replaces the row': [
    (right) => ({
      updateStep: given(right.updateStep, 1, (fields) => ({
        ...{ output: null, error: null, context: null },
        ...fields,
      })),
    }),
    ['step: an update changes the given fields and leaves the others alone'],
  ],
  'a column that no update changes': [
    (right) => ({
      updateStep: given(right.updateStep, 1, ({ itemsSucceeded: _, ...fields }) => fields),
    }),
    ['step: an update changes the given fields and leaves the others alone'],
  ],
  'an update of every row': [
    (right) => {
      const ids: string[] = [];
      return {
        insertCall: given(right.insertCall, 0, (call) => {
          ids.push(call.id);
          return call;
        }),
        updateCall: async (_: string, ...rest: [object]) => {
          const results = await Promise.all(ids.map((id) => right.updateCall(id, ...rest)));
          return results.includes(true);
        },
      };
    },
    ['call: an update of one record leaves the others alone'],
  ],
  'an update that skips nulls': [
    (right) => ({
      updateRun: given(right.updateRun, 1, (fields) =>
        Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== null)),
      ),
    }),
    ['run: a field that is set to null is null'],
  ],
  'an error cut at 255 characters': [
    (right) => ({
      insertCall: given(right.insertCall, 0, (call) => ({ ...call, error: cut(call.error) })),
    }),
    ['call: long texts are kept whole'],
  ],
  'an error cut at 255 characters when it is updated': [
    (right) => ({
      updateRun: given(right.updateRun, 1, (fields) =>
        fields.error ? { ...fields, error: cut(fields.error) } : fields,
      ),
    }),
    ['run: long texts are kept whole'],
  ],
  'a type cut at 255 characters': [
    (right) => ({
      insertStep: given(right.insertStep, 0, (step) => ({ ...step, stepType: cut(step.stepType) })),
    }),
    ['step: long texts are kept whole'],
  ],
  'quotes doubled': [
    (right) => ({
      insertRun: given(right.insertRun, 0, (run) => ({
        ...run,
        runType: run.runType.replaceAll("'", "''"),
      })),
    }),
    ['run: texts come back exactly as they were given'],
  ],
  'texts trimmed': [
    (right) => ({
      updateCall: given(right.updateCall, 1, (fields) =>
        mapped(fields, (value) => (typeof value === 'string' ? value.trim() : value)),
      ),
    }),
    ['call: texts come back exactly as they were given'],
  ],
  'characters beyond 16 bits lost': [
    (right) => ({
      insertStep: given(right.insertStep, 0, (step) =>
        mapped(step, (value) =>
          typeof value === 'string' ? value.replaceAll(/[\u{10000}-\u{10ffff}]/gu, '?') : value,
        ),
      ),
    }),
    ['step: texts come back exactly as they were given'],
  ],
  'times in whole seconds': [
    (right) => ({ insertRun: given(right.insertRun, 0, wholeSeconds) }),
    ['run: times are kept to the millisecond'],
  ],
  'times in whole seconds when they are updated': [
    (right) => ({ updateStep: given(right.updateStep, 1, wholeSeconds) }),
    ['step: times are kept to the millisecond'],
  ],
  'the object itself is kept by an insert': [
    () => keeping((store) => store.runs, 'insertRun', 'getRun'),
    ['run: later changes to what a store was given do not reach it'],
  ],
  'the object itself is kept by an insert, until an update': [
    (right) => {
      let kept: Run | undefined;
      return {
        insertRun: (run: Run) => {
          kept = run;
          return right.insertRun(run);
        },
        updateRun: (...args: Parameters<Right['updateRun']>) => {
          kept = undefined;
          return right.updateRun(...args);
        },
        getRun: async (id: string) => structuredClone(kept) ?? right.getRun(id),
      };
    },
    ['run: later changes to what a store was given do not reach it'],
  ],
  'a time that was inserted is kept': [
    keepingPart('startedAt'),
    ['run: later changes to what a store was given do not reach it'],
  ],
  'a payload that was inserted is kept': [
    keepingPart('input'),
    ['run: later changes to what a store was given do not reach it'],
  ],
  'the object itself is kept by an update': [
    (right) => {
      let kept: object = {};
      return {
        updateStep: (id: string, fields: object) => {
          kept = fields;
          return right.updateStep(id, fields);
        },
        getStep: changed(right.getStep, (step) => ({ ...step, ...kept })),
      };
    },
    ['step: later changes to what a store was given do not reach it'],
  ],
  'the stored object itself is handed out': [
    (right) => {
      const cache = new Map<string, unknown>();
      return {
        getRun: async (id: string) => {
          if (!cache.has(id)) cache.set(id, await right.getRun(id));
          return cache.get(id);
        },
      };
    },
    ['run: changes to what a store gave do not reach it'],
  ],
  '__proto__ dropped': [
    (right) => ({
      insertRun: given(
        right.insertRun,
        0,
        rewritten((_, value) => {
          if (!value || typeof value !== 'object' || Array.isArray(value)) return value;
          const { ['__proto__']: _dropped, ...rest } = value as Payload;
          return rest;
        }),
      ),
    }),
    ['run: keys and texts of any kind are kept in payloads'],
  ],
  'a zero below zero refused': [
    (right) => ({
      insertRun: async (run: Run) => {
        const counts = run.input?.counts;
        if (Array.isArray(counts) && counts.some((each) => Object.is(each, -0)))
          throw new Error('-0');
        return right.insertRun(run);
      },
    }),
    ['run: numbers in payloads come back as the same numbers'],
  ],
  'falsy members dropped': [
    (right) => ({
      getStep: changed(
        right.getStep,
        rewritten((key, value) => (key && !value ? undefined : value)),
      ),
    }),
    ['step: falsy and empty members of payloads are kept'],
  ],
  'members made up': [
    (right) => ({
      getCall: changed(
        right.getCall,
        eachPayload((payload) => ({ ...payload, $version: 1 })),
      ),
    }),
    ['call: falsy and empty members of payloads are kept'],
  ],
  'numbers as strings': [
    (right) => ({
      insertCall: given(
        right.insertCall,
        0,
        rewritten((_, value) => (typeof value === 'number' ? String(value) : value)),
      ),
    }),
    ['call: numbers in payloads come back as the same numbers'],
  ],
  'floats of 32 bits': [
    (right) => ({
      updateRun: given(
        right.updateRun,
        1,
        rewritten((_, value) => (typeof value === 'number' ? Math.fround(value) : value)),
      ),
    }),
    ['run: numbers in payloads come back as the same numbers'],
  ],
  'payloads of 20 levels': [
    (right) => ({
      insertStep: given(
        right.insertStep,
        0,
        rewritten((key, value) => (key === 'level10' ? '[deep]' : value)),
      ),
    }),
    ['step: payloads 32 levels deep are kept'],
  ],
  'payloads of 64 KiB': [
    (right) => ({
      updateCall: given(
        right.updateCall,
        1,
        eachPayload((payload) => (JSON.stringify(payload).length > 65_535 ? null : payload)),
      ),
    }),
    ['call: payloads of 256 KiB are kept whole'],
  ],
  'no result of an update': [
    (right) => ({
      updateRun: async (...args: Parameters<Right['updateRun']>) => {
        await right.updateRun(...args);
      },
    }),
    [
      'run: a conditional update resolves to whether a row matched',
      'run: updating an unknown id creates nothing and does not throw',
    ],
  ],
  'the third argument lost in a wrapper': [
    (right) => ({ updateStep: (id: string, fields: object) => right.updateStep(id, fields) }),
    ['step: ifStatus decides whether an update happens'],
  ],
  'ifStatus ignored': [
    (right) => ({
      updateCall: given(right.updateCall, 2, ({ ifStatus: _, ...conditions }) => conditions),
    }),
    [
      'call: ifStatus decides whether an update happens',
      'call: ifStatus and ifError must both hold',
      'call: of 20 competing ends exactly one wins',
    ],
  ],
  'only the first of ifStatus': [
    (right) => ({
      updateRun: given(right.updateRun, 2, ({ ifStatus, ...conditions }) => ({
        ...conditions,
        ...(ifStatus && { ifStatus: ifStatus.slice(0, 1) }),
      })),
    }),
    ['run: ifStatus decides whether an update happens'],
  ],
  'only the last of ifStatus': [
    (right) => ({
      updateStep: given(right.updateStep, 2, ({ ifStatus, ...conditions }) => ({
        ...conditions,
        ...(ifStatus && { ifStatus: ifStatus.slice(-1) }),
      })),
    }),
    ['step: ifStatus decides whether an update happens'],
  ],
  'only the first and the last of ifStatus': [
    (right) => ({
      updateCall: given(right.updateCall, 2, ({ ifStatus, ...conditions }) => ({
        ...conditions,
        ...(ifStatus && { ifStatus: [...ifStatus.slice(0, 1), ...ifStatus.slice(-1)] }),
      })),
    }),
    ['call: ifStatus decides whether an update happens'],
  ],
  'only the first of ifStatus when an output is merged': [
    (right) => ({
      updateRun: given(right.updateRun, 2, ({ ifStatus, mergeOutput, ...conditions }) => ({
        ...conditions,
        mergeOutput,
        ...(ifStatus && { ifStatus: mergeOutput ? ifStatus.slice(0, 1) : ifStatus }),
      })),
    }),
    ['run: mergeOutput happens only under the other conditions'],
  ],
  'a write although ifStatus does not hold': [
    (right) => ({
      updateRun: async (...args: Parameters<Right['updateRun']>) => {
        const isMatch = await right.updateRun(...args);
        if (!isMatch) await right.updateRun(args[0], args[1]);
        return isMatch;
      },
    }),
    ['run: ifStatus decides whether an update happens'],
  ],
  'ifError ignored': [
    (right) => ({
      updateStep: given(right.updateStep, 2, ({ ifError: _, ...conditions }) => conditions),
    }),
    [
      'step: ifError decides whether an update happens',
      'step: ifStatus and ifError must both hold',
    ],
  ],
  'ifError without regard to case': [
    (right) => ({
      updateRun: async (...[id, fields, conditions]: Parameters<Right['updateRun']>) => {
        const run = await right.getRun(id);
        const isSame = run?.error?.toLowerCase() === conditions?.ifError?.toLowerCase();
        const ifError = isSame && run?.error ? { ifError: run.error } : {};
        return right.updateRun(id, fields, { ...conditions, ...ifError });
      },
    }),
    ['run: ifError decides whether an update happens'],
  ],
  'ifError met by no error': [
    (right) => ({
      updateRun: async (...[id, fields, conditions]: Parameters<Right['updateRun']>) => {
        const run = await right.getRun(id);
        return right.updateRun(id, fields, run?.error === null ? {} : conditions);
      },
    }),
    ['run: ifError decides whether an update happens'],
  ],
  'a conditional update that reads, waits and then writes': [
    (right) => ({
      updateRun: async (...[id, fields, conditions]: Parameters<Right['updateRun']>) => {
        const run = await right.getRun(id);
        if (conditions?.ifStatus && run && !conditions.ifStatus.includes(run.status)) return false;
        await tick();
        return right.updateRun(id, fields);
      },
    }),
    ['run: of 20 competing ends exactly one wins'],
  ],
  'the loser’s fields': [
    (right) => ({
      updateCall: async (...args: Parameters<Right['updateCall']>) => {
        const isMatch = await right.updateCall(...args);
        if (args[2]?.ifStatus && !isMatch) await right.updateCall(args[0], { error: 'late' });
        return isMatch;
      },
    }),
    ['call: of 20 competing ends exactly one wins'],
  ],
  'a merge that makes numbers of booleans': [
    (right) => ({
      updateRun: async (...[id, fields, conditions]: Parameters<Right['updateRun']>) => {
        const isMatch = await right.updateRun(id, fields, conditions);
        const { output } = (conditions?.mergeOutput && (await right.getRun(id))) || {};
        const members = Object.entries(output ?? {}).map(([name, value]) => [
          name,
          typeof value === 'boolean' ? Number(value) : value,
        ]);
        if (output) await right.updateRun(id, { output: Object.fromEntries(members) });
        return isMatch;
      },
    }),
    ['run: mergeOutput lays the given output over the stored one'],
  ],
  'mergeOutput ignored': [
    (right) => ({
      updateRun: given(right.updateRun, 2, ({ mergeOutput: _, ...conditions }) => conditions),
    }),
    [
      'run: mergeOutput lays the given output over the stored one',
      'run: 20 competing merges all count',
      'job: of several who end a run one wins, and nothing that was counted is lost',
    ],
  ],
  'null members dropped by a merge': [
    (right) => ({
      updateRun: async (...[id, fields, conditions]: Parameters<Right['updateRun']>) => {
        const members = Object.entries(fields.output ?? {}).filter(([, value]) => value !== null);
        const output = conditions?.mergeOutput ? { output: Object.fromEntries(members) } : {};
        return right.updateRun(id, { ...fields, ...output }, conditions);
      },
    }),
    ['run: mergeOutput lays the given output over the stored one'],
  ],
  'a merge with null': [
    (right) => ({
      updateRun: async (...[id, fields, conditions]: Parameters<Right['updateRun']>) => {
        const isNull = conditions?.mergeOutput && !(await right.getRun(id))?.output;
        if (isNull) return right.updateRun(id, { ...fields, output: null });
        return right.updateRun(id, fields, conditions);
      },
    }),
    ['run: mergeOutput begins with an empty output where there is none'],
  ],
  'a merge without an output erases it': [
    (right) => ({
      updateRun: (...[id, fields, conditions]: Parameters<Right['updateRun']>) =>
        conditions?.mergeOutput && !fields.output
          ? right.updateRun(id, { ...fields, output: null })
          : right.updateRun(id, fields, conditions),
    }),
    ['run: mergeOutput without an output leaves the output alone'],
  ],
  'a merge without the other conditions': [
    (right) => ({
      updateRun: async (...[id, fields, conditions]: Parameters<Right['updateRun']>) => {
        const { output } = fields;
        if (output && conditions?.mergeOutput)
          await right.updateRun(id, { output }, { mergeOutput: true });
        return right.updateRun(id, fields, conditions);
      },
    }),
    ['run: mergeOutput happens only under the other conditions'],
  ],
  'a merge that appends members of the same name': [
    (right) => {
      // What a function that reads the first of them takes for stored.
      let first: Payload | null | undefined;
      return {
        updateRun: async (...[id, fields, conditions]: Parameters<Right['updateRun']>) => {
          if (conditions?.mergeOutput) first = (await right.getRun(id))?.output;
          return right.updateRun(id, fields, conditions);
        },
        incrementRunOutput: async (...args: Parameters<Right['incrementRunOutput']>) => {
          const [id] = args;
          if (first) await right.updateRun(id, { output: first }, { mergeOutput: true });
          return right.incrementRunOutput(...args);
        },
      };
    },
    ['run: what was merged is what is counted on'],
  ],
  'sums of fifteen digits': [
    (right) => ({
      incrementRunOutput: async (...args: Parameters<Right['incrementRunOutput']>) => {
        const isMatch = await right.incrementRunOutput(...args);
        const output = JSON.parse(
          JSON.stringify((await right.getRun(args[0]))?.output ?? null),
          (_, value) => (typeof value === 'number' ? Number(value.toPrecision(15)) : value),
        );
        await right.updateRun(args[0], { output });
        return isMatch;
      },
    }),
    ['run: an increment adds to the numbers in the output'],
  ],
  'increments in place of the output': [
    (right) => ({
      incrementRunOutput: (id: string, output: Payload, updatedAt: Date) =>
        right.updateRun(id, { output, updatedAt }),
    }),
    [
      'run: an increment adds to the numbers in the output',
      'run: an increment of nothing erases nothing',
    ],
  ],
  'an increment of null': [
    (right) => ({
      incrementRunOutput: async (...args: Parameters<Right['incrementRunOutput']>) =>
        (await right.getRun(args[0]))?.output ? right.incrementRunOutput(...args) : true,
    }),
    ['run: an increment begins with an empty output where there is none'],
  ],
  'counters named __proto__ lost': [
    (right) => ({
      incrementRunOutput: given(right.incrementRunOutput, 1, (increments) =>
        Object.fromEntries(Object.entries(increments).filter(([name]) => name !== '__proto__')),
      ),
    }),
    ['run: a counter may have any name'],
  ],
  'updatedAt not set by an increment': [
    (right) => ({
      incrementRunOutput: async (...[id, counts, at]: Parameters<Right['incrementRunOutput']>) => {
        const run = await right.getRun(id);
        return right.incrementRunOutput(id, counts, run?.updatedAt ?? at);
      },
    }),
    ['run: an increment adds to the numbers in the output'],
  ],
  'true for an increment of an unknown run': [
    (right) => ({
      incrementRunOutput: async (...args: Parameters<Right['incrementRunOutput']>) => {
        await right.incrementRunOutput(...args);
        return true;
      },
    }),
    ['run: an increment resolves to true, and for an unknown run to false'],
  ],
  'an increment that inserts': [
    (right) => ({
      incrementRunOutput: async (...args: Parameters<Right['incrementRunOutput']>) => {
        const isMatch = await right.incrementRunOutput(...args);
        if (!isMatch) await right.insertRun({ id: args[0], output: args[1] } as unknown as Run);
        return isMatch;
      },
    }),
    ['run: an increment resolves to true, and for an unknown run to false'],
  ],
  'an increment that reads, waits and then writes': [
    (right) => ({
      incrementRunOutput: async (
        ...[id, counts, updatedAt]: Parameters<Right['incrementRunOutput']>
      ) => {
        const output: Payload = { ...(await right.getRun(id))?.output };
        await tick();
        for (const name in counts) output[name] = Number(output[name] ?? 0) + Number(counts[name]);
        return right.updateRun(id, { output, updatedAt });
      },
    }),
    [
      'run: 100 concurrent increments all count',
      'run: increments and updates at the same time both hold',
    ],
  ],
  'an update that writes back the whole row': [
    (right) => ({
      updateRun: async (...[id, fields, conditions]: Parameters<Right['updateRun']>) => {
        const run = await right.getRun(id);
        await tick();
        return right.updateRun(id, { ...run, ...fields }, conditions);
      },
    }),
    ['run: increments and updates at the same time both hold'],
  ],
  'externalId not stored': [
    (right) => ({
      insertStepLink: given(right.insertStepLink, 0, (link) => ({ ...link, externalId: null })),
    }),
    ['link: every field comes back as it was inserted'],
  ],
  'links newest first': [
    (right) => ({ getStepLinks: changed(right.getStepLinks, (links) => links.reverse()) }),
    [
      'link: a step has its links, oldest first, and none of other steps',
      'job: what a tracker records of a job is there when it is read',
    ],
  ],
  'links of all steps': [
    (right) => {
      const stepIds = new Set<string>();
      return {
        insertStepLink: given(right.insertStepLink, 0, (link) => {
          stepIds.add(link.stepId);
          return link;
        }),
        getStepLinks: async () =>
          (await Promise.all([...stepIds].map((id) => right.getStepLinks(id)))).flat(),
      };
    },
    [
      'link: a step has its links, oldest first, and none of other steps',
      'link: a step without links has an empty list',
    ],
  ],
  'null for no links': [
    (right) => ({
      getStepLinks: changed(right.getStepLinks, (links) => (links[0] ? links : null)),
    }),
    ['link: a step without links has an empty list'],
  ],
  'an object in place of links': [
    (right) => ({ getStepLinks: changed(right.getStepLinks, (rows) => ({ rows })) }),
    ['link: every field comes back as it was inserted'],
  ],
  'a duplicate link accepted': [
    (right) => ({ insertStepLink: (link: never) => right.insertStepLink(link).catch(() => {}) }),
    ['link: inserting an id twice rejects and leaves the first as it was'],
  ],
  'the links themselves handed out': [
    (right) => {
      const cache = new Map<string, unknown>();
      return {
        getStepLinks: async (id: string) => {
          if (!cache.has(id)) cache.set(id, await right.getStepLinks(id));
          return cache.get(id);
        },
      };
    },
    ['link: later changes to what went in or came out do not reach the store'],
  ],
  'undefined in place of a cursor': [
    (right) => ({
      listRuns: changed(right.listRuns, (page) => ({
        ...page,
        nextCursor: page.nextCursor ?? undefined,
      })),
    }),
    [
      'listRuns: an empty list is a page without items and without a next one',
      'listRuns: a page has a next one exactly when there is more',
    ],
  ],
  'runs oldest first': [
    (right) => ({
      listRuns: changed(right.listRuns, (page) => ({ ...page, items: page.items.reverse() })),
    }),
    ['listRuns: whole records, newest first, by id where the time is the same'],
  ],
  'steps by time alone': [
    (right) => ({
      listSteps: changed(right.listSteps, ({ nextCursor, items }) => ({
        nextCursor,
        items: items.reverse().sort((a, b) => Number(a.createdAt) - Number(b.createdAt)),
      })),
    }),
    ['listSteps: whole records, oldest first, by id where the time is the same'],
  ],
  'lists without payloads': [
    (right) => ({
      listCalls: changed(right.listCalls, (page) => ({
        ...page,
        items: page.items.map((call) => ({ ...call, output: null })),
      })),
    }),
    [
      'listCalls: whole records, oldest first, by id where the time is the same',
      'job: what a tracker records of a job is listed',
    ],
  ],
  'a next page as soon as a page is full': [
    (right) => ({
      listLinks: async (...[runId, query]: Parameters<Right['listLinks']>) => {
        const page = await right.listLinks(runId, query);
        const nextCursor = page.items.length === query?.limit ? 'more' : page.nextCursor;
        return { ...page, nextCursor };
      },
    }),
    ['listLinks: a page has a next one exactly when there is more'],
  ],
  'no next page': [
    (right) => ({ listRuns: changed(right.listRuns, (page) => ({ ...page, nextCursor: null })) }),
    [
      'listRuns: a page has a next one exactly when there is more',
      'listRuns: cursors neither repeat nor skip while records are added',
      'listRuns: filters hold on every page',
    ],
  ],
  'a cursor by time alone, which skips equal times': [
    (right) => ({
      listRuns: async ({ cursor, limit = 50, ...query }: RunQuery = {}) => {
        const createdBefore = cursor ? { createdBefore: new Date(cursor) } : {};
        const page = await right.listRuns({ ...query, ...createdBefore, limit });
        const last = page.items.at(-1);
        return { ...page, nextCursor: page.nextCursor && last?.createdAt.toISOString() };
      },
    }),
    ['listRuns: cursors neither repeat nor skip while records are added'],
  ],
  'a cursor that is an offset': [
    (right) => ({
      listSteps: async (...[runId, query]: Parameters<Right['listSteps']>) => {
        const { limit = 50, cursor, ...rest } = query ?? {};
        const { items } = await right.listSteps(runId, { ...rest, limit: 500 });
        const end = Number(cursor ?? 0) + limit;
        return {
          items: items.slice(end - limit, end),
          nextCursor: items.length > end ? String(end) : null,
        };
      },
    }),
    ['listSteps: cursors neither repeat nor skip while records are added'],
  ],
  'a cursor that is ignored': [
    (right) => ({
      listCalls: (...[runId, query]: Parameters<Right['listCalls']>) =>
        right.listCalls(runId, { ...query, cursor: undefined }),
    }),
    ['listCalls: cursors neither repeat nor skip while records are added'],
  ],
  'a limit that is ignored': [
    (right) => ({
      listRuns: (query?: RunQuery) => right.listRuns({ ...query, limit: 500 }),
    }),
    [
      'listRuns: a page has 50 items unless it is told otherwise, up to 500',
      'listRuns: cursors neither repeat nor skip while records are added',
      'listRuns: a query that makes no sense is refused',
    ],
  ],
  'a limit of 100 at most': [
    (right) => ({
      listSteps: (...[runId, query]: Parameters<Right['listSteps']>) =>
        right.listSteps(runId, { ...query, limit: Math.min(query?.limit ?? 50, 100) }),
    }),
    ['listSteps: a page has 50 items unless it is told otherwise, up to 500'],
  ],
  'the listed objects themselves handed out': [
    (right) => {
      let page: Promise<unknown> | undefined;
      return {
        listRuns: () => {
          page ??= right.listRuns();
          return page;
        },
      };
    },
    ['listRuns: changes to what a list gave do not reach the store'],
  ],
  'a filter that is ignored': [
    (right) => ({
      listRuns: ({ actorId: _, ...query }: RunQuery = {}) => right.listRuns(query),
    }),
    ['listRuns: every filter holds, alone and with others'],
  ],
  'a time that includes itself': [
    (right) => ({
      listRuns: ({ createdAfter, ...query }: RunQuery = {}) =>
        right.listRuns({
          ...query,
          createdAfter: createdAfter && new Date(Number(createdAfter) - 1),
        }),
    }),
    ['listRuns: every filter holds, alone and with others'],
  ],
  'filters that a cursor replaces': [
    (right) => ({
      listRuns: ({ status, ...query }: RunQuery = {}) =>
        right.listRuns(query.cursor ? query : { ...query, status }),
    }),
    ['listRuns: filters hold on every page'],
  ],
  'no steps that stand alone': [
    (right) => ({
      listSteps: (...[runId, query]: Parameters<Right['listSteps']>) =>
        right.listSteps(runId ?? 'null', query),
    }),
    ['listSteps: those of the run, with null those that stand alone, by status'],
  ],
  'calls of the run where those of one step are asked for': [
    (right) => ({
      listCalls: (...[runId, query]: Parameters<Right['listCalls']>) =>
        right.listCalls(runId, { ...query, stepId: undefined }),
    }),
    [
      'listCalls: those of all steps of the run or of one, with null those of steps that stand alone',
    ],
  ],
  'a bad query that finds nothing': [
    (right) => ({
      listRuns: (query?: RunQuery) =>
        right.listRuns(query).catch(() => ({ items: [], nextCursor: null })),
    }),
    ['listRuns: a query that makes no sense is refused'],
  ],
  'a bad query that is another error': [
    (right) => ({
      listLinks: (...args: Parameters<Right['listLinks']>) =>
        right.listLinks(...args).catch(() => Promise.reject(new TypeError('bad query'))),
    }),
    ['listLinks: a query that makes no sense is refused'],
  ],
  'a bad query that throws nothing in particular': [
    (right) => ({
      listCalls: (...args: Parameters<Right['listCalls']>) =>
        right.listCalls(...args).catch(() => Promise.reject('bad query')),
    }),
    ['listCalls: a query that makes no sense is refused'],
  ],
  'a current step that is refused': [
    (right) => ({
      updateRun: async (...args: Parameters<Right['updateRun']>) => {
        if (args[1].currentStep) throw new Error('no such column: current_step');
        return right.updateRun(...args);
      },
    }),
    [
      'run: an update changes the given fields and leaves the others alone',
      'job: what a tracker records of a job is there when it is read',
    ],
  ],
  'a write that is not waited for': [
    (right) => ({
      updateStep: async (...args: Parameters<Right['updateStep']>) => {
        setTimeout(() => right.updateStep(...args), 5);
        return true;
      },
    }),
    [
      'job: what a tracker records of a job is there when it is read',
      'step: an update changes the given fields and leaves the others alone',
    ],
  ],
  'a sweep that ends nothing': [
    sweepingBy(() => false),
    ["sweep: what is stale ends with the sweep's error and times, once"],
  ],
  'a sweep that tells of nothing': [
    (right) => ({
      closeStale: changed(right.closeStale, () => ({ runs: [], steps: [], calls: [] })),
    }),
    ["sweep: what is stale ends with the sweep's error and times, once"],
  ],
  'a sweep that resolves to counts': [
    (right) => ({
      closeStale: changed(right.closeStale, ({ runs, steps, calls }) => ({
        ...{ runs: runs.length, steps: steps.length, calls: calls.length },
      })),
    }),
    ["sweep: what is stale ends with the sweep's error and times, once"],
  ],
  'a sweep that resolves to nothing': [
    (right) => ({ closeStale: changed(right.closeStale, () => undefined) }),
    ["sweep: what is stale ends with the sweep's error and times, once"],
  ],
  'a sweep that tells of a record again and again': [
    (right) => {
      const told: string[] = [];
      return {
        closeStale: changed(right.closeStale, (ids) => {
          told.push(...ids.runs);
          return { ...ids, runs: [...told] };
        }),
      };
    },
    ["sweep: what is stale ends with the sweep's error and times, once"],
  ],
  'a sweep that ends steps before it looks at their run': [
    sweepingBy(
      ({ row, isStale, rows }) =>
        isStale && !rows.some((other) => 'runId' in other && other.runId === row.id),
    ),
    ["sweep: what is stale ends with the sweep's error and times, once"],
  ],
  'a call that a sweep fails in place of ending it in error': [
    sweepingTo((row) => (kindOf(row) === 'calls' ? { status: 'failed' } : {})),
    ["sweep: what is stale ends with the sweep's error and times, once"],
  ],
  'an error of its own': [
    sweepingTo(() => ({ error: 'stale' })),
    [
      "sweep: what is stale ends with the sweep's error and times, once",
      'sweep: a tracker still ends what was swept, once',
    ],
  ],
  'a sweep that names a call that does not exist': [
    (right) => ({
      closeStale: changed(right.closeStale, (closed) => ({
        ...closed,
        calls: [...closed.calls, 'nobody'],
      })),
    }),
    ["sweep: what is stale ends with the sweep's error and times, once"],
  ],
  'a filter by no status that finds all': [
    (right) => ({
      listRuns: given(right.listRuns, 0, ({ status, ...query }: RunQuery) =>
        status?.length === 0 ? query : { status, ...query },
      ),
      listSteps: given(right.listSteps, 1, ({ status, ...query }) =>
        status?.length === 0 ? query : { status, ...query },
      ),
    }),
    [
      'listRuns: every filter holds, alone and with others',
      'listSteps: those of the run, with null those that stand alone, by status',
    ],
  ],
  'a sweep by another clock': [
    sweepingTo((row) => ('completedAt' in row ? { completedAt: new Date() } : {})),
    ["sweep: what is stale ends with the sweep's error and times, once"],
  ],
  'a swept record that was not updated': [
    sweepingTo((row) => ('updatedAt' in row ? { updatedAt: row.updatedAt } : {})),
    ["sweep: what is stale ends with the sweep's error and times, once"],
  ],
  'a duration since a step was created': [
    sweepingTo((row, { now }) =>
      'runId' in row ? { durationMs: Number(now) - Number(row.createdAt) } : {},
    ),
    ["sweep: what is stale ends with the sweep's error and times, once"],
  ],
  'a call without a duration': [
    sweepingTo((row) => (kindOf(row) === 'calls' ? { durationMs: null } : {})),
    ["sweep: what is stale ends with the sweep's error and times, once"],
  ],
  'a swept run that has a current step': [
    sweepingTo((row) => ('currentStep' in row ? { currentStep: row.currentStep } : {})),
    ["sweep: what is stale ends with the sweep's error and times, once"],
  ],
  'a sweep that erases what was counted': [
    sweepingTo(() => ({ output: null })),
    ["sweep: what is stale ends with the sweep's error and times, once"],
  ],
  'a duration below 0': [
    sweepingTo((row, { now }) => {
      const since = 'startedAt' in row ? row.startedAt : row.createdAt;
      return { durationMs: since && Number(now) - Number(since) };
    }),
    ['sweep: no duration is negative'],
  ],
  'a sweep that includes the time it asks for': [
    (right) => ({
      closeStale: given(right.closeStale, 0, (sweep) => ({
        ...sweep,
        before: new Date(Number(sweep.before) + 1),
      })),
    }),
    [
      'sweep: a run is stale when neither it nor a step of it moved and no call was created in it',
      'sweep: a step is stale when it did not move and no call was created in it, whatever its run',
      'sweep: a call is stale when it is old and its step has ended or is stale',
    ],
  ],
  'a sweep that compares whole seconds': [
    (right) => ({ closeStale: given(right.closeStale, 0, wholeSeconds) }),
    ['sweep: a run is stale when neither it nor a step of it moved and no call was created in it'],
  ],
  'a sweep that compares when runs were created': [
    sweepingBy(({ row, isStale, sweep }) =>
      kindOf(row) === 'runs' ? row.status === 'running' && row.createdAt < sweep.before : isStale,
    ),
    ['sweep: a run is stale when neither it nor a step of it moved and no call was created in it'],
  ],
  'a run that is judged by itself alone': [
    sweepingBy(({ row, isStale, isOld }) => (kindOf(row) === 'runs' ? isOld : isStale)),
    ['sweep: a run is stale when neither it nor a step of it moved and no call was created in it'],
  ],
  'a run that only its running steps keep': [
    sweepingBy(({ row, isStale, isOld, rows, sweep }) => {
      if (kindOf(row) !== 'runs') return isStale;
      const steps = rows.filter(
        (other): other is Step => 'runId' in other && other.runId === row.id,
      );
      const called = rows.filter(
        (other): other is Call => 'stepId' in other && other.createdAt >= sweep.before,
      );
      const isKept = steps.some(
        (step) =>
          step.status === 'running' &&
          (step.updatedAt >= sweep.before || called.some(({ stepId }) => stepId === step.id)),
      );
      return isOld && !isKept;
    }),
    ['sweep: a run is stale when neither it nor a step of it moved and no call was created in it'],
  ],
  'a run that its calls do not keep': [
    sweepingBy(({ row, isStale, isOld, rows, sweep }) => {
      if (kindOf(row) !== 'runs') return isStale;
      const isStepOf = (other: AnyRow) =>
        'runId' in other && other.runId === row.id && other.updatedAt >= sweep.before;
      return isOld && !rows.some(isStepOf);
    }),
    ['sweep: a run is stale when neither it nor a step of it moved and no call was created in it'],
  ],
  'a run without steps that is never stale': [
    sweepingBy(
      ({ row, isStale, rows }) =>
        isStale &&
        (kindOf(row) !== 'runs' ||
          rows.some((other) => 'runId' in other && other.runId === row.id)),
    ),
    ['sweep: a run is stale when neither it nor a step of it moved and no call was created in it'],
  ],
  'steps that end only with their run': [
    sweepingBy(
      ({ row, isStale, isOld, run }) =>
        isStale && (!('runId' in row) || run?.status === 'running') && isOld,
    ),
    ['sweep: a step is stale when it did not move and no call was created in it, whatever its run'],
  ],
  'steps that are kept by their run': [
    sweepingBy(({ isStale, run, sweep }) => isStale && !(run && run.updatedAt >= sweep.before)),
    ['sweep: a step is stale when it did not move and no call was created in it, whatever its run'],
  ],
  'steps that stand alone and are never stale': [
    sweepingBy(({ row, isStale }) => isStale && !('runId' in row && row.runId === null)),
    ['sweep: a step is stale when it did not move and no call was created in it, whatever its run'],
  ],
  'a step that its own steps keep': [
    sweepingBy(
      ({ row, isStale, rows, sweep }) =>
        isStale &&
        !rows.some(
          (other) =>
            'parentStepId' in other &&
            other.parentStepId === row.id &&
            other.updatedAt >= sweep.before,
        ),
    ),
    ['sweep: a step is stale when it did not move and no call was created in it, whatever its run'],
  ],
  'a step that is judged by itself alone': [
    sweepingBy(({ row, isStale, isOld }) => (kindOf(row) === 'steps' ? isOld : isStale)),
    ['sweep: a step is stale when it did not move and no call was created in it, whatever its run'],
  ],
  'a call that is judged by its age alone': [
    sweepingBy(({ row, isStale, isOld }) => (kindOf(row) === 'calls' ? isOld : isStale)),
    ['sweep: a call is stale when it is old and its step has ended or is stale'],
  ],
  'a call that ends only with its step': [
    sweepingBy(
      ({ row, isStale, step }) => isStale && (!('stepId' in row) || step?.status === 'running'),
    ),
    ['sweep: a call is stale when it is old and its step has ended or is stale'],
  ],
  'a call of a step that was skipped is never stale': [
    sweepingBy(({ isStale, step }) => isStale && step?.status !== 'skipped'),
    ['sweep: a call is stale when it is old and its step has ended or is stale'],
  ],
  'a call of a pending step that is stale': [
    sweepingBy(({ isStale, isOld, step }) => isStale || (isOld && step?.status === 'pending')),
    ['sweep: a call is stale when it is old and its step has ended or is stale'],
  ],
  'a sweep that ends what is pending': [
    sweepingBy(({ row, isStale }) => isStale || row.status === 'pending'),
    ['sweep: what is pending or has ended is left alone'],
  ],
  'a sweep that ends what has ended': [
    sweepingBy(({ row, isStale }) => isStale || ['cancelled', 'success'].includes(row.status)),
    ['sweep: what is pending or has ended is left alone'],
  ],
  'a limit that a sweep ignores': [
    (right) => ({
      closeStale: given(right.closeStale, 0, (sweep) => ({ ...sweep, limit: 1000 })),
    }),
    ['sweep: the limit is that of each kind, the oldest first'],
  ],
  'one limit for all kinds': [
    // As if the runs, which come first, had used it up.
    sweepingBy(({ row, isStale, sweep }) => isStale && (sweep.limit > 2 || kindOf(row) === 'runs')),
    ['sweep: the limit is that of each kind, the oldest first'],
  ],
  'the newest first': [
    sweepingBy(({ row, isOld, rows, sweep }) => {
      const alike = rows.filter((other) => kindOf(other) === kindOf(row));
      const newest = alike.sort((a, b) => Number(b.createdAt) - Number(a.createdAt));
      return isOld && newest.indexOf(row) < sweep.limit;
    }),
    ['sweep: the limit is that of each kind, the oldest first'],
  ],
  'those first that did not move for longest': [
    sweepingBy(({ row, isStale, isOld, rows, sweep }) => {
      if (!('updatedAt' in row)) return isStale;
      const alike = rows.filter((other): other is Run | Step => kindOf(other) === kindOf(row));
      const stillest = alike.sort((a, b) => Number(a.updatedAt) - Number(b.updatedAt));
      return isOld && stillest.indexOf(row) < sweep.limit;
    }),
    ['sweep: the limit is that of each kind, the oldest first'],
  ],
  'a limit of the oldest, whatever they are': [
    sweepingBy(({ row, isStale, rows, sweep }) => {
      const alike = rows.filter((other) => kindOf(other) === kindOf(row));
      const oldest = alike.sort((a, b) => Number(a.createdAt) - Number(b.createdAt));
      return isStale && oldest.indexOf(row) < sweep.limit;
    }),
    ['sweep: what is not stale takes no place of the limit'],
  ],
  'a limit of the oldest that are running': [
    sweepingBy(({ row, isStale, rows, sweep }) => {
      const alike = rows.filter((other) => kindOf(other) === kindOf(row));
      const running = alike.filter(({ status }) => status === 'running');
      const oldest = running.sort((a, b) => Number(a.createdAt) - Number(b.createdAt));
      return isStale && oldest.indexOf(row) < sweep.limit;
    }),
    ['sweep: what is not stale takes no place of the limit'],
  ],
  'calls that wait until their step has ended': [
    (right) => ({
      closeStale: async (sweep: StaleSweep) => {
        const { runs, steps } = await right.closeStale(sweep);
        const calls = (await rowsOf(right)).filter(
          (row) => 'stepId' in row && row.error === sweep.error,
        ) as Call[];
        const early = calls.filter(({ stepId }) => !steps.includes(stepId));
        for (const call of early) await right.updateCall(call.id, { ...call, status: 'running' });
        const ended = calls.filter((call) => !early.includes(call));
        return { runs, steps, calls: ended.map(({ id }) => id) };
      },
    }),
    ['sweep: the limit is that of each kind, the oldest first'],
  ],
  'a sweep that reads, waits and then writes': [
    (right) => ({
      closeStale: async (sweep: StaleSweep) => {
        const shadow = new MemoryStore();
        for (const row of await rowsOf(right)) {
          if (kindOf(row) === 'runs') await shadow.insertRun(row as Run);
          else if (kindOf(row) === 'steps') await shadow.insertStep(row as Step);
          else await shadow.insertCall(row as Call);
        }
        const ids = await shadow.closeStale(sweep);
        await tick();
        for (const row of await rowsOf(delegate(shadow))) {
          if (ids[kindOf(row)].includes(row.id)) await updateIn(right, row, row);
        }
        return ids;
      },
    }),
    [
      'sweep: of several sweeps at once exactly one ends a record',
      'sweep: a heartbeat that was stored saves its record, and one that comes too late is refused',
    ],
  ],
  'a heartbeat that says it was stored, after a sweep': [
    (right) => ({
      updateStep: async (...args: Parameters<Right['updateStep']>) => {
        const isMatch = await right.updateStep(...args);
        return isMatch || Object.keys(args[1]).join() === 'updatedAt';
      },
    }),
    ['sweep: a heartbeat that was stored saves its record, and one that comes too late is refused'],
  ],
  'a heartbeat that is not waited for': [
    (right) => ({
      updateRun: async (...args: Parameters<Right['updateRun']>) => {
        if (Object.keys(args[1]).join() !== 'updatedAt') return right.updateRun(...args);
        setTimeout(() => right.updateRun(...args));
        return true;
      },
    }),
    ['sweep: a heartbeat that was stored saves its record, and one that comes too late is refused'],
  ],
  'an update that spares what was swept': [
    (right) => ({
      updateRun: async (...args: Parameters<Right['updateRun']>) => {
        const run = await right.getRun(args[0]);
        return run?.error?.startsWith('abandoned: ') ? false : right.updateRun(...args);
      },
    }),
    ['sweep: a tracker still ends what was swept, once'],
  ],
  'an update of a call that keeps the error of a sweep': [
    (right) => ({
      updateCall: given(right.updateCall, 1, ({ error, ...fields }) =>
        error === null ? fields : { error, ...fields },
      ),
    }),
    ['sweep: a tracker still ends what was swept, once'],
  ],
};

/** A plain store that keeps the very objects it is given. */
function keeping(
  rows: (store: MapStore) => Map<string, { id: string }>,
  insert: string,
  get: string,
): object {
  const kept = rows(mapStore());
  return {
    [insert]: async (row: { id: string }) => void kept.set(row.id, row),
    [get]: async (id: string) => structuredClone(kept.get(id)),
  };
}

/** A store that copies runs, and keeps of one of their fields the very object until it is updated. */
function keepingPart(field: 'startedAt' | 'input'): Bug {
  return (right) => {
    let kept: Partial<Run> = {};
    return {
      insertRun: (run: Run) => {
        kept = { [field]: run[field] };
        return right.insertRun(run);
      },
      updateRun: (...args: Parameters<Right['updateRun']>) => {
        kept = {};
        return right.updateRun(...args);
      },
      getRun: changed(right.getRun, (run) => ({ ...run, ...structuredClone(kept) })),
    };
  };
}

describe('a bug in a correct store is caught', () => {
  it('by every case, for one of the kinds that it is there for', () => {
    const ideaOf = (name: string) =>
      name.replace(/^(run|step|call|list\w+): /, '').replace(/(new|old)est/, '…est');
    const ideas = storeCases(() => new MemoryStore()).map(({ name }) => ideaOf(name));
    const caught = Object.values(BUGS).flatMap(([, cases]) => cases.map(ideaOf));
    expect(new Set(caught)).toEqual(new Set(ideas));
  });

  it.for(
    Object.entries(BUGS).flatMap(([name, [bug, cases]]) =>
      cases.map((caughtBy) => [name, caughtBy, bug] as const),
    ),
  )('%s, by “%s”', async ([, caughtBy, bug]) => {
    const message = await failureOf(caughtBy, bug);
    const [, what] = message.split(`${caughtBy}. `);
    expect(what).toMatch(
      /^.+: expected .+, but .+\. Usual cause: .+\.$|^expected everything .+\.$/s,
    );
  });
});
