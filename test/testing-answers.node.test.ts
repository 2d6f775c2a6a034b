import { createHash } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { MemoryStore } from '../src/memory.js';
import { idOf } from '../src/testing/tables.js';
import { type StoreUnderTest, storeCases } from '../src/testing.js';

/*
 * What a case asks of a store, and what it makes of the answers: each is spoiled in every
 * way, one at a time, and the case says what it says. Whoever changes that on purpose
 * writes it down again with `npx vitest run -u`.
 */

/** What a store has answered. */
type Given = PromiseSettledResult<unknown>;
/** What it answers instead, when it is asked something. */
type Answer = (question: string, given: Promise<Given>) => Promise<Given>;

/** A case on a store whose answers are given by a function. */
function runCase(name: string, answer: Answer): Promise<string> {
  let ids = 0;
  vi.spyOn(crypto, 'randomUUID').mockImplementation(() => idOf(100_000 + ++ids) as never);
  const cases = storeCases(() => answering(new MemoryStore(), answer));
  const found = cases.find((each) => each.name === name) ?? expect.unreachable(name);
  return found.run().then(
    () => 'passes',
    // What an engine says of its own errors depends on how the code was compiled.
    (error) => error.message.replace(/threw ".*"/s, 'threw'),
  );
}

function answering(store: MemoryStore, answer: Answer): StoreUnderTest {
  return new Proxy(store, {
    get(target, name: keyof MemoryStore) {
      const value = target[name] as unknown;
      if (typeof value !== 'function') return value;
      return async (...args: unknown[]) => {
        const given = Promise.allSettled([value.apply(target, args)]).then(([first]) => first);
        const instead = await answer(`${name}(${written(args)})`, given);
        if (instead.status === 'rejected') throw instead.reason;
        return instead.value;
      };
    },
  });
}

/** The same value in the same words, whatever object it is. */
function written(value: unknown): string {
  if (value instanceof Date) return `Date ${value.getTime()}`;
  if (Array.isArray(value)) return `[${value.map(written).join()}]`;
  if (value === null || typeof value !== 'object') return `${JSON.stringify(value)}`;
  const members = Object.entries(value).map(([name, member]) => `"${name}":${written(member)}`);
  return `{${members.join()}}`;
}

/** Every way in which an answer can be wrong: the whole of it, or one of its members. */
function spoils(given: Given): Given[] {
  if (given.status === 'rejected') return [{ status: 'fulfilled', value: undefined }];
  const wrong = given.value === undefined ? [] : spoiled(given.value);
  return wrong.map((value) => ({ status: 'fulfilled', value }));
}

function spoiled(value: unknown): unknown[] {
  if (value instanceof Date) return [new Date(value.getTime() + 1), null];
  if (typeof value === 'string') return [`${value}!`, null];
  if (typeof value === 'number') return [value + 1, String(value)];
  if (typeof value === 'boolean') return [!value, undefined];
  if (value === null) return [{}];
  if (Array.isArray(value)) {
    const some = new Set([0, value.length - 1].filter((index) => index in value));
    const ofMembers = [...some].flatMap((index) =>
      spoiled(value[index]).map((member) => value.with(index, member)),
    );
    return [null, value.slice(1), [...value, { id: 'x' }], ...ofMembers];
  }
  const ofMembers = Object.entries(value as object).flatMap(([name, member]) =>
    spoiled(member).map((member) => ({ ...(value as object), [name]: member })),
  );
  return [null, {}, ...ofMembers];
}

const digest = (lines: string[]) =>
  createHash('sha256').update(lines.join('\n')).digest('hex').slice(0, 12);

afterEach(() => void vi.restoreAllMocks());

describe('a case asks the same of every store, and says the same of each wrong answer', () => {
  const names = storeCases(() => new MemoryStore()).map(({ name }) => name);
  it.for(names)('%s', async (name) => {
    const asked: string[] = [];
    const answers: Given[] = [];
    const passed = await runCase(name, async (question, given) => {
      const place = asked.push(question) - 1;
      answers[place] = structuredClone(await given);
      return given;
    });
    expect(passed).toBe('passes');

    const said: string[] = [];
    for (const [place, right] of answers.entries()) {
      for (const wrong of spoils(right)) {
        let index = 0;
        const message = await runCase(name, async (_, given) => {
          const isWrong = index === place;
          index += 1;
          await given;
          return isWrong ? wrong : given;
        });
        said.push(`${place}: ${message}`);
      }
    }
    const noticed = said.filter((line) => !line.endsWith(': passes'));
    expect(
      `${asked.length} questions, ${digest(asked)}; ` +
        `${noticed.length} of ${said.length} wrong answers are noticed, ${digest(said)}`,
    ).toMatchSnapshot();
  });
});
