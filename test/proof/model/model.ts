import type { FailStaleOptions } from '../../../src/tracker.js';
import type {
  Call,
  CreateCallParams,
  CreateRunParams,
  CreateStepParams,
  FinishCallParams,
  FinishParams,
  LinkStepParams,
  Run,
  Step,
  StepLink,
  StepProgress,
} from '../../../src/types.js';
import { oldestFirst } from './lists.js';
import { type Birth, newCall, newLink, newRun, newStep, Refusal, textOrNull } from './records.js';
import { closeStale, sweepOf } from './sweep.js';
import { counted, laidOver, storedError, storedPayload } from './values.js';

/** What a store can do, as far as it makes a difference to what is promised. */
export interface Abilities {
  /** It has conditional updates. */
  conditional: boolean;
  /** It has atomic counters too, so that several trackers may use it. */
  isShared: boolean;
  /** It has a sweep. */
  sweeps: boolean;
  /** It refuses a step without its run, a call and a link without their step. */
  references: boolean;
  /** It keeps links. */
  links: boolean;
}

export type Kind = 'run' | 'step' | 'call';
export type Verb = 'finish' | 'fail' | 'cancel' | 'skip';
export type Work = 'not_started' | 'running' | 'succeeded' | 'failed';
/** A record of any kind. */
export type AnyRecord = Pick<Run, 'id' | 'output' | 'error' | 'createdAt'> & {
  status: string;
} & Partial<Omit<Run, 'status'> & Omit<Step, 'status'> & Omit<Call, 'status'>>;
export type Result = Partial<Pick<Call, 'output' | 'error' | 'metadata'>>;

/** How a piece of work ended. */
export interface Ended {
  ends: { value: unknown } | { error: unknown };
  /** Whether it had been asked to stop. */
  isStopped: boolean;
  /** What is recorded of its value, where it is told. */
  output?: false | ((value: unknown) => unknown) | undefined;
}

export const START: number = Date.parse('2026-03-01T12:00:00.000Z');

const OUTCOMES = {
  finish: 'completed',
  fail: 'failed',
  cancel: 'cancelled',
  skip: 'skipped',
} as const;
const ABANDONED = /^abandoned: no update since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

export function isOpen({ status }: { status: string }): boolean {
  return status === 'pending' || status === 'running';
}

/**
 * What a store should hold after what a tracker was asked: the lifecycle and the
 * guarantees of the library, told once more, without anything of its code.
 *
 * Has the methods of a tracker. Each happens at once, and throws a {@link Refusal}.
 */
export class Model {
  readonly abilities: Abilities;
  now: number = START;
  /** The id that the next record without one of its own is given. */
  generatedId: string = '';
  readonly records: Record<Kind, Map<string, AnyRecord>> = {
    run: new Map(),
    step: new Map(),
    call: new Map(),
  };
  readonly links: Map<string, StepLink> = new Map();
  /** What the hook hears: operation, record, id, work, and why. */
  readonly reports: string[] = [];
  /** The records that were looked at or changed, as `run r1`. */
  readonly touched: Set<string> = new Set();

  constructor(abilities: Abilities) {
    this.abilities = abilities;
  }

  /** The same once more, to see what would happen. */
  clone(): Model {
    const { records, links, reports, touched, now, generatedId } = this;
    const copy = structuredClone({ records, links, reports, touched, now, generatedId });
    return Object.assign(new Model(this.abilities), copy);
  }

  find(kind: Kind, id: string): AnyRecord | undefined {
    this.touched.add(`${kind} ${id}`);
    return this.records[kind].get(id);
  }

  get(kind: Kind, id: string): AnyRecord {
    const record = this.find(kind, id);
    if (!record) throw new Refusal('not_found');
    return record;
  }

  createRun(params: CreateRunParams): string {
    return this.insert('run', newRun(params, this.birth('pending')));
  }

  createStep(runId: string | null, params: CreateStepParams): string {
    return this.insert('step', newStep(runId, params, this.birth('pending')));
  }

  createCall(stepId: string, params: CreateCallParams): string {
    return this.insert('call', newCall(stepId, params, this.birth('running')));
  }

  startRun(id: string): void {
    this.start('run', id);
  }

  startStep(id: string): void {
    this.start('step', id);
  }

  finishRun(id: string, params?: FinishParams): void {
    this.end('run', id, 'finish', withOutput(params?.output));
  }

  finishStep(id: string, params?: FinishParams): void {
    this.end('step', id, 'finish', withOutput(params?.output));
  }

  finishCall(id: string, params?: FinishCallParams): void {
    const metadata = storedPayload(params?.metadata);
    const result = withOutput(params?.output);
    this.end('call', id, 'finish', metadata ? { ...result, metadata } : result);
  }

  failRun(id: string, error: unknown): void {
    this.end('run', id, 'fail', { error: storedError(error) });
  }

  failStep(id: string, error: unknown): void {
    this.end('step', id, 'fail', { error: storedError(error) });
  }

  failCall(id: string, error: unknown): void {
    this.end('call', id, 'fail', { error: storedError(error) });
  }

  cancelRun(id: string, reason?: unknown): void {
    this.end('run', id, 'cancel', reason === undefined ? {} : { error: storedError(reason) });
  }

  cancelStep(id: string, reason?: unknown): void {
    this.end('step', id, 'cancel', reason === undefined ? {} : { error: storedError(reason) });
  }

  skipStep(id: string, reason?: string): void {
    this.end('step', id, 'skip', withOutput(reason ? { reason } : null));
  }

  incrementRunOutput(id: string, increments: Record<string, number>): void {
    if (typeof increments !== 'object' || !increments) throw new Refusal('invalid_argument');
    Object.values(increments).forEach(requireNumber);
    const run = this.get('run', id);
    Object.assign(run, { output: counted(run.output, increments), updatedAt: this.at() });
  }

  updateRunProgress(id: string, currentStep: string | null): void {
    // A plain store is written to without a look: it does not say whether there was such a run.
    if (this.abilities.conditional) this.get('run', id);
    this.setCurrentStep(id, currentStep);
  }

  updateStepProgress(id: string, progress: StepProgress): void {
    const given = Object.entries(progress).filter(([, value]) => value !== undefined);
    for (const [, value] of given) requireNumber(value ?? 0);
    const step = this.find('step', id);
    if (step) Object.assign(step, Object.fromEntries(given), { updatedAt: this.at() });
    else if (this.abilities.conditional) throw new Refusal('not_found');
  }

  linkStep(stepId: string, params: LinkStepParams): string | null {
    if (!this.abilities.links) return null;
    const link = newLink(stepId, params, this.birth('running'));
    const { id } = link;
    if (this.abilities.references && !this.find('step', stepId)) throw new Refusal('store');
    this.links.set(id, link);
    this.touched.add(`link ${stepId}`);
    return id;
  }

  getStepLinks(stepId: string): StepLink[] {
    const links = [...this.links.values()].filter((link) => link.stepId === stepId);
    return links.sort(oldestFirst);
  }

  executeItems(
    stepId: string,
    items: boolean[],
    _work: unknown,
    options: { concurrency?: number; total?: number; stopOnError?: boolean } = {},
  ): object {
    const { concurrency = 1, total = items.length, stopOnError } = options;
    if (!(concurrency >= 1 && total >= 0)) throw new Refusal('invalid_argument');
    const first = items.indexOf(false);
    const isStopped = stopOnError === true && first >= 0;
    const done = isStopped ? items.slice(0, first + 1) : items;
    const errors = done.flatMap((isGood, index) =>
      isGood ? [] : [{ index, error: new Error(`item ${index}`) }],
    );
    const failed = errors.length;
    const processed = done.length;
    const counts = { itemsProcessed: processed, itemsSucceeded: processed - failed };
    try {
      this.updateStepProgress(stepId, { itemsTotal: total, ...counts, itemsFailed: failed });
    } catch {
      this.report('update', 'step', stepId, 'running', 'not_found');
    }
    if (isStopped) throw errors[0]?.error;
    return { processed, succeeded: processed - failed, failed, errors };
  }

  failStale(options: FailStaleOptions): object {
    return closeStale(this, sweepOf(this, options));
  }

  /** Stores that a piece of work begins: as a new record, or as that of a pending run. */
  begin(
    kind: Kind,
    parentId: string | null,
    params: (CreateRunParams & CreateStepParams & CreateCallParams) | string,
  ): string {
    if (typeof params === 'string') {
      this.start('run', params, 'not_started');
      return params;
    }
    const birth = this.birth('running');
    if (kind === 'run') return this.insert(kind, newRun(params, birth));
    if (kind === 'call') return this.insert(kind, newCall(parentId as string, params, birth));
    const id = this.insert(kind, newStep(parentId, params, birth));
    if (parentId) this.setCurrentStep(parentId, params.stepType);
    return id;
  }

  /** Stores how a piece of work has ended; tells whether it may be tried again. */
  endWork(kind: Kind, id: string, { ends, isStopped, output }: Ended): boolean {
    const hasFailed = 'error' in ends;
    const work = hasFailed ? 'failed' : 'succeeded';
    const verb = !hasFailed ? 'finish' : isStopped && kind !== 'call' ? 'cancel' : 'fail';
    const result = hasFailed
      ? { error: storedError(ends.error) }
      : withOutput(this.outputOf(kind, id, ends.value, output));
    try {
      if (kind === 'call' && !this.abilities.conditional) {
        // Nobody else ends it, so a plain store is not asked before.
        const call = this.get(kind, id);
        Object.assign(call, result, this.ended(kind, call, verb));
      } else this.end(kind, id, verb, result, work);
    } catch (refusal) {
      this.report(verb, kind, id, work, (refusal as Refusal).code);
      return false;
    }
    return hasFailed && !isStopped;
  }

  outputOf(kind: Kind, id: string, value: unknown, output: Ended['output']): unknown {
    if (output === undefined)
      return value === undefined || value === null ? null : { result: value };
    try {
      return output === false ? null : output(value) || null;
    } catch {
      this.report('finish', kind, id, 'succeeded', 'error');
      return null;
    }
  }

  /** A step that starts is shown in its run; an ended run has no current step. */
  setCurrentStep(runId: string, stepType: string | null): void {
    const run = this.find('run', runId);
    if (!run || (this.abilities.conditional && !isOpen(run))) return;
    Object.assign(run, { currentStep: textOrNull(stepType), updatedAt: this.at() });
  }

  start(kind: 'run' | 'step', id: string, work?: Work): void {
    const record = this.get(kind, id);
    if (record.status === 'running' && !work) return;
    if (record.status !== 'pending') throw new Refusal('invalid_transition');
    Object.assign(record, { status: 'running', startedAt: this.at(), updatedAt: this.at() });
    if (record.runId) this.setCurrentStep(record.runId, record.stepType as string);
  }

  /** Ends a record, by hand or (with `work`) because the work in it has ended. */
  end(kind: Kind, id: string, verb: Verb, result: Result, work?: Work): void {
    const record = this.get(kind, id);
    // What was observed beats what was inferred.
    const isInferred = record.error !== null && ABANDONED.test(record.error);
    if (!isOpen(record) && !isInferred) {
      const isLost =
        result.output || result.metadata || (result.error ?? record.error) !== record.error;
      const isOwnSkip = work && record.status === 'skipped' && !isLost;
      if (record.status !== statusAfter(kind, verb)) {
        if (!isOwnSkip) throw new Refusal('invalid_transition');
      } else if (isLost) this.report(verb, kind, id, work ?? workOf(verb), 'invalid_transition');
      return;
    }
    if (isInferred) record.error = null;
    const output = kind === 'run' && result.output ? laidOver(record.output, result.output) : null;
    Object.assign(record, result, output && { output }, this.ended(kind, record, verb));
  }

  /** What every end sets. */
  ended(kind: Kind, record: AnyRecord, verb: Verb): object {
    const startedAt = kind === 'call' ? record.createdAt : record.startedAt;
    const durationMs = startedAt ? Math.max(0, this.now - startedAt.getTime()) : null;
    const status = statusAfter(kind, verb);
    if (kind === 'call') return { status, durationMs };
    const times = { status, durationMs, completedAt: this.at(), updatedAt: this.at() };
    return kind === 'run' ? { ...times, currentStep: null } : times;
  }

  insert(kind: Kind, record: AnyRecord): string {
    const { id } = record;
    if (record.retryOf) record.attempt = (this.get(kind, record.retryOf).attempt as number) + 1;
    if (this.find(kind, id) || this.isOrphan(record as Partial<Step & Call>)) {
      throw new Refusal('store');
    }
    this.records[kind].set(id, record);
    return id;
  }

  isOrphan({ runId, stepId }: Partial<Step & Call>): boolean {
    if (!this.abilities.references) return false;
    return Boolean((runId && !this.find('run', runId)) || (stepId && !this.find('step', stepId)));
  }

  report(operation: string, kind: Kind, id: string, work: Work, why: string): void {
    this.reports.push(`${operation} ${kind} ${id} ${work} ${why}`);
  }

  birth(status: Birth['status']): Birth {
    return { id: this.generatedId, at: this.at(), status };
  }

  at(): Date {
    return new Date(this.now);
  }
}

function statusAfter(kind: Kind, verb: Verb): string {
  if (kind === 'call') return verb === 'finish' ? 'success' : 'error';
  return OUTCOMES[verb];
}

/** How far the work was that is ended by hand. */
function workOf(verb: Verb): Work {
  return verb === 'finish' ? 'succeeded' : verb === 'fail' ? 'failed' : 'running';
}

function withOutput(value: unknown): Result {
  const output = storedPayload(value);
  return output ? { output } : {};
}

function requireNumber(value: unknown): void {
  if (!Number.isFinite(value)) throw new Refusal('invalid_argument');
}
