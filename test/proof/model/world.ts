import type { DeleteRunsOptions } from '../../../src/deletion.js';
import {
  RunsError,
  RunTracker,
  type RunTrackerOptions,
  type StepLinkStore,
} from '../../../src/index.js';
import { IDS } from './arbitrary-values.js';
import { toCode, valuesOf } from './code.js';
import { listed } from './lists.js';
import { type Abilities, Model } from './model.js';
import type { Call, Delete, List, Operation } from './operations.js';
import { likelyOrders, ordersOf, touchedBy } from './orders.js';
import { apply, isAlike, type Outcome, outcomeOf, resultOf, told } from './outcomes.js';
import { allPages, expectedOf, readingCode, readingOf, type Store } from './readings.js';
import { deleteRuns, isLimitVague } from './sweep.js';
import { type Opening, Trace } from './trace.js';
import { PieceOfWork } from './work.js';

/** A store that is to do what the model says. */
export interface Subject {
  name: string;
  abilities: Abilities;
  /** Whether to ask it costs much: then what it holds is looked at in the end, and where operations compete. */
  isFar?: boolean;
  /** @default RunTracker */
  Tracker?: typeof RunTracker;
  /** How many rows there are in all tables, where the database can be asked. */
  count?(): Promise<number>;
  /** Resolves to a store with nothing in it. */
  open(): Promise<Store>;
  opening: Opening;
}

/** What a store or a tracker did, and should not have. */
export class Mismatch extends Error {
  override name = 'Mismatch';
}

interface Asked {
  method: string;
  args: unknown[];
  via: 0 | 1;
}

type Method = (...args: unknown[]) => Promise<unknown>;

/** A store and its trackers beside the model: does operations on both sides, and compares. */
export class World {
  readonly model: Model;
  readonly trace: Trace = new Trace();
  /** What was done, without what was done within; and how many operations that were in all. */
  readonly operations: Operation[] = [];
  count = 0;
  /** The id that was generated last. */
  lastId = 'g0';
  readonly #subject: Subject;
  readonly #store: Store;
  readonly #trackers: RunTracker[];
  readonly #reports: string[] = [];
  #mismatch: Mismatch | undefined;

  constructor(store: Store, subject: Subject) {
    const { abilities, Tracker = RunTracker } = subject;
    this.#store = store;
    this.#subject = subject;
    this.model = new Model(abilities);
    const options: RunTrackerOptions = {
      store,
      linkStore: abilities.links ? (store as Store & StepLinkStore) : undefined,
      now: () => this.model.at(),
      generateId: () => {
        this.lastId = `g${Number(this.lastId.slice(1)) + 1}`;
        return this.lastId;
      },
      onTrackingError: (error, { operation, record, id, work }) => {
        const why = error instanceof RunsError ? error.code : 'error';
        this.#reports.push([operation, record, id, work, why].join(' '));
      },
    };
    this.#trackers = [new Tracker(options)];
    // With a healthy store, best effort is no other.
    if (abilities.isShared) this.#trackers.push(new Tracker({ ...options, bestEffort: true }));
  }

  /** Does an operation on both sides. @throws {Mismatch} when they differ */
  async perform(operation: Operation, isWithin = false): Promise<void> {
    this.rethrow();
    if (!isWithin) this.operations.push(operation);
    this.count += 1;
    this.model.touched.clear();
    await this.#perform(operation);
    await this.compareTouched();
    this.#compareReports();
  }

  async #perform(operation: Operation): Promise<void> {
    if (operation.do === 'call') return this.#call(operation);
    if (operation.do === 'execute') return new PieceOfWork(this, operation).perform();
    if (operation.do === 'list') return this.#list(operation);
    if (operation.do === 'delete') return this.#delete(operation);
    if (operation.do === 'together') {
      const { calls } = operation;
      const outcomes = await Promise.all(calls.map((call) => this.ask(call)));
      return this.explain(this.togetherCode(calls), calls, outcomes);
    }
    this.model.now += operation.ms;
    this.trace.write(`clock.at += ${operation.ms};`);
  }

  async #call(call: Call): Promise<void> {
    const clear = { ...call, args: this.#clear(call.args) };
    const actual = await this.ask(clear);
    const expected = apply(this.model, clear, actual);
    this.#compare(this.codeOf(clear), expected, actual);
  }

  /** Leaves out a limit that does not say which records are meant. */
  #clear(args: unknown[]): unknown[] {
    const [options] = args as [{ limit?: number }];
    const vague = resultOf(() => options?.limit && isLimitVague(this.model, options as never));
    return 'value' in vague && vague.value ? [{ ...options, limit: undefined }] : args;
  }

  #compare(code: string, expected: Outcome, actual: Outcome): void {
    const isSame = isAlike(expected, actual);
    // Of what has no order, the test expects the order that there was.
    this.trace.expect(code, isSame ? actual : expected);
    if (!isSame) this.fail(`${code} comes to ${told(actual)} instead of ${told(expected)}`);
  }

  /** A method of one of the trackers. */
  method({ method, via }: Asked): Method {
    const tracker = this.#trackers[via] ?? this.#trackers[0];
    return (tracker as unknown as Record<string, Method>)[method]?.bind(tracker) as Method;
  }

  codeOf({ method, args, via }: Asked): string {
    const tracker = via && this.#trackers[via] ? 'other' : 'tracker';
    return `${tracker}.${method}(${args.map(toCode).join(', ')})`;
  }

  ask(call: Call): Promise<Outcome> {
    return outcomeOf(() => this.method(call)(...valuesOf(call.args)));
  }

  togetherCode(calls: Call[]): string {
    return `told([${calls.map((call) => this.codeOf(call)).join(', ')}])`;
  }

  /**
   * Finds the order of operations at once that explains what came of them, and what is stored.
   *
   * @param also what happened at the same time
   */
  async explain(
    code: string,
    calls: Call[],
    outcomes: Outcome[],
    also?: (model: Model) => unknown,
  ): Promise<void> {
    const competitors = calls.map((call, index) => {
      const actual = outcomes[index] as Outcome;
      return { actual, apply: (model: Model) => apply(model, call, actual) };
    });
    const nothing = { value: undefined };
    if (also)
      competitors.push({ actual: nothing, apply: (model) => resultOf(() => void also(model)) });
    const orders = ordersOf(this.model, competitors);
    const wordsOf = (each: Outcome[]) => each.slice(0, calls.length).map(told);
    const likely = likelyOrders(orders, competitors);
    const names = touchedBy(likely, this.#subject.isFar === true);
    const found = toCode([await this.#read(names), this.#reports.toSorted()]);
    const stateOf = (model: Model, some: string[]) =>
      [some.map((name) => expectedOf(model, name)), model.reports.toSorted()] as const;
    const match = likely.find(({ model }) => toCode(stateOf(model, names)) === found);
    if (match) {
      this.trace.write(`expect(await ${code}).toEqual(${toCode(wordsOf(outcomes))});`);
      Object.assign(this.model, match.model);
      return;
    }
    const all = touchedBy(orders, false);
    const expected = orders.map((order) => [wordsOf(order.outcomes), ...stateOf(order.model, all)]);
    const read = `[${all.map(readingCode).join(', ')}]`;
    const actual = `[await ${code}, ${read}, reports.toSorted()]`;
    const options = [...new Set(expected.map(toCode))].join(', ');
    this.trace.write(`expect([${options}]).toContainEqual(${actual});`);
    this.fail(`${code}: no order of them explains ${toCode(wordsOf(outcomes))} and ${found}`);
  }

  async #list({ list, runId, query }: List, isQuiet = false): Promise<void> {
    if (!this.#store.listRuns) return;
    const expected = resultOf(() => listed(this.model, list, runId, query));
    const actual = await outcomeOf(() => allPages(this.#store, { list, runId, query }));
    if (isQuiet && isAlike(expected, actual)) return;
    const args = [...(list === 'listRuns' ? [] : [toCode(runId)])].join('');
    const asked = toCode(query).slice(1, -1).trim();
    const cursor = 'cursor' in query ? '' : 'cursor';
    const members = [asked, cursor].filter((each) => each !== '').join(', ');
    const page = `store.${list}(${args}${args && ', '}{ ${members} })`;
    this.#compare(cursor ? `allOf((cursor) => ${page})` : page, expected, actual);
  }

  async #delete({ options: given }: Delete): Promise<void> {
    const store = this.#store;
    if (!store.deleteRuns) return;
    const [options] = this.#clear([given]) as [DeleteRunsOptions];
    for (const [kind, records] of Object.entries(this.model.records)) {
      for (const id of records.keys()) this.model.touched.add(`${kind} ${id}`);
    }
    const actual = await outcomeOf(async () => store.deleteRuns?.(options));
    const expected = resultOf(() => deleteRuns(this.model, options));
    this.#compare(`store.deleteRuns(${toCode(options)})`, expected, actual);
  }

  /** Compares everything that the store holds. */
  async compareAll(): Promise<void> {
    const { count } = this.#subject;
    this.model.touched.clear();
    if (count && (await this.#compareLists(await count()))) return;
    const generated = Array.from(
      { length: Number(this.lastId.slice(1)) },
      (_, index) => `g${index + 1}`,
    );
    for (const kind of ['run', 'step', 'call'] as const) {
      for (const id of [...IDS[kind], ...generated]) this.model.touched.add(`${kind} ${id}`);
    }
    for (const id of [...IDS.step, ...generated]) this.model.touched.add(`link ${id}`);
    await this.#compareRecords([...this.model.touched]);
    if (count) this.fail('There are records that were never made');
  }

  /** Compares the lists in which there should be something; tells whether there is nothing else. */
  async #compareLists(count: number): Promise<boolean> {
    const readings: [list: List['list'], runId: string | null][] = [['listRuns', null]];
    for (const runId of [null, ...this.model.records.run.keys()]) {
      readings.push(['listSteps', runId], ['listCalls', runId], ['listLinks', runId]);
    }
    const sizes = readings.map(([list, runId]) => listed(this.model, list, runId, {}).length);
    const filled = readings.filter((_, index) => sizes[index]);
    await Promise.all(
      filled.map(([list, runId]) => this.#list({ do: 'list', list, runId, query: {} }, true)),
    );
    return count === sizes.reduce((sum, size) => sum + size, 0);
  }

  /** Compares what was touched, where that costs little. */
  async compareTouched(): Promise<void> {
    this.rethrow();
    if (!this.#subject.isFar) await this.#compareRecords([...this.model.touched]);
  }

  async #compareRecords(names: string[]): Promise<void> {
    const found = await this.#read(names);
    names.forEach((name, index) => {
      const expected = toCode(expectedOf(this.model, name));
      const actual = toCode(found[index]);
      if (actual === expected) return;
      this.trace.write(`expect(${readingCode(name)}).toEqual(${expected});`);
      this.fail(`${name} is ${actual} instead of ${expected}`);
    });
  }

  #compareReports(): void {
    const expected = toCode(this.model.reports.toSorted());
    const actual = toCode(this.#reports.toSorted());
    if (actual === expected) return;
    this.trace.write(`expect(reports.toSorted()).toEqual(${expected});`);
    this.fail(`Reported was ${actual} instead of ${expected}`);
  }

  #read(names: string[]): Promise<unknown[]> {
    return Promise.all(names.map((name) => readingOf(this.#store, name)));
  }

  fail(message: string): never {
    this.#mismatch ??= new Mismatch(message);
    throw this.#mismatch;
  }

  /** Throws what has failed, if anything has; some of what fails is caught by the work that it happens in. */
  rethrow(before: () => void = () => {}): void {
    if (!this.#mismatch) return;
    before();
    throw this.#mismatch;
  }
}
