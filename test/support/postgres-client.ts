import type { PostgresClient } from '../../src/sql/postgres.js';

/** A statement as a client is asked it; with a name when it is a prepared one. */
export interface Sent {
  name?: string;
  text: string;
  values: unknown[];
}

type Answer = Awaited<ReturnType<PostgresClient['query']>>;

/**
 * The same pool or client, which writes down what it is asked, with `around` in the
 * place of every query; it may call through, or not.
 */
export function watched<C extends PostgresClient>(
  client: C,
  around: (sent: Sent, proceed: () => Promise<Answer>) => Promise<Answer> = (_, proceed) =>
    proceed(),
): { client: C; sent: Sent[] } {
  const sent: Sent[] = [];
  const query: PostgresClient['query'] = (first, values) => {
    const statement = typeof first === 'string' ? { text: first, values } : (first as Sent);
    sent.push(statement);
    return around(statement, () => client.query(first, values));
  };
  const get = (target: C, key: string | symbol) =>
    key === 'query' ? query : Reflect.get(target, key);
  return { client: new Proxy(client, { get }), sent };
}

/** What a statement writes: `insert runs` is one by itself, `insert runs × 3` are three together. */
export function shapeOf({ text, values }: Sent): string {
  const [, table] = /(?:insert into|update) "(\w+)"/.exec(text) ?? [];
  const change = text.includes('jsonb_each_text') ? 'increment' : 'update';
  const shape = `${text.startsWith('insert') ? 'insert' : change} ${table}`;
  const rows = values.map(parseRows).find((each) => each !== undefined);
  return rows ? `${shape} × ${rows.length}` : shape;
}

/** The rows that are bound as one JSON text, if this is one. */
function parseRows(value: unknown): object[] | undefined {
  if (typeof value !== 'string' || !/^\[[[{]/.test(value)) return undefined;
  const rows: unknown[] = JSON.parse(value);
  return rows.every((row): row is object => typeof row === 'object') ? rows : undefined;
}

/** What became of writes: how many were stored, and the errors of the others. */
export async function outcomesOf(
  writes: Promise<unknown>[],
): Promise<{ stored: number; errors: unknown[] }> {
  const results = await Promise.allSettled(writes);
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  return { stored: results.length - errors.length, errors };
}

/** So many of something, made of their numbers from 0. */
export function several<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}
