import { toCode } from './code.js';
import type { Model } from './model.js';
import type { Attempt, Call, Execute } from './operations.js';
import { isAlike, type Outcome, outcomeOf, resultOf, told } from './outcomes.js';
import { capitalized } from './readings.js';
import { Mismatch, type World } from './world.js';

/** A piece of work that is recorded while it is done: its attempts, and what they do. */
export class PieceOfWork {
  readonly #world: World;
  readonly #execute: Execute;
  /** What the printed test calls it. */
  readonly #name: string;
  readonly #controller = new AbortController();
  readonly #stop = new Error('stop');
  /** The parameters of the attempt that comes next. */
  #params: object | string;
  #count = 0;
  /** Ends the last attempt in the model, and tells whether there is to be another one. */
  #end: (model: Model) => boolean = () => true;
  /** What was asked for, and not waited for, before the last attempt ended; and what came of it. */
  #meanwhile: Call[] = [];
  #outcomes: Promise<Outcome[]> | undefined;
  /** Why the work should not have been done, or done again. */
  #refusal: Outcome | undefined;
  #isOnceMore = false;

  constructor(world: World, execute: Execute) {
    this.#world = world;
    this.#execute = execute;
    this.#params = execute.params;
    this.#name = world.trace.nextName();
    if (execute.options?.signal === 'aborted') this.#controller.abort(this.#stop);
  }

  /** Has it done, and compares what comes of it. */
  async perform(): Promise<void> {
    const { kind, parentId, params, options } = this.#execute;
    const { trace } = this.#world;
    const name = this.#name;
    const call = {
      method: `execute${capitalized(kind)}`,
      args: [...(kind === 'run' ? [] : [parentId]), params],
      // What is not begun would be done all the same at best effort.
      via: 'value' in this.#begin(true) ? this.#execute.via : (0 as const),
    };
    const isInTurns = options?.isRetried === true;
    if (options?.signal) trace.write(`const ${name}Stop = new AbortController();`);
    if (options?.signal === 'aborted') trace.write(`${name}Stop.abort(new Error('stop'));`);
    trace.write(`let ${name}End: unknown;`);
    trace.write(`let ${name}Told: Promise<string[]> | undefined;`);
    const opening = this.#world.codeOf(call).slice(0, -1);
    trace.open(`const ${name} = ${opening}, ${isInTurns ? 'inTurn(' : ''}async () => {`);
    const work = (...args: unknown[]) => this.#attempt(args);
    const args = [...call.args, work, ...(options ? [this.#options()] : [])];
    const actual = await outcomeOf(() => this.#world.method(call)(...args));
    trace.close(`}${isInTurns ? ')' : ''}${this.#optionsCode()});`);
    this.#world.rethrow(() => this.#closeFailed());
    if (this.#count === 0) this.#compareRefusal(actual);
    else await this.#compareEnd(actual);
  }

  /** How often the work is tried at most. */
  get #attempts(): number {
    const { options, attempts } = this.#execute;
    return options?.isRetried ? attempts.length : 1;
  }

  #options(): object {
    const { wrong, output, signal, isRetried } = this.#execute.options ?? {};
    const shouldRetry = (error: unknown) => !(error instanceof Mismatch);
    return {
      ...wrong,
      ...(output && { output: output.value }),
      ...(signal && { signal: this.#controller.signal }),
      ...(isRetried && { retry: { maxAttempts: this.#attempts, delayMs: 0, shouldRetry } }),
    };
  }

  #optionsCode(): string {
    const { options } = this.#execute;
    if (!options) return '';
    const members = Object.entries(options.wrong ?? {}).map(
      ([key, value]) => `${key}: ${toCode(value)}`,
    );
    if (options.output) members.push(`output: ${options.output.text}`);
    if (options.signal) members.push(`signal: ${this.#name}Stop.signal`);
    if (options.isRetried) {
      // An expectation that fails is not tried again.
      const shouldRetry = `shouldRetry: (error) => (error as Error).name !== 'AssertionError'`;
      members.push(`retry: { maxAttempts: ${this.#attempts}, delayMs: 0, ${shouldRetry} }`);
    }
    return `, { ${members.join(', ')} }`;
  }

  /** Begins the next attempt in the model, or (`isTrial`) sees whether that is refused. */
  #begin(isTrial = false): Outcome {
    const { kind, parentId, options } = this.#execute;
    const model = isTrial ? this.#world.model.clone() : this.#world.model;
    model.generatedId = isTrial ? 'unused' : this.#world.lastId;
    const params =
      options?.isRetried && kind === 'step'
        ? { ...(this.#params as object), maxRetries: this.#attempts - 1 }
        : this.#params;
    return resultOf(() => model.begin(kind, parentId, params as never));
  }

  /** What a tracker calls: one attempt at the work. */
  async #attempt(args: unknown[]): Promise<unknown> {
    const world = this.#world;
    const isExpected = this.#end(world.model);
    const attempt = this.#execute.attempts[this.#count] as Attempt;
    if (this.#count > 0) world.trace.next('}, async () => {');
    this.#count += 1;
    this.#isOnceMore = !isExpected;
    if (!isExpected) {
      world.trace.write(`expect.unreachable('not again');`);
      world.fail(`${this.#name} is tried again`);
    }
    world.model.touched.clear();
    const begun = this.#begin();
    if (!('value' in begun)) {
      this.#refusal = begun;
      return world.fail(`${this.#name} is done instead of ${told(begun)}`);
    }
    this.#compareArguments(begun.value as string, args);
    await world.compareTouched();
    for (const each of attempt.body) await world.perform(each, true);
    return this.#endAttempt(begun.value as string, attempt);
  }

  /** The work is given the id of its record, and with options a context. */
  #compareArguments(id: string, args: unknown[]): void {
    const { kind, options } = this.#execute;
    const { attempt = 1 } = this.#world.model.get(kind, id);
    const expected = [...(kind === 'call' ? [] : [id]), ...(options ? [attempt] : [])];
    const actual = args.map((arg) => (arg as { attempt?: number }).attempt ?? arg);
    if (toCode(actual) === toCode(expected)) return;
    const { trace } = this.#world;
    trace.amend('async ()', 'async (...args: unknown[])');
    const seen = 'args.map((arg) => (arg as { attempt?: number }).attempt ?? arg)';
    trace.write(`expect(${seen}).toEqual(${toCode(expected)});`);
    this.#world.fail(`${this.#name} is given ${toCode(actual)} instead of ${toCode(expected)}`);
  }

  #endAttempt(id: string, { ends, isStopped: mayStop, meanwhile }: Attempt): unknown {
    const { kind, options } = this.#execute;
    const { model, trace } = this.#world;
    const isStopped = mayStop && options?.signal === 'live';
    if (isStopped) {
      this.#controller.abort(this.#stop);
      trace.write(`${this.#name}Stop.abort(new Error('stop'));`);
    }
    const output = options?.output?.value as undefined;
    this.#end = (model) => {
      const mayRepeat = model.endWork(kind, id, { ends, isStopped, output });
      return mayRepeat && this.#count < this.#attempts;
    };
    this.#ask(meanwhile);
    model.touched.clear();
    this.#params = { ...(this.#params as object), id: undefined, retryOf: id };
    const end = 'error' in ends ? ends.error : ends.value;
    trace.write(`${this.#name}End = ${toCode(end)};`);
    trace.write(`${'error' in ends ? 'throw' : 'return'} ${this.#name}End;`);
    if ('error' in ends) throw end;
    return end;
  }

  /** Asks for something just before the work ends; what ends a call on a plain store is alone with it. */
  #ask(meanwhile: Call[]): void {
    const { model, trace } = this.#world;
    const isAlone = this.#execute.kind === 'call' && !model.abilities.conditional;
    if (this.#attempts > 1 || isAlone || meanwhile.length === 0) return;
    this.#meanwhile = meanwhile;
    trace.write(`${this.#name}Told = ${this.#world.togetherCode(meanwhile)};`);
    this.#outcomes = Promise.all(meanwhile.map((call) => this.#world.ask(call)));
  }

  /** Compares why the work was not done. */
  #compareRefusal(actual: Outcome): void {
    const { options } = this.#execute;
    let expected: Outcome = this.#begin(true);
    if (options?.wrong) expected = { code: 'invalid_argument' };
    else if (options?.signal === 'aborted') expected = { error: this.#stop };
    this.#world.trace.expect(this.#name, expected);
    if (isAlike(expected, actual)) return;
    this.#world.fail(`${this.#name}: ${told(actual)} instead of ${told(expected)}`);
  }

  /** Says what should have come of work in which something has failed already. */
  #closeFailed(): void {
    const { trace } = this.#world;
    if (this.#refusal) trace.expect(this.#name, this.#refusal);
    else if (this.#isOnceMore) trace.write(this.#expectation(false));
    else trace.write(`await ${this.#name};`);
  }

  /** That the caller gets what the work ended with. */
  #expectation(isValue: boolean): string {
    const caught = isValue ? '' : '.catch((error) => error)';
    return `expect(await ${this.#name}${caught}).toBe(${this.#name}End);`;
  }

  /** Compares what the caller gets: the very value or error of the last attempt. */
  async #compareEnd(actual: Outcome): Promise<void> {
    const world = this.#world;
    const { ends } = this.#execute.attempts[this.#count - 1] as Attempt;
    const isAgain = this.#outcomes ? false : this.#end(world.model);
    if (isAgain) {
      // The next attempt has nothing to do, and fails no more.
      world.trace.write(`await ${this.#name};`);
      world.fail(`${this.#name} is not tried again`);
    }
    world.trace.write(this.#expectation('value' in ends));
    const isSame =
      'value' in ends
        ? 'value' in actual && Object.is(actual.value, ends.value)
        : 'error' in actual && Object.is(actual.error, ends.error);
    if (!isSame) world.fail(`${this.#name} comes to ${told(actual)}, and not as its work ended`);
    if (!this.#outcomes) return;
    const outcomes = await this.#outcomes;
    await world.explain(`${this.#name}Told`, this.#meanwhile, outcomes, this.#end);
  }
}
