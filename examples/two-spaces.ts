/** What both recipes of a store do when they are run: the same small job in two spaces. */
import { type RunStore, RunTracker, type StepLinkStore } from '@systemoperator/runs';

type Store = RunStore & StepLinkStore;

const LISTS = {
  space_1: { name: 'spring', prices: [19.9, 24.5] },
  space_2: { name: 'autumn', prices: [7, 8, 9] },
};

/** Tracks the job in each space, and prints what is stored of it then. */
export async function trackInTwoSpaces(
  createStore: (spaceId: string) => Store,
  log: (line: string) => void,
): Promise<void> {
  // Both spaces use the same ids: a record is known by its space and its id.
  for (const [spaceId, list] of Object.entries(LISTS)) {
    await trackImport(createStore(spaceId), list);
  }
  for (const spaceId of Object.keys(LISTS)) {
    log(spaceId);
    await printImport(createStore(spaceId), log);
  }

  const mine = new RunTracker({ store: createStore('space_1') });
  const theirs = new RunTracker({ store: createStore('space_2') });
  await theirs.createRun({ id: 'import-2', runType: 'import_prices', trigger: 'user' });
  const refusal = await mine.cancelRun('import-2').catch((error: Error) => error.message);
  log(`space_1 tries to cancel a run of space_2: ${refusal}`);
}

async function trackImport(
  store: Store,
  { name, prices }: { name: string; prices: number[] },
): Promise<void> {
  // A tracker per space. It costs no more than the object.
  const tracker = new RunTracker({ store, linkStore: store });
  const run = { id: 'import-1', runType: 'import_prices', trigger: 'cron' } as const;
  await tracker.executeRun(run, async (runId) => {
    const step = { id: 'fetch-1', stepType: 'fetch_prices' };
    await tracker.executeStep(runId, step, async (stepId) => {
      const call = { id: 'call-1', tool: 'price_api', operation: 'GET /prices' };
      await tracker.executeCall(stepId, call, async () => prices);
      await tracker.linkStep(stepId, {
        linkType: 'output',
        entityType: 'price_list',
        entityId: name,
      });
      await tracker.incrementRunOutput(runId, { prices: prices.length });
    });
  });
}

async function printImport(store: Store, log: (line: string) => void): Promise<void> {
  const run = await store.getRun('import-1');
  const step = await store.getStep('fetch-1');
  const call = await store.getCall('call-1');
  const links = await store.getStepLinks('fetch-1');
  log(`  run ${run?.runType} ${run?.status} ${JSON.stringify(run?.output)}`);
  log(`  step ${step?.stepType} ${step?.status}`);
  log(`  call ${call?.tool} ${call?.operation} ${call?.status} ${JSON.stringify(call?.output)}`);
  for (const link of links) log(`  link ${link.linkType} ${link.entityType} ${link.entityId}`);
}
