import type { DeleteRunsOptions } from '../../src/deletion.js';
import {
  type RunReader,
  type RunStore,
  RunsError,
  RunTracker,
  type StepLink,
  type StepLinkStore,
} from '../../src/index.js';
import { type Abilities, type Kind, Model, Refusal } from './model.js';
import { IDS } from './model-arbitraries.js';
import { toCode, valuesOf } from './model-code.js';
import { listed, oldestFirst } from './model-lists.js';
import type {
  Attempt,
  Call,
  Delete,
  Execute,
  List,
  Operation,
  Together,
} from './model-operations.js';
import { deleteRuns, isLimitVague } from './model-sweep.js';
import { type Opening, type Outcome, Trace } from './model-trace.js';

export type Store = RunStore &
  Partial<StepLinkStore & RunReader & { deleteRuns(options: DeleteRunsOptions): Promise<number> }>;

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

type Method = (...args: unknown[]) => Promise<unknown>;

/** A store and its trackers beside the model: does operations on both sides, and compares. */
export class World {
  readonly model: Model;
  readonly trace = new Trace();
  /** How many operations were done. */
  operations = 0;
  readonly #store: Store;
  readonly #trackers: RunTracker[];
  readonly #reports: string[] = [];
  #lastId = 0;
  readonly #isFar: boolean;
  readonly #count: Subject['count'];
  #mismatch: Mismatch | undefined;

  constructor(store: Store, { abilities, isFar = false, count, Tracker = RunTracker }: Subject) {
    this.#store = store;
    this.#isFar = isFar;
    this.#count = count;
    this.model = new Model(abilities);
    const options = {
      store,
      linkStore: abilities.links ? (store as Store & StepLinkStore) : undefined,
      now: () => this.model.at(),
      generateId: () => {
        this.#lastId += 1;
        return `g${this.#lastId}`;
      },
      onTrackingError: (
        error: unknown,
        info: { operation: string; record: string; id: string; work: string },
      ) => {
        const why = error instanceof RunsError ? error.code : 'error';
        this.#reports.push(`${info.operation} ${info.record} ${info.id} ${info.work} ${why}`);
      },
    };
    this.#trackers = [new Tracker(options)];
    // Two trackers on a plain store are promised nothing.
    if (abilities.conditional) this.#trackers.push(new Tracker({ ...options, bestEffort: true }));
  }

  /** Does an operation on both sides. @throws {Mismatch} when they differ */
  async perform(operation: Operation): Promise<void> {
    if (this.#mismatch) throw this.#mismatch;
    this.operations += 1;
    this.model.touched.clear();
    if (operation.do === 'advance') {
      this.model.now += operation.ms;
      this.trace.write(`clock.at += ${operation.ms};`);
    } else if (operation.do === 'call') await this.#call(operation);
    else if (operation.do === 'together') await this.#together(operation);
    else if (operation.do === 'execute') await this.#execute(operation);
    else if (operation.do === 'list') await this.#list(operation);
    else await this.#delete(operation);
    if (!this.#isFar) await this.#compareTouched();
    this.#compareReports();
  }

  /** Compares everything that the store holds. */
  async compareAll(): Promise<void> {
    this.model.touched.clear();
    const isComplete = this.#count && (await this.#compareLists(await this.#count()));
    if (!isComplete) {
      const generated = Array.from({ length: this.#lastId }, (_, index) => `g${index + 1}`);
      for (const kind of ['run', 'step', 'call'] as const) {
        for (const id of [...IDS[kind], ...generated]) this.model.touched.add(`${kind} ${id}`);
      }
      for (const id of [...IDS.step, ...generated]) this.model.touched.add(`link ${id}`);
    }
    await this.#compareTouched();
    if (isComplete === false) this.#fail('There are other records, which were never made');
  }

  /** Compares the lists in which there should be something; tells whether there is nothing else. */
  async #compareLists(count: number): Promise<boolean> {
    const { model } = this;
    const readings: [list: List['list'], runId: string | null][] = [['listRuns', null]];
    for (const runId of [null, ...model.records.run.keys()]) {
      readings.push(['listSteps', runId], ['listCalls', runId], ['listLinks', runId]);
    }
    const sizes = readings.map(([list, runId]) => listed(model, list, runId, {}).length);
    await Promise.all(
      readings
        .filter((_, index) => sizes[index])
        .map(([list, runId]) => this.#list({ do: 'list', list, runId, query: {} }, true)),
    );
    return count === sizes.reduce((sum, size) => sum + size, 0);
  }

  async #call(call: Call): Promise<void> {
    const args = this.#clear(call.args);
    const code = this.#codeOf({ ...call, args });
    const actual = await this.#ask({ ...call, args });
    const expected = apply(this.model, { ...call, args }, actual);
    const isSame = isAlike(expected, actual);
    this.trace.expect(code, isSame ? actual : expected);
    if (!isSame) this.#fail(`${code}: ${told(actual)} instead of ${told(expected)}`);
  }

  /** Leaves out a limit that does not say which records are meant. */
  #clear(args: unknown[]): unknown[] {
    const [options] = args as [{ limit?: number }];
    if (
      !options?.limit ||
      this.#outcomeOf(() => isLimitVague(this.model, options as never)) !== true
    ) {
      return args;
    }
    return [{ ...options, limit: undefined }];
  }

  #outcomeOf(ask: () => unknown): unknown {
    try {
      return ask();
    } catch {
      return undefined;
    }
  }

  #tracker(via: number): RunTracker {
    return this.#trackers[via] ?? (this.#trackers[0] as RunTracker);
  }

  #codeOf({ method, args, via }: { method: string; args: unknown[]; via: number }): string {
    return `${this.#trackers[via] && via ? 'other' : 'tracker'}.${method}(${args.map(toCode).join(', ')})`;
  }

  #ask({ method, args, via }: Call): Promise<Outcome> {
    const tracker = this.#tracker(via);
    return outcomeOf(() => (tracker[method] as Method).apply(tracker, valuesOf(args)));
  }

  /** Does several operations at once; some order of them has to explain what came of it. */
  async #together({ calls }: Together): Promise<void> {
    const before = this.model.clone();
    const code = `told([${calls.map((call) => this.#codeOf(call)).join(', ')}])`;
    const actual = await Promise.all(calls.map((call) => this.#ask(call)));
    const orders = permutations(calls.map((_, index) => index)).map((order) => {
      const model = before.clone();
      const outcomes: Outcome[] = [];
      for (const index of order) {
        outcomes[index] = apply(model, calls[index] as Call, actual[index] as Outcome);
      }
      return { model, outcomes };
    });
    const alike = orders.filter(({ outcomes }) =>
      outcomes.every((outcome, index) => isAlike(outcome, actual[index] as Outcome)),
    );
    const allowed = new Set(orders.map(({ outcomes }) => toCode(outcomes.map(told))));
    if (alike.length === 0) {
      this.trace.write(`expect([${[...allowed].join(', ')}]).toContainEqual(await ${code});`);
      this.#fail(`${code}: ${actual.map(told)}, which no order of them explains`);
    }
    this.trace.write(`expect(await ${code}).toEqual(${toCode(actual.map(told))});`);
    const touched = [...new Set(alike.flatMap(({ model }) => [...model.touched]))];
    const statesOf = (name: string) =>
      new Set(alike.map(({ model }) => toCode(expectedOf(model, name))));
    // The others are looked at in the end.
    const read = touched.filter((name) => !this.#isFar || statesOf(name).size > 1);
    const found = await this.#read(read);
    const reports = this.#reports.toSorted().join('\n');
    const states = alike.map(({ model }) => {
      const records = read.map((name) => toCode(expectedOf(model, name)));
      return {
        model,
        records: `[${records.join(', ')}]`,
        reports: model.reports.toSorted().join('\n'),
      };
    });
    const match = states.find(
      (state) => state.records === toCode(found) && state.reports === reports,
    );
    if (match) {
      Object.assign(this.model, match.model);
      return;
    }
    const contents = new Set(states.map(({ records }) => records));
    const readings = read.map((name) => `await ${readingOf(name)}`).join(', ');
    this.trace.write(`expect([${[...contents].join(', ')}]).toContainEqual([${readings}]);`);
    this.#fail(`${code}: no order of them explains ${toCode(found)} with reports ${reports}`);
  }

  async #execute(execute: Execute): Promise<void> {
    const { kind, parentId, attempts, options } = execute;
    const via = this.#isBegun(execute) ? execute.via : 0;
    const controller = new AbortController();
    const stop = new Error('stop');
    if (options?.signal === 'aborted') controller.abort(stop);
    const name = this.trace.nextName();
    const isRetried = options?.isRetried === true;
    const works = isRetried && attempts.length > 1;
    const method = `execute${kind[0]?.toUpperCase()}${kind.slice(1)}`;
    const given = kind === 'run' ? [] : [parentId];
    const open = this.#codeOf({ method, args: [...given, execute.params], via }).slice(0, -1);
    if (options?.signal) this.trace.write(`const ${name}Stop = new AbortController();`);
    if (options?.signal === 'aborted') this.trace.write(`${name}Stop.abort(new Error('stop'));`);
    this.trace.write(`let ${name}End: unknown;`);
    this.trace.write(`const ${name} = ${open}, ${works ? 'inTurn(' : ''}async () => {`);

    let count = 0;
    let params = execute.params;
    let endAttempt: (() => boolean) | undefined;
    let isAgain = true;
    const work = async (...args: unknown[]): Promise<unknown> => {
      isAgain = endAttempt?.() ?? true;
      const attempt = attempts[count] as Attempt;
      if (count > 0) this.trace.write('}, async () => {');
      count += 1;
      if (!isAgain || !attempt) this.#fail(`${open}) was worked on once more`);
      this.model.touched.clear();
      const id = this.#begin(execute, params);
      const { attempt: number = 1 } = this.model.get(kind, id);
      if (kind !== 'call' && args.shift() !== id) this.#fail(`${open}) gave its work another id`);
      const context = args.shift() as { attempt: number } | undefined;
      if (context?.attempt !== (options && number) || args.length > 0) {
        this.#fail(`${open}) gave its work ${toCode(context)} and ${toCode(args)}`);
      }
      if (!this.#isFar) await this.#compareTouched();
      for (const each of attempt.body) await this.perform(each);
      const { ends } = attempt;
      const isStopped = attempt.isStopped && options?.signal === 'live';
      if (isStopped) {
        controller.abort(stop);
        this.trace.write(`${name}Stop.abort(new Error('stop'));`);
      }
      const output = options?.output?.value as undefined;
      endAttempt = () => {
        this.model.touched.clear();
        const canRepeat = this.model.endWork(kind, id, { ends, isStopped, output });
        return canRepeat && isRetried && count < attempts.length;
      };
      params = { ...(params as object), id: undefined, retryOf: id };
      const end = 'error' in ends ? ends.error : ends.value;
      this.trace.write(`${name}End = ${toCode(end)};`);
      this.trace.write(`${'error' in ends ? 'throw' : 'return'} ${name}End;`);
      if ('error' in ends) throw end;
      return end;
    };
    const shouldRetry = (error: unknown) => !(error instanceof Mismatch);
    const retry = isRetried && { maxAttempts: attempts.length, delayMs: 0, shouldRetry };
    const settings = options && {
      ...options.wrong,
      ...(options.output && { output: options.output.value }),
      ...(options.signal && { signal: controller.signal }),
      ...(retry && { retry }),
    };
    const tracker = this.#tracker(via);
    const args = [...given, execute.params, work, ...(settings ? [settings] : [])];
    const actual = await outcomeOf(() =>
      (tracker[method as 'executeRun'] as unknown as Method).apply(tracker, args),
    );
    this.trace.write(`}${works ? ')' : ''}${optionsCode(execute, name)});`);
    if (this.#mismatch) {
      this.trace.write(`await ${name};`);
      throw this.#mismatch;
    }
    if (count === 0) return this.#expectRefusal(execute, name, actual, stop);
    if (endAttempt?.()) this.#fail(`${open}) was not worked on again`);
    const { ends } = attempts[count - 1] as Attempt;
    if ('value' in ends) {
      this.trace.write(`expect(await ${name}).toBe(${name}End);`);
      if (!('value' in actual) || !Object.is(actual.value, ends.value)) {
        this.#fail(`${open}): ${told(actual)} instead of the value of its work`);
      }
    } else {
      this.trace.write(`expect(await ${name}.catch((error) => error)).toBe(${name}End);`);
      if (!('error' in actual) || actual.error !== ends.error) {
        this.#fail(`${open}): ${told(actual)} instead of what its work threw`);
      }
    }
  }

  /** Whether a piece of work is begun: without effect. */
  #isBegun(execute: Execute): boolean {
    const model = this.model.clone();
    model.generatedId = 'unused';
    try {
      model.begin(execute.kind, execute.parentId, execute.params as never);
      return true;
    } catch {
      return false;
    }
  }

  /** Begins a piece of work in the model, and resolves to the id of its record. */
  #begin({ kind, parentId, options, attempts }: Execute, params: object | string): string {
    this.model.generatedId = `g${this.#lastId}`;
    try {
      const maxRetries = options?.isRetried && kind === 'step' ? attempts.length - 1 : undefined;
      const full =
        typeof params === 'string' || maxRetries === undefined ? params : { ...params, maxRetries };
      return this.model.begin(kind, parentId, full as never);
    } catch (refusal) {
      return this.#fail(`Work was done though it is refused: ${(refusal as Refusal).code}`);
    }
  }

  /** Checks why the work was not done. */
  #expectRefusal(execute: Execute, name: string, actual: Outcome, stop: Error): void {
    let expected: Outcome = { error: stop };
    if (execute.options?.wrong) expected = { code: 'invalid_argument' };
    else if (execute.options?.signal !== 'aborted') {
      const { kind, parentId, params } = execute;
      this.model.generatedId = `g${this.#lastId}`;
      expected = resultOf(() => {
        this.model.clone().begin(kind, parentId, params as never);
        return 'its work is done';
      });
    }
    this.trace.expect(name, expected);
    if (!isAlike(expected, actual)) {
      this.#fail(`${name}: ${told(actual)} instead of ${told(expected)}`);
    }
  }

  async #list({ list, runId, query }: List, isQuiet = false): Promise<void> {
    const store = this.#store;
    if (!store.listRuns) return;
    const reader = store as unknown as RunReader;
    const given = list === 'listRuns' ? [] : [runId];
    const actual = await outcomeOf(() => allPages(reader, list, given, query));
    const expected = resultOf(() => listed(this.model, list, runId, query));
    const args = [...given, query].map(toCode).join(', ').slice(0, -1);
    const page = `store.${list}(${args}${args.endsWith('{') ? '' : ', '}cursor })`;
    const isCursorWrong = 'cursor' in query;
    const code = isCursorWrong
      ? `store.${list}(${[...given, query].map(toCode).join(', ')})`
      : `allOf((cursor) => ${page})`;
    const isSame = isAlike(expected, actual);
    if (!(isSame && isQuiet)) this.trace.expect(code, expected);
    if (!isSame) this.#fail(`${code}: ${toCode(actual)} instead of ${toCode(expected)}`);
  }

  async #delete({ options: given }: Delete): Promise<void> {
    const store = this.#store;
    if (!store.deleteRuns) return;
    const [options] = this.#clear([given]) as [DeleteRunsOptions];
    const everything = [...Object.entries(this.model.records)].flatMap(([kind, records]) =>
      [...records.keys()].map((id) => `${kind} ${id}`),
    );
    const actual = await outcomeOf(() => (store.deleteRuns as Method)(options));
    const expected = resultOf(() => deleteRuns(this.model, options));
    for (const name of everything) this.model.touched.add(name);
    const code = `store.deleteRuns(${toCode(options)})`;
    this.trace.expect(code, expected);
    if (!isAlike(expected, actual)) {
      this.#fail(`${code}: ${told(actual)} instead of ${told(expected)}`);
    }
  }

  /** Compares what was touched with what the store holds. */
  async #compareTouched(): Promise<void> {
    if (this.#mismatch) throw this.#mismatch;
    const names = [...this.model.touched];
    const found = await this.#read(names);
    names.forEach((name, index) => {
      const expected = toCode(expectedOf(this.model, name));
      const actual = toCode(found[index]);
      if (actual === expected) return;
      this.trace.write(`expect(await ${readingOf(name)}).toEqual(${expected});`);
      this.#fail(`${name} is ${actual} instead of ${expected}`);
    });
  }

  #compareReports(): void {
    const expected = toCode(this.model.reports.toSorted());
    const actual = toCode(this.#reports.toSorted());
    if (actual === expected) return;
    this.trace.write(`expect(reports.toSorted()).toEqual(${expected});`);
    this.#fail(`Reported was ${actual} instead of ${expected}`);
  }

  #read(names: string[]): Promise<unknown[]> {
    const store = this.#store;
    return Promise.all(
      names.map(async (name) => {
        const [kind, id] = split(name);
        if (kind === 'run') return (await store.getRun(id)) ?? null;
        if (kind === 'step') return (await store.getStep(id)) ?? null;
        if (kind === 'call') return (await store.getCall(id)) ?? null;
        return tidied((await store.getStepLinks?.(id)) ?? []);
      }),
    );
  }

  #fail(message: string): never {
    this.#mismatch ??= new Mismatch(message);
    throw this.#mismatch;
  }
}

function split(name: string): [kind: string, id: string] {
  const [kind, id] = name.split(' ');
  return [kind as string, id as string];
}

function readingOf(name: string): string {
  const [kind, id] = split(name);
  if (kind === 'link') return `store.getStepLinks(${toCode(id)})`;
  return `store.get${kind[0]?.toUpperCase()}${kind.slice(1)}(${toCode(id)})`;
}

function expectedOf(model: Model, name: string): unknown {
  const [kind, id] = split(name);
  if (kind === 'link') return tidied(model.getStepLinks(id));
  return model.records[kind as Kind].get(id) ?? null;
}

/** Links in the order of their ids where they have the same time: nothing says which is first. */
function tidied(links: StepLink[]): StepLink[] {
  const isInOrder = links.every(
    (link, index) => index === 0 || link.createdAt >= (links[index - 1] as StepLink).createdAt,
  );
  return isInOrder ? links.toSorted(oldestFirst) : links;
}

async function outcomeOf(ask: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { value: await ask() };
  } catch (error) {
    return error instanceof RunsError ? { code: error.code } : { error };
  }
}

/** What comes of a method of the model. */
function resultOf(ask: () => unknown): Outcome {
  try {
    return { value: ask() };
  } catch (error) {
    if (!(error instanceof Refusal)) return { error };
    return error.code === 'store' ? { error } : { code: error.code };
  }
}

/** Does in the model what was asked of a tracker. Which id was generated is seen from the answer. */
function apply(model: Model, { method, args }: Call, actual: Outcome): Outcome {
  model.generatedId = 'value' in actual ? String(actual.value) : 'none';
  return resultOf(() => (model[method] as (...args: unknown[]) => unknown).apply(model, args));
}

function isAlike(expected: Outcome, actual: Outcome): boolean {
  if ('code' in expected) return 'code' in actual && actual.code === expected.code;
  if ('value' in expected) {
    return (
      'value' in actual && toCode(unordered(actual.value)) === toCode(unordered(expected.value))
    );
  }
  if (!('error' in actual)) return false;
  return expected.error instanceof Refusal || toCode(expected.error) === toCode(actual.error);
}

/** What has no order, in order: the ids that a sweep tells, links of the same time. */
function unordered(value: unknown): unknown {
  if (Array.isArray(value) && value[0]?.linkType) return tidied(value);
  if (typeof value !== 'object' || value === null || !('calls' in value)) return value;
  const lists = Object.entries(value as Record<string, string[]>);
  return Object.fromEntries(lists.map(([name, ids]) => [name, ids.toSorted()]));
}

function told(outcome: Outcome): string {
  if ('code' in outcome) return outcome.code;
  return 'error' in outcome ? 'error' : 'done';
}

function optionsCode({ options, attempts }: Execute, name: string): string {
  if (!options) return '';
  const members = Object.entries(options.wrong ?? {}).map(
    ([key, value]) => `${key}: ${toCode(value)}`,
  );
  if (options.output) members.push(`output: ${options.output.text}`);
  if (options.signal) members.push(`signal: ${name}Stop.signal`);
  if (options.isRetried) {
    // An expectation that fails is not tried again.
    const shouldRetry = `shouldRetry: (error) => (error as Error).name !== 'AssertionError'`;
    members.push(`retry: { maxAttempts: ${attempts.length}, delayMs: 0, ${shouldRetry} }`);
  }
  return `, { ${members.join(', ')} }`;
}

/** Reads a list to its end, and checks its pages. */
async function allPages(
  reader: RunReader,
  list: List['list'],
  given: (string | null)[],
  query: { limit?: number },
): Promise<unknown[]> {
  const items: unknown[] = [];
  const { limit = 50 } = query;
  for (let cursor: string | undefined; ; ) {
    const asked = cursor === undefined ? query : { ...query, cursor };
    const page = await (
      reader[list] as unknown as (
        ...args: unknown[]
      ) => Promise<{ items: unknown[]; nextCursor: string | null }>
    )(...given, asked);
    items.push(...page.items);
    if (page.nextCursor === null) return items;
    if (page.items.length !== limit) throw new Mismatch(`a page of ${page.items.length}`);
    cursor = page.nextCursor;
  }
}

function permutations(items: number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) =>
    permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
  );
}
