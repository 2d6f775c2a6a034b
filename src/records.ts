import type { Capture } from './capture.js';
import { checkNumber, invalidArgument } from './errors.js';
import { isNothing } from './helpers.js';
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
  return {
    id,
    runType: required('run', 'runType', params.runType),
    trigger: required('run', 'trigger', params.trigger),
    actorType: params.actorType ?? 'system',
    actorId: clean(params.actorId ?? null),
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
}

export function newStep(
  runId: string | null,
  params: CreateStepParams,
  id: string,
  status: BirthStatus,
  at: Date,
  capture: Capture,
): Step {
  return {
    id,
    runId: runId ?? null,
    parentStepId: clean(params.parentStepId ?? null),
    stepIndex: number('stepIndex', params.stepIndex, 0),
    actorType: params.actorType ?? 'system',
    actorId: clean(params.actorId ?? null),
    stepType: required('step', 'stepType', params.stepType),
    status,
    entityType: clean(params.entityType ?? null),
    entityId: clean(params.entityId ?? null),
    context: capture(params.context, 'context', 'step', id, 'not_started'),
    input: capture(params.input, 'input', 'step', id, 'not_started'),
    output: null,
    itemsTotal: number('itemsTotal', params.itemsTotal, null),
    itemsProcessed: null,
    itemsSucceeded: null,
    itemsFailed: null,
    attempt: 1,
    retryOf: clean(params.retryOf ?? null),
    maxRetries: number('maxRetries', params.maxRetries, 0),
    error: null,
    startedAt: status === 'running' ? at : null,
    completedAt: null,
    durationMs: null,
    createdAt: at,
    updatedAt: at,
  };
}

export function newCall(
  stepId: string,
  params: CreateCallParams,
  id: string,
  at: Date,
  capture: Capture,
): Call {
  return {
    id,
    stepId,
    tool: required('call', 'tool', params.tool),
    operation: required('call', 'operation', params.operation),
    input: capture(params.input, 'input', 'call', id, 'not_started'),
    output: null,
    status: 'running',
    error: null,
    attempt: 1,
    retryOf: clean(params.retryOf ?? null),
    durationMs: null,
    metadata: capture(params.metadata, 'metadata', 'call', id, 'not_started'),
    createdAt: at,
  };
}

export function newLink(stepId: string, params: LinkStepParams, id: string, at: Date): StepLink {
  return {
    id,
    stepId,
    linkType: required('link', 'linkType', params.linkType),
    entityType: required('link', 'entityType', params.entityType),
    entityId: required('link', 'entityId', params.entityId),
    externalId: clean(params.externalId ?? null),
    createdAt: at,
  };
}

/** A text that has to be there, as it is stored. */
function required<T>(kind: string, name: string, value: T): T {
  if (isNothing(value)) throw invalidArgument(`create ${kind}`, name, 'given', value);
  return clean(value);
}

function clean<T>(value: T): T {
  return typeof value === 'string' ? (cleanName(value) as T) : value;
}

/** A number as it is stored, or what stands for none. */
function number<T>(name: string, value: number | null | undefined, otherwise: T): number | T {
  if (isNothing(value)) return otherwise;
  checkNumber('create step', name, value);
  return value;
}
