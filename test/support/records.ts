import type { Call, Run, Step } from '../../src/index.js';
import * as bare from '../../src/testing/tables.js';

const AT = new Date('2026-03-01T12:00:00.000Z');

/** A run as a store holds it. */
export function aRun(fields: Partial<Run> = {}): Run {
  const own: Partial<Run> = { id: 'r1', runType: 'sync', status: 'pending' };
  return bare.aRun({ ...own, createdAt: AT, updatedAt: AT, ...fields });
}

/** A step as a store holds it. */
export function aStep(fields: Partial<Step> = {}): Step {
  const own: Partial<Step> = { id: 's1', runId: 'r1', stepType: 'fetch', status: 'pending' };
  return bare.aStep({ ...own, createdAt: AT, updatedAt: AT, ...fields });
}

/** A call as a store holds it. */
export function aCall(fields: Partial<Call> = {}): Call {
  return bare.aCall({ id: 'c1', stepId: 's1', tool: 'api', createdAt: AT, ...fields });
}
