import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { loadRunTrace, loadStepTrace, timelineOf } from '../src/report.js';
import { aCall, aRun, aStep } from './support/records.js';
import { at, ended, holding, hostileRecords, type Records, running } from './support/traces.js';

/** The rows of a run, such as `run 0 0-1`: kind, depth, start and end. */
async function rowsOf(records: Partial<Records>, now = at(100)): Promise<string[]> {
  const trace = await loadRunTrace(await holding(records), 'r1');
  return timelineOf(trace, now).map(
    ({ kind, record, depth, start, end }) => `${kind} ${record.id} ${depth} ${start}-${end}`,
  );
}

const run = aRun(ended('completed', 0, 100));

it('each record has a row, below the one that it is in: calls first, then steps', async () => {
  const rows = await rowsOf({
    run,
    steps: [
      aStep({ id: 'a', ...ended('completed', 0, 50) }),
      aStep({ id: 'b', parentStepId: 'a', ...ended('failed', 10, 20) }),
      aStep({ id: 'c', ...ended('completed', 50, 100) }),
    ],
    calls: [
      aCall({ id: 'x', stepId: 'a', status: 'success', createdAt: at(25), durationMs: 25 }),
      aCall({ id: 'y', stepId: 'b', status: 'error', createdAt: at(10), durationMs: 10 }),
    ],
  });
  expect(rows).toEqual([
    'run r1 0 0-1',
    'step a 1 0-0.5',
    'call x 2 0.25-0.5',
    'step b 2 0.1-0.2',
    'call y 3 0.1-0.2',
    'step c 1 0.5-1',
  ]);
});

it('a step by itself is the whole of its time', async () => {
  const step = aStep({ id: 'a', runId: null, ...ended('completed', 100, 300) });
  const call = aCall({ stepId: 'a', status: 'success', createdAt: at(200), durationMs: 100 });
  const trace = await loadStepTrace(await holding({ steps: [step], calls: [call] }), 'a');
  expect(timelineOf(trace, at(0))).toEqual([
    { kind: 'step', record: step, depth: 0, start: 0, end: 1 },
    { kind: 'call', record: call, depth: 1, start: 0.5, end: 1 },
  ]);
});

it('calls of steps that were not loaded come last', async () => {
  const steps = [aStep({ id: 'a' }), aStep({ id: 'b', createdAt: at(1) })];
  const calls = [
    aCall({ id: 'x', stepId: 'b' }),
    aCall({ id: 'y', stepId: 'a', createdAt: at(1) }),
  ];
  const store = await holding({ steps, calls });
  const all = await loadRunTrace(store, 'r1');
  const trace = { ...all, steps: all.steps.slice(0, 1) };
  const rows = timelineOf(trace, at(0)).map(({ record, depth }) => `${record.id} ${depth}`);
  expect(rows).toEqual(['r1 0', 'a 1', 'y 2', 'x 1']);
});

describe('when a record was at work', () => {
  const stepRow = async (fields: Parameters<typeof aStep>[0], ofRun = run, now = at(100)) =>
    (await rowsOf({ run: ofRun, steps: [aStep({ id: 'a', ...fields })] }, now))[1];
  const live = aRun(running(0));

  it('it goes on until now', async () => {
    expect(await stepRow(running(50), live)).toBe('step a 1 0.5-1');
    const calls = [aCall({ id: 'x', stepId: 'a', status: 'running', createdAt: at(75) })];
    const rows = await rowsOf({ run: live, steps: [aStep({ id: 'a', ...running(50) })], calls });
    expect(rows).toEqual(['run r1 0 0-1', 'step a 1 0.5-1', 'call x 2 0.75-1']);
  });

  it('it goes on until now also in a run that has not started', async () => {
    const steps = [
      aStep({ id: 'a', ...running(0) }),
      aStep({ id: 'b', ...ended('completed', 0, 50) }),
    ];
    expect(await rowsOf({ run: aRun(), steps })).toEqual([
      'run r1 0 0-0',
      'step a 1 0-1',
      'step b 1 0-0.5',
    ]);
  });

  it('now does not stretch the time when nothing is at work', async () => {
    const steps = [aStep({ id: 'a', ...ended('completed', 0, 50) })];
    expect(await rowsOf({ run: aRun(), steps })).toEqual(['run r1 0 0-0', 'step a 1 0-1']);
  });

  it('what was left open by a run that has ended goes on no longer than the run', async () => {
    expect(await stepRow(running(50), run, at(1_000_000))).toBe('step a 1 0.5-1');
  });

  it('now is no earlier than what has happened, and may be unknown', async () => {
    const steps = [aStep({ id: 'a', ...ended('completed', 0, 50) })];
    const rows = ['run r1 0 0-1', 'step a 1 0-1'];
    expect(await rowsOf({ run: live, steps }, at(-100))).toEqual(rows);
    expect(await rowsOf({ run: live, steps }, new Date(Number.NaN))).toEqual(rows);
  });

  it('what never started has no length, and lies where it was created', async () => {
    expect(await stepRow({ createdAt: at(50) })).toBe('step a 1 0.5-0.5');
    expect(await stepRow({ createdAt: at(50), status: 'skipped', completedAt: at(80) })).toBe(
      'step a 1 0.5-0.5',
    );
    expect(await stepRow({ ...running(50), status: 'pending' })).toBe('step a 1 0.5-0.5');
    const calls = [aCall({ id: 'x', stepId: 'a', status: 'pending', createdAt: at(75) })];
    expect((await rowsOf({ run, steps: [aStep({ id: 'a' })], calls }))[2]).toBe(
      'call x 2 0.75-0.75',
    );
  });

  it('what waited does not stretch the time', async () => {
    expect(await stepRow({ createdAt: at(-5000) })).toBe('step a 1 0-0');
    expect(await stepRow({ createdAt: at(5000) })).toBe('step a 1 1-1');
    expect(await stepRow({ createdAt: new Date(Number.NaN) })).toBe('step a 1 0-0');
  });

  it('what ended before it began has no length', async () => {
    expect(await stepRow(ended('completed', 50, 20))).toBe('step a 1 0.5-0.5');
  });

  it('an end that is not known is reckoned from the duration', async () => {
    expect(await stepRow({ ...ended('completed', 50, 75), durationMs: 1 })).toBe(
      'step a 1 0.5-0.75',
    );
    const fields = { ...ended('completed', 50, 75), completedAt: null };
    expect(await stepRow(fields)).toBe('step a 1 0.5-0.75');
    expect(await stepRow({ ...fields, durationMs: null })).toBe('step a 1 0.5-0.5');
    expect(await stepRow({ ...fields, durationMs: Number.NaN })).toBe('step a 1 0.5-0.5');
  });

  it('a run of no length, or that has not started, has rows without length', async () => {
    expect(await rowsOf({ run: aRun(ended('completed', 5, 5)) })).toEqual(['run r1 0 0-0']);
    const rows = await rowsOf({ run: aRun(), steps: [aStep({ id: 'a' })] });
    expect(rows).toEqual(['run r1 0 0-0', 'step a 1 0-0']);
  });
});

it('steps that are nested very deeply have rows too', async () => {
  const steps = Array.from({ length: 20_000 }, (_, index) =>
    aStep({ id: `s${index}`, parentStepId: `s${index - 1}` }),
  );
  const listSteps = async () => ({ items: steps, nextCursor: null });
  const deep = Object.assign(await holding({}), { listSteps });
  const trace = await loadRunTrace(deep, 'r1', { maxRecords: 50_000 });
  expect(timelineOf(trace, at(0)).at(-1)?.depth).toBe(20_000);
});

it('every record has exactly one row, within the whole time, whatever it says', async () => {
  await fc.assert(
    fc.asyncProperty(hostileRecords, async (records) => {
      const trace = await loadRunTrace(await holding(records), 'r1');
      const rows = timelineOf(trace, at(50_000));
      const expected = [...records.steps, ...trace.calls].map(({ id }) => id);
      expect(rows.map(({ record }) => record.id).sort()).toEqual(['r1', ...expected].sort());
      for (const { start, end } of rows) {
        expect(start).toBeGreaterThanOrEqual(0);
        expect(end).toBeGreaterThanOrEqual(start);
        expect(end).toBeLessThanOrEqual(1);
      }
    }),
  );
});
