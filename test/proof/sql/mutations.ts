import { COLUMNS, type Column, RUN_ID, TABLE_NAMES } from '../../../src/sql/tables.js';
import { kindOf, phraseAround, tableOf, withoutPrefix } from './statements.js';
import { Syntax } from './syntax.js';
import { type Language, type Rendered, render, type Token, written } from './tokens.js';

/** One change: what takes the place of some tokens. */
interface Change {
  rule: string;
  from: number;
  to: number;
  by: Token[];
}

type Rule = (syntax: Syntax, table: string) => Change[];

/** The mutants of a statement, by what is changed in which context; none of one that is not under test. */
export function mutantsOf(text: string, language: Language): Map<string, Rendered> {
  const mutants = new Map<string, Rendered>();
  const kind = kindOf(text);
  if (!kind) return mutants;
  const syntax = new Syntax(text, language);
  const { tokens } = syntax;
  for (const rule of RULES) {
    for (const { rule: name, from, to, by } of rule(syntax, tableOf(text))) {
      const { text: phrase, isGeneral } = phraseAround(syntax, from, kind);
      const key = `${kind}: ${isGeneral ? name.replace(COLUMN, 'another') : name} | ${phrase}`;
      // One column stands for all of its type.
      if (isGeneral && mutants.has(key)) continue;
      let unique = key;
      for (let number = 2; mutants.has(unique); number += 1) unique = `${key} #${number}`;
      const mutated = [...tokens.slice(0, from), ...by, ...tokens.slice(to)];
      mutants.set(unique, render(mutated, language));
    }
  }
  return mutants;
}

/** The name of a column in that of a rule. */
const COLUMN = /(?<=^becomes )\w+$/;

const without = (rule: string, from: number, to: number): Change => ({ rule, from, to, by: [] });
const replace = (rule: string, from: number, to: number, ...by: (Token | string)[]): Change => ({
  rule,
  from,
  to,
  by: by.map((each) => (typeof each === 'string' ? written(each) : each)),
});

/** A text in the place of one token. */
const instead = (place: number, text: string): Change =>
  replace(`becomes ${text}`, place, place + 1, text);

const WORDS: Record<string, string[]> = {
  '<': ['<='],
  '<=': ['<'],
  '>': ['>='],
  '>=': ['>'],
  '+': ['-'],
  '*': ['/'],
  max: ['min'],
  greatest: ['least'],
  materialized: ['not materialized'],
  "'{}'": [`'{"mutant": 1}'`],
  "'running'": ["'pending'"],
  "'pending'": ["'running'"],
  "'failed'": ["'cancelled'"],
  "'error'": ["'success'"],
  "'true'": ["'false'"],
  "'false'": ["'true'"],
  "'runs'": ["'steps'"],
  "'steps'": ["'calls'"],
  "'calls'": ["'runs'"],
  "'%!.17g'": ["'%!.16g'", "'%.17g'"],
  '0': ['1'],
  '1': ['0'],
};

const words: Rule = (syntax) =>
  [...syntax.tokens.entries()].flatMap(([place, { kind, text }]) => {
    if (syntax.isAt(place - 1, '->>') && kind === 'number') {
      return [replace('is the next', place, place + 1, String(Number(text) + 1))];
    }
    const others = WORDS[text] ?? [];
    if (others.length > 0) return others.map((other) => instead(place, other));
    if (kind === 'string') return [instead(place, "'mutant'")];
    if (kind === 'value') return [instead(place, 'null')];
    if (kind === 'number') {
      const number = Number(text);
      return [replace('grows by 1', place, place + 1, number > 1e9 ? '1e9' : String(number + 1))];
    }
    return [];
  });

/** Where a condition begins, unless it is what the words after it say. */
const CONDITIONAL = new Set(['where', 'on', 'when', 'and', 'or']);
const CONDITION_ENDS = new Set([
  ...['and', 'or', 'where', 'join', 'on', 'then', 'order', 'group', 'limit', 'offset', 'for'],
  ...['returning', 'union'],
]);

const conditions: Rule = (syntax) => {
  const starts = new Set<number>();
  for (const [place, { text }] of syntax.tokens.entries()) {
    if (!CONDITIONAL.has(text) || syntax.isAt(place + 1, 'conflict')) continue;
    // `case a when b` compares.
    if (text === 'when' && syntax.at(syntax.enclosing(place) + 1) !== 'when') continue;
    const isBetween = text === 'and' && syntax.until(place - 1, new Set(['and'])) !== place;
    if (isBetween) continue;
    starts.add(place + 1);
    // What stands in brackets begins without a word of its own.
    const first = syntax.at(place + 1) === 'not' ? place + 2 : place + 1;
    if (syntax.isAt(first, '(') && !syntax.isAt(first + 1, 'select')) starts.add(first + 1);
  }
  return [...starts].flatMap((from) => {
    const to = syntax.until(from, CONDITION_ENDS);
    const condition = syntax.tokens.slice(from, to);
    return [
      replace('condition becomes true', from, to, '(1 = 1)'),
      replace('condition becomes false', from, to, '(1 = 0)'),
      replace('condition is negated', from, to, 'not (', ...condition, ')'),
    ];
  });
};

const connectives: Rule = (syntax) =>
  syntax.tokens.flatMap(({ text }, place) => {
    if (text === 'or') return [instead(place, 'and')];
    return text === 'and' ? [instead(place, 'or')] : [];
  });

const bounds: Rule = (syntax) =>
  syntax.find('between').flatMap((place) => {
    const and = syntax.until(place + 1, new Set(['and']));
    const lower = syntax.tokens.slice(place + 1, and);
    const end = syntax.until(and + 1, CONDITION_ENDS);
    return [
      replace('has no lower bound', place, and + 1, '<='),
      replace('has no upper bound', place, end, '>=', ...lower),
    ];
  });

const OPERATORS = ['||', '+', '-', '*'];

const operands: Rule = (syntax) =>
  OPERATORS.flatMap((operator) => syntax.find(operator)).flatMap((place) => {
    const from = syntax.valueStart(place);
    const to = syntax.valueEnd(place + 1);
    const isSign = ['-', '<=', '>=', 'between', 'and', '('].includes(syntax.at(place - 1));
    if (isSign) return [without('sign is dropped', place, place + 1)];
    const left = syntax.tokens.slice(from, place);
    const right = syntax.tokens.slice(place + 1, to);
    const operands = syntax.at(place);
    return [
      ...(operands === '-' ? [instead(place, '+')] : []),
      replace(`${operands} only its left side`, from, to, ...left),
      replace(`${operands} only its right side`, from, to, ...right),
      replace(`${operands} other way round`, from, to, ...right, operands, ...left),
    ];
  });

/** What looks like a function, and is none. */
const NO_FUNCTIONS = new Set([
  ...['in', 'values', 'exists', 'and', 'or', 'not', 'where', 'select', 'from', 'as', 'when'],
  ...['then', 'else', 'on', 'materialized', 'timestamptz'],
]);

const calls: Rule = (syntax) =>
  syntax.tokens.flatMap(({ kind, text }, place) => {
    if (kind !== 'word' || !syntax.isAt(place + 1, '(') || NO_FUNCTIONS.has(text)) return [];
    const end = syntax.partner(place + 1);
    return syntax.items(place + 2, end).map(([from, to], index) => {
      const argument = syntax.tokens.slice(from, to);
      const rule = `${text} becomes its argument ${index + 1}`;
      return replace(rule, place, end + 1, '(', ...argument, ')');
    });
  });

const BRANCH_ENDS = new Set(['when', 'else']);

const cases: Rule = (syntax) =>
  syntax.find('case').flatMap((place) => {
    const end = syntax.partner(place);
    const arms: [number, number][] = [];
    for (let at = place + 1; at < end; at = syntax.until(at + 1, BRANCH_ENDS)) {
      const from = syntax.at(at) === 'when' ? syntax.until(at + 1, new Set(['then'])) : at;
      if (from > place + 1 || syntax.isAt(from, 'else')) {
        arms.push([from + 1, syntax.until(from + 1, BRANCH_ENDS)]);
      }
    }
    return arms.map(([from, to], index) =>
      replace(
        `case becomes its arm ${index + 1}`,
        place,
        end + 1,
        '(',
        ...syntax.tokens.slice(from, to),
        ')',
      ),
    );
  });

const unions: Rule = (syntax) =>
  syntax.find('union', 'all').flatMap((place) => {
    let start = place;
    while (start > 0 && !syntax.isAt(start - 1, '(') && !syntax.isAt(start - 1, 'all')) start -= 1;
    while (start > 0 && syntax.until(start, new Set(['union'])) !== place) start -= 1;
    const end = syntax.until(place + 2, new Set(['union']));
    return [
      without('union without its left arm', start, place + 2),
      without('union without its right arm', place, end),
    ];
  });

const AFTER_ORDER = new Set(['limit', 'for', 'offset']);

const orders: Rule = (syntax) =>
  syntax.find('order', 'by').flatMap((place) => {
    const end = syntax.until(place + 2, AFTER_ORDER);
    const terms = syntax.items(place + 2, end);
    const [first, last] = [terms[0], terms.at(-1)] as [[number, number], [number, number]];
    return [
      without('order is dropped', place, end),
      ...terms.map(([, to]) =>
        replace('order is reversed', to - 1, to, ...syntax.tokens.slice(to - 1, to), 'desc'),
      ),
      ...(terms.length > 1
        ? [
            without('order without its first term', first[0], first[1] + 1),
            without('order without its last term', last[0] - 1, last[1]),
          ]
        : []),
    ];
  });

/** What a statement may lack: so many tokens from these on. */
const CLAUSES: [length: number, texts: string[]][] = [
  [6, ['for', 'no', 'key', 'update', 'of']],
  [2, ['no', 'key']],
  [2, ['skip', 'locked']],
  [2, ['offset']],
  [4, ['on', 'conflict', 'do', 'nothing']],
  [2, ['collate']],
];

const clauses: Rule = (syntax) => [
  ...CLAUSES.flatMap(([length, texts]) =>
    syntax.find(...texts).map((place) => {
      const end = place + length;
      // Without the lock, there is nothing to skip.
      const isSkipping = texts[0] === 'for' && syntax.isAt(end, 'skip', 'locked');
      return without(`${texts.join(' ')} is dropped`, place, isSkipping ? end + 2 : end);
    }),
  ),
  ...syntax
    .find('limit')
    .map((place) => without('limit is dropped', place, syntax.valueEnd(place + 1))),
];

const casts: Rule = (syntax) =>
  syntax.find('::').map((place) => without('cast is dropped', place, syntax.typeEnd(place + 1)));

const ASSIGNMENTS_END = new Set(['where', 'from']);

const assignments: Rule = (syntax) =>
  syntax.find('set').flatMap((place) => {
    const items = syntax.items(place + 1, syntax.until(place + 1, ASSIGNMENTS_END));
    if (items.length === 1) return [];
    return items.map(([from, to], index) =>
      index === 0
        ? without('assignment is dropped', from, to + 1)
        : without('assignment is dropped', from - 1, to),
    );
  });

const subqueries: Rule = (syntax) =>
  syntax
    .find('(', 'select')
    .map((place) => replace('subquery becomes null', place, syntax.partner(place) + 1, '(null)'));

const ALL_COLUMNS: Column[] = TABLE_NAMES.flatMap((table) => COLUMNS[table]);
const ITEMS: Record<string, string> = {
  '#id': 'status',
  '#error': 'error',
  '#statuses': '#fields',
  '#fields': '#statuses',
  user_id: 'id',
};

/** Another column of the same type. */
function neighbour(name: string, table: string): string | undefined {
  if (ITEMS[name]) return ITEMS[name];
  const columns = [...(COLUMNS[table as 'runs'] ?? []), RUN_ID, ...ALL_COLUMNS];
  const place = columns.findIndex((column) => column.name === name);
  const { type } = columns[place] ?? {};
  const others = [...columns.slice(place + 1), ...columns];
  return others.find((column) => column.type === type && column.name !== name)?.name;
}

const names: Rule = (syntax, table) =>
  syntax.tokens.flatMap(({ kind, text }, place) => {
    if (kind !== 'name') return [];
    const name = text.slice(1, -1);
    const index = TABLE_NAMES.indexOf(withoutPrefix(name) as 'runs');
    const other =
      index >= 0
        ? name.replace(TABLE_NAMES[index] as string, TABLE_NAMES[(index + 1) % 4] as string)
        : neighbour(name, table);
    return other
      ? [replace(`becomes ${withoutPrefix(other)}`, place, place + 1, `"${other}"`)]
      : [];
  });

/** Columns of an insert that take each other's place. */
const exchanges: Rule = (syntax, table) => {
  if (!syntax.isAt(0, 'insert')) return [];
  const open = syntax.find('(')[0] as number;
  const items = syntax.items(open + 1, syntax.partner(open)).map(([place]) => place);
  return items.slice(0, -1).map((place) => {
    const name = syntax.at(place).slice(1, -1);
    const wanted = neighbour(name, table);
    const other =
      items.find((each) => each > place && syntax.at(each) === `"${wanted}"`) ?? place + 2;
    const between = syntax.tokens.slice(place + 1, other);
    const [first, second] = [syntax.tokens[place], syntax.tokens[other]] as [Token, Token];
    return replace('changes places', place, other + 1, second, ...between, first);
  });
};

const MEMBERS = ['key', 'value', 'type'];

/** Columns of functions, and the rows that columns are of. */
const members: Rule = (syntax) => {
  const dots = syntax.find('.');
  const aliases = [...new Set(dots.map((dot) => syntax.at(dot - 1)))];
  return dots.flatMap((dot) => [
    ...(MEMBERS.includes(syntax.at(dot + 1))
      ? MEMBERS.filter((member) => member !== syntax.at(dot + 1)).map((member) =>
          instead(dot + 1, member),
        )
      : []),
    ...aliases
      .filter((alias) => alias !== syntax.at(dot - 1))
      .map((alias) => instead(dot - 1, alias)),
  ]);
};

const RULES: Rule[] = [
  ...[words, conditions, connectives, bounds, operands, calls, cases, unions, orders, clauses],
  ...[casts, assignments, subqueries, names, exchanges, members],
];
