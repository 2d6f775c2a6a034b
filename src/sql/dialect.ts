import type { ColumnType } from './tables.js';

/** A statement, and the values that are bound in it, in order. */
export interface Statement {
  text: string;
  values: unknown[];
}

/** A row as a driver gives it. */
export type SqlRow = Record<string, unknown>;

/** In what the databases differ, where a statement is otherwise the same. */
export interface Dialect {
  /** The placeholder of the value at a position, from 1. */
  placeholder(position: number, type: ColumnType): string;
  /** A time as it is bound. */
  bindTime(milliseconds: number): unknown;
  /** A column as every driver gives it alike: times and integers as numbers, JSON as text. */
  read(column: string, type: ColumnType): string;
  /** The stored output with the members of another laid over it. */
  merged(output: string): string;
  /** The stored output with numbers added to its members. */
  incremented(counts: string): string;
  /** The elements of a JSON list of texts, as rows. */
  elements(list: string): string;
  /** That a column holds a text, said so that its index helps whatever the text's length. */
  isText(column: string, text: string, bind: (text: string) => string): string;
  /** Whether a query must repeat the condition of a partial index, word for word, to be served by it. */
  repeatsConditions: boolean;
  /** The milliseconds from a column's time until another, none below 0. */
  duration(since: string, until: string): string;
  /** The rows of several conditions in the order of a list: merged from an index each, never sorted. */
  union(arms: string[], order: string, bindLimit: () => string): string;
}

/** Writes down the values of a statement while its text is made. */
export class Parameters {
  readonly values: unknown[] = [];
  readonly #dialect: Dialect;

  constructor(dialect: Dialect) {
    this.#dialect = dialect;
  }

  /** Binds a value, and gives the placeholder that stands for it. */
  bind(value: unknown, type: ColumnType = 'text'): string {
    this.values.push(value);
    return this.#dialect.placeholder(this.values.length, type);
  }

  bindTime(time: Date | number): string {
    return this.bind(this.#dialect.bindTime(Number(time)), 'time');
  }
}
