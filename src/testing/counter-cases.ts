import { expectRecord, expectSame, mismatch } from './expect.js';
import { type AbleStore, type Check, checkThat } from './store-case.js';
import { add, at, type Fields, ID, runs, UNKNOWN_ID } from './tables.js';

const counting = checkThat(['incrementRunOutput']);
const LATER = at(99_000_123);

/** What holds for `incrementRunOutput`. */
export const counterCases: Check[] = [
  counting(
    'run: an increment adds to the numbers in the output',
    'a sum that is put in place of the output, a member that is added to though it holds no number (count from 0 then), or a sum of fewer digits than a number has',
    async (store) => {
      const texts = { text: '5', none: null, list: [1], object: { a: 1 }, yes: true };
      const long = 0.1 + 0.2;
      const stored = { count: 2, exact: 0.5, long, down: 1, kept: 7, ...texts };
      await add(runs, store, runs.full({ output: { ...stored, others: texts } }));
      const increments = { count: 3, exact: 0.25, down: -4, text: 1, none: 2, list: 3, yes: 5 };
      await expectCounted(
        store,
        { ...increments, long: 0, object: 4, fresh: 9 },
        {
          ...{ count: 5, exact: 0.75, long, down: -3, kept: 7, others: texts },
          ...{ text: 1, none: 2, list: 3, object: 4, yes: 5, fresh: 9 },
        },
      );
    },
  ),
  counting(
    'run: an increment begins with an empty output where there is none',
    "a sum with null, which is null in SQL; use coalesce(output, '{}')",
    async (store) => {
      await add(runs, store, runs.full({ output: null }));
      await expectCounted(store, { charges: 2, refunds: -1.5 }, { charges: 2, refunds: -1.5 });
    },
  ),
  counting(
    'run: an increment of nothing erases nothing',
    'an aggregate over no rows, which is null in SQL; use coalesce',
    async (store) => {
      await add(runs, store, runs.full({ output: { charges: 2, none: null } }));
      await expectCounted(store, {}, { charges: 2, none: null });
    },
  ),
  counting(
    'run: a counter may have any name',
    'a name that becomes part of SQL or of a JSON path, or __proto__ assigned to an object',
    async (store) => {
      await add(runs, store, runs.full({ output: JSON.parse('{"__proto__":1,"a":{"b":1}}') }));
      const increments = JSON.parse(
        `{"__proto__":2,"constructor":1,"":3,"a.b":4,"$.a":5,"it's":6,"\\"":7,"0":8,"\u{1f600}":9}`,
      );
      const output = JSON.parse('{"__proto__":3,"a":{"b":1}}');
      await expectCounted(store, increments, { ...increments, ...output });
    },
  ),
  counting(
    'run: an increment resolves to true, and for an unknown run to false',
    'a result that is not passed on: resolve to whether a row matched',
    async (store) => {
      await add(runs, store, runs.full());
      const known = await store.incrementRunOutput(ID, { charges: 1 }, LATER);
      expectSame(known, true, 'incrementRunOutput of a known run');
      const unknown = await store.incrementRunOutput(UNKNOWN_ID, { charges: 1 }, LATER);
      expectSame(unknown, false, 'incrementRunOutput of an unknown run');
      const run = await store.getRun(UNKNOWN_ID);
      if (run) throw mismatch('getRun after incrementRunOutput of an unknown run', 'null', run);
    },
  ),
  counting(
    'run: 100 concurrent increments all count',
    'an increment that reads the output and then writes it; add in the one UPDATE',
    async (store) => {
      await add(runs, store, runs.full({ output: { kept: 1 } }));
      const increments = Array.from({ length: 100 }, (_, index) =>
        store.incrementRunOutput(ID, { all: 1, [index % 2 ? 'odd' : 'even']: 2 }, LATER),
      );
      await Promise.all(increments);
      const output = { kept: 1, all: 100, odd: 100, even: 100 };
      const run = runs.full({ output, updatedAt: LATER });
      expectRecord(await store.getRun(ID), run, 'getRun after 100 concurrent incrementRunOutput');
    },
  ),
  counting(
    'run: increments and updates at the same time both hold',
    'an increment, or an update, that writes back the whole row as it was read before',
    async (store) => {
      await add(runs, store, runs.full({ output: null }));
      const writes = Array.from({ length: 25 }, (_, index) => [
        store.updateRun(ID, { durationMs: index }),
        store.incrementRunOutput(ID, { charges: 1 }, LATER),
      ]);
      await Promise.all(writes.flat());
      const fields = { currentStep: 'load', durationMs: 5 };
      await store.updateRun(ID, fields);
      const run = runs.full({ ...fields, updatedAt: LATER, output: { charges: 25 } });
      expectRecord(await store.getRun(ID), run, 'getRun after 25 increments among 25 updates');
    },
  ),
];

async function expectCounted(store: AbleStore, increments: Fields, output: Fields): Promise<void> {
  await store.incrementRunOutput(ID, increments as Record<string, number>, LATER);
  const run = runs.full({ output, updatedAt: LATER });
  expectRecord(await store.getRun(ID), run, 'getRun after incrementRunOutput');
}
