import type { Execute, Operation } from './operations.js';

/**
 * Takes out of a sequence what it fails without, as long as anything can be taken
 * out: fast-check shrinks values, but seldom what is in the middle of a sequence.
 */
export async function shortened(
  operations: Operation[],
  fails: (operations: Operation[]) => Promise<boolean>,
): Promise<Operation[]> {
  let shortest = operations;
  for (let isShorter = true; isShorter; ) {
    isShorter = false;
    for (const shorter of shorterSequences(shortest)) {
      if (!(await fails(shorter))) continue;
      shortest = shorter;
      isShorter = true;
      break;
    }
  }
  return shortest;
}

function* shorterSequences(operations: Operation[]): Generator<Operation[]> {
  for (const [index, operation] of operations.entries()) {
    const before = operations.slice(0, index);
    const after = operations.slice(index + 1);
    for (const less of [[], ...smaller(operation)]) yield [...before, ...less, ...after];
  }
}

/** What may stand for an operation: parts of it, or less in it. */
function* smaller(operation: Operation): Generator<Operation[]> {
  if (operation.do === 'together') {
    const { calls } = operation;
    if (calls.length < 3) return;
    for (const call of calls)
      yield [{ ...operation, calls: calls.filter((each) => each !== call) }];
  }
  if (operation.do !== 'execute') return;
  const { attempts, options } = operation;
  for (const { body } of attempts) if (body.length > 0) yield body;
  if (options) yield [{ ...operation, options: undefined }];
  for (const index of attempts.keys()) {
    for (const attempt of smallerAttempts(operation, index)) {
      const others = attempts.with(index, attempt);
      yield [{ ...operation, attempts: others }];
    }
  }
}

function* smallerAttempts({ attempts }: Execute, index: number): Generator<Execute['attempts'][0]> {
  const attempt = attempts[index] as Execute['attempts'][0];
  if (attempt.meanwhile.length > 0) yield { ...attempt, meanwhile: [] };
  for (const body of shorterSequences(attempt.body)) yield { ...attempt, body };
}
