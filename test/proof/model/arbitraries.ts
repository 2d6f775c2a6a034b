import fc, { type Arbitrary } from 'fast-check';
import {
  error,
  IDS,
  idOf,
  key,
  oneOf,
  optional,
  payload,
  reason,
  text,
  value,
} from './arbitrary-values.js';
import { Code } from './code.js';
import { START } from './model.js';
import type { Advance, Attempt, Call, Delete, Execute, List, Operation } from './operations.js';
import { storedText } from './values.js';

const { constantFrom } = fc;
const [runId, stepId, callId] = [idOf('run'), idOf('step'), idOf('call')];
const runIdOrNull = oneOf<string | null>([5, runId], [1, fc.constant(null)]);
const via = constantFrom<0 | 1>(0, 1);

/** Values of the wrong type, which callers without types may hand over. */
const notText = constantFrom<unknown>(undefined, null, 5, {});

/** Now and then a record that cannot be made, because what it must have is missing. */
function mostly<T extends object>(params: Arbitrary<T>, name: string): Arbitrary<T> {
  const broken = fc.tuple(params, notText).map(([good, bad]) => ({ ...good, [name]: bad }) as T);
  return oneOf([25, params], [1, broken]);
}

/** Leaves out what is undefined now and then: that is the same. */
function ownId(kind: keyof typeof IDS): Arbitrary<string | undefined> {
  return oneOf<string | undefined>([6, constantFrom(...IDS[kind])], [1, fc.constant(undefined)]);
}

const trigger = constantFrom('cron', 'user', 'webhook', 'chat', 'agent', 'manual', 'system');
const actorType = constantFrom(undefined, 'user', 'agent', 'system');

const runParams = mostly(
  fc.record(
    {
      id: ownId('run'),
      runType: text,
      trigger,
      actorType,
      actorId: optional(text),
      input: payload,
    },
    { requiredKeys: ['id', 'runType', 'trigger'] },
  ),
  'runType',
);
const stepParams = mostly(
  fc.record(
    {
      id: ownId('step'),
      stepType: text,
      parentStepId: optional(stepId),
      stepIndex: constantFrom(undefined, 0, 3),
      actorType,
      actorId: optional(text),
      entityType: optional(text),
      entityId: optional(text),
      context: payload,
      input: payload,
      itemsTotal: constantFrom(undefined, null, 0, 10),
      retryOf: oneOf<string | undefined>([3, fc.constant(undefined)], [1, stepId]),
      maxRetries: constantFrom(undefined, 0, 2),
    },
    { requiredKeys: ['id', 'stepType'] },
  ),
  'stepType',
);
const callParams = mostly(
  fc.record(
    {
      id: ownId('call'),
      tool: text,
      operation: text,
      input: payload,
      metadata: payload,
      retryOf: oneOf<string | undefined>([3, fc.constant(undefined)], [1, callId]),
    },
    { requiredKeys: ['id', 'tool', 'operation'] },
  ),
  'operation',
);
const linkParams = mostly(
  fc.record({
    linkType: constantFrom('input', 'output', 'affected'),
    entityType: text,
    entityId: text,
    externalId: optional(text),
  }),
  'entityId',
);

const finishParams = optional(fc.record({ output: payload }, { requiredKeys: [] }));
const finishCallParams = optional(
  fc.record({ output: payload, metadata: payload }, { requiredKeys: [] }),
);
const count = constantFrom(0, 1, 2, 10, -1, 0.5);
const increments = oneOf<unknown>(
  [12, fc.dictionary(key, count, { minKeys: 1, maxKeys: 3, noNullPrototype: true })],
  [1, constantFrom<unknown>({}, { a: Number.NaN }, { a: 1, b: '2' }, { b: null }, 5, null)],
);
const items = constantFrom<unknown>(undefined, null, 0, 3, 10);
const progress = oneOf<unknown>(
  [
    12,
    fc.record(
      { itemsTotal: items, itemsProcessed: items, itemsSucceeded: items, itemsFailed: items },
      { requiredKeys: [] },
    ),
  ],
  [1, constantFrom<unknown>({ itemsFailed: Number.NaN }, { itemsTotal: '5' })],
);

/** Works on an item, which says itself whether that succeeds. */
const ITEM_WORK = new Code(
  '(isGood, index) => { if (!isGood) throw new Error("item " + index); }',
  (isGood: boolean, index: number) => {
    if (!isGood) throw new Error(`item ${index}`);
  },
);
const itemsOptions = oneOf<unknown>(
  [3, fc.constant(undefined)],
  [
    6,
    fc.record(
      { concurrency: constantFrom(1, 2, 5), total: constantFrom(0, 20) },
      { requiredKeys: [] },
    ),
  ],
  [3, fc.record({ stopOnError: fc.boolean() })],
  [1, constantFrom<unknown>({ concurrency: 0 }, { total: -1 })],
);

const whole = constantFrom<number | undefined>(undefined, 1, 2);
const staleOptions = oneOf<unknown>(
  [10, fc.record({ olderThanMs: constantFrom(1, 500, 1000), limit: whole })],
  [1, constantFrom<unknown>({ olderThanMs: 0 }, { olderThanMs: 1, limit: 1.5 })],
);
const time = constantFrom(-1, 0, 1000, 1001, 2000, 61_000, 1e9).map((ms) => new Date(START + ms));
const deleteOptions = oneOf<unknown>(
  [10, fc.record({ completedBefore: time, limit: whole })],
  [
    1,
    constantFrom<unknown>({ completedBefore: new Date(Number.NaN) }, { completedBefore: '2026' }),
  ],
);

function call(method: Call['method'], ...args: Arbitrary<unknown>[]): Arbitrary<Call> {
  return fc.record({
    do: fc.constant('call' as const),
    method: fc.constant(method),
    args: fc.tuple(...args),
    via,
  });
}

/** What changes one record, or two of them: what can be asked for at once. */
const changes: [weight: number, arbitrary: Arbitrary<Call>][] = [
  [3, call('startRun', runId)],
  [4, call('finishRun', runId, finishParams)],
  [3, call('failRun', runId, error)],
  [2, call('cancelRun', runId, reason)],
  [6, call('incrementRunOutput', runId, increments)],
  [3, call('updateRunProgress', runId, oneOf<unknown>([3, text], [1, fc.constant(null)]))],
  [3, call('startStep', stepId)],
  [3, call('finishStep', stepId, finishParams)],
  [2, call('failStep', stepId, error)],
  [2, call('cancelStep', stepId, reason)],
  [2, call('skipStep', stepId, constantFrom(undefined, '', 'not needed'))],
  [3, call('updateStepProgress', stepId, progress)],
  [3, call('finishCall', callId, finishCallParams)],
  [2, call('failCall', callId, error)],
];
const creations: [weight: number, arbitrary: Arbitrary<Call>][] = [
  [6, call('createRun', runParams)],
  [8, call('createStep', runIdOrNull, stepParams)],
  [6, call('createCall', stepId, callParams)],
  [3, call('linkStep', stepId, linkParams)],
];
const others: [weight: number, arbitrary: Arbitrary<Call>][] = [
  [2, call('getStepLinks', stepId)],
  [3, call('failStale', staleOptions)],
  [
    3,
    call(
      'executeItems',
      stepId,
      fc.array(oneOf([3, fc.constant(true)], [1, fc.constant(false)]), { maxLength: 5 }),
      fc.constant(ITEM_WORK),
      itemsOptions,
    ),
  ],
];

const hasOwnId = ({ method, args }: Call) =>
  !method.startsWith('create') || (args.at(-1) as { id?: string }).id !== undefined;
const competitor = oneOf<Call>(...changes, ...creations).filter(hasOwnId);
const together = fc
  .array(competitor, { minLength: 2, maxLength: 4 })
  .map((calls) => ({ do: 'together' as const, calls }));

/** Several that end or count the same run: so that they meet. */
const race = fc
  .tuple(
    constantFrom('r1', 'r2'),
    fc.array(
      fc.tuple(
        constantFrom<Call['method']>('finishRun', 'failRun', 'cancelRun', 'incrementRunOutput'),
        via,
        constantFrom('a', 'b'),
        fc.integer({ min: 1, max: 9 }),
      ),
      { minLength: 2, maxLength: 4 },
    ),
  )
  .map(([id, racers]) => ({
    do: 'together' as const,
    calls: racers.map(([method, each, name, number]): Call => {
      const counts = { [name]: number };
      const result = { finishRun: { output: counts }, incrementRunOutput: counts }[
        method as 'finishRun'
      ];
      return { do: 'call', method, args: [id, result ?? `${method} ${number}`], via: each };
    }),
  }));

const advance: Arbitrary<Advance> = fc.record({
  do: fc.constant('advance' as const),
  // Clocks are set back too.
  ms: oneOf([6, constantFrom(1, 500, 1000, 60_000)], [1, constantFrom(-1, -1000)]),
});

const statuses = ['pending', 'running', 'completed', 'failed', 'cancelled', 'skipped'];
const someStatuses = (known: string[]) =>
  oneOf<unknown>([1, constantFrom(...known)], [1, fc.subarray(known)]);
const page = { limit: constantFrom(1, 2, 3, 500) };
/** A few of the filters: of many nothing is left. */
function some(filters: Record<string, Arbitrary<unknown>>): Arbitrary<object> {
  const names = fc.subarray(Object.keys(filters), { maxLength: 2 });
  const pick = (all: Record<string, unknown>, wanted: string[]) =>
    Object.fromEntries(wanted.map((name) => [name, all[name]]));
  return fc.tuple(fc.record(filters), names).map(([all, wanted]) => pick(all, wanted));
}
const runQuery = some({
  ...page,
  status: someStatuses(statuses.slice(0, -1)),
  // As it is stored: Postgres has no text with NUL, and refuses to look for one.
  runType: text.map(storedText),
  trigger,
  actorId: text.map(storedText),
  createdAfter: time,
  createdBefore: time,
  updatedBefore: time,
});
const stepQuery = some({ ...page, status: someStatuses(statuses) });
const stepRecordQuery = some({ ...page, stepId });
const wrongQuery = constantFrom<object>(
  { limit: 0 },
  { limit: 501 },
  { cursor: 'x' },
  { other: 1 },
);

function list(name: List['list'], run: Arbitrary<string | null>, query: Arbitrary<object>) {
  return fc.record({
    do: fc.constant('list' as const),
    list: fc.constant(name),
    runId: run,
    query: oneOf<object>([15, query], [1, wrongQuery]),
  });
}
const lists: Arbitrary<List> = fc.oneof(
  list('listRuns', fc.constant(null), runQuery),
  list('listRuns', fc.constant(null), runQuery),
  list('listSteps', runIdOrNull, stepQuery),
  list('listCalls', runIdOrNull, stepRecordQuery),
  list('listLinks', runIdOrNull, stepRecordQuery),
);
const deletion = fc.record({
  do: fc.constant('delete' as const),
  options: deleteOptions,
}) as Arbitrary<Delete>;

const ends: Arbitrary<Attempt['ends']> = oneOf<Attempt['ends']>(
  [3, fc.record({ value: oneOf<unknown>([1, fc.constant(undefined)], [2, value]) })],
  [2, fc.record({ error })],
);
const output = constantFrom(
  new Code('false', false),
  new Code('(value) => ({ mapped: value })', (mapped: unknown) => ({ mapped })),
  new Code('() => null', () => null),
  new Code(`() => { throw new Error('output'); }`, () => {
    throw new Error('output');
  }),
);
const wrongOptions = constantFrom<object>(
  { timeoutMs: 0 },
  { other: 1 },
  { retry: { maxAttempts: 0 } },
);

function executeOptions(kind: Execute['kind']): Arbitrary<Execute['options']> {
  const retry = kind === 'run' ? {} : { isRetried: fc.constant(true) };
  const signal = oneOf<'live' | 'aborted'>([9, fc.constant('live')], [1, fc.constant('aborted')]);
  return oneOf<Execute['options']>(
    [6, fc.constant(undefined)],
    [6, fc.record({ output, signal, ...retry }, { requiredKeys: [] }) as never],
    [1, fc.record({ wrong: wrongOptions })],
  );
}

function execute(
  kind: Execute['kind'],
  parentId: Arbitrary<string | null>,
  params: Arbitrary<object | string>,
  operation: Arbitrary<Operation>,
): Arbitrary<Execute> {
  const attempt = fc.record({
    body: fc.array(operation, { maxLength: 4 }),
    meanwhile: oneOf<Call[]>(
      [3, fc.constant([])],
      [1, fc.array(competitor, { minLength: 1, maxLength: 3 })],
    ),
    isStopped: oneOf([4, fc.constant(false)], [1, fc.constant(true)]),
    ends,
  });
  return fc.record({
    do: fc.constant('execute' as const),
    kind: fc.constant(kind),
    parentId,
    params,
    attempts: oneOf(
      [4, fc.tuple(attempt) as Arbitrary<Attempt[]>],
      [1, fc.array(attempt, { minLength: 2, maxLength: 3 })],
    ),
    options: executeOptions(kind),
    via,
  });
}

/** Any operation, with others in it so many levels deep. */
function operation(depth: number): Arbitrary<Operation> {
  const flat: [number, Arbitrary<Operation>][] = [
    ...creations,
    ...changes,
    ...others,
    [5, together],
    [4, race],
    [10, advance],
    [8, lists],
    [2, deletion],
  ];
  if (depth === 0) return oneOf<Operation>(...flat);
  const inner = operation(depth - 1);
  const run = oneOf<object | string>([3, runParams], [1, runId]);
  return oneOf<Operation>(
    ...flat,
    [6, execute('run', fc.constant(null), run, inner)],
    [6, execute('step', runIdOrNull, stepParams, inner)],
    [5, execute('call', stepId, callParams, inner)],
  );
}

/** Operations, with work that does others, which may be work again. */
export const operations: Arbitrary<Operation> = operation(2);

const run = { runType: 'sync', trigger: 'cron' };
const step = { stepType: 'fetch' };
const httpCall = { tool: 'http', operation: 'GET' };
const BEGINNINGS: [method: Call['method'], ...args: unknown[]][] = [
  ['createRun', { id: 'r1', ...run }],
  ['startRun', 'r1'],
  ['createRun', { id: 'r2', ...run }],
  ['createStep', 'r1', { id: 's1', ...step }],
  ['startStep', 's1'],
  ['createStep', 'r2', { id: 's2', ...step }],
  ['createStep', null, { id: 's3', ...step }],
  ['startStep', 's3'],
  ['createCall', 's1', { id: 'c1', ...httpCall }],
  ['createCall', 's3', { id: 'c2', ...httpCall }],
];

/** What there is before, or most of it: operations should meet records. */
export const beginnings: Arbitrary<Call[]> = fc
  .tuple(
    ...BEGINNINGS.map(() =>
      fc.oneof(
        { withCrossShrink: true },
        { weight: 1, arbitrary: fc.constant(false) },
        { weight: 5, arbitrary: fc.constant(true) },
      ),
    ),
  )
  .map((isWanted) => BEGINNINGS.filter((_, index) => isWanted[index]))
  .map((wanted) => wanted.map(([method, ...args]) => ({ do: 'call', method, args, via: 0 })));
