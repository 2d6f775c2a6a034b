import type { RunStore } from '../../src/index.js';
import { intercept } from './stores.js';

/** Long enough for every promise that can go on without the store to do so. */
async function settle(): Promise<void> {
  for (let ticks = 0; ticks < 40; ticks += 1) await null;
}

/**
 * Runs a scenario once for every order in which its concurrent store calls can
 * happen, and resolves to the number of orders.
 */
export async function everyInterleaving<S extends RunStore>(
  open: () => Promise<S>,
  scenario: (store: S, underlying: S) => Promise<void>,
): Promise<number> {
  let orders = 0;
  for (let plan: number[] | undefined = []; plan; orders += 1) {
    const pending: (() => void)[] = [];
    const underlying = await open();
    const gated = intercept(underlying, async (_call, proceed) => {
      await new Promise<void>((resolve) => pending.push(resolve));
      return proceed();
    });
    let isDone = false;
    const done = scenario(gated, underlying).finally(() => {
      isDone = true;
    });
    // Who goes first is decided here: by the plan, and by the first in line beyond it.
    const taken: { choice: number; of: number }[] = [];
    await settle();
    while (!isDone && pending.length > 0) {
      const choice = plan[taken.length] ?? 0;
      taken.push({ choice, of: pending.length });
      pending.splice(choice, 1)[0]?.();
      await settle();
    }
    await done;
    plan = nextPlan(taken);
  }
  return orders;
}

function nextPlan(taken: { choice: number; of: number }[]): number[] | undefined {
  for (let last = taken.length - 1; last >= 0; last -= 1) {
    const { choice, of } = taken[last] as { choice: number; of: number };
    if (choice + 1 < of) return [...taken.slice(0, last).map((step) => step.choice), choice + 1];
  }
  return undefined;
}
