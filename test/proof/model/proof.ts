import fc, { type AsyncCommand } from 'fast-check';
import { beginnings, operations } from './arbitraries.js';
import type { Model } from './model.js';
import type { Operation } from './operations.js';
import { shortened } from './shrink.js';
import { type Subject, World } from './world.js';

/** An operation, as fast-check shrinks a sequence of them. */
class OperationCommand implements AsyncCommand<Model, World> {
  readonly operation: Operation;

  constructor(operation: Operation) {
    this.operation = operation;
  }

  check(): boolean {
    return true;
  }

  run(_model: Model, world: World): Promise<void> {
    return world.perform(this.operation);
  }

  toString(): string {
    return this.operation.do;
  }
}

/** Sequences of operations; where each costs a round trip, they are shorter. */
function sequencesFor({ isFar }: Subject) {
  const commands = operations.map((operation) => new OperationCommand(operation));
  return fc.commands([commands], {
    maxCommands: isFar ? 12 : 30,
    size: 'max',
    disableReplayLog: true,
  });
}

/** What a sequence came to that the model does not say. */
interface Failure {
  message: string;
  /** The code of a test that fails. */
  test: string;
  /** What was done last of all, and before. */
  operations: Operation[];
}

/** What was found: how much was done, and the shortest sequence that fails, if there is one. */
interface Verdict {
  count: number;
  failure?: Failure;
}

/** Does so many sequences of operations on a store, and compares it with the model. */
export async function prove(subject: Subject, count: number, seed: number): Promise<Verdict> {
  const verdict: Verdict = { count: 0 };

  /** Does one sequence. @throws what came to something else than the model says */
  async function play(perform: (world: World) => Promise<unknown>): Promise<void> {
    const world = new World(await subject.open(), subject);
    try {
      await perform(world);
      await world.compareAll();
    } catch (error) {
      const test = world.trace.toTest(`does what the model says (seed ${seed})`, subject.opening);
      const { message } = error as Error;
      // Each failure is shorter than the one before.
      verdict.failure = { message, test, operations: world.operations };
      throw error;
    } finally {
      verdict.count += world.count;
    }
  }

  const performAll = (all: Operation[]) => async (world: World) => {
    for (const operation of all) await world.perform(operation);
  };
  const property = fc.asyncProperty(beginnings, sequencesFor(subject), (first, commands) =>
    play(async (world) => {
      await performAll(first)(world);
      await fc.asyncModelRun(() => ({ model: world.model, real: world }), commands);
    }),
  );
  await fc.check(property, { numRuns: count, seed });
  const fails = (all: Operation[]) =>
    play(performAll(all)).then(
      () => false,
      () => true,
    );
  if (verdict.failure) await shortened(verdict.failure.operations, fails);
  return verdict;
}

/** The same for a test. @throws with a test to paste, when the store does something else than the model */
export async function expectProven(subject: Subject, count: number, seed: number): Promise<void> {
  const { count: done, failure } = await prove(subject, count, seed);
  console.log(`${subject.name}: ${count} sequences, ${done} operations`);
  if (!failure) return;
  const again = `npm run proof -- model --seed ${seed} --count ${count}`;
  throw new Error(`${subject.name}: ${failure.message}\n\nAgain: ${again}\n\n${failure.test}`);
}
