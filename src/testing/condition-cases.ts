import { expectRecord, expectSame, mismatch } from './expect.js';
import { type AbleStore, type Check, checkThat } from './store-case.js';
import { add, at, type Fields, ID, runs, TABLES, type Table, UNKNOWN_ID } from './tables.js';

const conditional = checkThat(['conditionalUpdates']);
const MERGE = { mergeOutput: true };

/** What holds for the third argument of updates, in stores with `conditionalUpdates`. */
export const conditionCases: Check[] = [...TABLES.flatMap(casesOf), ...mergeCases()];

function casesOf(table: Table): Check[] {
  const { kind } = table;
  const { get, update } = table.methods;
  const [ended, otherwise] = table.ends;
  const error = 'Abandoned: no update since 2026-01-01T00:00:00.000Z';

  /** Updates under conditions that hold or do not, and looks whether the row says the same. */
  async function tryOut(store: AbleStore, record: Fields, tries: [Fields, boolean][]) {
    await add(table, store, table.full(record));
    for (const [index, [conditions, isMatch]] of tries.entries()) {
      const before = await table.get(store, ID);
      const fields = { durationMs: index + 1 };
      const what = `${update} with ${JSON.stringify(conditions)} of a record with ${JSON.stringify(record)}`;
      expectSame(await table.update(store, ID, fields, conditions), isMatch, `${what}, its result`);
      const expected = isMatch ? { ...(before as Fields), ...fields } : (before as Fields);
      expectRecord(await table.get(store, ID), expected, `${get} after ${what}`);
    }
  }

  return [
    conditional(
      `${kind}: a conditional update resolves to whether a row matched`,
      'a result that is not passed on: resolve to true or false from the count of affected rows or from `returning`. An update that changes nothing matches too',
      async (store) => {
        await add(table, store, table.bare());
        const fields = { durationMs: 5 };
        const results = [
          await table.update(store, ID, fields),
          await table.update(store, ID, fields),
          await table.update(store, ID, fields, {}),
          await table.update(store, UNKNOWN_ID, fields),
          await table.update(store, UNKNOWN_ID, fields, { ifStatus: ['running'] }),
        ];
        expectSame(
          results,
          [true, true, true, false, false],
          `${update} of a known id three times, then of an unknown id twice`,
        );
      },
    ),
    conditional(
      `${kind}: ifStatus decides whether an update happens`,
      'a third argument that is ignored or lost in a wrapper, a condition on the new status in place of the stored one, or one of several statuses that is left out',
      (store) =>
        tryOut(store, { status: 'running' }, [
          [{ ifStatus: ['running'] }, true],
          [{ ifStatus: ['pending'] }, false],
          [{ ifStatus: ['pending', 'running'] }, true],
          [{ ifStatus: ['running', 'pending'] }, true],
          [{ ifStatus: [ended, 'running', otherwise] }, true],
          [{ ifStatus: [ended, otherwise] }, false],
        ]),
    ),
    conditional(
      `${kind}: ifError decides whether an update happens`,
      'a condition that is ignored, matches a part (like), disregards case, or that no error (null) meets',
      async (store) => {
        await tryOut(store, { error }, [
          [{ ifError: error }, true],
          [{ ifError: 'Abandoned' }, false],
          [{ ifError: '%' }, false],
          [{ ifError: error.toLowerCase() }, false],
        ]);
        await table.update(store, ID, { error: null });
        expectSame(
          await table.update(store, ID, { durationMs: 77 }, { ifError: error }),
          false,
          `${update} with ifError of a record without an error`,
        );
      },
    ),
    conditional(
      `${kind}: ifStatus and ifError must both hold`,
      'conditions joined by `or`, or one that replaces the other',
      (store) =>
        tryOut(store, { status: otherwise, error }, [
          [{ ifStatus: [otherwise], ifError: error }, true],
          [{ ifStatus: ['running'], ifError: error }, false],
          [{ ifStatus: [otherwise], ifError: 'another' }, false],
        ]),
    ),
    conditional(
      `${kind}: of 20 competing ends exactly one wins`,
      'an update that reads, decides and then writes; put the conditions into the WHERE of the one UPDATE',
      async (store) => {
        await add(table, store, table.bare());
        const ends = Array.from({ length: 20 }, (_, index) => ({
          status: table.ends[index % 2],
          error: `end ${index}`,
          output: { end: index },
        }));
        const results = await Promise.all(
          ends.map((end) => table.update(store, ID, end, { ifStatus: ['running'] })),
        );
        const winners = ends.filter((_, index) => results[index] === true);
        if (winners.length !== 1) {
          throw mismatch(
            `20 concurrent ${update} with ifStatus running`,
            'one true',
            winners.length,
          );
        }
        expectRecord(
          await table.get(store, ID),
          table.bare(winners[0]),
          `${get} after ${winners[0]?.error} of 20 was told that it won`,
        );
      },
    ),
  ];
}

function mergeCases(): Check[] {
  async function expectMerged(
    store: AbleStore,
    fields: Fields,
    expected: Fields,
    what: string,
  ): Promise<void> {
    const isMatch = await runs.update(store, ID, fields, MERGE);
    expectSame(isMatch, true, `updateRun with mergeOutput, its result`);
    const run = runs.full({ ...fields, ...expected });
    expectRecord(await runs.get(store, ID), run, `getRun after updateRun with mergeOutput ${what}`);
  }

  return [
    conditional(
      'run: mergeOutput lays the given output over the stored one',
      'an output that is replaced, or a merge that drops members that are null or merges deeper than one level (json_patch does both), or changes what it keeps (json_each gives booleans as numbers)',
      async (store) => {
        const stored = JSON.parse(
          '{"charges":7,"none":null,"kept":{"a":1},"list":[1,2],"nested":{"a":1},"yes":true,"sum":0.30000000000000004}',
        );
        await add(runs, store, runs.full({ output: { ...stored } }));
        const given = JSON.parse(
          '{"charges":null,"nested":{"b":2},"list":[3],"__proto__":{"c":4},"no":false}',
        );
        const output = { ...stored, ...given };
        await expectMerged(store, { output: given }, { output }, 'of several members');
        const added = { ...output, "it's": '"new"', '': 0 };
        await expectMerged(
          store,
          { output: { "it's": '"new"', '': 0 }, status: 'completed' },
          { output: added },
          'of new members and a status',
        );
        await expectMerged(store, { output: {} }, { output: added, status: 'completed' }, 'of {}');
      },
    ),
    conditional(
      'run: mergeOutput begins with an empty output where there is none',
      "a merge with null, which is null in SQL; use coalesce(output, '{}')",
      async (store) => {
        await add(runs, store, runs.full({ output: null }));
        const output = { charges: 1, none: null };
        await expectMerged(store, { output }, {}, 'where there was none');
      },
    ),
    conditional(
      'run: mergeOutput without an output leaves the output alone',
      'a merge with an output that was not given, which makes it null',
      async (store) => {
        await add(runs, store, runs.full());
        await expectMerged(store, { currentStep: 'load' }, {}, 'and no output');
      },
    ),
    conditional(
      'run: mergeOutput happens only under the other conditions',
      'a merge that is a statement of its own, without the conditions',
      async (store) => {
        const run = await add(runs, store, runs.full({ status: 'completed' }));
        const mergeIf = (...ifStatus: string[]) =>
          runs.update(store, ID, { output: { late: 1 } }, { ifStatus, ...MERGE });
        const what = 'updateRun with mergeOutput and an ifStatus that';
        expectSame(await mergeIf('running'), false, `${what} does not hold`);
        expectRecord(await runs.get(store, ID), run, 'getRun after that');
        for (const statuses of [
          ['completed', 'failed'],
          ['failed', 'completed'],
        ]) {
          expectSame(await mergeIf(...statuses), true, `${what} holds`);
        }
        const output = { ...(run.output as Fields), late: 1 };
        expectRecord(await runs.get(store, ID), { ...run, output }, 'getRun after that');
      },
    ),
    checkThat(['conditionalUpdates', 'incrementRunOutput'])(
      'run: what was merged is what is counted on',
      'a merge that appends members, so that the JSON has those of the same name twice: some functions read the first of them, and some the last',
      async (store) => {
        await add(runs, store, runs.full({ output: { charges: 1, kept: 1 } }));
        await expectMerged(
          store,
          { output: { charges: 10 } },
          { output: { charges: 10, kept: 1 } },
          '',
        );
        await store.incrementRunOutput(ID, { charges: 5 }, at(99_000_123));
        const { output } = { ...(await store.getRun(ID)) };
        expectSame(output, { charges: 15, kept: 1 }, 'the output after a merge and an increment');
      },
    ),
    conditional(
      'run: 20 competing merges all count',
      'a merge that reads the output and then writes it; merge in the one UPDATE',
      async (store) => {
        await add(runs, store, runs.full({ output: null }));
        const outputs = Array.from({ length: 20 }, (_, index) => ({ [`key${index}`]: index }));
        await Promise.all(outputs.map((output) => runs.update(store, ID, { output }, MERGE)));
        const output = Object.assign({}, ...outputs);
        const what = 'getRun after 20 concurrent updateRun with mergeOutput';
        expectRecord(await runs.get(store, ID), runs.full({ output }), what);
      },
    ),
  ];
}
