import { createCapture } from './capture.js';
import { checkNumber, conflict, invalidArgument, notFound, RunsError, refusal } from './errors.js';
import { generateUuid } from './generate-id.js';
import {
  calculateDuration,
  isNothing,
  mergeOutputIncrements,
  type Timestamp,
  toMilliseconds,
} from './helpers.js';
import { isAbandoned, type Status, transition } from './lifecycle.js';
import { cleanName, cleanText } from './payload.js';
import { type BirthStatus, newCall, newLink, newRun, newStep } from './records.js';
import { reportTo } from './report.js';
import { METHODS, type Row, type RowConditions, type RowFields } from './rows.js';
import type { RunTrackerOptions } from './tracker.js';
import type {
  CreateCallParams,
  CreateRunParams,
  CreateStepParams,
  LinkStepParams,
  RecordKind,
  StepLink,
  StepProgress,
} from './types.js';

type CreateParams = CreateRunParams | CreateStepParams | CreateCallParams;
type EndOperation = 'finish' | 'fail' | 'cancel' | 'skip';
type MoveOperation = EndOperation | 'start';
type Counts = Record<string, number>;

/** Increments of one run that wait for their turn, and go out as one write. */
interface Batch {
  counts: Counts;
  written?: Promise<void>;
  isStarted?: boolean;
}

const OPEN: RowConditions = { ifStatus: ['pending', 'running'] };
const RUNNING: RowConditions = { ifStatus: ['running'] };
const RUNNING_MERGED: RowConditions = { ...RUNNING, mergeOutput: true };

/** A status changes twice at most, so a store that refuses more often than this contradicts itself. */
const MAX_TRIES = 5;

/** Where each operation leads, and how far the work is then. */
const OUTCOMES = {
  start: ['running', 'running'],
  finish: ['completed', 'succeeded'],
  fail: ['failed', 'failed'],
  cancel: ['cancelled', 'running'],
  skip: ['skipped', 'running'],
} as const;

function statusAfter(kind: RecordKind, operation: MoveOperation): Status {
  if (kind !== 'call') return OUTCOMES[operation][0];
  return operation === 'finish' ? 'success' : 'error';
}

/** What a tracker is made of; {@link RunTracker} says what each of it promises. */
export interface Engine {
  create(kind: RecordKind, parentId: string | null, params: CreateParams): Promise<string>;
  start(kind: 'run' | 'step', id: string): Promise<void>;
  end(
    kind: RecordKind,
    id: string,
    operation: EndOperation,
    value: unknown,
    metadata?: unknown,
  ): Promise<void>;
  increment(id: string, increments: Counts): Promise<void>;
  updateRunProgress(id: string, currentStep: string | null): Promise<void>;
  updateStepProgress(id: string, progress: StepProgress): Promise<void>;
  execute<T>(
    kind: RecordKind,
    parentId: string | null,
    params: CreateParams,
    fn: (id: string) => T | PromiseLike<T>,
  ): Promise<T>;
  linkStep(stepId: string, params: LinkStepParams): Promise<string | null>;
  getStepLinks(stepId: string): Promise<StepLink[]>;
}

/** What starts or ends a record, beside its result. */
function fieldsAfter(
  kind: RecordKind,
  operation: MoveOperation,
  startedAt: Timestamp | null | undefined,
  time: number,
): RowFields {
  const status = statusAfter(kind, operation);
  if (kind === 'call') return { status, durationMs: calculateDuration(startedAt, time) };
  const at = new Date(time);
  if (operation === 'start') return { status, startedAt: at, updatedAt: at };
  const durationMs = calculateDuration(startedAt, time);
  if (kind === 'step') return { status, durationMs, completedAt: at, updatedAt: at };
  return { status, durationMs, completedAt: at, updatedAt: at, currentStep: null };
}

/**
 * What a tracker does: the lifecycle of records against a store.
 *
 * On a store with conditional updates the rules are checked by the very statement
 * that writes. On a plain one they hold because the changes of one record take
 * turns: read, check, write.
 */
export function createEngine(options: RunTrackerOptions): Engine {
  const { store, linkStore, generateId, now, bestEffort, maxPayloadBytes = 262_144 } = options;
  if (!(maxPayloadBytes >= 16 && maxPayloadBytes < Infinity)) {
    throw invalidArgument('create RunTracker', 'maxPayloadBytes', '16 or more', maxPayloadBytes);
  }
  for (const method of Object.values(METHODS).flat()) {
    if (typeof store?.[method] === 'function') continue;
    throw invalidArgument('create RunTracker', `store.${method}`, 'a method', store?.[method]);
  }
  const conditional = store.conditionalUpdates === true;
  const report = reportTo(options.onTrackingError);
  const capture = createCapture(options.redact, maxPayloadBytes, report);
  /** Records whose insert failed while their work goes on: read and updated as if they were stored. */
  const held = new Map<string, Row>();
  const lines = new Map<string, (() => void)[]>();
  const batches = new Map<string, Batch>();

  /** The time now, in milliseconds. A broken clock must not break the work. */
  function clock(): number {
    try {
      const time = now ? new Date(now()).getTime() : Number.NaN;
      if (time > -Infinity) return time;
    } catch {}
    return Date.now();
  }

  function newId(kind: string, ownId = generateId?.()): string {
    if (ownId === undefined) return generateUuid();
    if (typeof ownId === 'string' && ownId) return cleanText(ownId);
    throw invalidArgument(`create ${kind}`, 'id', 'a string that is not empty', ownId);
  }

  /** Does the tasks of one record one after the other, where the store does not keep them apart. */
  function inTurn<T>(kind: RecordKind, id: string, task: () => T): T | Promise<Awaited<T>> {
    return isApart(kind) ? task() : queue(kind, id, task);
  }

  /** Whether the store keeps the changes of one record apart, so that none has to wait for another. */
  function isApart(kind: RecordKind): unknown {
    return conditional && !bestEffort && (kind !== 'run' || store.incrementRunOutput);
  }

  async function queue<T>(kind: RecordKind, id: string, task: () => T): Promise<Awaited<T>> {
    // What is counted from now on comes after this.
    batches.delete(id);
    const key = kind + id;
    const line = lines.get(key);
    if (line) await new Promise<void>((resolve) => line.push(resolve));
    else lines.set(key, []);
    try {
      return await task();
    } finally {
      const next = lines.get(key)?.shift();
      if (next) next();
      else lines.delete(key);
    }
  }

  /** Reads a record that has to be there. */
  async function read(kind: RecordKind, id: string, operation: string): Promise<Row> {
    const row = held.get(kind + id) ?? (await store[METHODS[kind][1]](id));
    if (!row) throw notFound(operation, kind, id);
    return row as Row;
  }

  function update(
    kind: RecordKind,
    id: string,
    fields: RowFields,
    conditions?: RowConditions,
  ): unknown {
    const row = bestEffort && held.get(kind + id);
    if (row) {
      return conditions?.ifStatus?.includes(row.status) !== false && Object.assign(row, fields);
    }
    const method = METHODS[kind][2];
    // A plain store must not see a third argument at all.
    return conditional && conditions
      ? store[method](id, fields as never, conditions as never)
      : store[method](id, fields as never);
  }

  function isHeld(kind: RecordKind, id: string): boolean {
    return held.size > 0 && held.has(kind + id);
  }

  /** Whether nothing but the turns keeps the changes of a record apart. */
  function isPlain(kind: RecordKind, id: string): boolean {
    return !conditional || isHeld(kind, id);
  }

  /** Whether an update found its row; a plain store that does not say is believed. */
  function isMatch(answer: unknown): boolean {
    return conditional ? Boolean(answer) : answer !== false;
  }

  /** What an end stores beside the status: an output, an error, or a reason. */
  function resultOf(
    kind: RecordKind,
    id: string,
    operation: EndOperation,
    value: unknown,
  ): RowFields {
    if (operation !== 'fail' && isNothing(value)) return {};
    const work = OUTCOMES[operation][1];
    if (operation === 'finish' || operation === 'skip') {
      const output = capture(value, 'output', kind, id, work);
      return output ? { output } : {};
    }
    const error = capture(value, 'error', kind, id, work);
    return error === null ? {} : { error };
  }

  /**
   * Starts or ends a record.
   *
   * @param result what to store beside the new status; may name another status
   * @param isOwn whether the tracker itself ends the record, after its work
   * @returns the record as it was, or undefined when there was nothing to do
   */
  function move(
    kind: RecordKind,
    id: string,
    operation: MoveOperation,
    result: RowFields,
    isOwn = false,
  ): Promise<Row | undefined> {
    return inTurn(kind, id, async () => {
      const target = result.status ?? statusAfter(kind, operation);
      const time = clock();
      for (let tries = 0; tries < MAX_TRIES; tries += 1) {
        const row = await read(kind, id, operation);
        const { status, error } = row;
        const isAdopted = operation !== 'start' && isAbandoned(row);
        const verdict = isAdopted ? 'write' : transition(status, target);
        if (verdict !== 'write') {
          const problem = conflict(operation, kind, id, status);
          const { output, metadata, error: reason = error } = result;
          const isLost = output || metadata || reason !== error;
          if (verdict === 'same') {
            if (isLost) report(problem, operation, kind, id, OUTCOMES[operation][1]);
          } else if (!isOwn || status !== 'skipped' || isLost) {
            // Only a step that its own work skipped, and that then returned nothing, is no conflict.
            throw problem;
          }
          return undefined;
        }
        const startedAt = kind === 'call' ? row.createdAt : row.startedAt;
        const fields = fieldsAfter(kind, operation, startedAt, time);
        const conditions: RowConditions = { ifStatus: [status] };
        if (isAdopted) {
          fields.error = null;
          conditions.ifError = error as string;
        }
        Object.assign(fields, result);
        if (kind === 'run' && result.output) {
          conditions.mergeOutput = true;
          if (isPlain(kind, id)) fields.output = { ...row.output, ...result.output };
        }
        if (isMatch(await update(kind, id, fields, conditions))) return row;
      }
      const fact = 'the store refuses what its own reads allow';
      throw refusal('unsupported', operation, kind, id, fact);
    });
  }

  async function end(
    kind: RecordKind,
    id: string,
    operation: EndOperation,
    value: unknown,
    metadata?: unknown,
  ): Promise<void> {
    const result = resultOf(kind, id, operation, value);
    const captured = capture(metadata, 'metadata', kind, id, OUTCOMES[operation][1]);
    if (captured) result.metadata = captured;
    await move(kind, id, operation, result);
  }

  async function start(kind: 'run' | 'step', id: string): Promise<void> {
    const row = await move(kind, id, 'start', {});
    if (!row?.runId) return;
    await announce(row.runId, row.stepType as string, clock());
  }

  /** Adds to a run's counters; increments that wait for their turn become one write. */
  async function increment(id: string, increments: Counts): Promise<void> {
    const operation = `increment run "${id}"`;
    if (Object(increments) !== increments) {
      throw invalidArgument(operation, 'increments', 'an object', increments);
    }
    let counts: Counts = {};
    for (const [name, value] of Object.entries(increments)) {
      checkNumber(operation, name, value);
      counts = mergeOutputIncrements(counts, { [cleanText(name)]: value }) as Counts;
    }
    const waiting = batches.get(id);
    if (waiting) {
      waiting.counts = mergeOutputIncrements(waiting.counts, counts) as Counts;
      return waiting.written;
    }
    const batch: Batch = { counts };
    batch.written = inTurn('run', id, () => {
      batch.isStarted = true;
      if (batches.get(id) === batch) batches.delete(id);
      return add(id, batch.counts);
    });
    if (!batch.isStarted) batches.set(id, batch);
    return batch.written;
  }

  async function add(id: string, counts: Counts): Promise<void> {
    const updatedAt = new Date(clock());
    let matched: unknown;
    if (store.incrementRunOutput && !isHeld('run', id)) {
      matched = await store.incrementRunOutput(id, counts, updatedAt);
    } else {
      let { output } = await read('run', id, 'increment');
      output = mergeOutputIncrements(output, counts);
      if (!isPlain('run', id)) {
        // Only what was counted, so that nothing is written back that has changed since.
        for (const name of Object.keys(output))
          if (!Object.hasOwn(counts, name)) delete output[name];
      }
      matched = await update('run', id, { output, updatedAt }, { mergeOutput: true });
    }
    if (matched === false) throw notFound('increment', 'run', id);
  }

  /** Sets the current step of a run that has not ended; resolves to whether there was one, as far as the store says. */
  function setCurrentStep(id: string, currentStep: string | null, time: number): unknown {
    return updateInTurn('run', id, { currentStep, updatedAt: new Date(time) }, OPEN);
  }

  function updateInTurn(
    kind: RecordKind,
    id: string,
    fields: RowFields,
    conditions?: RowConditions,
  ): unknown {
    // Unlike a run's end, it does not depend on the order of increments.
    if (isApart('step')) return update(kind, id, fields, conditions);
    return queue(kind, id, () => update(kind, id, fields, conditions));
  }

  /** Shows on the run which step has started. Never rejects, for the step has. */
  async function announce(runId: string, stepType: string, time: number): Promise<void> {
    try {
      await setCurrentStep(runId, stepType, time);
    } catch (error) {
      report(error, 'update', 'run', runId, 'running');
    }
  }

  async function updateRunProgress(id: string, currentStep: string | null): Promise<void> {
    const name = currentStep && cleanName(currentStep);
    // A conditional store refuses to change a run that has ended, too.
    if (!isMatch(await setCurrentStep(id, name, clock()))) await read('run', id, 'update');
  }

  async function updateStepProgress(id: string, progress: StepProgress): Promise<void> {
    const fields: RowFields = {};
    for (const [name, value] of Object.entries(progress)) {
      if (value === undefined || !name.startsWith('items')) continue;
      if (value !== null) checkNumber(`update step "${id}"`, name, value);
      fields[name] = value;
    }
    fields.updatedAt = new Date(clock());
    if (!isMatch(await updateInTurn('step', id, fields))) {
      throw notFound('update', 'step', id);
    }
  }

  function build(
    kind: RecordKind,
    parentId: string | null,
    params: CreateParams,
    status: BirthStatus,
    at: Date,
  ): Row {
    const id = newId(kind, params.id);
    if (kind === 'run') return newRun(params as CreateRunParams, id, status, at, capture);
    const parent = parentId && cleanText(parentId);
    return kind === 'step'
      ? newStep(parent, params as CreateStepParams, id, status, at, capture)
      : newCall(parent as string, params as CreateCallParams, id, at, capture);
  }

  /** Gives a record that tries another one again its number. */
  async function countAttempt(kind: RecordKind, row: Row): Promise<void> {
    const { id, retryOf } = row;
    if (!retryOf) return;
    let previous: Row | undefined;
    try {
      previous = await read(kind, retryOf, 'retry');
    } catch (error) {
      if (!bestEffort || error instanceof RunsError) throw error;
      report(error, 'create', kind, id, 'not_started');
    }
    row.attempt = (previous?.attempt ?? 1) + 1;
  }

  /** Tries again to store what is held of the records above a new one, which may refer to them. */
  async function saveParents({ runId, parentStepId, stepId }: Partial<Row>): Promise<void> {
    if (!held.size) return;
    await save('run', runId);
    await save('step', parentStepId);
    await save('step', stepId);
  }

  async function save(kind: RecordKind, id: string | null | undefined): Promise<void> {
    const row = id && held.get(kind + id);
    if (!row) return;
    await saveParents(row);
    const insert = async () => {
      if (!isHeld(kind, id)) return;
      await store[METHODS[kind][0]](structuredClone(row) as never);
      held.delete(kind + id);
    };
    try {
      await inTurn(kind, id, insert);
    } catch (error) {
      report(error, 'start', kind, id, 'running');
    }
  }

  /**
   * Stores a held record whose work has ended, and lets go of it: inserts it whole,
   * unless the insert that failed was committed after all. Never rejects.
   */
  async function settle(kind: RecordKind, row: Row, operation: EndOperation): Promise<void> {
    const { id, createdAt, output, ...fields } = row;
    const insertAfterAll = async (): Promise<boolean> => {
      try {
        const stored = await store[METHODS[kind][1]](id);
        if (!stored) {
          await store[METHODS[kind][0]](row as never);
        } else if (toMilliseconds(stored.createdAt) !== createdAt.getTime()) {
          throw refusal('invalid_transition', 'store', kind, id, 'this id is taken');
        }
        return Boolean(stored);
      } finally {
        held.delete(kind + id);
      }
    };
    try {
      if (!(await inTurn(kind, id, insertAfterAll))) return;
      // An output of nothing must not erase what others have counted meanwhile.
      await move(kind, id, operation, output ? { ...fields, output } : fields, true);
    } catch (error) {
      report(error, operation, kind, id, OUTCOMES[operation][1]);
    }
  }

  async function create(
    kind: RecordKind,
    parentId: string | null,
    params: CreateParams,
  ): Promise<string> {
    const at = new Date(clock());
    const row = build(kind, parentId, params, 'pending', at);
    const { id } = row;
    await countAttempt(kind, row);
    await saveParents(row);
    await store[METHODS[kind][0]](row as never);
    return id;
  }

  async function execute<T>(
    kind: RecordKind,
    parentId: string | null,
    params: CreateParams,
    fn: (id: string) => T | PromiseLike<T>,
  ): Promise<T> {
    const startedAt = clock();
    const at = new Date(startedAt);
    const row = build(kind, parentId, params, 'running', at);
    // Once it is inserted the row belongs to the store, so what is needed later is taken here.
    const { id, stepType } = row;
    if (row.retryOf) await countAttempt(kind, row);
    if (bestEffort) {
      await saveParents(row);
      try {
        await store[METHODS[kind][0]](structuredClone(row) as never);
      } catch (error) {
        report(error, 'start', kind, id, 'not_started');
        held.set(kind + id, row);
      }
    } else {
      await store[METHODS[kind][0]](row as never);
    }
    if (stepType && parentId) await announce(parentId, stepType, startedAt);

    let outcome: unknown;
    let operation: EndOperation = 'finish';
    try {
      outcome = await (kind === 'call' ? (fn as () => T)() : fn(id));
    } catch (error) {
      outcome = error;
      operation = 'fail';
    }

    try {
      const isResult = operation === 'finish' && !isNothing(outcome);
      const result = resultOf(kind, id, operation, isResult ? { result: outcome } : outcome);
      let isStored = false;
      // Nobody else ends a call, and a conditional store notices when somebody ended the record.
      if (kind === 'call' ? !isHeld(kind, id) : !isPlain(kind, id)) {
        const fields = Object.assign(fieldsAfter(kind, operation, startedAt, clock()), result);
        const conditions = kind === 'run' && result.output ? RUNNING_MERGED : RUNNING;
        isStored = isMatch(await update(kind, id, fields, conditions));
      }
      if (!isStored) await move(kind, id, operation, result, true);
    } catch (error) {
      report(error, operation, kind, id, OUTCOMES[operation][1]);
    }
    if (isHeld(kind, id)) await settle(kind, row, operation);

    if (operation === 'fail') throw outcome;
    return outcome as T;
  }

  async function linkStep(stepId: string, params: LinkStepParams): Promise<string | null> {
    if (!linkStore) return null;
    const at = new Date(clock());
    const link = newLink(cleanText(stepId), params, newId('link'), at);
    const { id } = link;
    await saveParents(link);
    await linkStore.insertStepLink(link);
    return id;
  }

  async function getStepLinks(stepId: string): Promise<StepLink[]> {
    return linkStore ? linkStore.getStepLinks(stepId) : [];
  }

  return {
    create,
    start,
    end,
    increment,
    updateRunProgress,
    updateStepProgress,
    execute,
    linkStep,
    getStepLinks,
  };
}
