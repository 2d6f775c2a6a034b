import type { Language } from './tokens.js';

/** Mutants that do the same as the original: which these are, and why. */
export interface Equivalent {
  reason: string;
  mutants: RegExp;
}

const SWEEPS: Equivalent[] = [
  {
    reason: 'Which of those that are as old as each other comes first is not said.',
    mutants:
      /^sweep.*: (order is reversed|order without its last term|becomes \w+) \| , t \. «?"id"|^sweep.*: order without its last term \| «,» t \. "id"/,
  },
  { reason: '`exists` does not look at what is selected.', mutants: /: becomes 0 \| select «1»/ },
];

export const EQUIVALENT: Record<Language, Equivalent[]> = {
  sqlite: [
    ...SWEEPS,
    {
      reason: 'The index that serves the query is in this order.',
      mutants: /^sweep.*: order is dropped/,
    },
    {
      reason: 'Repeated for the sake of an index: what is running has not completed.',
      mutants:
        /^sweep of runs: (condition becomes true \| and «t» \. "status" <> 'completed'|becomes 'mutant' \| and t \. "status" <> «'completed'»)/,
    },
    {
      reason: 'The step is of the same owner as the call.',
      mutants: /^sweep of run_calls: becomes t \| and k \. "user_id" = «s»/,
    },
    {
      reason: 'A sum is the same in another order.',
      mutants: /: \+ other way round \| , «i» \. value/,
    },
    {
      reason:
        'This SQLite writes all digits of a number by itself; older ones write fifteen. Only in the text, 5 and 5.0 differ.',
      mutants:
        /(becomes 'mutant' \| when «'real'»|case becomes its arm \d \| «case» typeof|printf becomes its argument 2|typeof becomes its argument 1)/,
    },
  ],
  postgres: [
    ...SWEEPS,
    {
      reason:
        'Postgres takes the type of a bound value from where it stands, and pg sends each as text. Other clients would encode it as what it seems to be.',
      mutants: /: cast is dropped \| .*\? «::» (text|bigint)/,
    },
    {
      reason: 'It is text already.',
      mutants: /: cast is dropped \| .*(->> # \)|\? :: text \)) «::» text/,
    },
    {
      reason: 'Only whether there is a row is looked at.',
      mutants: / alone: becomes \w+ \| returning «"id"»/,
    },
    {
      reason: 'Times are bound with three digits of a second.',
      mutants: /: grows by 1 \| .*timestamptz \( «3» \)/,
    },
    {
      reason: 'Sums and products are the same in another order.',
      mutants: /: [+*] other way round/,
    },
    {
      reason: 'It is there for the plan alone.',
      mutants: / together: offset is dropped/,
    },
    {
      reason: 'A query that locks rows is never made part of another.',
      mutants: /: becomes not materialized/,
    },
    {
      reason: 'Nothing points to a call, and so nobody locks its key.',
      mutants:
        /^update together: no key is dropped .*"run_calls" t$|^sweep of all: no key is dropped .* #4$/,
    },
    {
      reason: 'It is there to lock no more steps than those that are asked for.',
      mutants: /^sweep of all: condition becomes true \| and «t» \. "id" in \($/,
    },
    {
      reason: 'The step is of the same owner as the call.',
      mutants: /^sweep of all: becomes t \| and k \. "user_id" = «s»/,
    },
    {
      reason: 'Times differ by whole milliseconds.',
      mutants: /^sweep of all: round becomes its argument 1/,
    },
    {
      reason: 'Every call has a time at which it was created.',
      mutants:
        /^sweep of all: (condition becomes true \| when «"created_at"»|case becomes its arm 1 \| «case» #3)/,
    },
    {
      reason: 'The columns of a union are named by its first part.',
      mutants: /^sweep of all: becomes \w+ \| , "id" as «"id"» #[23]/,
    },
    {
      reason:
        'Texts that are the same are so in every collation: an index may not be used without.',
      mutants: /: collate is dropped/,
    },
    {
      reason: 'Where it is asked of, that is no SQL.',
      mutants:
        /^update together: cast is dropped \| .* «::» (boolean as "#merge"|jsonb as "#fields")/,
    },
    {
      reason: 'Writes that differ in their fields, of which alone it is asked, do not share it.',
      mutants: /^update together: becomes null \| , \( «\?» :: text \) :: jsonb as "#fields"/,
    },
    {
      reason: 'Only outputs of runs are merged, and runs have no such column.',
      mutants: /^update together: becomes (metadata|context) \| (then coalesce|, '\{\}' \) \|\| w)/,
    },
  ],
};
