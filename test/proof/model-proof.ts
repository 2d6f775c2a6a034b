import fc, { type AsyncCommand } from 'fast-check';
import type { Model } from './model.js';
import { beginnings, operations } from './model-arbitraries.js';
import type { Operation } from './model-operations.js';
import { type Subject, World } from './model-world.js';

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

const sequences = fc.commands([operations.map((operation) => new OperationCommand(operation))], {
  maxCommands: 30,
  size: 'max',
  disableReplayLog: true,
});

/** What was found: how much was done, and the shortest test that fails, if there is one. */
export interface Verdict {
  operations: number;
  failure?: { message: string; test: string; length: number };
}

/** Does so many sequences of operations on a store, and compares it with the model. */
export async function prove(subject: Subject, count: number, seed: number): Promise<Verdict> {
  const verdict: Verdict = { operations: 0 };
  const property = fc.asyncProperty(beginnings, sequences, async (first, commands) => {
    const world = new World(await subject.open(), subject);
    try {
      for (const operation of first) await world.perform(operation);
      await fc.asyncModelRun(() => ({ model: world.model, real: world }), commands);
      await world.compareAll();
    } catch (error) {
      // Each failure is shorter than the one before.
      const name = `does what the model says (seed ${seed})`;
      const test = world.trace.toTest(name, subject.opening);
      verdict.failure = { message: (error as Error).message, test, length: world.operations };
      throw error;
    } finally {
      verdict.operations += world.operations;
    }
  });
  await fc.check(property, { numRuns: count, seed });
  return verdict;
}

/** The same for a test. @throws with a test to paste, when the store does something else than the model */
export async function expectProven(subject: Subject, count: number, seed: number): Promise<void> {
  const { operations: done, failure } = await prove(subject, count, seed);
  console.log(`${subject.name}: ${count} sequences, ${done} operations`);
  if (!failure) return;
  const again = `npm run proof -- model --seed ${seed} --count ${count}`;
  throw new Error(`${subject.name}: ${failure.message}\n\nAgain: ${again}\n\n${failure.test}`);
}
