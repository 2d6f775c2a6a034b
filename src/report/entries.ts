import { toMilliseconds } from '../helpers.js';
import type { Call, Run, Step, StepLink } from '../types.js';
import type { StepTrace, Trace } from './trace.js';

/** A record of a trace, and how deep it lies in it. */
export type TraceEntry = (
  | { kind: 'run'; record: Run }
  | { kind: 'step'; record: Step }
  | { kind: 'call'; record: Call }
) & { depth: number };

/**
 * The records of a trace, each above what is in it: of a step first the calls,
 * then the steps. Calls of steps that were not loaded come last.
 */
export function entriesOf(trace: Trace): TraceEntry[] {
  const entries: TraceEntry[] = [];
  const listed = new Set<string>();
  const addCalls = (calls: Call[], depth: number) => {
    for (const record of calls) {
      listed.add(record.id);
      entries.push({ kind: 'call', record, depth });
    }
  };
  // No recursion: steps may be nested deeper than the stack is.
  const waiting: { node: StepTrace; depth: number }[] = [];
  const wait = (nodes: StepTrace[], depth: number) => {
    for (const node of [...nodes].reverse()) waiting.push({ node, depth });
  };
  if ('run' in trace) {
    entries.push({ kind: 'run', record: trace.run, depth: 0 });
    wait(trace.steps, 1);
  } else {
    wait([trace], 0);
  }
  for (let next = waiting.pop(); next; next = waiting.pop()) {
    const { node, depth } = next;
    entries.push({ kind: 'step', record: node.step, depth });
    addCalls(node.calls, depth + 1);
    wait(node.steps, depth + 1);
  }
  const left = trace.calls.filter(({ id }) => !listed.has(id));
  addCalls(left, 1);
  return entries;
}

/** The links of every step of a trace, by the step's id. */
export function linksOf(trace: Trace): Map<string, StepLink[]> {
  const links = new Map<string, StepLink[]>();
  for (const link of trace.links) {
    const others = links.get(link.stepId);
    if (others) others.push(link);
    else links.set(link.stepId, [link]);
  }
  return links;
}

/** When the work of a record began, in milliseconds since 1970; `null` when it never did. */
export function startOf({ kind, record }: TraceEntry): number | null {
  if (record.status === 'pending') return null;
  const time = toMilliseconds(kind === 'call' ? record.createdAt : record.startedAt);
  return Number.isFinite(time) ? time : null;
}
