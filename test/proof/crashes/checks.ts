import { TABLE_NAMES, type TableName } from '../../../src/sql/tables.js';
import { explain, isAnswered, type Write, writesOf } from './explain.js';
import type { Fields, Line } from './journal.js';
import type { Tables } from './tables.js';

/** What a worker has left behind: what it wrote down, and what its database holds. */
export interface Remains {
  lines: Line[];
  tables: Tables;
}

/** What was found. */
export interface Findings {
  problems: string[];
  records: number;
  acknowledged: number;
  /** Of the writes that were in flight, those whose effect is there, and the others. */
  stored: number;
  notStored: number;
  /** Increments that were acknowledged, the runs that were counted in, and those of them with none in flight. */
  increments: number;
  countedRuns: number;
  strictRuns: number;
  /** How many pieces of work have run. */
  performed: number;
}

const TABLES = { run: 'runs', step: 'run_steps', call: 'run_calls' } as const;

/** Checks all that a worker has left behind. */
export function examine({ lines, tables }: Remains): Findings {
  const writes = writesOf(lines);
  const history = explainAll(writes, tables);
  const counters = checkCounters(lines, tables);
  return {
    problems: [
      ...lines.flatMap((line) =>
        line.type === 'unexpected' || line.type === 'rejected' ? [`unexpected: ${line.error}`] : [],
      ),
      ...history.problems,
      ...counters.problems,
      ...TABLE_NAMES.flatMap((table) =>
        [...tables[table].values()].flatMap((record) => checkWhole(table, record, tables)),
      ),
      ...checkPerformed(lines, writes, tables),
      ...checkEnds(lines, tables),
    ],
    records: TABLE_NAMES.reduce((sum, table) => sum + tables[table].size, 0),
    acknowledged: writes.filter(isAnswered).length,
    stored: history.stored,
    notStored: writes.filter((write) => !isAnswered(write)).length - history.stored,
    increments: counters.acknowledged,
    countedRuns: counters.countedRuns,
    strictRuns: counters.strictRuns,
    performed: lines.filter(({ type }) => type === 'performing').length,
  };
}

/** Every record is what the acknowledged writes have made of it, and perhaps some that were in flight. */
function explainAll(writes: Write[], tables: Tables): { problems: string[]; stored: number } {
  const problems: string[] = [];
  let stored = 0;
  for (const table of TABLE_NAMES) {
    const ofTable = writes.filter((write) => write.table === table);
    const byId = Map.groupBy(ofTable, ({ id }) => id);
    for (const id of new Set([...byId.keys(), ...tables[table].keys()])) {
      const record = tables[table].get(id);
      const own = byId.get(id) ?? [];
      const count = explain(own, record);
      if (count === undefined) {
        const story = own.map(({ kind, fields, answeredAt }) => [kind, fields, answeredAt]);
        problems.push(
          `${table} ${id} cannot be ${JSON.stringify(record)} after ${JSON.stringify(story)}`,
        );
      } else stored += count;
    }
  }
  return { problems, stored };
}

/** A counter that was acknowledged is there, none is there twice, and the total is their sum. */
function checkCounters(lines: Line[], tables: Tables) {
  const problems: string[] = [];
  let acknowledged = 0;
  let strictRuns = 0;
  const counting = lines.filter((line) => line.type === 'counting' || line.type === 'counted');
  const byRun = Map.groupBy(counting, ({ runId }) => runId);
  for (const [runId, own] of byRun) {
    const output = (tables.runs.get(runId)?.output ?? {}) as Fields;
    const keysOf = (type: Line['type']) =>
      own.flatMap((line) => (line.type === type ? [line.key] : []));
    const wanted = new Set(keysOf('counting'));
    const counted = keysOf('counted');
    const stored = Object.keys(output).filter((key) => key.startsWith('n'));
    acknowledged += counted.length;
    if (wanted.size === counted.length) strictRuns += 1;
    for (const key of counted) {
      if (output[key] !== 1) problems.push(`${key} is not counted in ${runId}`);
    }
    for (const key of stored) {
      if (output[key] !== 1) problems.push(`${key} is counted ${output[key]} times in ${runId}`);
      if (!wanted.has(key)) problems.push(`${key} is counted in ${runId}, and was not asked for`);
    }
    if ((output.total ?? 0) !== stored.length) {
      problems.push(`the total of ${runId} is ${output.total}, not ${stored.length}`);
    }
  }
  return { problems, acknowledged, countedRuns: byRun.size, strictRuns };
}

/** A record is wholly in one of its states, and what it belongs to is there. */
function checkWhole(table: TableName, record: Fields, tables: Tables): string[] {
  const { id, status, startedAt = record.createdAt, completedAt, durationMs, error } = record;
  const problems: string[] = [];
  const check = (isRight: boolean, problem: string) => {
    if (!isRight) problems.push(`${table} ${id} is ${status}, and ${problem}`);
  };
  const refersTo = (field: string, other: TableName) => {
    const parent = record[field] ?? null;
    check(parent === null || tables[other].has(parent as string), `its ${field} is missing`);
  };
  refersTo('runId', 'runs');
  refersTo('stepId', 'run_steps');
  refersTo('parentStepId', 'run_steps');
  refersTo('retryOf', table);
  if (record.retryOf) {
    const { attempt } = tables[table].get(record.retryOf as string) ?? {};
    check(record.attempt === Number(attempt) + 1, 'its attempt does not follow');
  }
  if (table === 'run_step_links') return problems;

  const isOpen = status === 'pending' || status === 'running';
  const duration = Date.parse(completedAt as string) - Date.parse(startedAt as string);
  check((startedAt === null) === (status === 'pending'), `started at ${startedAt}`);
  check(isOpen === (durationMs === null), `took ${durationMs} ms`);
  if (table !== 'run_calls') {
    check(isOpen === (completedAt === null), `ended at ${completedAt}`);
    check(isOpen || durationMs === Math.max(0, duration), `took ${durationMs} ms, not ${duration}`);
  }
  const hasError = ['failed', 'cancelled', 'error'].includes(status as string);
  check(hasError === (error !== null), `its error is ${error}`);
  if (table === 'runs') check(isOpen || record.currentStep === null, 'has a current step');
  if (table !== 'runs') check(!isOpen || record.output === null, 'has an output');
  return problems;
}

/** Work has run once for each record, after that was stored as running. */
function checkPerformed(lines: Line[], writes: Write[], tables: Tables): string[] {
  const problems: string[] = [];
  const inserts = writes.filter(({ kind }) => kind === 'insert');
  const next = new Map(inserts.map(({ fields, id }) => [fields.retryOf, id]));
  const starts = Map.groupBy(
    writes.filter(({ fields, isMatch }) => fields.status === 'running' && isMatch),
    ({ id }) => id,
  );
  const performed = new Set<string>();
  for (const [at, line] of lines.entries()) {
    if (line.type !== 'performing') continue;
    let { id } = line;
    // A call is not told its id, and so writes down the first one's.
    for (let count = 1; line.kind === 'call' && count < line.attempt; count += 1) {
      id = next.get(id) ?? '';
    }
    const table = TABLES[line.kind];
    if (performed.has(id)) problems.push(`the work of ${table} ${id} ran twice`);
    performed.add(id);
    const isStarted = starts.get(id)?.some(({ answeredAt }) => answeredAt < at);
    if (!isStarted) problems.push(`the work of ${table} ${id} ran before its start was stored`);
    const status = tables[table].get(id)?.status ?? 'missing';
    if (status === 'missing' || status === 'pending') {
      problems.push(`the work of ${table} ${id} ran, and that is ${status}`);
    }
  }
  return problems;
}

/** What the application was told of an end is so. */
function checkEnds(lines: Line[], tables: Tables): string[] {
  return lines.flatMap((line) => {
    if (line.type !== 'ended') return [];
    const table = TABLES[line.kind];
    const status = tables[table].get(line.id)?.status;
    return status === line.status ? [] : [`${table} ${line.id} is ${status}, not ${line.status}`];
  });
}
