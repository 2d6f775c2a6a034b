/** A place in the source. */
export interface Place {
  file: string;
  /** The line that it begins in. */
  line: string;
  text: string;
}

/** Mutants that no test can tell from the code: what they put there, and why. */
export const EQUIVALENT: (Place & { replacements: string[]; reason: string })[] = [
  {
    file: 'src/payload.ts',
    line: '(maxBytes - pass.left) * 13 <= maxBytes ||',
    text: '(maxBytes - pass.left) * 13 <= maxBytes',
    replacements: ['false', '(maxBytes - pass.left) * 13 < maxBytes'],
    reason: 'It saves time: what is not known to fit is measured.',
  },
  {
    file: 'src/payload.ts',
    line: '(pass.left > -1 && new TextEncoder().encode(JSON.stringify(payload)).length <= maxBytes)',
    text: 'pass.left > -1',
    replacements: ['pass.left >= -1'],
    reason:
      'An object takes a byte more than is counted of it: with nothing left, what was copied is too large already.',
  },
  {
    file: 'src/payload.ts',
    line: 'if (pass.left < 0) break;',
    text: 'pass.left < 0',
    replacements: ['pass.left <= 0'],
    reason:
      'An object takes a byte more than is counted of it: with nothing left, what was copied is too large already.',
  },
  {
    file: 'src/payload.ts',
    line: "if (pass.left < 0) return '';",
    text: 'pass.left < 0',
    replacements: ['false'],
    reason: 'It saves time: the attempt is given up.',
  },
  {
    file: 'src/payload.ts',
    line: "if (pass.left < 0) return '';",
    text: "''",
    replacements: ['"Stryker was here!"'],
    reason: 'The attempt is given up, and nothing of it is stored.',
  },
  {
    file: 'src/sql/options.ts',
    line: "columns.map((column) => [column, '']),",
    text: "''",
    replacements: ['"Stryker was here!"'],
    reason: "A schema has the names of the owner's columns, and no values.",
  },
  {
    file: 'src/sql/sqlite.ts',
    line: 'database.isTransaction ?? database.inTransaction ?? !canBegin(database);',
    text: 'database.isTransaction ?? database.inTransaction',
    replacements: ['database.isTransaction && database.inTransaction'],
    reason: 'Where the driver does not say, it is tried, which tells the same.',
  },
  {
    file: 'src/sql/transactions.ts',
    line: 'this.#waiting.push({ statement, isMatch: false, resolve, reject });',
    text: 'false',
    replacements: ['true'],
    reason: 'It is not looked at before the statement was executed, which sets it.',
  },
  {
    file: 'src/sql/tables.ts',
    line: "field: 'runId',",
    text: "'runId'",
    replacements: ['""'],
    reason: 'Calls and links have no such field, so nothing is read by its name.',
  },
  {
    file: 'src/memory.ts',
    line: "runs: close('run', staleRuns),",
    text: "'run'",
    replacements: ['""'],
    reason: 'What is neither a step nor a call is a run.',
  },
  {
    file: 'src/memory.ts',
    line: 'direction * (Number(a.createdAt) - Number(b.createdAt) || (a.id > b.id ? 1 : -1));',
    text: 'direction * (Number(a.createdAt) - Number(b.createdAt) || (a.id > b.id ? 1 : -1))',
    replacements: [
      'direction / (Number(a.createdAt) - Number(b.createdAt) || (a.id > b.id ? 1 : -1))',
    ],
    reason: 'Only the sign is looked at.',
  },
  {
    file: 'src/memory.ts',
    line: 'direction * (Number(a.createdAt) - Number(b.createdAt) || (a.id > b.id ? 1 : -1));',
    text: 'a.id > b.id',
    replacements: ['a.id >= b.id'],
    reason: 'No two records have the same id.',
  },
  {
    file: 'src/memory.ts',
    line: 'const isFurther = (row: R) => !after || (row.id !== after.id && compare(row, after) > 0);',
    text: 'compare(row, after) > 0',
    replacements: ['compare(row, after) >= 0'],
    reason: 'No two records compare as equal.',
  },
  {
    file: 'src/pages.ts',
    line: "const [expected, isRight] = checks.get(name) ?? ['left out', () => false];",
    text: '() => false',
    replacements: ['() => undefined'],
    reason: 'Either says no.',
  },
  {
    file: 'src/pages.ts',
    line: 'const [, createdAt, id] = /^(-?\\d{1,16}) (.+)/s.exec(new TextDecoder().decode(bytes)) ?? [];',
    text: '[]',
    replacements: ['["Stryker was here"]'],
    reason: 'What is taken of it begins at its second member.',
  },
  {
    file: 'src/pages.ts',
    line: '} catch {',
    text: `{
    return undefined;
  }`,
    replacements: ['{}'],
    reason: 'A function that returns nothing returns undefined.',
  },
  {
    file: 'src/engine.ts',
    line: 'const batch: Batch = turns.get(`run${id}`)?.batch ?? { counts: {} };',
    text: '{ counts: {} }',
    replacements: ['{}'],
    reason: 'What is counted is added to nothing as it is to an empty output.',
  },
  {
    file: 'src/engine.ts',
    line: "const ask = () => (isApart('step') ? task() : takeTurn(turns, kind + id, task));",
    text: "'step'",
    replacements: ['""'],
    reason: 'It is asked about what is no run: any other name does.',
  },
  {
    file: 'src/engine.ts',
    line: 'if (!held.size) return;',
    text: '!held.size',
    replacements: ['false'],
    reason: 'It saves time: of nothing that is held, nothing is saved.',
  },
  {
    file: 'src/engine.ts',
    line: "kind === 'run' && turns.size > 0",
    text: "kind === 'run' && turns.size > 0",
    replacements: ['true', "kind === 'run' || turns.size > 0"],
    reason:
      'It saves time: a turn that nobody is ahead of begins at once, and only runs are counted in.',
  },
  {
    file: 'src/engine.ts',
    line: "kind === 'run' && turns.size > 0",
    text: "kind === 'run'",
    replacements: ['true'],
    reason:
      'It saves time: a turn that nobody is ahead of begins at once, and only runs are counted in.',
  },
  {
    file: 'src/engine.ts',
    line: "kind === 'run' && turns.size > 0",
    text: 'turns.size > 0',
    replacements: ['true', 'turns.size >= 0'],
    reason:
      'It saves time: a turn that nobody is ahead of begins at once, and only runs are counted in.',
  },
  {
    file: 'src/errors.ts',
    line: 'const below: unknown[] = Array.isArray(others) ? others.slice(0, maxLines) : [];',
    text: 'others.slice(0, maxLines)',
    replacements: ['others'],
    reason: 'It saves time: no more than so many are shown.',
  },
  {
    file: 'src/items.ts',
    line: 'let isBusy = false;',
    text: 'false',
    replacements: ['true'],
    reason: 'It is not looked at before the source was asked, which sets it.',
  },
  {
    file: 'src/items.ts',
    line: 'const closing = (async () => iterator?.return?.())().catch(() => {});',
    text: 'iterator?.return?.()',
    replacements: ['iterator?.return()'],
    reason: 'Where there is nothing to call, it rejects, and what this rejects with is dropped.',
  },
  {
    file: 'src/items.ts',
    line: 'const closing = (async () => iterator?.return?.())().catch(() => {});',
    text: 'iterator?.return',
    replacements: ['iterator.return'],
    reason: 'Where there is nothing to call, it rejects, and what this rejects with is dropped.',
  },
  {
    file: 'src/options.ts',
    line: "const [places, least] = OPTIONS[name] ?? [''];",
    text: "''",
    replacements: ['"Stryker was here!"'],
    reason: 'A text in which no kind of record is named.',
  },
  {
    file: 'src/report/nesting.ts',
    line: 'const path: (N | undefined)[] = [];',
    text: '[]',
    replacements: ['["Stryker was here"]'],
    reason:
      'The path is only searched for a node, and what is taken of it begins there: a text before is never reached.',
  },
  {
    file: 'src/report/record-text.ts',
    line: "return kind !== 'run' && record.attempt > 1 ? `attempt ${record.attempt}` : '';",
    text: "kind !== 'run'",
    replacements: ['true'],
    reason: 'A run has no attempt, and undefined is not above 1: the check is for the compiler.',
  },
  {
    file: 'src/report/record-text.ts',
    line: "return kind !== 'run' && record.attempt > 1 ? `attempt ${record.attempt}` : '';",
    text: "'run'",
    replacements: ['""'],
    reason: 'A run has no attempt, and undefined is not above 1: the check is for the compiler.',
  },
  {
    file: 'src/report/record-text.ts',
    line: "if (kind !== 'step') return null;",
    text: "kind !== 'step'",
    replacements: ['false'],
    reason:
      'Runs and calls have no counts of items, of which it is asked next: the check is for the compiler.',
  },
  {
    file: 'src/report/svg.ts',
    line: 'if (!spanMs) return [];',
    text: '[]',
    replacements: ['["Stryker was here"]'],
    reason: 'A list is drawn as what its members have drawn, and a text has drawn nothing.',
  },
  {
    file: 'src/sql/d1.ts',
    line: 'const isMatch = results[index]?.results.length !== 0;',
    text: 'results[index]?.results',
    replacements: ['results[index].results'],
    reason: 'D1 answers every statement of a batch.',
  },
];
