import { COLUMNS, RUN_ID, TABLE_NAMES } from '../../../src/sql/tables.js';
import type { Syntax } from './syntax.js';

/** What a statement does, if it is of a kind that is under test. */
export function kindOf(text: string): string | undefined {
  if (/ as "kind"/.test(text))
    return `sweep of ${/"closed_runs"/.test(text) ? 'all' : tableOf(text)}`;
  const isTogether = /^with w|^insert .* select /.test(text) && !/ values \(/.test(text);
  const how = isTogether ? 'together' : 'alone';
  if (/json_patch|jsonb_each_text/.test(text)) return `increment ${how}`;
  if (/^insert into/.test(text)) return `insert of ${tableOf(text)} ${how}`;
  if (/^update|^with w/.test(text)) return `update ${how}`;
  return undefined;
}

/** The table that a statement writes to, without its prefix. */
export function tableOf(text: string): string {
  const [, name] = /(?:update|insert into) "(\w+)"/.exec(text) ?? [];
  return withoutPrefix(name as string);
}

export function withoutPrefix(name: string): string {
  return TABLE_NAMES.find((table) => name === table || name.endsWith(`_${table}`)) ?? name;
}

/** Where a phrase begins. */
const BEGINNINGS = new Set([
  ...[',', 'and', 'or', 'where', 'set', 'from', 'select', 'union', 'when', 'then', 'else', 'case'],
  ...['values', 'on', 'join', 'returning', 'order', 'limit', 'for'],
]);
/** Those that begin the same in another place. */
const ALIKE: Record<string, string> = { set: ',', where: 'and' };

/** Columns that are written in a way of their own, or stand in conditions. */
const SPECIAL = new Set(['id', 'status', 'error', 'output', 'run_id', 'step_id']);
const TYPES = new Map(
  [...TABLE_NAMES.flatMap((table) => COLUMNS[table]), RUN_ID]
    .filter(({ name }) => !SPECIAL.has(name))
    .map(({ name, type }) => [name, type]),
);

/** What stands around a place in a statement. */
export interface Phrase {
  text: string;
  /** Whether it is that of any column of a type. */
  isGeneral: boolean;
}

/**
 * What stands around a place, as it is the same in all statements that are made by the
 * same code: however many columns or values there are, and in statements of several
 * writes whichever columns these are.
 */
export function phraseAround(syntax: Syntax, place: number, kind: string): Phrase {
  const { tokens } = syntax;
  const isTogether = kind.endsWith('together');
  let start = place;
  while (start > 0 && !BEGINNINGS.has(syntax.at(start))) start -= 1;
  let end = place + 1;
  while (end < tokens.length && !BEGINNINGS.has(syntax.at(end))) end += 1;
  let isGeneral = false;
  const words = tokens.slice(start, end).map(({ kind, text }, offset) => {
    let word = text;
    if (kind === 'value') word = '?';
    else if (kind === 'number' && syntax.at(start + offset - 1) === '->>') word = '#';
    else if (kind === 'name' || kind === 'string') {
      const name = withoutPrefix(text.slice(1, -1));
      const type = isTogether && TYPES.get(name);
      if (type) isGeneral = true;
      word = `${text[0]}${type ? `any ${type}` : name}${text[0]}`;
    } else if (offset === 0) word = ALIKE[text] ?? text;
    return start + offset === place ? `«${word}»` : word;
  });
  return { text: words.join(' '), isGeneral };
}
