import { type DeleteRunsOptions, readDeletion } from './deletion.js';
import { mergeOutputIncrements } from './helpers.js';
import { fieldsAfter, isOpen } from './lifecycle.js';
import { type PageRequest, readQuery, toPage } from './pages.js';
import type { Row, RowConditions } from './rows.js';
import type {
  Page,
  RunQuery,
  RunReader,
  RunStore,
  StaleIds,
  StaleSweep,
  StepLinkStore,
  StepQuery,
  StepRecordQuery,
  UpdateConditions,
  UpdateRunConditions,
} from './store.js';
import type { Call, CallStatus, RecordKind, Run, Step, StepLink, StepStatus } from './types.js';

/**
 * Keeps runs, steps, calls and links in memory: for tests, for examples, and for
 * processes whose history may end with them.
 *
 * It has conditional updates, atomic counters and lists, and shows how every
 * other store behaves: updating an unknown id resolves to `false`, inserting an
 * id twice rejects, and what goes in or comes out is a copy. A list looks at
 * every record.
 *
 * @example
 * const store = new MemoryStore();
 * const tracker = new RunTracker({ store, linkStore: store });
 */
export class MemoryStore implements RunStore, StepLinkStore, RunReader {
  readonly conditionalUpdates = true;
  readonly #runs = new Map<string, Run>();
  readonly #steps = new Map<string, Step>();
  readonly #calls = new Map<string, Call>();
  readonly #links = new Map<string, StepLink>();
  readonly #linkIds = new Map<string, string[]>();

  async insertRun(run: Run): Promise<void> {
    insert(this.#runs, 'Run', run);
  }

  async getRun(id: string): Promise<Run | null> {
    return get(this.#runs, id);
  }

  async updateRun(
    id: string,
    fields: Partial<Run>,
    conditions?: UpdateRunConditions,
  ): Promise<boolean> {
    return update(this.#runs, id, fields, conditions);
  }

  async incrementRunOutput(
    id: string,
    increments: Record<string, number>,
    updatedAt: Date,
  ): Promise<boolean> {
    const run = this.#runs.get(id);
    const output = mergeOutputIncrements(run?.output, increments);
    return update(this.#runs, id, { output, updatedAt });
  }

  async insertStep(step: Step): Promise<void> {
    insert(this.#steps, 'Step', step);
  }

  async getStep(id: string): Promise<Step | null> {
    return get(this.#steps, id);
  }

  async updateStep(
    id: string,
    fields: Partial<Step>,
    conditions?: UpdateConditions<StepStatus>,
  ): Promise<boolean> {
    return update(this.#steps, id, fields, conditions);
  }

  async insertCall(call: Call): Promise<void> {
    insert(this.#calls, 'Call', call);
  }

  async getCall(id: string): Promise<Call | null> {
    return get(this.#calls, id);
  }

  async updateCall(
    id: string,
    fields: Partial<Call>,
    conditions?: UpdateConditions<CallStatus>,
  ): Promise<boolean> {
    return update(this.#calls, id, fields, conditions);
  }

  async insertStepLink(link: StepLink): Promise<void> {
    insert(this.#links, 'Step link', link);
    const ids = this.#linkIds.get(link.stepId) ?? [];
    ids.push(link.id);
    this.#linkIds.set(link.stepId, ids);
  }

  async getStepLinks(stepId: string): Promise<StepLink[]> {
    const ids = this.#linkIds.get(stepId) ?? [];
    const links = ids.map((id) => get(this.#links, id) as StepLink);
    // A clock may have been set back between them.
    return links.sort((a, b) => Number(a.createdAt) - Number(b.createdAt));
  }

  async closeStale({ before, error, now, limit }: StaleSweep): Promise<StaleIds> {
    const calls = [...this.#calls.values()];
    const steps = [...this.#steps.values()];
    const called = new Set(
      calls.filter((call) => call.createdAt >= before).map(({ stepId }) => stepId),
    );
    const moving = steps.filter((step) => step.updatedAt >= before || called.has(step.id));
    const movingRuns = new Set(moving.map((step) => step.runId));
    const isStale = (row: Run | Step) => row.status === 'running' && row.updatedAt < before;
    const close = <R extends Run | Step | Call>(kind: RecordKind, rows: R[]): string[] => {
      const oldest = rows.sort((a, b) => Number(a.createdAt) - Number(b.createdAt));
      return oldest.slice(0, limit).map((row) => {
        const startedAt = 'startedAt' in row ? row.startedAt : row.createdAt;
        Object.assign(row, fieldsAfter(kind, 'fail', startedAt, now.getTime()), { error });
        return row.id;
      });
    };
    const staleRuns = [...this.#runs.values()].filter(
      (run) => isStale(run) && !movingRuns.has(run.id),
    );
    const staleSteps = steps.filter((step) => isStale(step) && !called.has(step.id));
    const stale = new Set(staleSteps.map(({ id }) => id));
    const staleCalls = calls.filter(({ status, createdAt, stepId }) => {
      const step = this.#steps.get(stepId);
      const isGone = !step || !isOpen(step.status) || stale.has(stepId);
      return status === 'running' && createdAt < before && isGone;
    });
    return {
      runs: close('run', staleRuns),
      steps: close('step', staleSteps),
      calls: close('call', staleCalls),
    };
  }

  /**
   * Deletes runs that ended before a time, with their steps, calls and links, and
   * ended steps that stood alone. Resolves to the number of runs deleted.
   *
   * @throws {RunsError} `invalid_argument` for a time or a limit that makes no sense
   */
  async deleteRuns(options: DeleteRunsOptions): Promise<number> {
    const { completedBefore, limit } = readDeletion(options);
    const findEnded = <R extends Run | Step>(rows: Map<string, R>): string[] => {
      const hasEnded = ({ status, completedAt }: R) =>
        !isOpen(status) && completedAt && completedAt < completedBefore;
      return [...rows.values()]
        .filter((row) => hasEnded(row) && !('runId' in row && row.runId))
        .sort((a, b) => Number(a.completedAt) - Number(b.completedAt))
        .slice(0, limit)
        .map(({ id }) => id);
    };
    const runIds = new Set(findEnded(this.#runs));
    const stepIds = new Set(findEnded(this.#steps));
    for (const { id, runId } of this.#steps.values()) {
      if (runId && runIds.has(runId)) stepIds.add(id);
    }
    for (const rows of [this.#calls, this.#links]) {
      for (const { id, stepId } of rows.values()) if (stepIds.has(stepId)) rows.delete(id);
    }
    for (const id of stepIds) {
      this.#steps.delete(id);
      this.#linkIds.delete(id);
    }
    for (const id of runIds) this.#runs.delete(id);
    return runIds.size;
  }

  async listRuns(query: RunQuery = {}): Promise<Page<Run>> {
    const page = readQuery('runs', query);
    const { status, runType, trigger, actorId, createdAfter, createdBefore, updatedBefore } = query;
    const runs = [...this.#runs.values()].filter(
      (run) =>
        isWanted(run.status, status) &&
        isWanted(run.runType, runType) &&
        isWanted(run.trigger, trigger) &&
        isWanted(run.actorId, actorId) &&
        (!createdAfter || run.createdAt > createdAfter) &&
        (!createdBefore || run.createdAt < createdBefore) &&
        (!updatedBefore || run.updatedAt < updatedBefore),
    );
    return list(runs, page, -1);
  }

  async listSteps(runId: string | null, query: StepQuery = {}): Promise<Page<Step>> {
    const page = readQuery('steps', query);
    const isListed = (step: Step) => step.runId === runId && isWanted(step.status, query.status);
    return list([...this.#steps.values()].filter(isListed), page, 1);
  }

  async listCalls(runId: string | null, query: StepRecordQuery = {}): Promise<Page<Call>> {
    const page = readQuery('calls', query);
    return list(this.#ofRun(this.#calls, runId, query), page, 1);
  }

  async listLinks(runId: string | null, query: StepRecordQuery = {}): Promise<Page<StepLink>> {
    const page = readQuery('links', query);
    return list(this.#ofRun(this.#links, runId, query), page, 1);
  }

  /** The records whose steps belong to a run, or stand alone. */
  #ofRun<R extends { stepId: string }>(
    rows: Map<string, R>,
    runId: string | null,
    { stepId }: StepRecordQuery,
  ): R[] {
    return [...rows.values()].filter(
      (row) => isWanted(row.stepId, stepId) && this.#steps.get(row.stepId)?.runId === runId,
    );
  }
}

function isWanted<V>(value: V, wanted: V | readonly V[] | undefined): boolean {
  return wanted === undefined || [wanted].flat().includes(value as never);
}

/** A page of copies, oldest first (1) or newest first (-1). */
function list<R extends { id: string; createdAt: Date }>(
  rows: R[],
  { limit, after }: PageRequest,
  direction: 1 | -1,
): Page<R> {
  const compare = (a: R, b: { id: string; createdAt: Date | number }) =>
    direction * (Number(a.createdAt) - Number(b.createdAt) || (a.id > b.id ? 1 : -1));
  const isFurther = (row: R) => !after || (row.id !== after.id && compare(row, after) > 0);
  const records = rows.filter(isFurther).sort(compare);
  return structuredClone(toPage(records, limit, (record) => JSON.stringify(record).length));
}

function insert<R extends { id: string }>(rows: Map<string, R>, kind: string, row: R): void {
  if (rows.has(row.id)) throw new Error(`${kind} "${row.id}" exists already`);
  rows.set(row.id, structuredClone(row));
}

function get<R>(rows: Map<string, R>, id: string): R | null {
  return structuredClone(rows.get(id) ?? null);
}

function update<R extends Row>(
  rows: Map<string, R>,
  id: string,
  fields: Partial<R>,
  { ifStatus, ifError, mergeOutput }: RowConditions = {},
): boolean {
  const row = rows.get(id);
  if (!row) return false;
  if (ifStatus && !ifStatus.includes(row.status)) return false;
  if (ifError !== undefined && row.error !== ifError) return false;
  const { output } = row;
  for (const [name, value] of Object.entries(structuredClone(fields))) {
    if (value !== undefined) Object.assign(row, { [name]: value });
  }
  if (mergeOutput) row.output = fields.output ? { ...output, ...row.output } : output;
  return true;
}
