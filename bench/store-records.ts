/** The records that the benchmarks of the stores write. */
import { randomUUID } from 'node:crypto';
import type { Call, Run, RunStore, Step } from '@systemoperator/runs';

/** A call, and what its end writes: as the tracker does. */
export interface Job {
  call: Call;
  end: Pick<Call, 'status' | 'output' | 'durationMs'>;
  runId: string;
}

/** Where calls belong. */
export interface Parent {
  runId: string;
  stepId: string;
}

export const uuid4 = (): string => randomUUID();

/** A time-ordered id: RFC 9562, section 5.7. */
export function uuid7(): string {
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}

export function newRun(id: string, createdAt: Date, fields: Partial<Run> = {}): Run {
  return {
    id,
    runType: 'sync_stripe',
    trigger: 'cron',
    actorType: 'system',
    actorId: null,
    status: 'running',
    currentStep: null,
    startedAt: createdAt,
    completedAt: null,
    durationMs: null,
    input: inputOf(id),
    output: null,
    error: null,
    createdAt,
    updatedAt: createdAt,
    ...fields,
  };
}

export function newStep(id: string, runId: string, createdAt: Date): Step {
  return {
    id,
    runId,
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
    startedAt: createdAt,
    completedAt: null,
    durationMs: null,
    createdAt,
    updatedAt: createdAt,
  };
}

function newCall(id: string, stepId: string, createdAt: Date): Call {
  return {
    id,
    stepId,
    tool: 'stripe_api',
    operation: 'GET /v1/charges',
    input: inputOf(id),
    output: null,
    status: 'running',
    error: null,
    attempt: 1,
    retryOf: null,
    durationMs: null,
    metadata: null,
    createdAt,
  };
}

/** About 150 bytes of JSON. */
function inputOf(id: string): Record<string, unknown> {
  return {
    url: `/v1/charges/ch_${id}/refunds`,
    customer: 'cus_9s6XKzkNRiz8i3',
    limit: 100,
    expand: ['customer', 'invoice'],
  };
}

/** About 150 bytes of JSON. */
export function outputOf(id: string): Record<string, unknown> {
  return {
    requestId: `req_${id}`,
    statusCode: 200,
    items: 42,
    hasMore: false,
    cursor: 'ch_3MmlLrLkdIwHu7ix0snN0B15',
  };
}

/** Stores one run with so many steps, for calls to belong to. */
export async function insertParents(
  store: RunStore,
  count: number,
  newId: () => string,
): Promise<Parent[]> {
  const now = new Date();
  const runId = newId();
  await store.insertRun(newRun(runId, now));
  const parents = Array.from({ length: count }, () => ({ runId, stepId: newId() }));
  await Promise.all(parents.map(({ stepId }) => store.insertStep(newStep(stepId, runId, now))));
  return parents;
}

/** Makes calls, spread evenly over their parents. */
export function newJobs(count: number, parents: Parent[], newId: () => string): Job[] {
  const now = new Date();
  return Array.from({ length: count }, (_, index) => {
    const { runId, stepId } = parents[index % parents.length] as Parent;
    const id = newId();
    const end = { status: 'success' as const, output: outputOf(id), durationMs: 120 };
    return { call: newCall(id, stepId, now), end, runId };
  });
}

/** What a tracked call writes: its record before the work, and its end after it. */
export async function write(store: RunStore, { call, end }: Job): Promise<void> {
  await store.insertCall(call);
  const isMatch = await store.updateCall(call.id, end, { ifStatus: ['running'] });
  if (!isMatch) throw new Error(`Call ${call.id} was not updated`);
}
