/** The Worker that the tests in the Workers pool belong to. */
import { DurableObject } from 'cloudflare:workers';
import { RunTracker } from '../../src/index.js';
import { type D1Binding, D1Store } from '../../src/sql/d1.js';

interface Env {
  DB: D1Binding;
}

/** Nothing of its own: the tests use its storage. */
export class RunsObject extends DurableObject {}

export default {
  /** Tracks a job of calls side by side, with a store of this request's own or with one for all requests. */
  async fetch(request: Request, env: Env): Promise<Response> {
    const { searchParams } = new URL(request.url);
    const store = searchParams.has('shared') ? sharedStore(env) : new D1Store(env.DB);
    const tracker = new RunTracker({ store, linkStore: store });
    const id = searchParams.get('id') ?? undefined;
    await tracker.executeRun({ id, runType: 'request', trigger: 'webhook' }, async (runId) => {
      await tracker.executeStep(runId, { stepType: 'calls' }, async (stepId) => {
        const call = { tool: 'api', operation: 'GET /' };
        const calls = [1, 2, 3].map(() => tracker.executeCall(stepId, call, async () => 1));
        await Promise.all(calls);
        await tracker.incrementRunOutput(runId, { calls: calls.length });
      });
    });
    return new Response('done');
  },
};

let shared: D1Store | undefined;
function sharedStore({ DB }: Env): D1Store {
  shared ??= new D1Store(DB, { groupCommit: false });
  return shared;
}
