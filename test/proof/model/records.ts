import type {
  Call,
  CreateCallParams,
  CreateRunParams,
  CreateStepParams,
  LinkStepParams,
  Run,
  Step,
  StepLink,
} from '../../../src/types.js';
import { storedPayload, storedText } from './values.js';

/** Why something is refused: a code of the library, or the store's own error. */
export class Refusal extends Error {
  readonly code: string;

  constructor(
    code: 'not_found' | 'invalid_transition' | 'invalid_argument' | 'unsupported' | 'store',
  ) {
    super(code);
    this.code = code;
  }
}

/** What a record has of itself. */
export interface Birth {
  /** Its id, unless it is given another one. */
  id: string;
  at: Date;
  status: 'pending' | 'running';
}

export function newRun(params: CreateRunParams, { id, at, status }: Birth): Run {
  return {
    id: params.id ?? id,
    runType: requireText(params.runType),
    trigger: requireText(params.trigger),
    actorType: params.actorType ?? 'system',
    actorId: textOrNull(params.actorId),
    status,
    currentStep: null,
    startedAt: status === 'running' ? at : null,
    completedAt: null,
    durationMs: null,
    input: storedPayload(params.input),
    output: null,
    error: null,
    createdAt: at,
    updatedAt: at,
  };
}

export function newStep(
  runId: string | null,
  params: CreateStepParams,
  { id, at, status }: Birth,
): Step {
  return {
    id: params.id ?? id,
    runId,
    parentStepId: params.parentStepId ?? null,
    stepIndex: params.stepIndex ?? 0,
    actorType: params.actorType ?? 'system',
    actorId: textOrNull(params.actorId),
    stepType: requireText(params.stepType),
    status,
    entityType: textOrNull(params.entityType),
    entityId: textOrNull(params.entityId),
    context: storedPayload(params.context),
    input: storedPayload(params.input),
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
}

export function newCall(stepId: string, params: CreateCallParams, { id, at }: Birth): Call {
  return {
    id: params.id ?? id,
    stepId,
    tool: requireText(params.tool),
    operation: requireText(params.operation),
    input: storedPayload(params.input),
    output: null,
    status: 'running',
    error: null,
    attempt: 1,
    retryOf: params.retryOf ?? null,
    durationMs: null,
    metadata: storedPayload(params.metadata),
    createdAt: at,
  };
}

export function newLink(stepId: string, params: LinkStepParams, { id, at }: Birth): StepLink {
  return {
    id,
    stepId,
    linkType: requireText(params.linkType),
    entityType: requireText(params.entityType),
    entityId: requireText(params.entityId),
    externalId: textOrNull(params.externalId),
    createdAt: at,
  };
}

function requireText<T>(value: T): T {
  if (typeof value !== 'string') throw new Refusal('invalid_argument');
  return storedText(value) as T;
}

export function textOrNull(value: string | null | undefined): string | null {
  return typeof value === 'string' ? storedText(value) : null;
}
