import type { Fields, Line } from './journal.js';
import type { Tables } from './tables.js';

interface Damage {
  damage(lines: Line[], tables: Tables): void;
  /** What it is found by. */
  problem: RegExp;
}

/** Ways to spoil what a worker has left behind; each has to be found. */
export const DAMAGES: Record<string, Damage> = {
  'a missing record': {
    damage: (_, { run_step_links: links }) => links.delete(first(links, () => true).id as string),
    problem: /^run_step_links \S+ cannot be undefined after/,
  },
  'a missing parent': {
    damage: (_, { runs }) => runs.clear(),
    problem: /^run_steps \S+ is \w+, and its runId is missing$/,
  },
  'a record that nobody has written': {
    damage: (_, { runs }) => runs.set('other', { ...first(runs, () => true), id: 'other' }),
    problem: /^runs other cannot be .* after \[\]$/,
  },
  'an end that is undone': {
    damage(_, { run_steps: steps }) {
      const undone = { status: 'running', completedAt: null, durationMs: null, output: null };
      Object.assign(first(steps, isCompleted), undone);
    },
    problem: /^run_steps \S+ is running, not completed$/,
  },
  'an end that is torn': {
    damage: (_, { runs }) => Object.assign(first(runs, isCompleted), { completedAt: null }),
    problem: /^runs \S+ is completed, and ended at null$/,
  },
  'another value': {
    damage: (_, { run_calls: calls }) => Object.assign(first(calls, hasMetadata), { metadata: {} }),
    problem: /^run_calls \S+ cannot be /,
  },
  'a number of attempts that is wrong': {
    damage: (_, { run_steps: steps }) => Object.assign(first(steps, isRetry), { attempt: 1 }),
    problem: /^run_steps \S+ is \w+, and its attempt does not follow$/,
  },
  'a lost increment': {
    damage: (lines, { runs }) => void delete outputOf(lines, runs)[counted(lines).key],
    problem: /^n\S+ is not counted in /,
  },
  'an increment that was counted twice': {
    damage: (lines, { runs }) => Object.assign(outputOf(lines, runs), { [counted(lines).key]: 2 }),
    problem: /^n\S+ is counted 2 times in /,
  },
  'an increment that nobody asked for': {
    damage: (lines, { runs }) => Object.assign(outputOf(lines, runs), { nobody: 1 }),
    problem: /^nobody is counted in \S+, and was not asked for$/,
  },
  'a total that is not the sum': {
    damage: (lines, { runs }) => Object.assign(outputOf(lines, runs), { total: 0 }),
    problem: /^the total of \S+ is 0, not [1-9]/,
  },
  'work that ran twice': {
    damage: (lines) => lines.push(lines.find(isPerforming) as Line),
    problem: /^the work of \S+ \S+ ran twice$/,
  },
  'work that ran before its start was stored': {
    damage: (lines) => lines.unshift(lines.splice(lines.findIndex(isPerforming), 1)[0] as Line),
    problem: /^the work of \S+ \S+ ran before its start was stored$/,
  },
  'an end that the application was told and that is not so': {
    damage(lines, { runs }) {
      const { id } = first(runs, isCompleted) as { id: string };
      lines.push({ type: 'ended', kind: 'run', id, status: 'failed' });
    },
    problem: /^runs \S+ is completed, not failed$/,
  },
  'an answer that the store cannot have given': {
    damage(lines) {
      const line = lines.find((each) => each.type === 'answered' && each.isMatch);
      Object.assign(line as Line, { isMatch: false });
    },
    problem: /^\S+ \S+ cannot be /,
  },
  'a failure that the tracker has reported': {
    damage: (lines) => lines.push({ type: 'unexpected', error: 'Error: lost' }),
    problem: /^unexpected: Error: lost$/,
  },
};

const isCompleted = ({ status }: Fields) => status === 'completed';
const hasMetadata = ({ metadata }: Fields) => metadata !== null;
const isRetry = ({ retryOf }: Fields) => retryOf !== null;
const isPerforming = ({ type }: Line) => type === 'performing';

function first(table: Map<string, Fields>, isWanted: (record: Fields) => boolean): Fields {
  const found = [...table.values()].find(isWanted);
  if (!found) throw new Error('the worker was killed before it had come so far');
  return found;
}

/** The first increment that was acknowledged. */
function counted(lines: Line[]) {
  const line = lines.find((each) => each.type === 'counted');
  if (!line) throw new Error('the worker was killed before it had counted');
  return line;
}

function outputOf(lines: Line[], runs: Tables['runs']): Fields {
  return runs.get(counted(lines).runId)?.output as Fields;
}
