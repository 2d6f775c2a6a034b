import fc from 'fast-check';
import type { Call, Run, Step, StepLink } from '../../src/index.js';
import { MemoryStore } from '../../src/memory.js';
import { aCall, aRun, aStep } from './records.js';

/** The records of a run. */
export interface Records {
  run: Run;
  steps: Step[];
  calls: Call[];
  links: StepLink[];
}

/** A link as a store holds it. */
export function aLink(fields: Partial<StepLink> = {}): StepLink {
  const own = { id: 'l1', stepId: 's1', linkType: 'affected', entityType: 'price' } as const;
  return { ...own, entityId: 'p1', externalId: null, createdAt: at(0), ...fields };
}

/** A time, so many milliseconds after all of them begin. */
export function at(ms: number): Date {
  return new Date(Date.UTC(2026, 2, 1, 12) + ms);
}

/** The times and the status of what began and ended, in milliseconds after all begins. */
export function ended<S extends string>(status: S, start: number, end: number) {
  const times = { startedAt: at(start), completedAt: at(end), createdAt: at(start) };
  return { status, ...times, durationMs: end - start };
}

/** The times and the status of what began and still goes on. */
export function running(start: number) {
  return { status: 'running', startedAt: at(start), createdAt: at(start) } as const;
}

/** A store that holds these records, and nothing else. */
export async function holding(records: Partial<Records>): Promise<MemoryStore> {
  const { run = aRun(), steps = [], calls = [], links = [] } = records;
  const store = new MemoryStore();
  await store.insertRun(run);
  for (const step of steps) await store.insertStep(step);
  for (const call of calls) await store.insertCall(call);
  for (const link of links) await store.insertStepLink(link);
  return store;
}

const attack = fc.constantFrom(
  '\u001b[2J\u001b[31mred',
  '\u001b]0;title\u0007',
  '\u001b]8;;https://evil.example\u001b\\link',
  '\u009b31m\u0085\u0090',
  '\r\n',
  '\t\v\f\b\u007f\0',
  '\u202egnp.exe\u202c\u2066\u2069\u200f\u061c',
  '\u200b\u200d\ufeff\u00ad\u2060\u180e',
  '\ud800',
  '\udfff\ud800',
  'x'.repeat(5000),
  '価格'.repeat(300),
  `Z${'\u0300'.repeat(500)}`,
  '\u0301mark first',
  '\u20e3',
  '\u{1f469}\u200d\u{1f4bb}\u{1f1e9}\u{1f1ea}1\ufe0f\u20e3',
  '\u1112\u1161\u11ab\u0e33',
  '\u2028\u2029',
  '</title></svg><script>alert(1)</script>',
  ']]><!--&amp;"\'&#0;',
  '\ufffe\uffff\ufff9\u0600',
  '',
);

/** Text that means harm. */
export const hostileText: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(attack, fc.string({ unit: 'binary', maxLength: 20 }), fc.constantFrom(' ', 'a')),
    {
      maxLength: 6,
    },
  )
  .map((texts) => texts.join(''));

const time = fc.oneof(
  fc.integer({ min: -5000, max: 100_000 }).map(at),
  fc.constant(new Date(Number.NaN)),
);
const count = fc.option(fc.oneof(fc.integer({ min: -5, max: 500 }), fc.constant(Number.NaN)));
const id = (kind: string) => fc.integer({ min: 0, max: 30 }).map((number) => `${kind}${number}`);
const payload = fc.option(
  fc.oneof(
    fc.dictionary(hostileText, fc.oneof(hostileText, fc.integer(), fc.constant({ a: 1 }))),
    fc.record({ result: fc.oneof(hostileText, fc.array(fc.anything({ maxDepth: 1 }))) }),
    fc.record({ result: fc.dictionary(hostileText, hostileText), reason: hostileText }),
  ),
);
/** A status, also one that is none. */
const status = <S>(...statuses: S[]) =>
  fc.oneof(fc.constantFrom(...statuses), hostileText as unknown as fc.Arbitrary<S>);
const times = {
  startedAt: fc.option(time),
  completedAt: fc.option(time),
  createdAt: time,
  durationMs: fc.option(fc.oneof(fc.nat(100_000), fc.constantFrom(-1, Number.NaN, 1e300))),
};
const texts = { error: fc.option(hostileText), output: payload };

const steps = fc
  .uniqueArray(
    fc.record({
      ...times,
      ...texts,
      id: id('s'),
      stepIndex: fc.nat(3),
      stepType: hostileText,
      parentStepId: fc.option(fc.oneof(id('s'), hostileText)),
      status: status<Step['status']>('pending', 'running', 'completed', 'failed', 'skipped'),
      attempt: fc.integer({ min: 1, max: 3 }),
      retryOf: fc.option(id('s')),
      itemsTotal: count,
      itemsProcessed: count,
      itemsSucceeded: count,
      itemsFailed: count,
    }),
    { selector: (step) => step.id, maxLength: 12 },
  )
  .map((all) => all.map((fields) => aStep(fields)));

const calls = fc
  .uniqueArray(
    fc.record({
      ...texts,
      id: id('c'),
      stepId: id('s'),
      createdAt: time,
      durationMs: times.durationMs,
      tool: hostileText,
      operation: hostileText,
      status: status<Call['status']>('pending', 'running', 'success', 'error'),
      attempt: fc.integer({ min: 1, max: 3 }),
      retryOf: fc.option(id('c')),
    }),
    { selector: (call) => call.id, maxLength: 12 },
  )
  .map((all) => all.map((fields) => aCall(fields)));

const links = fc
  .uniqueArray(
    fc.record({
      id: id('l'),
      stepId: id('s'),
      entityType: hostileText,
      entityId: hostileText,
      externalId: fc.option(hostileText),
    }),
    { selector: (link) => link.id, maxLength: 6 },
  )
  .map((all) => all.map((fields) => aLink(fields)));

/** The records of a run that nobody in their right mind would write. */
export const hostileRecords: fc.Arbitrary<Records> = fc.record({
  run: fc
    .record({
      ...times,
      ...texts,
      runType: hostileText,
      actorId: fc.option(hostileText),
      status: status<Run['status']>('pending', 'running', 'completed', 'failed', 'cancelled'),
    })
    .map((fields) => aRun(fields)),
  steps,
  calls,
  links,
});
