import { toMilliseconds } from '../helpers.js';
import type { Call, Step, StepLink } from '../types.js';
import type { StepTrace } from './trace.js';

type Age = { id: string; createdAt: Date; stepIndex?: number };

/** Compares records by time of creation, then by index, then by id; those of no known time come last. */
function oldestFirst(a: Age, b: Age): number {
  const timeOf = ({ createdAt }: Age) => {
    const time = toMilliseconds(createdAt);
    return Number.isNaN(time) ? Number.POSITIVE_INFINITY : time;
  };
  return (
    compare(timeOf(a), timeOf(b)) ||
    compare(a.stepIndex ?? 0, b.stepIndex ?? 0) ||
    compare(a.id, b.id)
  );
}

function compare<V extends string | number>(a: V, b: V): number {
  return Number(a > b) - Number(a < b);
}

/**
 * Puts siblings in order of their creation, and each attempt behind the one
 * that it tries again.
 */
export function inOrder<S>(siblings: S[], recordOf: (sibling: S) => Step | Call): S[] {
  const ordered = siblings
    .map((sibling) => ({ sibling, record: recordOf(sibling) }))
    .sort((a, b) => oldestFirst(a.record, b.record));
  const places = new Map<string | null, number>(
    ordered.map(({ record }, place) => [record.id, place]),
  );
  // Each place leads, over earlier and earlier ones, to that of the first among its attempts.
  const leaders = ordered.map((_, place) => place);
  const firstOf = (place: number): number => {
    let first = place;
    while (leaders[first] !== first) {
      // Whoever asks next has half the way.
      leaders[first] = leaders[leaders[first] as number] as number;
      first = leaders[first] as number;
    }
    return first;
  };
  ordered.forEach(({ record }, place) => {
    const previous = places.get(record.retryOf) ?? place;
    const [a, b] = [firstOf(place), firstOf(previous)];
    leaders[Math.max(a, b)] = Math.min(a, b);
  });
  return ordered
    .map((each, place) => ({ ...each, first: firstOf(place) }))
    .sort((a, b) => a.first - b.first || a.record.attempt - b.record.attempt)
    .map(({ sibling }) => sibling);
}

/** Makes a tree of the steps of a run, with their calls and links. Every step is in it once. */
export function nestSteps(steps: Step[], calls: Call[], links: StepLink[]): StepTrace[] {
  const nodes = steps.map((step): StepTrace => ({ step, steps: [], calls: [], links: [] }));
  const nodeOf = new Map<string | null, StepTrace>(nodes.map((node) => [node.step.id, node]));
  const parentOf = ({ step }: StepTrace) => nodeOf.get(step.parentStepId);
  const circular = findCircular(nodes, parentOf);
  const top: StepTrace[] = [];
  for (const node of nodes) {
    const parent = circular.has(node) ? undefined : parentOf(node);
    (parent?.steps ?? top).push(node);
  }
  for (const call of calls) nodeOf.get(call.stepId)?.calls.push(call);
  for (const link of links) nodeOf.get(link.stepId)?.links.push(link);
  for (const node of nodes) {
    node.steps = inOrder(node.steps, ({ step }) => step);
    node.calls = inOrder(node.calls, (call) => call);
  }
  return inOrder(top, ({ step }) => step);
}

/** The nodes that are among their own parents. */
function findCircular<N>(nodes: N[], parentOf: (node: N) => N | undefined): Set<N | undefined> {
  const circular = new Set<N | undefined>();
  const seen = new Set<N>();
  for (const node of nodes) {
    const path: (N | undefined)[] = [];
    let current: N | undefined = node;
    while (current !== undefined && !seen.has(current)) {
      seen.add(current);
      path.push(current);
      current = parentOf(current);
    }
    const start = path.indexOf(current);
    if (start >= 0) for (const each of path.slice(start)) circular.add(each);
  }
  return circular;
}
