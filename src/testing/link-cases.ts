import type { StepLink } from '../types.js';
import { expectRecords, expectRejection, expectSame } from './expect.js';
import { LONG_NAME } from './record-cases.js';
import { type AbleStore, type Check, checkThat } from './store-case.js';
import { aLink, aRun, aStep, at, idOf, UNKNOWN_ID } from './tables.js';

const linking = checkThat(['insertStepLink', 'getStepLinks']);
const STEP_ID = idOf(2);
const OTHER_STEP_ID = idOf(4);

/** What holds for `insertStepLink` and `getStepLinks`. */
export const linkCases: Check[] = [
  linking(
    'link: every field comes back as it was inserted',
    'a column that is missing, too short or mapped to another field, or a time without its milliseconds',
    async (store) => {
      const links = [
        aLink({ id: idOf(10), createdAt: at(1) }),
        aLink({ id: idOf(11), linkType: 'input', externalId: 'ext_1', createdAt: at(1123) }),
        aLink({
          id: idOf(12),
          linkType: 'affected',
          entityId: "it's \u{1f600}",
          createdAt: at(2999),
        }),
        aLink({ id: idOf(13), entityType: LONG_NAME, externalId: LONG_NAME, createdAt: at(3000) }),
      ];
      await insertAll(store, links);
      expectRecords(await store.getStepLinks(STEP_ID), links, 'getStepLinks after insertStepLink');
    },
  ),
  linking(
    'link: a step has its links, oldest first, and none of other steps',
    'a query without `order by created_at`, or without its condition on the step',
    async (store) => {
      const links = [19, 15, 17, 11].map((id, index) =>
        aLink({ id: idOf(id), createdAt: at(index) }),
      );
      const others = [14, 16].map((id) => aLink({ id: idOf(id), stepId: OTHER_STEP_ID }));
      await insertAll(store, [...links, ...others]);
      expectRecords(await store.getStepLinks(STEP_ID), links, 'getStepLinks of a step');
    },
  ),
  linking(
    'link: a step without links has an empty list',
    'null or undefined in place of an empty list',
    async (store) => {
      await insertAll(store, [aLink()]);
      expectSame(await store.getStepLinks(OTHER_STEP_ID), [], 'getStepLinks of a step without');
      expectSame(await store.getStepLinks(UNKNOWN_ID), [], 'getStepLinks of an unknown step');
    },
  ),
  linking(
    'link: inserting an id twice rejects and leaves the first as it was',
    'an id that is no primary key, or an insert that replaces, ignores or updates on conflict',
    async (store) => {
      await insertAll(store, [aLink()]);
      const second = aLink({ entityId: 'ch_2', createdAt: at(5) });
      await expectRejection(() => store.insertStepLink(second), 'insertStepLink of an id twice');
      expectRecords(await store.getStepLinks(STEP_ID), [aLink()], 'getStepLinks after that');
    },
  ),
  linking(
    'link: later changes to what went in or came out do not reach the store',
    'an object that is kept or handed out as it is; copy it (structuredClone)',
    async (store) => {
      const link = aLink();
      await insertAll(store, [link]);
      link.createdAt.setTime(0);
      link.entityId = 'changed';
      const [given] = await store.getStepLinks(STEP_ID);
      expectRecords([given], [aLink()], 'getStepLinks, after the object given in was changed');
      Object.assign(given as StepLink, { entityId: 'changed' });
      expectRecords(
        await store.getStepLinks(STEP_ID),
        [aLink()],
        'getStepLinks, after what an earlier one gave was changed',
      );
    },
  ),
];

async function insertAll(store: AbleStore, links: StepLink[]): Promise<void> {
  await store.insertRun(aRun());
  for (const id of [STEP_ID, OTHER_STEP_ID]) await store.insertStep(aStep({ id }));
  for (const link of links) await store.insertStepLink(link);
}
