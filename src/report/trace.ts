import { invalidArgument, notFound } from '../errors.js';
import type { Page, PageQuery, RunReader } from '../store.js';
import type { Call, RecordKind, Run, Step, StepLink } from '../types.js';
import { inOrder, nestSteps } from './nesting.js';

/** A step, with all that is in it. */
export interface StepTrace {
  step: Step;
  /** The steps in it. Siblings are in order of their creation, and attempts stand together. */
  steps: StepTrace[];
  /** Its own calls, in the same order. */
  calls: Call[];
  /** Its own links, oldest first. */
  links: StepLink[];
}

/** Of what more exists than was loaded. */
export interface TraceCut {
  steps: boolean;
  calls: boolean;
  links: boolean;
}

/** A run, with all that happened in it. */
export interface RunTrace {
  run: Run;
  /** The steps that are in no other step, and in them those that are. */
  steps: StepTrace[];
  /** The calls of all steps, oldest first; also of steps that were not loaded. */
  calls: Call[];
  /** The links of all steps, oldest first; also of steps that were not loaded. */
  links: StepLink[];
  isCut: TraceCut;
}

/** One step with its own calls and links. The steps in it are not loaded: `steps` is empty. */
export interface SingleStepTrace extends StepTrace {
  isCut: TraceCut;
}

/** What a report can show. */
export type Trace = RunTrace | StepTrace;

export interface LoadTraceOptions {
  /** How many steps, calls and links at most, of each the oldest. @default 1000 */
  maxRecords?: number | undefined;
}

/**
 * Loads a run with its steps, calls and links, in pages.
 *
 * The run is read first: a trace of a run that has ended shows how all of it
 * ended. A step whose parent was not loaded, or that is among its own parents,
 * stands at the top.
 *
 * @throws {RunsError} `not_found` for an unknown run, `invalid_argument` for a `maxRecords` that makes no sense
 *
 * @example
 * const trace = await loadRunTrace(store, 'sync-1');
 * console.log(formatRunTree(trace, { width: process.stdout.columns }));
 */
export async function loadRunTrace(
  reader: RunReader,
  runId: string,
  options: LoadTraceOptions = {},
): Promise<RunTrace> {
  const maxRecords = readMaximum('run', runId, options);
  const run = await reader.getRun(runId);
  if (!run) throw notFound('load', 'run', runId);
  const [steps, calls, links] = await Promise.all([
    loadAll((page) => reader.listSteps(runId, page), maxRecords),
    loadAll((page) => reader.listCalls(runId, page), maxRecords),
    loadAll((page) => reader.listLinks(runId, page), maxRecords),
  ]);
  return {
    run,
    steps: nestSteps(steps.records, calls.records, links.records),
    calls: calls.records,
    links: links.records,
    isCut: { steps: steps.isCut, calls: calls.isCut, links: links.isCut },
  };
}

/**
 * Loads one step with its own calls and links, in pages; a step that stands alone too.
 *
 * @throws {RunsError} `not_found` for an unknown step, `invalid_argument` for a `maxRecords` that makes no sense
 */
export async function loadStepTrace(
  reader: RunReader,
  stepId: string,
  options: LoadTraceOptions = {},
): Promise<SingleStepTrace> {
  const maxRecords = readMaximum('step', stepId, options);
  const step = await reader.getStep(stepId);
  if (!step) throw notFound('load', 'step', stepId);
  const { runId } = step;
  const [calls, links] = await Promise.all([
    loadAll((page) => reader.listCalls(runId, { ...page, stepId }), maxRecords),
    loadAll((page) => reader.listLinks(runId, { ...page, stepId }), maxRecords),
  ]);
  return {
    step,
    steps: [],
    calls: inOrder(calls.records, (call) => call),
    links: links.records,
    isCut: { steps: false, calls: calls.isCut, links: links.isCut },
  };
}

function readMaximum(
  kind: RecordKind,
  id: string,
  { maxRecords = 1000 }: LoadTraceOptions,
): number {
  if (Number.isSafeInteger(maxRecords) && maxRecords >= 1) return maxRecords;
  const expected = 'a whole number from 1';
  throw invalidArgument(`load ${kind} "${id}"`, 'maxRecords', expected, maxRecords);
}

/** The records of a list, in its order, page by page until there are enough. */
async function loadAll<R extends { id: string; createdAt: Date }>(
  list: (page: PageQuery) => Promise<Page<R>>,
  maxRecords: number,
): Promise<{ records: R[]; isCut: boolean }> {
  const maxPage = 500;
  const records: R[] = [];
  let cursor: string | undefined;
  do {
    const limit = Math.min(maxPage, maxRecords - records.length);
    const page = await list({ limit, cursor });
    for (const record of page.items) records.push(record);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined && records.length < maxRecords);
  const isCut = cursor !== undefined || records.length > maxRecords;
  return { records: records.slice(0, maxRecords), isCut };
}
