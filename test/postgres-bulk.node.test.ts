import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Run, RunsError } from '../src/index.js';
import { PostgresStore, type PostgresStoreOptions } from '../src/sql/postgres.js';
import {
  type AnyRecord,
  aCall,
  aLink,
  aRun,
  aStep,
  at,
  idOf,
  TABLES,
  type Table,
} from '../src/testing/tables.js';
import { type Sent, several, shapeOf, watched } from './support/postgres-client.js';
import { startPostgresTables } from './support/postgres-tables.js';

const { pool } = await startPostgresTables();
let store: PostgresStore;
let sent: Sent[];

beforeEach(() => {
  ({ store, sent } = open());
});

function open(options?: PostgresStoreOptions): { store: PostgresStore; sent: Sent[] } {
  const watch = watched(pool);
  return { store: new PostgresStore(watch.client, options), sent: watch.sent };
}

/** Makes writes while another is on its way, so that they wait for each other. */
async function together<T>(write: () => Promise<T>[]): Promise<T[]> {
  const first = store.updateCall(idOf(404), { error: 'e' });
  sent.length = 0;
  const results = await Promise.all(write());
  await first;
  return results;
}

/** What a text, or the name of a member, may be made of and must survive. */
const TEXTS = [
  `it's "quoted" \\ and \\\\ back \\u0041 \\x41`,
  '$1 ?1 :name %s ; -- /* */ $migrate$ $$',
  'ünïcödé 漢字 \u{1F680} \u2028\u2029 \uFEFF \u202E',
  '\t\n\r\b\f\u0001\u007f',
  '{"json": [1, null]}',
  'null',
  '',
  ' ',
];

const record = (table: Table, n: number, fields = {}) =>
  table.full({ id: idOf(100 + n), ...fields });

async function add(table: Table, records: AnyRecord[]): Promise<void> {
  await table.insertParents(store);
  await together(() => records.map((each) => table.insert(store, each)));
}

const read = (table: Table, records: { id: string }[]) =>
  Promise.all(records.map(({ id }) => table.get(store, id)));

describe.for(TABLES.map((table) => [table.kind, table] as const))(
  'updates of several %ss in one statement',
  ([, table]) => {
    const name = table.kind === 'run' ? 'runs' : `run_${table.kind}s`;

    it('change of each row the fields that are given for it, and leave the others alone', async () => {
      const changes = Object.entries(table.changes);
      const records = several(changes.length + 2, (n) => record(table, n));
      await add(table, records);
      const given = [...changes.map(([field, value]) => ({ [field]: value })), table.changes, {}];
      const results = await together(() =>
        records.map(({ id }, n) => table.update(store, id, given[n] ?? {})),
      );
      expect(sent.map(shapeOf)).toEqual([`update ${name} × ${records.length}`]);
      expect(results).toEqual(records.map(() => true));
      expect(await read(table, records)).toEqual(
        records.map((each, n) => ({ ...each, ...given[n] })),
      );
    });

    it('tell of each row whether it is there and its conditions hold', async () => {
      const [end, otherEnd] = table.ends;
      const open = { status: 'running', error: null };
      const records = [
        ...several(6, (n) => record(table, n, open)),
        ...several(4, (n) => record(table, 6 + n, { status: end, error: `it's ${n % 2}` })),
      ];
      await add(table, records);
      const conditions = [
        undefined,
        { ifStatus: ['running'] },
        { ifStatus: ['pending', 'running'] },
        { ifStatus: ['pending', end] },
        { ifStatus: [] },
        { ifError: "it's 0" },
        { ifStatus: [end], ifError: "it's 0" },
        { ifStatus: [end], ifError: "it's 0" },
        { ifStatus: ['running'], ifError: "it's 0" },
        { ifError: "it's 1" },
        { ifStatus: ['running', end] },
      ];
      const ids = [...records.map(({ id }) => id), idOf(404)];
      const results = await together(() =>
        ids.map((id, n) => {
          const condition = conditions[n];
          return table.update(store, id, { status: otherEnd }, ...(condition ? [condition] : []));
        }),
      );
      expect(sent.map(shapeOf)).toEqual([`update ${name} × 11`]);
      expect(results).toEqual([
        ...[true, true, true, false, false, false],
        ...[true, false, false, true, false],
      ]);
      expect(await read(table, records)).toEqual(
        records.map((each, n) => (results[n] ? { ...each, status: otherEnd } : each)),
      );
    });

    it('with no fields at all tell whether the rows are there and match', async () => {
      const records = several(3, (n) => record(table, n));
      await add(table, records);
      const [first, second, third] = records.map(({ id }) => id) as [string, string, string];
      const results = await together(() => [
        table.update(store, first, {}),
        table.update(store, second, {}, { ifStatus: ['running'] }),
        table.update(store, third, {}, { ifStatus: [records[2]?.status] }),
        table.update(store, idOf(404), {}),
      ]);
      expect(sent.map(shapeOf)).toEqual([`update ${name} × 4`]);
      expect(results).toEqual([true, false, true, false]);
      expect(await read(table, records)).toEqual(records);
    });

    it('store null where it is given, also beside rows that have a value', async () => {
      const records = several(4, (n) => record(table, n));
      await add(table, records);
      const nothing = Object.fromEntries(
        Object.entries(table.bare()).filter(([, value]) => value === null),
      );
      const { status, ...fields } = { ...table.changes } as Record<string, unknown>;
      const given = [nothing, fields, { ...nothing, status }, { error: null }];
      await together(() => records.map(({ id }, n) => table.update(store, id, given[n] ?? {})));
      expect(sent.map(shapeOf)).toEqual([`update ${name} × 4`]);
      expect(await read(table, records)).toEqual(
        records.map((each, n) => ({ ...each, ...given[n] })),
      );
    });

    it('keep every text and payload as it is, inserted together too', async () => {
      const payloadOf = (text: string, n: number) => {
        const entries = [text, '__proto__', 'constructor', '#id', '#fields', 'id'];
        return { ...Object.fromEntries(entries.map((key) => [key, { [key]: [text, n, null] }])) };
      };
      const fieldsOf = (text: string, n: number) => ({
        ...Object.fromEntries(table.texts.map((field) => [field, text])),
        ...Object.fromEntries(table.payloads.map((field) => [field, payloadOf(text, n)])),
      });
      const inserted = TEXTS.map((text, n) => record(table, n, fieldsOf(text, n)));
      await add(table, inserted);
      expect(sent.map(shapeOf)).toEqual([`insert ${name} × ${TEXTS.length}`]);
      expect(await read(table, inserted)).toEqual(inserted);
      const updated = inserted.map((each, n) => ({
        ...each,
        ...fieldsOf(TEXTS.at(-n) ?? '', n + 0.5),
      }));
      const results = await together(() =>
        updated.map(({ id, ...fields }, n) =>
          table.update(store, id, fields, { ifError: TEXTS[n] ?? '' }),
        ),
      );
      expect(sent.map(shapeOf)).toEqual([`update ${name} × ${TEXTS.length}`]);
      expect(results).toEqual(TEXTS.map(() => true));
      expect(await read(table, updated)).toEqual(updated);
    });

    it('take payloads of 256 KiB, fifteen of them together', async () => {
      const large = (n: number) => ({ text: '€"\\'.repeat(64 * 1024).slice(0, 256 * 1024), n });
      const records = several(15, (n) => record(table, n));
      await add(table, records);
      const field = table.payloads.at(-1) as string;
      await together(() =>
        records.map(({ id }, n) => table.update(store, id, { [field]: large(n) })),
      );
      expect(sent.map(shapeOf)).toEqual([`update ${name} × 12`, `update ${name} × 3`]);
      expect(await read(table, records)).toEqual(
        records.map((each, n) => ({ ...each, [field]: large(n) })),
      );
    });

    it('refuse a field that the records do not have, alone', async () => {
      const records = several(3, (n) => record(table, n));
      await add(table, records);
      const results = await together(() =>
        records.map(({ id }, n) => {
          const fields = n === 1 ? { error: 'e', userId: 'u', spaceId: 's' } : { error: 'e' };
          return table.update(store, id, fields).catch((error) => error);
        }),
      );
      expect(results).toEqual([true, expect.any(RunsError), true]);
      expect(results[1]).toMatchObject({
        code: 'invalid_argument',
        message: `Cannot update ${table.kind} "${idOf(101)}": it has no field userId, spaceId`,
      });
      expect(await read(table, records)).toEqual(
        records.map((each, n) => (n === 1 ? each : { ...each, error: 'e' })),
      );
    });
  },
);

it('an update that changes the id itself is answered as it is alone', async () => {
  const alone = open({ groupCommit: false }).store;
  for (const n of [1, 2, 3]) await store.insertRun(aRun({ id: idOf(n) }));
  expect(await alone.updateRun(idOf(1), { id: idOf(11) })).toBe(true);
  const results = await together(() => [
    store.updateRun(idOf(2), { id: idOf(12) }),
    store.updateRun(idOf(3), { error: 'e' }),
    store.updateRun(idOf(404), { id: idOf(14) }),
  ]);
  expect(sent.map(shapeOf)).toEqual(['update runs × 3']);
  expect(results).toEqual([true, true, false]);
  expect(await store.getRun(idOf(12))).toEqual(aRun({ id: idOf(12) }));
});

it('a field whose value is undefined is not given', async () => {
  const run = aRun({ error: 'e' });
  await store.insertRun(run);
  await store.insertRun(aRun({ id: idOf(9) }));
  const results = await together(() => [
    store.updateRun(run.id, { error: undefined, currentStep: 's' } as object),
    store.updateRun(idOf(9), { error: 'other' }),
  ]);
  expect(results).toEqual([true, true]);
  expect(await store.getRun(run.id)).toEqual({ ...run, currentStep: 's' });
});

it('outputs are merged or replaced, each as it is asked', async () => {
  const stored = [{ a: 1, b: { c: 1 } }, null, { a: 1 }, { a: 1 }, { a: 1 }, { a: 1 }, null];
  const given = [{ b: { d: 2 }, e: null }, { a: 2 }, { b: 2 }, null, {}, { b: null }, {}];
  const isMerged = [true, true, false, true, true, true, true];
  const records = stored.map((output, n) => aRun({ id: idOf(100 + n), output }));
  await together(() => records.map((each) => store.insertRun(each)));
  const results = await together(() =>
    records.map(({ id }, n) =>
      store.updateRun(
        id,
        { output: given[n] ?? null, error: 'e' },
        isMerged[n] ? { mergeOutput: true } : {},
      ),
    ),
  );
  expect(sent.map(shapeOf)).toEqual(['update runs × 7']);
  expect(results).toEqual(records.map(() => true));
  const runs = await Promise.all(records.map(({ id }) => store.getRun(id)));
  expect(runs.map((run) => run?.output)).toEqual([
    { a: 1, b: { d: 2 }, e: null },
    { a: 2 },
    { b: 2 },
    { a: 1 },
    { a: 1 },
    { a: 1, b: null },
    {},
  ]);
  expect(runs.map((run) => run?.error)).toEqual(records.map(() => 'e'));
});

it('increments of nothing, or beyond the largest number, keep what was counted', async () => {
  const output = { n: 1e308, kept: { a: 1 }, text: 't' };
  const counts = [{}, { n: 1e308 }, { n: -1e308, text: 2 }, { n: 1e308, m: 1 }];
  const expected = [output, output, { ...output, n: 0, text: 2 }, { ...output, m: 1 }];
  const runs = counts.map((_, n) => aRun({ id: idOf(100 + n), output }));
  const copies = runs.map((run, n) => ({ ...run, id: idOf(200 + n) }));
  await Promise.all([...runs, ...copies].map((run) => store.insertRun(run)));
  const add = (target: PostgresStore, { id }: Run, n: number) =>
    target.incrementRunOutput(id, counts[n] ?? {}, at(n));
  await together(() => runs.map((run, n) => add(store, run, n)));
  expect(sent.map(shapeOf)).toEqual(['increment runs × 4']);
  const alone = open({ groupCommit: false }).store;
  await Promise.all(copies.map((run, n) => add(alone, run, n)));
  for (const [n, output] of expected.entries()) {
    expect(await store.getRun(idOf(100 + n))).toEqual({ ...runs[n], output, updatedAt: at(n) });
    expect(await store.getRun(idOf(200 + n))).toEqual({ ...copies[n], output, updatedAt: at(n) });
  }
});

const YEARS = ['0000', '-000044', '-004712', '+012345', '+200000', '0001', '9999', '0099'];
const TIMES = YEARS.map((year) => new Date(`${year}-02-28T23:59:59.987Z`));

it('times of any year come back to the millisecond, written together or alone', async () => {
  const alone = open({ groupCommit: false }).store;
  const records = TIMES.map((time, n) =>
    aRun({ id: idOf(100 + n), createdAt: time, startedAt: time }),
  );
  const copies = records.map((each, n) => ({ ...each, id: idOf(200 + n) }));
  await together(() => records.map((each) => store.insertRun(each)));
  for (const each of copies) await alone.insertRun(each);
  const changesOf = (n: number) => ({
    completedAt: TIMES.at(-n) as Date,
    updatedAt: TIMES.at(1 - n) as Date,
  });
  await together(() => records.map(({ id }, n) => store.updateRun(id, changesOf(n))));
  await Promise.all(copies.map(({ id }, n) => alone.updateRun(id, changesOf(n))));
  const expected = [...records, ...copies].map((each, n) => ({
    ...each,
    ...changesOf(n % TIMES.length),
  }));
  expect(await Promise.all(expected.map(({ id }) => store.getRun(id)))).toEqual(expected);
  // Increments set a time too.
  await together(() =>
    records.map(({ id }, n) => store.incrementRunOutput(id, { n: 1 }, TIMES[n] as Date)),
  );
  const counted = await Promise.all(records.map(({ id }) => store.getRun(id)));
  expect(counted.map((run) => run?.updatedAt)).toEqual(TIMES);
});

it('counts are stored as the nearest whole number that JavaScript counts to', async () => {
  const numbers = [0.4, 0.5, -0.6, -0.2, 1e300, -1e300, 2 ** 53 + 2, Infinity, -Infinity, NaN, 5e9];
  const { MAX_SAFE_INTEGER: max } = Number;
  const whole = [0, 1, -1, 0, max, -max, max, max, -max, null, 5e9];
  const records = numbers.map((value, n) =>
    aStep({ id: idOf(100 + n), runId: null, itemsTotal: value }),
  );
  await together(() => records.map((each) => store.insertStep(each)));
  await together(() =>
    records.map(({ id }, n) => store.updateStep(id, { itemsProcessed: numbers[n] as number })),
  );
  const steps = await Promise.all(records.map(({ id }) => store.getStep(id)));
  expect(steps.map((step) => step?.itemsTotal)).toEqual(whole);
  expect(steps.map((step) => step?.itemsProcessed)).toEqual(whole);
  await store.insertStep(aStep({ runId: null, maxRetries: Infinity, durationMs: 0.5 }));
  expect(await store.getStep(aStep().id)).toMatchObject({ maxRetries: max, durationMs: 1 });
});

it('calls and links that are inserted together are found under the run of their step', async () => {
  await store.insertRun(aRun());
  await store.insertStep(aStep());
  await store.insertStep(aStep({ id: idOf(5), runId: null }));
  const isAlone = (n: number) => n % 2 === 1;
  const parent = (n: number) => ({ stepId: isAlone(n) ? idOf(5) : aStep().id });
  const calls = several(6, (n) => aCall({ id: idOf(100 + n), ...parent(n) }));
  const links = several(6, (n) => aLink({ id: idOf(100 + n), ...parent(n) }));
  await together(() => [
    ...calls.map((each) => store.insertCall(each)),
    ...links.map((each) => store.insertStepLink(each)),
  ]);
  expect(sent.map(shapeOf)).toEqual(['insert run_calls × 6', 'insert run_step_links × 6']);
  const ofRun = <T>(records: T[]) => records.filter((_, n) => !isAlone(n));
  const alone = <T>(records: T[]) => records.filter((_, n) => isAlone(n));
  expect((await store.listCalls(aRun().id)).items).toEqual(ofRun(calls));
  expect((await store.listCalls(null)).items).toEqual(alone(calls));
  expect((await store.listLinks(aRun().id)).items).toEqual(ofRun(links));
  expect((await store.listLinks(null)).items).toEqual(alone(links));
});

it('1 000 steps of 27 columns go in one statement, far from the limit of parameters', async () => {
  const options = { owner: { space_id: 'sp_1' }, tablePrefix: 'wide_' };
  ({ store, sent } = open(options));
  await store.migrate();
  await store.insertRun(aRun());
  const step = { ...TABLES[1]?.full(), runId: aRun().id };
  const steps = several(1000, (n) => aStep({ ...step, id: idOf(100 + n), stepIndex: n }));
  await together(() => steps.map((each) => store.insertStep(each)));
  expect(sent.map(shapeOf)).toEqual(['insert wide_run_steps × 1000']);
  const results = await together(() =>
    steps.map(({ id, ...fields }) => store.updateStep(id, { ...fields, stepType: id })),
  );
  expect(sent.map(shapeOf)).toEqual(['update wide_run_steps × 1000']);
  expect(results).toEqual(steps.map(() => true));
  const { rows } = await pool.query(
    'select count(*)::int as n from wide_run_steps where step_type = id and step_index between 0 and 999',
  );
  expect(rows).toEqual([{ n: 1000 }]);
  expect(await store.getStep(idOf(1099))).toEqual({ ...steps[999], stepType: idOf(1099) });
});

it('what is written together is as if each had been written by itself', async () => {
  const alone = open({ groupCommit: false, tablePrefix: 'alone_' }).store;
  await alone.migrate();
  const payload = fc.option(
    fc.dictionary(
      fc.constantFrom('n', 'm', '__proto__', 'x"'),
      fc.oneof(
        fc.integer(),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.constant(null),
        fc.constantFrom(...TEXTS),
      ),
    ),
  );
  const time = fc.constantFrom(...TIMES);
  const status = fc.constantFrom('pending', 'running', 'completed', 'failed', 'cancelled');
  const error = fc.option(fc.constantFrom(...TEXTS));
  const fields = fc.record(
    {
      status,
      error,
      output: payload,
      input: payload,
      currentStep: error,
      durationMs: fc.option(fc.double()),
      completedAt: fc.option(time),
      updatedAt: time,
    },
    { requiredKeys: [] },
  );
  const conditions = fc.option(
    fc.record(
      {
        ifStatus: fc.subarray(['pending', 'running', 'completed', 'failed']),
        ifError: fc.constantFrom(...TEXTS),
        mergeOutput: fc.constant(true),
      },
      { requiredKeys: [] },
    ),
    { nil: undefined },
  );
  const counts = fc.dictionary(
    fc.constantFrom('n', 'm', '__proto__', 'x"'),
    fc.oneof(fc.integer(), fc.constantFrom(1e308, -1e308, 0.1, 5e-324)),
  );
  const write = fc.record({ fields, conditions, counts: fc.option(counts, { freq: 2 }), time });
  const run = fc.record({ status, error, output: payload, write });
  await fc.assert(
    fc.asyncProperty(fc.array(run, { minLength: 2, maxLength: 60 }), async (cases) => {
      await pool.query('truncate runs, run_steps, run_calls, run_step_links');
      await pool.query(
        'truncate alone_runs, alone_run_steps, alone_run_calls, alone_run_step_links',
      );
      const runs = cases.map(({ write: _, ...each }, n) =>
        aRun({ ...(each as Partial<Run>), id: idOf(n) }),
      );
      const writeTo = (target: PostgresStore) =>
        cases.map(({ write: { fields, conditions, counts, time } }, n) =>
          counts
            ? target.incrementRunOutput(idOf(n), counts, time)
            : target.updateRun(idOf(n), fields as Partial<Run>, conditions as never),
        );
      await together(() => runs.map((each) => store.insertRun(each)));
      await Promise.all(runs.map((each) => alone.insertRun(each)));
      const results = await together(() => writeTo(store));
      expect(sent.length).toBeLessThanOrEqual(2);
      expect(results).toEqual(await Promise.all(writeTo(alone)));
      const readFrom = (target: PostgresStore) =>
        Promise.all(runs.map(({ id }) => target.getRun(id)));
      expect(await readFrom(store)).toEqual(await readFrom(alone));
    }),
    { numRuns: 20, seed: 4 },
  );
});
