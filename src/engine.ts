import { executeAttempts } from './attempts.js';
import { createCapture, refusePromise } from './capture.js';
import { checkNumber, invalidArgument, notFound, RunsError, refusal } from './errors.js';
import { generateUuid } from './generate-id.js';
import { type Counts, isNothing, mergeOutputIncrements, toMilliseconds } from './helpers.js';
import { type ExecuteItemsOptions, executeItems, type ItemsResult } from './items.js';
import {
  abandonedSince,
  type EndOperation,
  fieldsAfter,
  isAbandoned,
  isOpen,
  type MoveOperation,
  type Status,
} from './lifecycle.js';
import type { AnyOptions } from './options.js';
import { cleanName, cleanText } from './payload.js';
import { type CreateParams, newLink, newRecord, required } from './records.js';
import type { Row, RowConditions, RowFields } from './rows.js';
import type { StaleIds } from './store.js';
import type { Supervision } from './supervision.js';
import type { FailStaleOptions, RunTrackerOptions } from './tracker.js';
import { reportTo, type Work } from './tracking-errors.js';
import { type Batch, type Turns, takeTurn } from './turns.js';
import type { LinkStepParams, RecordKind, StepLink, StepProgress } from './types.js';

const OPEN: RowConditions = { ifStatus: ['pending', 'running'] };
const RUNNING: RowConditions = { ifStatus: ['running'] };
const RUNNING_MERGED: RowConditions = { ifStatus: ['running'], mergeOutput: true };

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
    params: CreateParams | string,
    fn: (...args: never[]) => T | PromiseLike<T>,
    options?: AnyOptions<T>,
  ): Promise<T>;
  executeItems<T>(
    stepId: string,
    items: Iterable<T> | AsyncIterable<T>,
    fn: (item: T, index: number, context: { signal: AbortSignal }) => unknown,
    options?: ExecuteItemsOptions,
  ): Promise<ItemsResult>;
  linkStep(stepId: string, params: LinkStepParams): Promise<string | null>;
  getStepLinks(stepId: string): Promise<StepLink[]>;
  failStale(options: FailStaleOptions): Promise<StaleIds>;
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
  checkNumber('create RunTracker', 'maxPayloadBytes', maxPayloadBytes);
  const conditional = store.conditionalUpdates === true;
  const report = reportTo(options.onTrackingError);
  const capture = createCapture(options.redact, maxPayloadBytes, report);
  /** Records whose insert failed while their work goes on: read and updated as if they were stored. */
  const held = new Map<string, Row>();
  const turns: Turns = new Map();

  /** The time now, in milliseconds. A broken clock must not break the work. */
  function clock(): number {
    try {
      const time = now && new Date(now()).getTime();
      if (Number.isFinite(time)) return time as number;
    } catch {}
    return Date.now();
  }

  function newId(ownId: string | undefined = generateId?.()): string {
    return ownId === undefined ? generateUuid() : (required('id', ownId || null) as string);
  }

  /** Hands the store a row of its own, since what is read of it here must stay as it is. */
  function insert(kind: RecordKind, row: Row): Promise<unknown> {
    const copy = (bestEffort ? structuredClone(row) : { ...row }) as never;
    if (kind === 'run') return store.insertRun(copy);
    return kind === 'step' ? store.insertStep(copy) : store.insertCall(copy);
  }

  function get(kind: RecordKind, id: string): Promise<Row | null | undefined> {
    if (kind === 'run') return store.getRun(id);
    return kind === 'step' ? store.getStep(id) : store.getCall(id);
  }

  function update(
    kind: RecordKind,
    id: string,
    fields: RowFields,
    conditions?: RowConditions,
  ): unknown {
    const row = heldRow(kind, id);
    if (row) {
      return conditions?.ifStatus?.includes(row.status) !== false && Object.assign(row, fields);
    }
    const method =
      kind === 'run' ? store.updateRun : kind === 'step' ? store.updateStep : store.updateCall;
    // A plain store must not see a third argument at all.
    return conditional && conditions
      ? method.call(store, id, fields as never, conditions as never)
      : method.call(store, id, fields as never);
  }

  function heldRow(kind: RecordKind, id: string): Row | undefined {
    return bestEffort ? held.get(kind + id) : undefined;
  }

  /** Reads a record that has to be there. */
  async function read(kind: RecordKind, id: string, operation: string): Promise<Row> {
    const row = heldRow(kind, id) ?? (await get(kind, id));
    if (!row) throw notFound(operation, kind, id);
    return row;
  }

  /** Whether nothing but the turns keeps the changes of a record apart. */
  function isPlain(kind: RecordKind, id: string): unknown {
    return !conditional || heldRow(kind, id);
  }

  /** Whether an update found its row; a plain store that does not say is believed. */
  function isMatch(answer: unknown): boolean {
    return conditional ? Boolean(answer) : answer !== false;
  }

  /** Whether the store keeps the changes of one record apart, so that none has to wait for another. */
  function isApart(kind: RecordKind): unknown {
    return conditional && !bestEffort && (kind !== 'run' || store.incrementRunOutput);
  }

  /** Does the tasks of one record one after the other, where the store does not keep them apart. */
  function inTurn<T>(
    kind: RecordKind,
    id: string,
    task: () => Promise<T>,
    batch?: Batch,
  ): Promise<T> {
    return isApart(kind) ? task() : takeTurn(turns, kind + id, task, batch);
  }

  /** What an end stores beside the status: an output, an error, or a reason. */
  function resultOf(
    kind: RecordKind,
    id: string,
    operation: EndOperation,
    value: unknown,
  ): RowFields {
    if (operation !== 'fail' && isNothing(value)) return {};
    const field = operation === 'finish' || operation === 'skip' ? 'output' : 'error';
    const captured = capture(value, field, kind, id, operation);
    return captured === null ? {} : { [field]: captured };
  }

  /**
   * Starts or ends a record.
   *
   * @param result what to store beside the new status; may name another status
   * @param work how far its work is, when the tracker itself starts or ends the record around that
   * @returns the record as it was, or undefined when there was nothing to do
   */
  function move(
    kind: RecordKind,
    id: string,
    operation: MoveOperation,
    result: RowFields,
    work?: Work,
    time?: number,
  ): Promise<Row | undefined> {
    return inTurn(kind, id, () => moveNow(kind, id, operation, result, work, time));
  }

  /** The same for who has the turn already. */
  async function moveNow(
    kind: RecordKind,
    id: string,
    operation: MoveOperation,
    result: RowFields,
    work?: Work,
    time = clock(),
  ): Promise<Row | undefined> {
    // A status changes twice at most: a store that refuses more often contradicts itself.
    const maxTries = 5;
    for (let tries = 0; tries < maxTries; tries += 1) {
      // As `read` does, without a promise more on the way of every end.
      const row = heldRow(kind, id) ?? (await get(kind, id));
      if (!row) throw notFound(operation, kind, id);
      const { status, error } = row;
      const startedAt = kind === 'call' ? row.createdAt : row.startedAt;
      const fields = fieldsAfter(kind, operation, startedAt, time);
      const conditions: RowConditions = { ifStatus: [status] };
      const isSame = status === (result.status ?? fields.status);
      if (operation !== 'start' && isAbandoned(error)) {
        fields.error = null;
        conditions.ifError = error as string;
      } else if (isSame || !isOpen(status)) {
        const isVerb = status === 'completed' || status === 'failed';
        const fact = `it ${isVerb ? 'already' : 'is'} ${status}`;
        const problem = refusal('invalid_transition', operation, kind, id, fact);
        const { output, metadata, error: reason = error } = result;
        const isLost = output || metadata || reason !== error;
        if (isSame && !(work && operation === 'start')) {
          if (isLost) report(problem, operation, kind, id, work);
        } else if (!work || status !== 'skipped' || isLost) {
          // Only a step that its own work skipped, and that then returned nothing, is no conflict.
          throw problem;
        }
        return undefined;
      }
      Object.assign(fields, result);
      if (kind === 'run' && result.output) {
        conditions.mergeOutput = true;
        if (isPlain(kind, id)) fields.output = { ...row.output, ...result.output };
      }
      if (isMatch(await update(kind, id, fields, conditions))) return row;
    }
    throw refusal('unsupported', operation, kind, id, 'the store keeps refusing');
  }

  async function end(
    kind: RecordKind,
    id: string,
    operation: EndOperation,
    value: unknown,
    metadata?: unknown,
  ): Promise<void> {
    const result = resultOf(kind, id, operation, value);
    const captured = capture(metadata, 'metadata', kind, id, operation);
    if (captured) result.metadata = captured;
    await move(kind, id, operation, result);
  }

  async function start(kind: 'run' | 'step', id: string): Promise<void> {
    const row = await move(kind, id, 'start', {});
    if (row?.runId) await setCurrentStep(row.runId, row.stepType as string, undefined, true);
  }

  /** Adds to a run's counters; increments that wait for their turn become one write. */
  async function increment(id: string, increments: Counts): Promise<void> {
    const operation = `increment run "${id}"`;
    if (Object(increments) !== increments) {
      throw invalidArgument(operation, 'increments', 'an object', increments);
    }
    const counts: Counts = Object.create(null);
    for (const [name, value] of Object.entries(increments)) {
      checkNumber(operation, name, value);
      const key = cleanText(name);
      counts[key] = (counts[key] ?? 0) + value;
    }
    const batch: Batch = turns.get(`run${id}`)?.batch ?? { counts: {} };
    batch.counts = mergeOutputIncrements(batch.counts, counts) as Counts;
    batch.written ??= inTurn('run', id, () => add(id, batch.counts), batch);
    return batch.written;
  }

  async function add(id: string, counts: Counts): Promise<void> {
    const updatedAt = new Date(clock());
    let matched: unknown;
    if (store.incrementRunOutput && !heldRow('run', id)) {
      matched = await store.incrementRunOutput(id, counts, updatedAt);
    } else {
      let { output } = await read('run', id, 'increment');
      output = mergeOutputIncrements(output, counts);
      if (!isPlain('run', id)) {
        // Only what was counted, so that nothing is written back that has changed since.
        for (const name in output) if (!Object.hasOwn(counts, name)) delete output[name];
      }
      matched = await update('run', id, { output, updatedAt }, { mergeOutput: true });
    }
    if (matched === false) throw notFound('increment', 'run', id);
  }

  /** Writes without a look at the record before; never rejects when `isCosmetic`. */
  async function write(
    kind: RecordKind,
    id: string,
    fields: RowFields,
    conditions?: RowConditions,
    isCosmetic?: boolean,
  ): Promise<void> {
    try {
      const task = () => update(kind, id, fields, conditions);
      // Unlike a run's end, this does not depend on the order of increments.
      const ask = () => (isApart('step') ? task() : takeTurn(turns, kind + id, task));
      if (isMatch(await ask()) || isCosmetic) return;
      await read(kind, id, 'update');
      // It may have been created after it was asked for.
      if (conditional) await ask();
    } catch (error) {
      if (!isCosmetic) throw error;
      report(error, 'update', kind, id);
    }
  }

  /** Sets the current step of a run, unless that has ended; that a step has started is shown if possible. */
  function setCurrentStep(
    id: string,
    currentStep: string | null,
    updatedAt = new Date(clock()),
    isCosmetic?: boolean,
  ): Promise<void> {
    const name = currentStep && cleanName(currentStep);
    return write('run', id, { currentStep: name, updatedAt }, OPEN, isCosmetic);
  }

  async function updateStepProgress(id: string, progress: StepProgress): Promise<void> {
    const fields: RowFields = {};
    for (const [name, value] of Object.entries(progress)) {
      if (value === undefined || !name.startsWith('items')) continue;
      checkNumber(`update step "${id}"`, name, value ?? 0);
      fields[name] = value;
    }
    fields.updatedAt = new Date(clock());
    await write('step', id, fields);
  }

  function build(
    kind: RecordKind,
    parentId: string | null,
    params: CreateParams,
    status: 'pending' | 'running',
    at: Date,
  ): Row {
    const parent = parentId ? cleanText(parentId) : null;
    return newRecord(kind, newId(params.id), parent, params as never, status, at, capture);
  }

  /** Gives a record that tries another one again its number. */
  async function countAttempt(kind: RecordKind, row: Row): Promise<void> {
    try {
      const { attempt } = await read(kind, row.retryOf as string, 'retry');
      row.attempt = (attempt as number) + 1;
    } catch (error) {
      if (!bestEffort || error instanceof RunsError) throw error;
      report(error, 'create', kind, row.id);
      row.attempt = 2;
    }
  }

  /** Tries again to store what is held of the records above a new one, which may refer to them. */
  async function saveParents({ runId, parentStepId, stepId }: Partial<Row>): Promise<void> {
    if (!held.size) return;
    await save('run', runId);
    await save('step', parentStepId);
    await save('step', stepId);
  }

  async function save(kind: RecordKind, id: string | null | undefined): Promise<void> {
    const row = id && heldRow(kind, id);
    if (!row) return;
    await saveParents(row);
    const insertHeld = async () => {
      if (!heldRow(kind, id)) return;
      await insert(kind, row);
      held.delete(kind + id);
    };
    try {
      await inTurn(kind, id, insertHeld);
    } catch (error) {
      report(error, 'start', kind, id);
    }
  }

  /**
   * Stores a held record whose work has ended, and lets go of it: inserts it whole,
   * unless the insert that failed was committed after all. Never rejects.
   */
  async function settle(
    kind: RecordKind,
    row: Row,
    operation: EndOperation,
    work: Work,
  ): Promise<void> {
    const { id } = row;
    // In one turn, so that what is counted meanwhile comes after.
    const storeNow = async (): Promise<unknown> => {
      held.delete(kind + id);
      const stored = await get(kind, id);
      if (!stored) return insert(kind, row);
      // What has this id is another record.
      if (toMilliseconds(stored.createdAt) !== row.createdAt.getTime()) {
        throw notFound(operation, kind, id);
      }
      // No output must not erase what others have counted meanwhile.
      if (!row.output) delete (row as Partial<Row>).output;
      return moveNow(kind, id, operation, { ...row }, work);
    };
    try {
      await inTurn(kind, id, storeNow);
    } catch (error) {
      report(error, operation, kind, id, work);
    }
  }

  async function create(
    kind: RecordKind,
    parentId: string | null,
    params: CreateParams,
  ): Promise<string> {
    const at = new Date(clock());
    const row = build(kind, parentId, params, 'pending', at);
    if (row.retryOf) await countAttempt(kind, row);
    await saveParents(row);
    await insert(kind, row);
    return row.id;
  }

  function execute<T>(
    kind: RecordKind,
    parentId: string | null,
    params: CreateParams | string,
    fn: (...args: never[]) => T | PromiseLike<T>,
    options?: AnyOptions<T>,
  ): Promise<T> {
    if (!options) return attempt(kind, parentId, params, fn);
    return executeAttempts(kind, params, fn, options, beat, report, (next, supervision) =>
      attempt(kind, parentId, next, fn, supervision),
    );
  }

  /** Records a piece of work while it is done, under supervision when there are options. */
  async function attempt<T>(
    kind: RecordKind,
    parentId: string | null,
    params: CreateParams | string,
    fn: (...args: never[]) => T | PromiseLike<T>,
    supervision?: Supervision<T>,
  ): Promise<T> {
    const startedAt = clock();
    const at = new Date(startedAt);
    const isAdopted = typeof params === 'string';
    const row = isAdopted
      ? ({ id: cleanText(params) } as Row)
      : build(kind, parentId, params, 'running', at);
    const { id, stepType } = row;
    if (supervision?.attempt) row.attempt = supervision.attempt;
    else if (row.retryOf) await countAttempt(kind, row);
    if (bestEffort) await saveParents(row);
    try {
      await (isAdopted ? move(kind, id, 'start', {}, 'not_started', startedAt) : insert(kind, row));
    } catch (error) {
      if (!bestEffort || (isAdopted && error instanceof RunsError)) throw error;
      report(error, 'start', kind, id, 'not_started');
      if (!isAdopted) held.set(kind + id, row);
    }
    if (!isNothing(stepType) && parentId) await setCurrentStep(parentId, stepType, at, true);

    let outcome: unknown;
    let value: unknown;
    let operation: EndOperation = 'finish';
    let work: Work = 'succeeded';
    try {
      outcome = await (supervision
        ? supervision.perform(row)
        : kind === 'call'
          ? (fn as () => T)()
          : fn(id as never));
      value = outputOf(kind, id, outcome, supervision?.output);
    } catch (error) {
      outcome = error;
      // Who cancelled the record has said why.
      if (error !== supervision?.cancellation) value = error;
      operation = supervision?.isCancelled && kind !== 'call' ? 'cancel' : 'fail';
      work = supervision?.work ?? 'failed';
    }

    try {
      const result = resultOf(kind, id, operation, value);
      let isStored = false;
      // Nobody else ends a call, and a conditional store notices when somebody ended the record.
      if (!(kind === 'call' ? heldRow(kind, id) : isPlain(kind, id))) {
        const fields = Object.assign(fieldsAfter(kind, operation, startedAt, clock()), result);
        const conditions = kind === 'run' && result.output ? RUNNING_MERGED : RUNNING;
        // An increment that is under way must not overwrite the run's output.
        const answer =
          kind === 'run' && turns.size > 0
            ? takeTurn(turns, kind + id, () => update(kind, id, fields, conditions))
            : update(kind, id, fields, conditions);
        isStored = isMatch(await answer);
      }
      if (!isStored) await move(kind, id, operation, result, work);
    } catch (error) {
      // Who refuses the end of an attempt wants no other.
      if (supervision && error instanceof RunsError) supervision.isCancelled = true;
      report(error, operation, kind, id, work);
    }
    if (heldRow(kind, id)) await settle(kind, row, operation, work);

    if (operation !== 'finish') throw outcome;
    return outcome as T;
  }

  /** What is recorded of a result. */
  function outputOf<T>(
    kind: RecordKind,
    id: string,
    value: unknown,
    output: AnyOptions<T>['output'],
  ): unknown {
    if (output === undefined) return isNothing(value) ? value : { result: value };
    try {
      const mapped = output ? output(value as T) : null;
      refusePromise(mapped, 'output');
      return mapped || null;
    } catch (error) {
      report(error, 'finish', kind, id);
      return null;
    }
  }

  /** Says that a record's work goes on; resolves to the status of one that has ended. Never rejects. */
  async function beat(kind: RecordKind, id: string): Promise<Status | undefined> {
    try {
      return await inTurn(kind, id, async () => {
        const fields = { updatedAt: new Date(clock()) };
        if (!isPlain(kind, id) && isMatch(await update(kind, id, fields, OPEN))) return undefined;
        const { status } = await read(kind, id, 'update');
        if (!isOpen(status)) return status;
        await update(kind, id, fields);
        return undefined;
      });
    } catch (error) {
      report(error, 'update', kind, id);
      return undefined;
    }
  }

  async function linkStep(stepId: string, params: LinkStepParams): Promise<string | null> {
    if (!linkStore) return null;
    const at = new Date(clock());
    const link = newLink(cleanText(stepId), params, newId(), at);
    const { id } = link;
    await saveParents(link);
    await linkStore.insertStepLink(link);
    return id;
  }

  async function getStepLinks(stepId: string): Promise<StepLink[]> {
    return linkStore ? linkStore.getStepLinks(stepId) : [];
  }

  async function failStale({ olderThanMs, limit = 1000 }: FailStaleOptions): Promise<StaleIds> {
    const operation = 'fail stale records';
    for (const [name, value] of Object.entries({ olderThanMs, limit })) {
      if (!(Number.isSafeInteger(value) && value > 0)) {
        throw invalidArgument(operation, name, 'a whole number from 1', value);
      }
    }
    if (!conditional || !store.closeStale) {
      throw new RunsError('unsupported', `Cannot ${operation}: the store has no closeStale`);
    }
    const now = new Date(clock());
    const before = new Date(Math.max(0, Number(now) - olderThanMs));
    return store.closeStale({ before, error: abandonedSince(before), now, limit });
  }

  return {
    create,
    start,
    end,
    increment,
    updateRunProgress: setCurrentStep,
    updateStepProgress,
    execute,
    executeItems: (stepId, items, fn, options) => {
      const write = (progress: StepProgress) =>
        updateStepProgress(stepId, progress).catch((error) =>
          report(error, 'update', 'step', stepId),
        );
      return executeItems(write, items, fn, options);
    },
    linkStep,
    getStepLinks,
    failStale,
  };
}
