import { toCode } from './code.js';
import type { Model } from './model.js';
import { isAlike, type Outcome } from './outcomes.js';
import { expectedOf } from './readings.js';

/** What one of several operations at once does in the model, and what came of it in the store. */
export interface Competitor {
  apply(model: Model): Outcome;
  actual: Outcome;
}

/** The operations one after the other: what comes of each, and what is stored then. */
interface Order {
  model: Model;
  outcomes: Outcome[];
}

/** Every order that competing operations can have happened in. */
export function ordersOf(model: Model, competitors: Competitor[]): Order[] {
  return permutations(competitors.map((_, index) => index)).map((order) => {
    const copy = model.clone();
    const outcomes: Outcome[] = [];
    for (const index of order) outcomes[index] = (competitors[index] as Competitor).apply(copy);
    return { model: copy, outcomes };
  });
}

/** Those after which each operation has come to what it has. */
export function likelyOrders(orders: Order[], competitors: Competitor[]): Order[] {
  return orders.filter(({ outcomes }) =>
    competitors.every(({ actual }, index) => isAlike(outcomes[index] as Outcome, actual)),
  );
}

/** The names of the records that an order has touched; only those that tell one from the other. */
export function touchedBy(orders: Order[], isFar: boolean): string[] {
  const names = [...new Set(orders.flatMap(({ model }) => [...model.touched]))];
  const statesOf = (name: string) =>
    new Set(orders.map(({ model }) => toCode(expectedOf(model, name))));
  return names.filter((name) => !isFar || statesOf(name).size > 1);
}

function permutations(items: number[]): number[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item) =>
    permutations(items.filter((other) => other !== item)).map((rest) => [item, ...rest]),
  );
}
