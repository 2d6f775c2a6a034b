import type { Call, Run, Step } from '../../src/index.js';

const AT = new Date('2026-03-01T12:00:00.000Z');

/** A run as a store holds it. */
export function aRun(fields: Partial<Run> = {}): Run {
  return {
    id: 'r1',
    runType: 'sync',
    trigger: 'cron',
    actorType: 'system',
    actorId: null,
    status: 'pending',
    currentStep: null,
    startedAt: null,
    completedAt: null,
    durationMs: null,
    input: null,
    output: null,
    error: null,
    createdAt: AT,
    updatedAt: AT,
    ...fields,
  };
}

/** A step as a store holds it. */
export function aStep(fields: Partial<Step> = {}): Step {
  return {
    id: 's1',
    runId: 'r1',
    parentStepId: null,
    stepIndex: 0,
    actorType: 'system',
    actorId: null,
    stepType: 'fetch',
    status: 'pending',
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
    createdAt: AT,
    updatedAt: AT,
    ...fields,
  };
}

/** A call as a store holds it. */
export function aCall(fields: Partial<Call> = {}): Call {
  return {
    id: 'c1',
    stepId: 's1',
    tool: 'api',
    operation: 'GET /charges',
    input: null,
    output: null,
    status: 'running',
    error: null,
    attempt: 1,
    retryOf: null,
    durationMs: null,
    metadata: null,
    createdAt: AT,
    ...fields,
  };
}
