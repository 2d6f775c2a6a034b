import { mergeOutputIncrements } from '../helpers.js';
import { sizeOf, type Write } from './writes.js';

/** A write that waits for its turn, or is on its way. */
export interface Entry {
  /** Which record it is of; empty for one that does not wait. */
  key: string;
  write: Write;
  outcome?: Outcome;
}

/** What became of a write: whether a row matched, or why it was not stored. */
type Outcome = { isMatch: boolean } | { error: unknown };

/** How a database takes writes. */
export interface Transport {
  /** How many writes go together at most, and how many characters of text. */
  maxWrites: number;
  maxSize: number;
  /** Sends writes, of different records, and gives each its outcome. */
  send(entries: Entry[]): Promise<void>;
}

/**
 * Writes, of which those that are issued while others are on their way go together
 * next. One that finds nothing on its way goes out at once.
 *
 * Whoever is next in line sends for all: a caller that waits for it. On Workers a
 * promise belongs to the request that made it, and nobody else would see it through.
 */
export class GroupCommit {
  readonly #transport: Transport;
  #queue: Entry[] = [];
  /** The last that waits for each record. */
  readonly #last = new Map<string, Entry>();
  #flight: Promise<void> | undefined;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Resolves when the write is stored, to whether a row matched. */
  async write(write: Write): Promise<boolean> {
    const isAlone = !this.#flight && this.#queue.length === 0;
    const entry: Entry = isAlone ? { key: '', write } : this.#enqueue(write);
    if (isAlone) this.#flight = this.#send([entry]);
    while (!entry.outcome) {
      this.#flight ??= this.#send(this.#take());
      await this.#flight;
    }
    if ('error' in entry.outcome) throw entry.outcome.error;
    return entry.outcome.isMatch;
  }

  #enqueue(write: Write): Entry {
    const key = `${write.table} ${write.id}`;
    const last = this.#last.get(key);
    if (last?.write.counts && write.counts) {
      last.write = addCounts(last.write, write);
      return last;
    }
    const entry: Entry = { key, write };
    this.#queue.push(entry);
    this.#last.set(key, entry);
    return entry;
  }

  async #send(entries: Entry[]): Promise<void> {
    try {
      await this.#transport.send(entries);
    } catch (error) {
      for (const entry of entries) entry.outcome ??= { error };
    }
    this.#flight = undefined;
  }

  /** Takes the first that wait: of each record one, so that its writes keep their order. */
  #take(): Entry[] {
    const { maxWrites, maxSize } = this.#transport;
    const taken = new Map<string, Entry>();
    const left: Entry[] = [];
    let size = 0;
    let index = 0;
    for (; index < this.#queue.length && taken.size < maxWrites; index += 1) {
      const entry = this.#queue[index] as Entry;
      const { key } = entry;
      if (taken.has(key)) {
        left.push(entry);
        continue;
      }
      size += sizeOf(entry.write);
      if (size > maxSize && taken.size > 0) break;
      taken.set(key, entry);
      if (this.#last.get(key) === entry) this.#last.delete(key);
    }
    this.#queue = [...left, ...this.#queue.slice(index)];
    return [...taken.values()];
  }
}

/** One increment in place of two that wait for the same run; the time is that of the later one. */
function addCounts(first: Write, { counts, values }: Write): Write {
  const sums = mergeOutputIncrements(first.counts, counts as Record<string, number>) as Record<
    string,
    number
  >;
  return { ...first, counts: sums, values: [JSON.stringify(sums), values[1]] };
}

/** How to send several writes as one, and one by itself. */
export interface Sending {
  /** Resolves to the outcome of each; undefined for one that must be sent by itself to know. */
  together(writes: Write[]): Promise<(boolean | undefined)[]>;
  alone(write: Write): Promise<boolean>;
  /** Whether the database has refused what it was sent: none of it was stored, and parts of it may be. */
  isRefusal(error: unknown): boolean;
}

/**
 * Sends writes together. Where the database refuses them they are sent again in
 * halves, until the one that it refuses stands alone and gets its error. After any
 * other failure nothing is sent again: it may have been stored.
 */
export async function sendTogether(entries: Entry[], sending: Sending): Promise<void> {
  if (entries.length === 1) return sendAlone(entries[0] as Entry, sending);
  let matches: (boolean | undefined)[];
  try {
    matches = await sending.together(entries.map(({ write }) => write));
  } catch (error) {
    if (sending.isRefusal(error)) {
      const middle = Math.ceil(entries.length / 2);
      await sendTogether(entries.slice(0, middle), sending);
      await sendTogether(entries.slice(middle), sending);
    } else {
      for (const entry of entries) entry.outcome = { error };
    }
    return;
  }
  for (const [index, entry] of entries.entries()) {
    const isMatch = matches[index];
    if (isMatch === undefined) await sendAlone(entry, sending);
    else entry.outcome = { isMatch };
  }
}

async function sendAlone(entry: Entry, { alone }: Sending): Promise<void> {
  try {
    entry.outcome = { isMatch: await alone(entry.write) };
  } catch (error) {
    entry.outcome = { error };
  }
}
