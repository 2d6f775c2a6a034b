import type { RunStore } from '../store.js';
import type { Call, RecordKind, Run, Step, StepLink } from '../types.js';

/** A record of any kind, by the names of its fields. */
export type AnyRecord = { id: string } & Record<string, unknown>;
export type Fields = Record<string, unknown>;

/** One of a store's three tables, so that a case can be told once for all of them. */
export interface Table {
  kind: RecordKind;
  /** The methods of a store, for messages. */
  methods: { insert: string; get: string; update: string };
  /** The fields that hold a text of the application's. */
  texts: string[];
  /** The fields that hold JSON. */
  payloads: string[];
  /** The fields that a tracker changes, each with a value that {@link Table.full} does not have. */
  readonly changes: Fields;
  /** Two ways to end a record that is running. */
  ends: [string, string];
  /** A record that holds null wherever it may. */
  bare(fields?: Fields): AnyRecord;
  /** A record that holds something in every field. */
  full(fields?: Fields): AnyRecord;
  /** Inserts what the records point to. */
  insertParents(store: RunStore): Promise<void>;
  insert(store: RunStore, record: AnyRecord): Promise<unknown>;
  get(store: RunStore, id: string): Promise<unknown>;
  update(store: RunStore, id: string, fields: Fields, ...conditions: Fields[]): Promise<unknown>;
}

/** Ids are UUIDs, for columns of that type; they sort as their numbers do. */
export function idOf(number: number): string {
  return `0196b0c0-7f3a-7c51-8d2e-${String(number).padStart(12, '0')}`;
}

/** A point in time, so many milliseconds after the first of January 2026. */
export function at(milliseconds: number): Date {
  return new Date(Date.UTC(2026, 0, 1) + milliseconds);
}

/** The record that the cases are about, and those that it points to. */
export const ID: string = idOf(1000);
export const UNKNOWN_ID: string = idOf(9999);
const RUN_ID = idOf(1);
const STEP_ID = idOf(2);
const CALL_ID = idOf(3);

export function aRun(fields: Partial<Run> = {}): Run {
  return {
    id: RUN_ID,
    runType: 'sync_stripe',
    trigger: 'cron',
    actorType: 'system',
    actorId: null,
    status: 'running',
    currentStep: null,
    startedAt: null,
    completedAt: null,
    durationMs: null,
    input: null,
    output: null,
    error: null,
    createdAt: at(0),
    updatedAt: at(0),
    ...fields,
  };
}

export function aStep(fields: Partial<Step> = {}): Step {
  return {
    id: STEP_ID,
    runId: RUN_ID,
    parentStepId: null,
    stepIndex: 0,
    actorType: 'system',
    actorId: null,
    stepType: 'fetch_charges',
    status: 'running',
    entityType: null,
    entityId: null,
    context: null,
    input: null,
    output: null,
    itemsTotal: null,
    itemsProcessed: null,
    itemsSucceeded: null,
    itemsFailed: null,
    attempt: 1,
    retryOf: null,
    maxRetries: 0,
    error: null,
    startedAt: null,
    completedAt: null,
    durationMs: null,
    createdAt: at(0),
    updatedAt: at(0),
    ...fields,
  };
}

export function aCall(fields: Partial<Call> = {}): Call {
  return {
    id: CALL_ID,
    stepId: STEP_ID,
    tool: 'stripe',
    operation: 'GET /charges',
    input: null,
    output: null,
    status: 'running',
    error: null,
    attempt: 1,
    retryOf: null,
    durationMs: null,
    metadata: null,
    createdAt: at(0),
    ...fields,
  };
}

export function aLink(fields: Partial<StepLink> = {}): StepLink {
  return {
    id: ID,
    stepId: STEP_ID,
    linkType: 'output',
    entityType: 'charge',
    entityId: 'ch_1',
    externalId: null,
    createdAt: at(0),
    ...fields,
  };
}

/** Longer than a signed integer of 32 bits can hold. */
const FORTY_DAYS_MS = 40 * 86_400_000;

/** New values each time: a case, or a store, may change what it was given. */
const ended = () => ({
  error: 'price_api answered 503',
  startedAt: at(60_000),
  completedAt: at(60_000 + FORTY_DAYS_MS),
  durationMs: FORTY_DAYS_MS,
  createdAt: at(50_000),
  updatedAt: at(61_000 + FORTY_DAYS_MS),
});
const changed = () => ({
  status: 'completed',
  output: { charges: 8, last: { id: 'ch_8' } },
  error: 'nothing',
  startedAt: at(70_000),
  completedAt: at(80_000),
  durationMs: 10_000,
  updatedAt: at(81_000),
});

export const runs: Table = {
  kind: 'run',
  methods: { insert: 'insertRun', get: 'getRun', update: 'updateRun' },
  texts: ['runType', 'actorId', 'currentStep', 'error'],
  payloads: ['input', 'output'],
  get changes() {
    return { ...changed(), currentStep: 'load' };
  },
  ends: ['completed', 'failed'],
  bare: (fields) => ({ ...aRun(), id: ID, ...fields }),
  full: (fields) => ({
    ...aRun(),
    id: ID,
    trigger: 'webhook',
    actorType: 'user',
    actorId: 'user_42',
    status: 'failed',
    currentStep: 'fetch',
    input: { account: 'acct_1' },
    output: { charges: 7, skipped: [1, 2] },
    ...ended(),
    ...fields,
  }),
  async insertParents() {},
  insert: (store, record) => store.insertRun(record as unknown as Run),
  get: (store, id) => store.getRun(id),
  update: (store, ...args) => store.updateRun(...args),
};

export const steps: Table = {
  kind: 'step',
  methods: { insert: 'insertStep', get: 'getStep', update: 'updateStep' },
  texts: ['stepType', 'actorId', 'entityType', 'entityId', 'error'],
  payloads: ['context', 'input', 'output'],
  get changes() {
    return {
      ...changed(),
      itemsTotal: 6_000_000_000,
      itemsProcessed: 50,
      itemsSucceeded: 49,
      itemsFailed: 1,
    };
  },
  ends: ['completed', 'skipped'],
  bare: (fields) => ({ ...aStep(), id: ID, ...fields }),
  full: (fields) => ({
    ...aStep(),
    id: ID,
    parentStepId: STEP_ID,
    stepIndex: 3,
    actorType: 'agent',
    actorId: 'agent_7',
    status: 'failed',
    entityType: 'account',
    entityId: 'acct_1',
    context: { page: 2 },
    input: { since: '2026-01-01' },
    output: { charges: 7 },
    itemsTotal: 5_000_000_000,
    itemsProcessed: 40,
    itemsSucceeded: 38,
    itemsFailed: 2,
    attempt: 2,
    retryOf: STEP_ID,
    maxRetries: 4,
    ...ended(),
    ...fields,
  }),
  async insertParents(store) {
    await store.insertRun(aRun());
    await store.insertStep(aStep());
  },
  insert: (store, record) => store.insertStep(record as unknown as Step),
  get: (store, id) => store.getStep(id),
  update: (store, ...args) => store.updateStep(...args),
};

export const calls: Table = {
  kind: 'call',
  methods: { insert: 'insertCall', get: 'getCall', update: 'updateCall' },
  texts: ['tool', 'operation', 'error'],
  payloads: ['input', 'output', 'metadata'],
  get changes() {
    return {
      status: 'success',
      output: { charges: 8 },
      error: 'nothing',
      durationMs: 12,
      metadata: { page: 3 },
    };
  },
  ends: ['success', 'error'],
  bare: (fields) => ({ ...aCall(), id: ID, ...fields }),
  full: (fields) => ({
    ...aCall(),
    id: ID,
    input: { page: 1 },
    output: { charges: [{ id: 'ch_1' }] },
    status: 'error',
    error: 'price_api answered 503',
    attempt: 2,
    retryOf: CALL_ID,
    durationMs: FORTY_DAYS_MS,
    metadata: { region: 'eu' },
    createdAt: at(50_000),
    ...fields,
  }),
  async insertParents(store) {
    await steps.insertParents(store);
    await store.insertCall(aCall());
  },
  insert: (store, record) => store.insertCall(record as unknown as Call),
  get: (store, id) => store.getCall(id),
  update: (store, ...args) => store.updateCall(...args),
};

export const TABLES: readonly Table[] = [runs, steps, calls];

/** Inserts a record after what it points to. */
export async function add(table: Table, store: RunStore, record: AnyRecord): Promise<AnyRecord> {
  await table.insertParents(store);
  await table.insert(store, record);
  return record;
}
