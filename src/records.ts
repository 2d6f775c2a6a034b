import type { Capture } from './capture.js';
import { checkNumber, invalidArgument } from './errors.js';
import { cleanName } from './payload.js';
import type {
  Call,
  CreateCallParams,
  CreateRunParams,
  CreateStepParams,
  LinkStepParams,
  Run,
  Step,
  StepLink,
} from './types.js';

export type BirthStatus = 'pending' | 'running';

export function newRun(
  params: CreateRunParams,
  id: string,
  status: BirthStatus,
  at: Date,
  capture: Capture,
): Run {
  const run: Run = {
    id,
    runType: params.runType,
    trigger: params.trigger,
    actorType: params.actorType ?? 'system',
    actorId: params.actorId ?? null,
    status,
    currentStep: null,
    startedAt: status === 'running' ? at : null,
    completedAt: null,
    durationMs: null,
    input: capture(params.input, 'input', 'run', id, 'not_started'),
    output: null,
    error: null,
    createdAt: at,
    updatedAt: at,
  };
  return checked('run', run, id);
}

export function newStep(
  runId: string | null,
  params: CreateStepParams,
  id: string,
  status: BirthStatus,
  at: Date,
  capture: Capture,
): Step {
  const step: Step = {
    id,
    runId: runId ?? null,
    parentStepId: params.parentStepId ?? null,
    stepIndex: params.stepIndex ?? 0,
    actorType: params.actorType ?? 'system',
    actorId: params.actorId ?? null,
    stepType: params.stepType,
    status,
    entityType: params.entityType ?? null,
    entityId: params.entityId ?? null,
    context: capture(params.context, 'context', 'step', id, 'not_started'),
    input: capture(params.input, 'input', 'step', id, 'not_started'),
    output: null,
    itemsTotal: params.itemsTotal ?? null,
    itemsProcessed: null,
    itemsSucceeded: null,
    itemsFailed: null,
    attempt: 1,
    retryOf: params.retryOf ?? null,
    maxRetries: params.maxRetries ?? 0,
    error: null,
    startedAt: status === 'running' ? at : null,
    completedAt: null,
    durationMs: null,
    createdAt: at,
    updatedAt: at,
  };
  return checked('step', step, id, runId);
}

export function newCall(
  stepId: string,
  params: CreateCallParams,
  id: string,
  at: Date,
  capture: Capture,
): Call {
  const call: Call = {
    id,
    stepId,
    tool: params.tool,
    operation: params.operation,
    input: capture(params.input, 'input', 'call', id, 'not_started'),
    output: null,
    status: 'running',
    error: null,
    attempt: 1,
    retryOf: params.retryOf ?? null,
    durationMs: null,
    metadata: capture(params.metadata, 'metadata', 'call', id, 'not_started'),
    createdAt: at,
  };
  return checked('call', call, id, stepId);
}

export function newLink(stepId: string, params: LinkStepParams, id: string, at: Date): StepLink {
  const link: StepLink = {
    id,
    stepId,
    linkType: params.linkType,
    entityType: params.entityType,
    entityId: params.entityId,
    externalId: params.externalId ?? null,
    createdAt: at,
  };
  return checked('link', link, id, stepId);
}

/** Cleans the texts of a new record, but for the ids: those are clean. */
function checked<R extends object>(
  kind: string,
  record: R,
  id: string,
  parentId: string | null = null,
): R {
  for (const name in record) {
    const value: unknown = record[name];
    if (typeof value === 'string') {
      if (value !== id && value !== parentId) record[name] = cleanName(value) as never;
    } else if (value === undefined) {
      throw invalidArgument(`create ${kind}`, name, 'given', value);
    } else if (typeof value === 'number') {
      checkNumber(`create ${kind}`, name, value);
    }
  }
  return record;
}
