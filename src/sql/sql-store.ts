import { type DeleteRunsOptions, readDeletion } from '../deletion.js';
import { MAX_PAGE_SIZE, type PageRequest, readQuery, toPage } from '../pages.js';
import type { RowConditions } from '../rows.js';
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
} from '../store.js';
import type { Call, CallStatus, Run, Step, StepLink, StepStatus } from '../types.js';
import type { Dialect, SqlRow, Statement } from './dialect.js';
import type { Names } from './options.js';
import { createReadStatements, type ReadStatements } from './reads.js';
import { deleteEnded } from './retention.js';
import type { TableName } from './tables.js';
import {
  decode,
  payloadOf,
  toIncrement,
  toInsert,
  toUpdate,
  type UpdatedTable,
  type Write,
} from './writes.js';

/** What a database must do for a {@link SqlStore}. */
export interface Backend {
  dialect: Dialect;
  names: Names;
  /** Stores a write, and resolves to whether a row matched. */
  write: (write: Write) => Promise<boolean>;
  /** Executes one statement by itself. */
  execute: (statement: Statement) => Promise<SqlRow[]>;
  /** The same for one that asks for a row by its id, and may be prepared. @default execute */
  get?: (statement: Statement) => Promise<SqlRow[]>;
  /** Ends stale records, in one transaction; each row says the `kind` and the `id` of one. */
  sweep: (sweep: StaleSweep) => Promise<SqlRow[]>;
  migrate: () => Promise<void>;
}

/** How many rows are read before it is known how large they are: a page, unless it is told otherwise. */
const FIRST_PART = 51;

/** What the stores over SQL databases have in common: everything but the database. */
export class SqlStore implements RunStore, StepLinkStore, RunReader {
  readonly conditionalUpdates = true;
  readonly #backend: Backend;
  readonly #reads: ReadStatements;

  constructor(backend: Backend) {
    this.#backend = backend;
    this.#reads = createReadStatements(backend.dialect, backend.names);
  }

  /**
   * Creates the tables and indexes that are missing. May be called any number of
   * times, by several processes at once.
   *
   * @throws {RunsError} `unsupported` when a table of that name has other columns, those of its owner included
   */
  migrate(): Promise<void> {
    return this.#backend.migrate();
  }

  async insertRun(run: Run): Promise<void> {
    await this.#insert('runs', run);
  }

  getRun(id: string): Promise<Run | null> {
    return this.#get('runs', id);
  }

  updateRun(id: string, fields: Partial<Run>, conditions?: UpdateRunConditions): Promise<boolean> {
    return this.#update('runs', id, fields, conditions);
  }

  async incrementRunOutput(
    id: string,
    increments: Record<string, number>,
    updatedAt: Date,
  ): Promise<boolean> {
    const { dialect } = this.#backend;
    return this.#backend.write(toIncrement(dialect, id, increments, updatedAt));
  }

  async insertStep(step: Step): Promise<void> {
    await this.#insert('run_steps', step);
  }

  getStep(id: string): Promise<Step | null> {
    return this.#get('run_steps', id);
  }

  updateStep(
    id: string,
    fields: Partial<Step>,
    conditions?: UpdateConditions<StepStatus>,
  ): Promise<boolean> {
    return this.#update('run_steps', id, fields, conditions);
  }

  async insertCall(call: Call): Promise<void> {
    await this.#insert('run_calls', call);
  }

  getCall(id: string): Promise<Call | null> {
    return this.#get('run_calls', id);
  }

  updateCall(
    id: string,
    fields: Partial<Call>,
    conditions?: UpdateConditions<CallStatus>,
  ): Promise<boolean> {
    return this.#update('run_calls', id, fields, conditions);
  }

  async insertStepLink(link: StepLink): Promise<void> {
    await this.#insert('run_step_links', link);
  }

  async getStepLinks(stepId: string): Promise<StepLink[]> {
    const rows = await this.#backend.execute(this.#reads.links(stepId));
    return rows.map((row) => decode('run_step_links', row));
  }

  async listRuns(query: RunQuery = {}): Promise<Page<Run>> {
    const page = readQuery('runs', query);
    return this.#list('runs', page, (part) => this.#reads.runs(query, part));
  }

  async listSteps(runId: string | null, query: StepQuery = {}): Promise<Page<Step>> {
    const page = readQuery('steps', query);
    return this.#list('run_steps', page, (part) => this.#reads.steps(runId, query, part));
  }

  async listCalls(runId: string | null, query: StepRecordQuery = {}): Promise<Page<Call>> {
    const page = readQuery('calls', query);
    return this.#list('run_calls', page, (part) =>
      this.#reads.ofSteps('run_calls', runId, query, part),
    );
  }

  async listLinks(runId: string | null, query: StepRecordQuery = {}): Promise<Page<StepLink>> {
    const page = readQuery('links', query);
    return this.#list('run_step_links', page, (part) =>
      this.#reads.ofSteps('run_step_links', runId, query, part),
    );
  }

  async closeStale(sweep: StaleSweep): Promise<StaleIds> {
    const closed: StaleIds = { runs: [], steps: [], calls: [] };
    for (const { kind, id } of await this.#backend.sweep(sweep)) {
      closed[kind as keyof StaleIds].push(id as string);
    }
    return closed;
  }

  /**
   * Deletes runs that ended before a time, with their steps, calls and links, and
   * ended steps that stood alone. Resolves to the number of runs deleted.
   *
   * Deletes so few rows at a time that other writers wait less than a tenth of a
   * second. What it was stopped at, by a crash or by `limit`, the next call goes on with.
   *
   * @throws {RunsError} `invalid_argument` for a time or a limit that makes no sense
   */
  async deleteRuns(options: DeleteRunsOptions): Promise<number> {
    const { completedBefore, limit } = readDeletion(options);
    const { dialect, names, execute } = this.#backend;
    return deleteEnded({ dialect, names, execute }, completedBefore, limit);
  }

  #insert(table: TableName, record: object): Promise<boolean> {
    return this.#backend.write(toInsert(this.#backend.dialect, table, record));
  }

  async #get<R>(table: TableName, id: string): Promise<R | null> {
    const { execute, get = execute } = this.#backend;
    const [row] = await get(this.#reads.get(table, id));
    return row ? decode<R>(table, row) : null;
  }

  async #update(
    table: UpdatedTable,
    id: string,
    fields: object,
    conditions?: RowConditions,
  ): Promise<boolean> {
    return await this.#backend.write(
      toUpdate(this.#backend.dialect, table, id, fields, conditions),
    );
  }

  /** Reads a page, in parts: of large records only as many as the page may hold. */
  async #list<R extends { id: string; createdAt: Date }>(
    table: TableName,
    { limit, after }: PageRequest,
    select: (part: PageRequest) => Statement,
  ): Promise<Page<R>> {
    const records: R[] = [];
    const sizes = new Map<R, number>();
    let size = 0;
    let position = after;
    // One more than the page holds tells whether there is a next one.
    while (records.length <= limit && size <= MAX_PAGE_SIZE) {
      const isFirst = records.length === 0;
      const fitting = isFirst ? FIRST_PART : (MAX_PAGE_SIZE * records.length) / Math.max(1, size);
      const wanted = Math.min(limit + 1 - records.length, Math.ceil(fitting));
      const rows = await this.#backend.execute(select({ limit: wanted, after: position }));
      for (const row of rows) {
        const record = decode<R>(table, row);
        sizes.set(record, payloadOf(table, row));
        size += sizes.get(record) as number;
        records.push(record);
        position = { createdAt: record.createdAt.getTime(), id: record.id };
      }
      if (rows.length < wanted) break;
    }
    return toPage(records, limit, (record) => sizes.get(record) as number);
  }
}
