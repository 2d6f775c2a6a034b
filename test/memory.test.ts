import { describe, expect, it } from 'vitest';
import type { Call, Run, RunStore, Step, StepLink } from '../src/index.js';
import { MemoryStore } from '../src/memory.js';
import { aCall, aRun, aStep } from './support/records.js';

const LATER = new Date('2026-03-01T12:00:05.000Z');

function aLink(fields: Partial<StepLink> = {}): StepLink {
  return {
    id: 'l1',
    stepId: 's1',
    linkType: 'output',
    entityType: 'transaction',
    entityId: 'tx_123',
    externalId: null,
    createdAt: LATER,
    ...fields,
  };
}

/** The methods for one kind of record. */
interface Table<R> {
  make: (fields?: Partial<R>) => R;
  insert: (row: R) => Promise<unknown>;
  get: (id: string) => Promise<R | null | undefined>;
  update: (
    id: string,
    fields: Partial<R>,
    conditions?: { ifStatus?: never[]; ifError?: string },
  ) => Promise<unknown>;
  /** Changes that leave most fields out. */
  changes: Partial<R>;
}
type AnyRecord = Run & Step & Call;

const TABLES: Record<string, (store: RunStore) => Table<AnyRecord>> = {
  run: (store) => ({
    make: aRun as Table<AnyRecord>['make'],
    insert: (row) => store.insertRun(row),
    get: (id) => store.getRun(id) as Promise<AnyRecord | null>,
    update: (id, ...rest) => store.updateRun(id, ...rest),
    changes: { status: 'running', startedAt: LATER, currentStep: 'fetch' },
  }),
  step: (store) => ({
    make: aStep as Table<AnyRecord>['make'],
    insert: (row) => store.insertStep(row),
    get: (id) => store.getStep(id) as Promise<AnyRecord | null>,
    update: (id, ...rest) => store.updateStep(id, ...rest),
    changes: { status: 'running', startedAt: LATER, itemsProcessed: 5 },
  }),
  call: (store) => ({
    make: aCall as unknown as Table<AnyRecord>['make'],
    insert: (row) => store.insertCall(row as unknown as Call),
    get: (id) => store.getCall(id) as Promise<AnyRecord | null>,
    update: (id, fields, ...rest) => store.updateCall(id, fields as Partial<Call>, ...rest),
    changes: { output: { count: 100 }, durationMs: 12, metadata: { page: 1 } },
  }),
};

describe.each(Object.entries(TABLES))('a %s in a MemoryStore', (_kind, tableOf) => {
  const open = (): Table<AnyRecord> => tableOf(new MemoryStore());
  const statuses = (...names: string[]) => ({ ifStatus: names as never[] });

  it('that was never inserted is null', async () => {
    const { get } = open();
    expect(await get('nobody')).toBeNull();
    expect(await get('__proto__')).toBeNull();
  });

  it('comes back with every field as it was inserted', async () => {
    const { make, insert, get } = open();
    const row = make({ input: { list: [1, { a: null }] }, output: { done: true } });
    await insert(row);
    expect(await get(row.id)).toStrictEqual(row);
  });

  it('is kept under any id', async () => {
    const { make, insert, get } = open();
    for (const id of ['', '__proto__', 'constructor', '\u{1f600}']) {
      await insert(make({ id, error: `of ${id}` }));
    }
    for (const id of ['', '__proto__', 'constructor', '\u{1f600}']) {
      expect(await get(id)).toMatchObject({ id, error: `of ${id}` });
    }
  });

  it('whose id exists already is rejected, and the first one stays', async () => {
    const { make, insert, get } = open();
    await insert(make({ error: 'first' }));
    const again = insert(make({ error: 'second' }));
    await expect(again).rejects.toBeInstanceOf(Error);
    expect(await get(make().id)).toMatchObject({ error: 'first' });
  });

  it('that is inserted twice at once is inserted once', async () => {
    const { make, insert } = open();
    const results = await Promise.allSettled([insert(make()), insert(make())]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('that does not exist cannot be updated, which says false and inserts nothing', async () => {
    const { update, get, changes } = open();
    expect(await update('nobody', changes)).toBe(false);
    expect(await update('nobody', changes, statuses('running'))).toBe(false);
    expect(await get('nobody')).toBeNull();
  });

  it('is updated in the given fields, and in no other', async () => {
    const { make, insert, update, get, changes } = open();
    await insert(make({ input: { a: 1 }, error: 'before' }));
    await insert(make({ id: 'another' }));
    expect(await update(make().id, changes)).toBe(true);
    expect(await get(make().id)).toStrictEqual(
      make({ input: { a: 1 }, error: 'before', ...changes }),
    );
    expect(await get('another')).toStrictEqual(make({ id: 'another' }));
  });

  it('keeps what an update leaves undefined, and clears what it sets to null', async () => {
    const { make, insert, update, get } = open();
    await insert(make({ input: { a: 1 }, output: { b: 2 }, error: 'before' }));
    const fields = { input: undefined, output: null } as unknown as Partial<AnyRecord>;
    expect(await update(make().id, fields)).toBe(true);
    expect(await get(make().id)).toStrictEqual(
      make({ input: { a: 1 }, output: null, error: 'before' }),
    );
  });

  it('has its output replaced by an update that does not ask to merge', async () => {
    const { make, insert, update, get } = open();
    await insert(make({ output: { a: 1 } }));
    await update(make().id, { output: { b: 2 } });
    expect(await get(make().id)).toHaveProperty('output', { b: 2 });
  });

  it('is not reached by what the caller changes after an insert or an update', async () => {
    const { make, insert, update, get } = open();
    const row = make({ input: { deep: { list: [1] } }, createdAt: new Date(LATER) });
    await insert(row);
    (row.input!.deep as { list: number[] }).list.push(2);
    row.createdAt.setTime(0);
    row.error = 'changed';
    const fields = { output: { deep: { list: [1] } }, updatedAt: new Date(LATER) };
    await update(row.id, fields);
    fields.output.deep.list.push(2);
    fields.updatedAt.setTime(0);
    expect(await get(row.id)).toMatchObject({
      input: { deep: { list: [1] } },
      output: { deep: { list: [1] } },
      error: null,
      createdAt: LATER,
      updatedAt: LATER,
    });
  });

  it('is not reached by what a reader changes', async () => {
    const { make, insert, get } = open();
    await insert(make({ input: { deep: { list: [1] } }, createdAt: LATER }));
    const first = (await get(make().id))!;
    (first.input!.deep as { list: number[] }).list.push(2);
    first.createdAt.setTime(0);
    first.error = 'changed';
    expect(await get(make().id)).toStrictEqual(
      make({ input: { deep: { list: [1] } }, createdAt: new Date('2026-03-01T12:00:05.000Z') }),
    );
  });

  it('is updated only while its status is one of those asked for', async () => {
    const { make, insert, update, get } = open();
    await insert(make({ status: 'running' }));
    const { id } = make();
    expect(await update(id, { error: 'no' }, statuses('pending'))).toBe(false);
    expect(await update(id, { error: 'no' }, statuses())).toBe(false);
    expect(await get(id)).toStrictEqual(make({ status: 'running' }));
    expect(await update(id, { error: 'yes' }, statuses('pending', 'running'))).toBe(true);
    expect(await get(id)).toMatchObject({ error: 'yes' });
  });

  it('is updated only while its error is the one asked for', async () => {
    const { make, insert, update, get } = open();
    await insert(make({ error: 'abandoned' }));
    const { id } = make();
    const changes = { error: null, durationMs: 5 };
    for (const ifError of ['', 'abandone', 'Abandoned', 'abandoned ']) {
      expect(await update(id, changes, { ifError })).toBe(false);
    }
    expect(await get(id)).toStrictEqual(make({ error: 'abandoned' }));
    expect(await update(id, changes, { ifError: 'abandoned' })).toBe(true);
    expect(await update(id, changes, { ifError: 'abandoned' })).toBe(false);
    expect(await get(id)).toStrictEqual(make({ error: null, durationMs: 5 }));
  });

  it('is updated only if every condition holds', async () => {
    const { make, insert, update } = open();
    await insert(make({ status: 'running', error: 'e' }));
    const { id } = make();
    const update5 = (status: string, ifError: string) =>
      update(id, { durationMs: 5 }, { ...statuses(status), ifError });
    expect(await update5('running', 'other')).toBe(false);
    expect(await update5('pending', 'e')).toBe(false);
    expect(await update5('running', 'e')).toBe(true);
  });

  it('is won by one of several updates at once', async () => {
    const { make, insert, update, get } = open();
    await insert(make({ status: 'running' }));
    const { id } = make();
    const results = await Promise.all(
      [1, 2, 3].map((durationMs) =>
        update(id, { status: 'pending', durationMs } as Partial<AnyRecord>, statuses('running')),
      ),
    );
    expect(results.filter((isMatched) => isMatched === true)).toHaveLength(1);
    const winner = results.indexOf(true) + 1;
    expect(await get(id)).toMatchObject({ durationMs: winner });
  });
});

describe('records of different kinds in a MemoryStore', () => {
  it('do not get in the way of each other, though they have the same id', async () => {
    const store = new MemoryStore();
    await store.insertRun(aRun({ id: 'x' }));
    await store.insertStep(aStep({ id: 'x' }));
    await store.insertCall(aCall({ id: 'x' }));
    await store.insertStepLink(aLink({ id: 'x', stepId: 'x' }));
    await store.updateStep('x', { error: 'of the step' });
    expect(await store.getRun('x')).toStrictEqual(aRun({ id: 'x' }));
    expect(await store.getStep('x')).toStrictEqual(aStep({ id: 'x', error: 'of the step' }));
    expect(await store.getCall('x')).toStrictEqual(aCall({ id: 'x' }));
  });

  it('are not shared between stores', async () => {
    await new MemoryStore().insertRun(aRun());
    expect(await new MemoryStore().getRun('r1')).toBeNull();
  });
});

describe('what a MemoryStore can do', () => {
  it('is said where a tracker looks for it', () => {
    const store: RunStore = new MemoryStore();
    expect(store.conditionalUpdates).toBe(true);
    expect(store.incrementRunOutput).toBeTypeOf('function');
  });
});

describe('mergeOutput', () => {
  async function merged(output: Run['output'], fields: Partial<Run>, ifStatus?: Run['status'][]) {
    const store = new MemoryStore();
    await store.insertRun(aRun({ output }));
    const conditions = ifStatus
      ? { ifStatus, mergeOutput: true as const }
      : { mergeOutput: true as const };
    const isMatched = await store.updateRun('r1', fields, conditions);
    return { isMatched, run: (await store.getRun('r1'))! };
  }

  it('lays the given output over the stored one', async () => {
    const { isMatched, run } = await merged({ a: 1, b: 2 }, { output: { b: 3, c: 4 } });
    expect(isMatched).toBe(true);
    expect(run).toStrictEqual(aRun({ output: { a: 1, b: 3, c: 4 } }));
  });

  it('is one level deep', async () => {
    const { run } = await merged({ a: { x: 1 }, b: [1] }, { output: { a: { y: 2 }, b: [] } });
    expect(run.output).toStrictEqual({ a: { y: 2 }, b: [] });
  });

  it('keeps members that are null, on both sides', async () => {
    const { run } = await merged({ a: null, b: 1 }, { output: { b: null, c: null } });
    expect(run.output).toStrictEqual({ a: null, b: null, c: null });
  });

  it('starts from nothing', async () => {
    const { run } = await merged(null, { output: { a: 1 } });
    expect(run.output).toStrictEqual({ a: 1 });
  });

  it('takes any names', async () => {
    const stored = JSON.parse('{"__proto__":1,"constructor":1}');
    const { run } = await merged(stored, { output: JSON.parse('{"__proto__":2,"":3}') });
    expect(JSON.stringify(run.output)).toBe('{"__proto__":2,"constructor":1,"":3}');
  });

  it('sets the other fields as any update does', async () => {
    const fields: Partial<Run> = { status: 'completed', output: { a: 1 } };
    const { run } = await merged({ b: 2 }, fields, ['pending']);
    expect(run).toStrictEqual(aRun({ status: 'completed', output: { b: 2, a: 1 } }));
  });

  it('merges nothing when the conditions do not hold', async () => {
    const { isMatched, run } = await merged({ a: 1 }, { output: { b: 2 } }, ['running']);
    expect(isMatched).toBe(false);
    expect(run.output).toStrictEqual({ a: 1 });
  });

  it('leaves the output alone when none is given', async () => {
    for (const output of [null, { a: 1 }]) {
      const { run } = await merged(output, { error: 'x' });
      expect(run).toStrictEqual(aRun({ output, error: 'x' }));
    }
  });

  it('shares nothing with the caller', async () => {
    const store = new MemoryStore();
    await store.insertRun(aRun());
    const output = { list: [1] };
    await store.updateRun('r1', { output }, { mergeOutput: true });
    output.list.push(2);
    expect((await store.getRun('r1'))!.output).toStrictEqual({ list: [1] });
  });
});

describe('incrementRunOutput', () => {
  it('adds to what is there, starts at 0 for what is not, and keeps the rest', async () => {
    const store = new MemoryStore();
    await store.insertRun(aRun({ output: { fetched: 1, note: 'x', none: null } }));
    const at = new Date(LATER);
    expect(await store.incrementRunOutput('r1', { fetched: 2, inserted: -1 }, at)).toBe(true);
    at.setTime(0);
    expect(await store.getRun('r1')).toStrictEqual(
      aRun({ output: { fetched: 3, note: 'x', none: null, inserted: -1 }, updatedAt: LATER }),
    );
  });

  it('counts what is no number as 0', async () => {
    const store = new MemoryStore();
    await store.insertRun(aRun({ output: { a: 'text', b: null, c: { d: 1 } } }));
    await store.incrementRunOutput('r1', { a: 1, b: 2, c: 3 }, LATER);
    expect((await store.getRun('r1'))!.output).toStrictEqual({ a: 1, b: 2, c: 3 });
  });

  it('starts from an output that is null', async () => {
    const store = new MemoryStore();
    await store.insertRun(aRun());
    await store.incrementRunOutput('r1', { fetched: 1 }, LATER);
    expect((await store.getRun('r1'))!.output).toStrictEqual({ fetched: 1 });
  });

  it('says false for an unknown run, and inserts nothing', async () => {
    const store = new MemoryStore();
    expect(await store.incrementRunOutput('nobody', { fetched: 1 }, LATER)).toBe(false);
    expect(await store.getRun('nobody')).toBeNull();
  });

  it('counts all that is counted at once', async () => {
    const store = new MemoryStore();
    await store.insertRun(aRun());
    const increments = Array.from({ length: 100 }, () =>
      store.incrementRunOutput('r1', { fetched: 1 }, LATER),
    );
    await Promise.all(increments);
    expect((await store.getRun('r1'))!.output).toStrictEqual({ fetched: 100 });
  });
});

describe('step links in a MemoryStore', () => {
  it('come back by step, oldest first', async () => {
    const store = new MemoryStore();
    await store.insertStepLink(aLink({ id: 'l2' }));
    await store.insertStepLink(aLink({ id: 'other', stepId: 's2' }));
    await store.insertStepLink(aLink({ id: 'l1', externalId: 'stripe_ch_abc' }));
    expect(await store.getStepLinks('s1')).toStrictEqual([
      aLink({ id: 'l2' }),
      aLink({ id: 'l1', externalId: 'stripe_ch_abc' }),
    ]);
    expect(await store.getStepLinks('s2')).toStrictEqual([aLink({ id: 'other', stepId: 's2' })]);
  });

  it('come back oldest first, also when the clock was set back between them', async () => {
    const store = new MemoryStore();
    for (const [id, minute] of [
      ['b', 3],
      ['c', 1],
      ['a', 1],
      ['d', 2],
    ] as const) {
      await store.insertStepLink(
        aLink({ id, createdAt: new Date(Date.UTC(2026, 2, 1, 12, minute)) }),
      );
    }
    const links = await store.getStepLinks('s1');
    expect(links.map(({ id }) => id)).toEqual(['c', 'a', 'd', 'b']);
  });

  it('are none for a step without any', async () => {
    const store = new MemoryStore();
    expect(await store.getStepLinks('s1')).toEqual([]);
    expect(await store.getStepLinks('__proto__')).toEqual([]);
  });

  it('are rejected when their id exists already, also at another step', async () => {
    const store = new MemoryStore();
    await store.insertStepLink(aLink());
    await expect(store.insertStepLink(aLink())).rejects.toBeInstanceOf(Error);
    await expect(store.insertStepLink(aLink({ stepId: 's2' }))).rejects.toBeInstanceOf(Error);
    expect(await store.getStepLinks('s1')).toStrictEqual([aLink()]);
    expect(await store.getStepLinks('s2')).toEqual([]);
  });

  it('may say the same of a step twice, under two ids', async () => {
    const store = new MemoryStore();
    await store.insertStepLink(aLink({ id: 'l1' }));
    await store.insertStepLink(aLink({ id: 'l2' }));
    expect(await store.getStepLinks('s1')).toHaveLength(2);
  });

  it('are not reached by what a caller or a reader changes', async () => {
    const store = new MemoryStore();
    const link = aLink({ createdAt: new Date(LATER) });
    await store.insertStepLink(link);
    link.createdAt.setTime(0);
    link.entityId = 'changed';
    const read = await store.getStepLinks('s1');
    read[0]!.createdAt.setTime(0);
    read[0]!.entityId = 'changed';
    read.pop();
    expect(await store.getStepLinks('s1')).toStrictEqual([aLink()]);
  });
});

it('an id that exists already is said to, with what it is that of', async () => {
  const store = new MemoryStore();
  const inserts = [
    ['Run "r1"', () => store.insertRun(aRun({ id: 'r1' }))],
    ['Step "s1"', () => store.insertStep(aStep({ id: 's1' }))],
    ['Call "c1"', () => store.insertCall(aCall({ id: 'c1' }))],
    ['Step link "l1"', () => store.insertStepLink(aLink({ id: 'l1' }))],
  ] as const;
  for (const [what, insert] of inserts) {
    await insert();
    await expect(insert()).rejects.toThrow(`${what} exists already`);
  }
});

describe('deleting', () => {
  const completedBefore = new Date(LATER.getTime() + 1);

  it('takes as few runs as it is told, and with their steps what is linked to these', async () => {
    const store = new MemoryStore();
    for (const id of ['r1', 'r2']) {
      await store.insertRun(aRun({ id, status: 'completed', completedAt: LATER }));
      await store.insertStep(aStep({ id: `s of ${id}`, runId: id }));
      await store.insertStepLink(aLink({ id: `l of ${id}`, stepId: `s of ${id}` }));
    }
    expect(await store.deleteRuns({ completedBefore, limit: 1 })).toBe(1);
    expect(await store.getStepLinks('s of r1')).toEqual([]);
    expect(await store.getStepLinks('s of r2')).toHaveLength(1);
    await expect(store.deleteRuns({ completedBefore, limit: 0 })).rejects.toThrow(
      'Cannot delete runs: limit must be a whole number from 1, not 0',
    );
  });

  it('takes nothing that has not ended, or of which is not known when', async () => {
    const store = new MemoryStore();
    await store.insertRun(aRun({ id: 'r1', status: 'running', completedAt: LATER }));
    await store.insertRun(aRun({ id: 'r2', status: 'completed', completedAt: null }));
    expect(await store.deleteRuns({ completedBefore })).toBe(0);
    expect((await store.listRuns()).items).toHaveLength(2);
  });
});
