import type { Capture } from './capture.js';
import { invalidArgument } from './errors.js';
import { cleanName } from './payload.js';
import type {
  Call,
  CreateCallParams,
  CreateRunParams,
  CreateStepParams,
  LinkStepParams,
  RecordKind,
  Run,
  Step,
  StepLink,
} from './types.js';

export type CreateParams = CreateRunParams | CreateStepParams | CreateCallParams;

/** A record as it is born. */
export function newRecord(
  kind: RecordKind,
  id: string,
  parentId: string | null,
  params: CreateRunParams & CreateStepParams & CreateCallParams,
  status: 'pending' | 'running',
  at: Date,
  capture: Capture,
): Run | Step | Call {
  const startedAt = status === 'running' ? at : null;
  const input = capture(params.input, 'input', kind, id);
  if (kind === 'run') {
    return {
      id,
      runType: required('runType', params.runType),
      trigger: required('trigger', params.trigger),
      actorType: params.actorType ?? 'system',
      actorId: clean(params.actorId),
      status,
      currentStep: null,
      startedAt,
      completedAt: null,
      durationMs: null,
      input,
      output: null,
      error: null,
      createdAt: at,
      updatedAt: at,
    };
  }
  const retryOf = clean(params.retryOf);
  if (kind === 'call') {
    return {
      id,
      stepId: parentId as string,
      tool: required('tool', params.tool),
      operation: required('operation', params.operation),
      input,
      output: null,
      status: 'running',
      error: null,
      attempt: 1,
      retryOf,
      durationMs: null,
      metadata: capture(params.metadata, 'metadata', kind, id),
      createdAt: at,
    };
  }
  return {
    id,
    runId: parentId,
    parentStepId: clean(params.parentStepId),
    stepIndex: params.stepIndex ?? 0,
    actorType: params.actorType ?? 'system',
    actorId: clean(params.actorId),
    stepType: required('stepType', params.stepType),
    status,
    entityType: clean(params.entityType),
    entityId: clean(params.entityId),
    context: capture(params.context, 'context', kind, id),
    input,
    output: null,
    itemsTotal: params.itemsTotal ?? null,
    itemsProcessed: null,
    itemsSucceeded: null,
    itemsFailed: null,
    attempt: 1,
    retryOf,
    maxRetries: params.maxRetries ?? 0,
    error: null,
    startedAt,
    completedAt: null,
    durationMs: null,
    createdAt: at,
    updatedAt: at,
  };
}

export function newLink(stepId: string, params: LinkStepParams, id: string, at: Date): StepLink {
  return {
    id,
    stepId,
    linkType: required('linkType', params.linkType),
    entityType: required('entityType', params.entityType),
    entityId: required('entityId', params.entityId),
    externalId: clean(params.externalId),
    createdAt: at,
  };
}

/** A text that has to be there, as it is stored. */
export function required<T>(name: string, value: T): T {
  if (typeof value === 'string') return cleanName(value) as T;
  throw invalidArgument('create record', name, 'a string', value);
}

function clean<T>(value: T | null | undefined): T | null {
  return typeof value === 'string' ? (cleanName(value) as T & string) : (value ?? null);
}
