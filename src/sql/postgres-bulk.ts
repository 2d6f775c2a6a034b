import { Parameters, type Statement } from './dialect.js';
import type { Names } from './options.js';
import { incremented, merged, postgres, typeOf } from './postgres-dialect.js';
import { type Column, isBelowStep, RUN_ID } from './tables.js';
import { owned, ownedAlike, quoted, type Write } from './writes.js';

/*
 * Several writes of one kind to one table, as one statement. Their rows are bound as
 * one JSON text, so that no number of rows reaches the limit of parameters: a list
 * each, which Postgres reads faster than objects.
 */

/** Something that a write binds, and what it is called in the statement. */
interface Item {
  name: string;
  type: string;
  of: (write: Write) => unknown;
}

function itemOf(column: Column): Item {
  return {
    name: column.name,
    type: typeOf(column),
    of: ({ columns, values }) => values[columns.indexOf(column)],
  };
}

const ID: Item = { name: '#id', type: 'text collate "C"', of: ({ id }) => id };
const CONDITIONS: Item[] = [
  { name: '#statuses', type: 'jsonb', of: ({ conditions }) => JSON.stringify(conditions.ifStatus) },
  { name: '#error', type: 'text', of: ({ conditions }) => conditions.ifError },
  { name: '#merge', type: 'boolean', of: ({ conditions }) => conditions.mergeOutput },
  {
    name: '#fields',
    type: 'jsonb',
    of: ({ columns }) => JSON.stringify(columns.map(({ name }) => name)),
  },
];

/**
 * Inserts rows, all but those whose id exists; gives the ids of those it inserted.
 *
 * @param writes of one table, with different ids
 */
export function insertTogether(names: Names, writes: Write[]): Statement {
  const { table, columns } = writes[0] as Write;
  const parameters = new Parameters(postgres);
  const rows = bindRows(parameters, writes, columns.map(itemOf));
  const into = names.owner.map(([column]) => `"${column}"`);
  const values = names.owner.map(([, value]) => `${parameters.bind(value)}::text`);
  for (const column of columns) {
    into.push(quoted(column));
    values.push(`x.${quoted(column)}`);
  }
  if (isBelowStep(table)) {
    into.push(quoted(RUN_ID));
    const step = `${owned(names, parameters, 's.')}s."id" = x."step_id"`;
    values.push(`(select s."run_id" from ${names.table('run_steps')} s where ${step})`);
  }
  // In the order of their ids, so that two statements never wait for each other's rows.
  const text =
    `insert into ${names.table(table)} (${into.join(', ')}) select ${values.join(', ')}` +
    ` from (${rows}) x order by x."id" on conflict do nothing returning "id" as "id"`;
  return { text, values: parameters.values };
}

/**
 * Updates rows, each with its own fields and conditions; gives the ids of those that matched.
 *
 * @param writes of one table, with different ids
 */
export function updateTogether(names: Names, writes: Write[]): Statement {
  const columns = [...new Set(writes.flatMap((write) => write.columns))];
  const isWrittenByAll = (column: Column) =>
    writes.every((write) => write.columns.includes(column));
  const sets = columns.map((column) => {
    const name = quoted(column);
    let value = `w.${name}`;
    if (column.field === 'output') {
      value = `case when w."#merge" then ${merged('t."output"', value)} else ${value} end`;
    }
    if (!isWrittenByAll(column)) {
      value = `case when w."#fields" ? '${column.name}' then ${value} else t.${name} end`;
    }
    return `${name} = ${value}`;
  });
  const condition =
    ` and (w."#statuses" is null or w."#statuses" ? t."status")` +
    ` and (w."#error" is null or t."error" = w."#error")`;
  const items = [...columns.map(itemOf), ...CONDITIONS];
  return update(names, writes, items, sets.join(', ') || '"id" = t."id"', condition);
}

/**
 * Adds to the outputs of runs; gives the ids of those that are there.
 *
 * @param writes of different runs
 */
export function incrementTogether(names: Names, writes: Write[]): Statement {
  const { columns } = writes[0] as Write;
  const set = `"output" = ${incremented('t."output"', 'w."output"')}, "updated_at" = w."updated_at"`;
  return update(names, writes, columns.map(itemOf), set, '');
}

function update(
  names: Names,
  writes: Write[],
  items: Item[],
  set: string,
  condition: string,
): Statement {
  const [first] = writes as [Write];
  const name = names.table(first.table);
  const parameters = new Parameters(postgres);
  // Each an item like the others: if the planner knew that an owner or a status is rare, it
  // would rather compare each row with every other than look it up.
  const owner = names.owner.map(
    ([column, value]): Item => ({ name: column, type: 'text', of: () => value }),
  );
  // `offset 0` keeps the planner from looking into it.
  const wanted = `${bindRows(parameters, writes, [ID, ...owner, ...items])} offset 0`;
  // Locked in the order of their ids, so that two statements never wait for each other.
  const locked =
    `select x.* from (${wanted}) x join ${name} t on ${ownedAlike(names, 't.', 'x.')}t."id" = x."#id"` +
    ` order by t."id" for no key update of t`;
  // Gives back the id that was asked for: an update may have changed that of the row.
  const text =
    `with w as materialized (${locked}) update ${name} t set ${set} from w` +
    ` where ${ownedAlike(names, 't.', 'w.')}t."id" = w."#id"${condition} returning w."#id" as "id"`;
  return { text, values: parameters.values };
}

/** Binds rows, and gives the query that reads them. What is the same in all is bound once. */
function bindRows(parameters: Parameters, writes: Write[], items: Item[]): string {
  const selected: string[] = [];
  const varying: Item[] = [];
  for (const item of items) {
    const { name, type, of } = item;
    const value = of(writes[0] as Write) ?? null;
    let text = `e.value ->> ${varying.length}`;
    if (writes.every((write) => (of(write) ?? null) === value)) {
      text = `${parameters.bind(value === null ? null : String(value))}::text`;
    } else varying.push(item);
    selected.push(`(${text})::${type} as "${name}"`);
  }
  const rows = writes.map((write) => varying.map(({ of }) => of(write)));
  const list = `${parameters.bind(JSON.stringify(rows))}::text::jsonb`;
  return `select ${selected.join(', ')} from jsonb_array_elements(${list}) e`;
}
