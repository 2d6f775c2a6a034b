import type { StepLink } from '../../../src/index.js';
import type { Row, RowConditions, RowFields } from '../../../src/rows.js';

export type LedgerTable = 'run' | 'step' | 'call' | 'link';

/** What a tracker has asked its store for, and what became of it. */
export interface Entry {
  kind: 'insert' | 'update' | 'increment' | 'read';
  table: LedgerTable;
  id: string;
  /** The record of an insert, the fields of an update, what an increment adds: as they were then. */
  given: Partial<Row> & RowFields;
  conditions?: RowConditions;
  /** The moments when it was asked and when it was answered, on one counter. */
  askedAt: number;
  answeredAt: number;
  /** What the store resolved to. */
  answer?: unknown;
  /** What the tracker was given when the store rejected: an error of this entry's own. */
  rejection?: Rejection;
}

/** The rejection of one entry: no other has the same, as several writes of one statement would. */
export class Rejection extends Error {
  readonly entry: Entry;
  readonly fate: Fate;

  constructor(entry: Entry, cause: unknown) {
    super(`${entry.kind} ${entry.table} "${entry.id}": ${cause}`, { cause });
    this.entry = entry;
    this.fate = fateOf(cause);
  }
}

/** What a rejection says of the write: that it cannot be stored, or nothing. */
export type Fate = 'refused' | 'exists' | 'unsent' | 'unknown';

function fateOf(cause: unknown): Fate {
  const { code } = cause as { code?: string };
  // No connection was made, or Postgres did not let anybody in.
  if (code === 'ECONNREFUSED' || code === '57P03') return 'unsent';
  if (code === '23505') return 'exists';
  return /^2[1-3]/.test(code ?? '') ? 'refused' : 'unknown';
}

export function keyOf(table: LedgerTable, id: string): string {
  return `${table} ${id}`;
}

const METHOD = /^(insert|get|update|increment)(Run|StepLink|Step|Call)/;

/** Writes down everything that trackers ask their stores for. */
export class Ledger {
  readonly entries: Entry[] = [];
  /** The same by the record that they are about, as {@link keyOf} names it. */
  readonly records = new Map<string, Entry[]>();
  /** Hears of every write before it is made. */
  onWrite: () => void = () => {};
  #moment = 0;

  /** A store that asks another one, and writes it down. */
  around<S extends object>(store: S): S {
    return new Proxy(store, {
      get: (target, name) => {
        const value = Reflect.get(target, name, target);
        if (typeof value !== 'function') return value;
        const [, verb, table] = METHOD.exec(String(name)) ?? [];
        if (!verb || !table) return value.bind(target);
        return (...args: unknown[]) =>
          this.#enter(verb, table, args, () => value.apply(target, args));
      },
    });
  }

  async #enter(
    verb: string,
    table: string,
    args: unknown[],
    ask: () => Promise<unknown>,
  ): Promise<unknown> {
    const isInsert = verb === 'insert';
    const given = structuredClone(isInsert ? args[0] : args[1]) as Entry['given'];
    const entry: Entry = {
      kind: verb === 'get' ? 'read' : (verb as Entry['kind']),
      table: table === 'StepLink' ? 'link' : (table.toLowerCase() as LedgerTable),
      id: isInsert ? (args[0] as StepLink).id : (args[0] as string),
      given: verb === 'increment' ? { counts: given, updatedAt: args[2] } : given,
      askedAt: this.#tick(),
      answeredAt: Infinity,
    };
    if (verb === 'update' && args[2]) entry.conditions = args[2] as RowConditions;
    this.entries.push(entry);
    const key = keyOf(entry.table, entry.id);
    const history = this.records.get(key) ?? [];
    history.push(entry);
    this.records.set(key, history);
    if (entry.kind !== 'read') this.onWrite();
    try {
      entry.answer = await ask();
      return entry.answer;
    } catch (error) {
      entry.rejection = new Rejection(entry, error);
      throw entry.rejection;
    } finally {
      entry.answeredAt = this.#tick();
    }
  }

  /** Whether the store has said that it has a record; with a status, that it got that. */
  isStored(table: LedgerTable, id: string, status?: string): boolean {
    const history = this.records.get(keyOf(table, id)) ?? [];
    return history.some(
      ({ kind, given, answer, answeredAt, rejection }) =>
        answeredAt < Infinity &&
        !rejection &&
        (kind === 'insert' || answer === true) &&
        (status ? given.status === status : kind === 'insert'),
    );
  }

  #tick(): number {
    this.#moment += 1;
    return this.#moment;
  }
}
