import { type ExecuteCallOptions, RunsError, type RunTracker } from '../../../src/index.js';

/** How calls are made: in runs and steps of so many, and so many at once. */
export interface Shape {
  ofRun: number;
  ofStep: number;
  atOnce: number;
}

const RUN = { runType: 'load', trigger: 'system' } as const;
const CALL = { tool: 'api', operation: 'GET' };

/** Records so many calls, each with its input and output, and what goes with them. */
export async function recordCalls(
  tracker: RunTracker,
  calls: number,
  { ofRun, ofStep, atOnce }: Shape,
  onCalls: (recorded: number) => Promise<void>,
): Promise<void> {
  let recorded = 0;
  while (recorded < calls) {
    await tracker.executeRun({ ...RUN, input: { calls } }, async (runId) => {
      const endOfRun = Math.min(calls, recorded + ofRun);
      while (recorded < endOfRun) {
        await tracker.executeStep(runId, { stepType: 'load' }, async (stepId) => {
          const endOfStep = Math.min(endOfRun, recorded + ofStep);
          while (recorded < endOfStep) {
            const size = Math.min(atOnce, endOfStep - recorded);
            const made = Array.from({ length: size }, (_, index) =>
              recordCall(tracker, stepId, recorded + index),
            );
            await Promise.all([
              ...made,
              tracker.incrementRunOutput(runId, { calls: size }),
              tracker.incrementRunOutput(runId, { batches: 1 }),
              tracker.updateStepProgress(stepId, { itemsProcessed: recorded + size }),
              tracker.linkStep(stepId, {
                linkType: 'output',
                entityType: 'batch',
                entityId: String(recorded),
              }),
            ]);
            recorded += size;
            await onCalls(recorded);
          }
        });
      }
    });
  }
}

/** One call in fifty fails. */
async function recordCall(tracker: RunTracker, stepId: string, number: number): Promise<void> {
  const work = async () => {
    if (number % 50 === 7) throw new RunsError('unsupported', `call ${number} has failed`);
    return { text: `the answer to ${number}` };
  };
  await tracker.executeCall(stepId, { ...CALL, input: { number } }, work).catch(() => {});
}

/** The same in runs of items, under every option there is. */
export async function recordSupervised(
  tracker: RunTracker,
  calls: number,
  { ofRun, atOnce }: Shape,
  signal: AbortSignal,
  onCalls: (recorded: number) => Promise<void>,
): Promise<void> {
  const supervised = { signal, timeoutMs: 600_000, heartbeatMs: 5 };
  const options: ExecuteCallOptions<object> = {
    signal,
    timeoutMs: 600_000,
    output: (value) => value,
    retry: { maxAttempts: 2, delayMs: 0 },
  };
  for (let recorded = 0; recorded < calls; ) {
    const numbers = Array.from(
      { length: Math.min(ofRun, calls - recorded) },
      (_, n) => recorded + n,
    );
    const workOn = (stepId: string) => async (number: number) => {
      let attempts = 0;
      const work = async (context: { signal: AbortSignal }) => {
        attempts += 1;
        if (number % 50 === 7 && attempts === 1) throw new Error(`call ${number} has failed`);
        return { isAborted: context.signal.aborted };
      };
      await tracker.executeCall(stepId, { ...CALL, input: { number } }, work, options);
    };
    await tracker.executeRun(
      RUN,
      (runId) =>
        tracker.executeStep(
          runId,
          { stepType: 'load' },
          (stepId) =>
            tracker.executeItems(stepId, numbers, workOn(stepId), {
              concurrency: atOnce,
              progressMs: 5,
              signal,
            }),
          supervised,
        ),
      supervised,
    );
    recorded += numbers.length;
    await onCalls(recorded);
  }
}
