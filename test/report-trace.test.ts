import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Page, PageQuery, RunReader, StepRecordQuery } from '../src/index.js';
import { RunTracker } from '../src/index.js';
import { MemoryStore } from '../src/memory.js';
import { loadRunTrace, loadStepTrace, type StepTrace } from '../src/report.js';
import { aCall, aRun, aStep } from './support/records.js';
import { aLink, at, holding, hostileRecords } from './support/traces.js';

/** The ids of steps, with those in each: `a(b c)`. */
function shapeOf(steps: StepTrace[]): string {
  return steps
    .map((node) => node.step.id + (node.steps.length > 0 ? `(${shapeOf(node.steps)})` : ''))
    .join(' ');
}

async function shapeOfSteps(...steps: Parameters<typeof aStep>[0][]): Promise<string> {
  const store = await holding({ steps: steps.map((fields) => aStep(fields)) });
  return shapeOf((await loadRunTrace(store, 'r1')).steps);
}

const ids = (records: { id: string }[]) => records.map(({ id }) => id).join(' ');

describe('the steps of a trace', () => {
  it('nest by their parents', async () => {
    const shape = await shapeOfSteps(
      { id: 'a' },
      { id: 'b', parentStepId: 'a' },
      { id: 'c', parentStepId: 'b' },
      { id: 'd', parentStepId: 'a' },
      { id: 'e' },
    );
    expect(shape).toBe('a(b(c) d) e');
  });

  it('are in order of creation, then of index, then of id', async () => {
    const shape = await shapeOfSteps(
      { id: 'e', createdAt: at(2) },
      { id: 'd', createdAt: at(3) },
      { id: 'c', createdAt: at(1), stepIndex: 1 },
      { id: 'b', createdAt: at(1), stepIndex: 0 },
      { id: 'a', createdAt: at(1), stepIndex: 1 },
    );
    expect(shape).toBe('b a c e d');
  });

  it('come last when nobody knows when they were created', async () => {
    const shape = await shapeOfSteps(
      { id: 'a', createdAt: new Date(Number.NaN) },
      { id: 'b', createdAt: new Date(Number.NaN) },
      { id: 'c', createdAt: at(5) },
    );
    expect(shape).toBe('c a b');
  });

  it('stand beside the step that they try again, in order of attempt', async () => {
    const shape = await shapeOfSteps(
      { id: 'a1', createdAt: at(1) },
      { id: 'b1', createdAt: at(2) },
      { id: 'b3', createdAt: at(3), attempt: 3, retryOf: 'b2' },
      { id: 'a2', createdAt: at(4), attempt: 2, retryOf: 'a1' },
      { id: 'b2', createdAt: at(5), attempt: 2, retryOf: 'b1' },
      { id: 'a3', createdAt: at(6), attempt: 3, retryOf: 'a2' },
      { id: 'lone', createdAt: at(7), attempt: 2, retryOf: 'elsewhere' },
    );
    expect(shape).toBe('a1 a2 a3 b1 b2 b3 lone');
  });

  it('stay where they are when what they try again is in another step', async () => {
    const shape = await shapeOfSteps(
      { id: 'a', createdAt: at(1) },
      { id: 'a1', createdAt: at(1), parentStepId: 'a' },
      { id: 'b', createdAt: at(2), attempt: 2, retryOf: 'a' },
      { id: 'b0', createdAt: at(2), parentStepId: 'b' },
      { id: 'b1', createdAt: at(3), parentStepId: 'b', attempt: 2, retryOf: 'a1' },
    );
    expect(shape).toBe('a(a1) b(b0 b1)');
  });

  it('stand together when they try each other again, however that is possible', async () => {
    const shape = await shapeOfSteps(
      { id: 'a', createdAt: at(1), retryOf: 'c' },
      { id: 'b', createdAt: at(2) },
      { id: 'c', createdAt: at(3), retryOf: 'a' },
      { id: 'd', createdAt: at(4), retryOf: 'd' },
    );
    expect(shape).toBe('a c b d');
  });

  it('stand at the top when their parent is not there, or is the step itself', async () => {
    const shape = await shapeOfSteps(
      { id: 'a', parentStepId: 'elsewhere' },
      { id: 'b', parentStepId: 'b' },
      { id: 'c', parentStepId: 'b' },
    );
    expect(shape).toBe('a b(c)');
  });

  it('are in no step whose id is an empty text, and try none again, unless they say so', async () => {
    const shape = await shapeOfSteps(
      { id: '', createdAt: at(1) },
      { id: 'a', createdAt: at(2) },
      { id: 'b', createdAt: at(3), parentStepId: '' },
      { id: 'c', createdAt: at(4), attempt: 2, retryOf: '' },
    );
    expect(shape).toBe('(b) c a');
  });

  it('stand at the top when they are among their own parents', async () => {
    const shape = await shapeOfSteps(
      { id: 'a', parentStepId: 'c' },
      { id: 'b', parentStepId: 'a' },
      { id: 'c', parentStepId: 'b' },
      { id: 'd', parentStepId: 'c' },
      { id: 'e', parentStepId: 'd' },
    );
    expect(shape).toBe('a b c(d(e))');
  });

  it('nest in steps that are younger, also where these are among their own parents', async () => {
    const shape = await shapeOfSteps(
      { id: 'a', createdAt: at(1), parentStepId: 'b' },
      { id: 'b', createdAt: at(2), parentStepId: 'c' },
      { id: 'c', createdAt: at(3) },
      { id: 'd', createdAt: at(4), parentStepId: 'e' },
      { id: 'e', createdAt: at(5), parentStepId: 'f' },
      { id: 'f', createdAt: at(6), parentStepId: 'e' },
    );
    expect(shape).toBe('c(b(a)) e(d) f');
  });

  it('may try again what tries again, a thousand times', async () => {
    const steps = Array.from({ length: 1000 }, (_, index) => {
      const retryOf = index === 999 ? null : `s${index + 1}`;
      return aStep({ id: `s${index}`, createdAt: at(index), attempt: 1000 - index, retryOf });
    });
    const trace = await loadRunTrace(await holding({ steps }), 'r1');
    expect(trace.steps.map(({ step }) => step.attempt)).toEqual(
      Array.from({ length: 1000 }, (_, index) => index + 1),
    );
  });
});

it('calls and links are with their steps, attempts together, and all of them oldest first', async () => {
  const store = await holding({
    steps: [aStep({ id: 'a' }), aStep({ id: 'b', parentStepId: 'a' })],
    calls: [
      aCall({ id: 'c4', stepId: 'a', createdAt: at(4), attempt: 2, retryOf: 'c1' }),
      aCall({ id: 'c3', stepId: 'b', createdAt: at(3) }),
      aCall({ id: 'c2', stepId: 'a', createdAt: at(2) }),
      aCall({ id: 'c1', stepId: 'a', createdAt: at(1) }),
    ],
    links: [
      aLink({ id: 'l2', stepId: 'b', createdAt: at(2) }),
      aLink({ id: 'l1', stepId: 'a', createdAt: at(3) }),
      aLink({ id: 'l3', stepId: 'b', createdAt: at(1) }),
    ],
  });
  const { steps, calls, links, isCut } = await loadRunTrace(store, 'r1');
  expect(ids(calls)).toBe('c1 c2 c3 c4');
  expect(ids(links)).toBe('l3 l2 l1');
  expect(ids(steps[0]!.calls)).toBe('c1 c4 c2');
  expect(ids(steps[0]!.steps[0]!.calls)).toBe('c3');
  expect(ids(steps[0]!.links)).toBe('l1');
  expect(ids(steps[0]!.steps[0]!.links)).toBe('l3 l2');
  expect(isCut).toEqual({ steps: false, calls: false, links: false });
});

it('a trace of what a tracker recorded has it all', async () => {
  const store = new MemoryStore();
  const tracker = new RunTracker({ store, linkStore: store });
  const link = { linkType: 'output', entityType: 'price', entityId: 'p1' } as const;
  await tracker.executeRun({ id: 'sync', runType: 'sync', trigger: 'cron' }, (runId) =>
    tracker.executeStep(runId, { id: 'outer', stepType: 'outer' }, async (outer) => {
      await tracker.linkStep(outer, link);
      const inner = { id: 'inner', stepType: 'inner', parentStepId: outer };
      await tracker.executeStep(runId, inner, (id) =>
        tracker.executeCall(id, { tool: 'api', operation: 'GET' }, () => 1),
      );
    }),
  );
  const { run, steps } = await loadRunTrace(store, 'sync');
  expect(run).toEqual(await store.getRun('sync'));
  expect(steps).toMatchObject([
    {
      step: { id: 'outer' },
      links: [{ entityId: 'p1' }],
      steps: [{ step: { id: 'inner' }, calls: [{ tool: 'api', output: { result: 1 } }] }],
    },
  ]);
});

it('no step, call or link is ever lost or there twice, whatever they say of each other', async () => {
  await fc.assert(
    fc.asyncProperty(hostileRecords, async (records) => {
      const store = await holding(records);
      const trace = await loadRunTrace(store, 'r1');
      const nodes: StepTrace[] = [];
      const visit = (node: StepTrace) => {
        nodes.push(node);
        node.steps.forEach(visit);
      };
      trace.steps.forEach(visit);
      const sorted = (all: { id: string }[]) => all.map(({ id }) => id).sort();
      const stepIds = new Set(records.steps.map(({ id }) => id));
      const isThere = ({ stepId }: { stepId: string }) => stepIds.has(stepId);
      expect(sorted(nodes.map(({ step }) => step))).toEqual(sorted(records.steps));
      for (const kind of ['calls', 'links'] as const) {
        const there = sorted((records[kind] as { id: string; stepId: string }[]).filter(isThere));
        expect(sorted(trace[kind])).toEqual(there);
        expect(sorted(nodes.flatMap((node) => node[kind] as { id: string }[]))).toEqual(there);
      }
    }),
  );
});

describe('a run with very many records', () => {
  /** A reader of a run that never ends; it tells which pages it was asked for. */
  function endless(): { reader: RunReader; asked: (PageQuery & { list: string })[] } {
    const asked: (PageQuery & { list: string })[] = [];
    const list =
      <R>(name: string, make: (id: string) => R) =>
      async (_runId: string | null, page: StepRecordQuery = {}): Promise<Page<R>> => {
        const { limit = 0, cursor = '0' } = page;
        asked.push({ list: name, limit, ...(page.cursor ? { cursor } : {}) });
        const from = Number(cursor);
        const items = Array.from({ length: limit }, (_, index) => make(`${from + index}`));
        return { items, nextCursor: `${from + limit}` };
      };
    const reader = {
      getRun: async () => aRun(),
      getStep: async () => aStep(),
      listRuns: async () => ({ items: [], nextCursor: null }),
      listSteps: list('steps', (id) => aStep({ id, createdAt: at(Number(id)) })),
      listCalls: list('calls', (id) => aCall({ id, stepId: id, createdAt: at(Number(id)) })),
      listLinks: list('links', (id) => aLink({ id, stepId: id, createdAt: at(Number(id)) })),
    };
    return { reader, asked };
  }

  it('is read in pages of 500, up to a thousand of each, and says so', async () => {
    const { reader, asked } = endless();
    const { steps, calls, links, isCut } = await loadRunTrace(reader, 'r1');
    expect([steps.length, calls.length, links.length]).toEqual([1000, 1000, 1000]);
    expect(isCut).toEqual({ steps: true, calls: true, links: true });
    expect(asked.filter(({ list }) => list === 'calls')).toEqual([
      { list: 'calls', limit: 500 },
      { list: 'calls', limit: 500, cursor: '500' },
    ]);
  });

  it('is read no further than it is asked for', async () => {
    const { reader, asked } = endless();
    const { steps } = await loadRunTrace(reader, 'r1', { maxRecords: 503 });
    expect(steps).toHaveLength(503);
    expect(asked.filter(({ list }) => list === 'steps').map(({ limit }) => limit)).toEqual([
      500, 3,
    ]);
    expect((await loadRunTrace(reader, 'r1', { maxRecords: 1 })).steps).toHaveLength(1);
  });

  it('is cut to what was asked for when a reader gives more', async () => {
    const { reader } = endless();
    const items = [aStep({ id: 'a' }), aStep({ id: 'b' })];
    const generous = { ...reader, listSteps: async () => ({ items, nextCursor: null }) };
    const trace = await loadRunTrace(generous, 'r1', { maxRecords: 1 });
    expect(shapeOf(trace.steps)).toBe('a');
    expect(trace.isCut.steps).toBe(true);
  });

  it('is not cut when it has exactly as many', async () => {
    const steps = [aStep({ id: 'a' }), aStep({ id: 'b' }), aStep({ id: 'c' })];
    const store = await holding({ steps, calls: [aCall({ stepId: 'a' })] });
    const whole = await loadRunTrace(store, 'r1', { maxRecords: 3 });
    expect(whole.isCut).toEqual({ steps: false, calls: false, links: false });
    const part = await loadRunTrace(store, 'r1', { maxRecords: 2 });
    expect([shapeOf(part.steps), part.isCut.steps, part.isCut.calls]).toEqual(['a b', true, false]);
  });
});

describe('the trace of one step', () => {
  it.each(['r1', null])('has its own calls and links, in the run %s', async (runId) => {
    const store = await holding({
      steps: [aStep({ id: 'a', runId }), aStep({ id: 'b', runId, parentStepId: 'a' })],
      calls: [
        aCall({ id: 'c3', stepId: 'a', createdAt: at(3), attempt: 2, retryOf: 'c1' }),
        aCall({ id: 'c2', stepId: 'a', createdAt: at(2) }),
        aCall({ id: 'c1', stepId: 'a', createdAt: at(1) }),
        aCall({ id: 'other', stepId: 'b' }),
      ],
      links: [aLink({ id: 'l1', stepId: 'a' }), aLink({ id: 'other', stepId: 'b' })],
    });
    const trace = await loadStepTrace(store, 'a');
    expect(trace.step).toEqual(await store.getStep('a'));
    expect([ids(trace.calls), ids(trace.links), trace.steps]).toEqual(['c1 c3 c2', 'l1', []]);
    expect(trace.isCut).toEqual({ steps: false, calls: false, links: false });
    const cut = await loadStepTrace(store, 'a', { maxRecords: 1 });
    expect([ids(cut.calls), ids(cut.links)]).toEqual(['c1', 'l1']);
    expect(cut.isCut).toEqual({ steps: false, calls: true, links: false });
  });
});

describe('what cannot be loaded', () => {
  const loads = { run: loadRunTrace, step: loadStepTrace };

  it.each(['run', 'step'] as const)('a %s that does not exist', async (kind) => {
    const store = new MemoryStore();
    const refused = { code: 'not_found', message: `Cannot load ${kind} "x": it does not exist` };
    await expect(loads[kind](store, 'x')).rejects.toMatchObject(refused);
    const bare = Object.assign(Object.create(store), {
      getRun: async () => undefined,
      getStep: async () => undefined,
    });
    await expect(loads[kind](bare, 'x')).rejects.toMatchObject(refused);
  });

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '10' as never])(
    'at most %s records',
    async (maxRecords) => {
      const store = await holding({ steps: [aStep({ id: 's1' })] });
      for (const load of [
        loadRunTrace(store, 'r1', { maxRecords }),
        loadStepTrace(store, 's1', { maxRecords }),
      ]) {
        await expect(load).rejects.toMatchObject({
          name: 'RunsError',
          code: 'invalid_argument',
          message: expect.stringMatching(
            /^Cannot load \w+ "\w\d": maxRecords must be a whole number/,
          ),
        });
      }
    },
  );
});
