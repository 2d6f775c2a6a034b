/** Prints a run as a tree. All that it prints comes from the records. */
import type { Call, Payload, Step } from '@systemoperator/runs';
import { formatDuration, getRunSummary } from '@systemoperator/runs';
import { MemoryStore } from '@systemoperator/runs/memory';

/** Remembers which steps and calls it stored, and in which order. */
export class ListingStore extends MemoryStore {
  readonly stepIds: string[] = [];
  readonly callIds: string[] = [];

  override async insertStep(step: Step): Promise<void> {
    await super.insertStep(step);
    this.stepIds.push(step.id);
  }

  override async insertCall(call: Call): Promise<void> {
    await super.insertCall(call);
    this.callIds.push(call.id);
  }
}

export async function printRun(store: ListingStore, runId: string): Promise<void> {
  const run = await store.getRun(runId);
  if (!run) return;
  console.log(getRunSummary(run));
  // The summary has the first line of the error; what caused it follows.
  printList(1, run.error?.split('\n').slice(1) ?? []);
  printList(1, membersOf(run.input));
  if (run.output) printList(1, [membersOf(run.output).join(' · ')]);
  await printSteps(store, null, 1);
}

async function printSteps(
  store: ListingStore,
  parentStepId: string | null,
  depth: number,
): Promise<void> {
  for (const id of store.stepIds) {
    const step = await store.getStep(id);
    if (!step || step.parentStepId !== parentStepId) continue;
    printRecord(depth, step.stepType, step, progressOf(step));
    const links = await store.getStepLinks(id);
    printList(
      depth + 1,
      links.map((link) => `→ ${link.entityType} ${link.entityId} ${link.externalId ?? ''}`),
    );
    // Of many failed items only the first are recorded, but all are counted.
    printList(depth + 1, resultOf(step.output), step.itemsFailed ?? undefined);
    await printCalls(store, id, depth + 1);
    await printSteps(store, id, depth + 1);
  }
}

async function printCalls(store: ListingStore, stepId: string, depth: number): Promise<void> {
  for (const id of store.callIds) {
    const call = await store.getCall(id);
    if (call?.stepId !== stepId) continue;
    printRecord(depth, `${call.tool} ${call.operation}`, call, resultOf(call.output).join(' · '));
  }
}

/** One line: name, status and duration in columns, then how far it got and why it stopped. */
function printRecord(depth: number, name: string, record: Step | Call, progress: string): void {
  const { status, durationMs, error, attempt } = record;
  const count = attempt > 1 ? ` (attempt ${attempt})` : '';
  const columns = [
    `${'  '.repeat(depth)}${name}${count}`.padEnd(24),
    status.padEnd(9),
    (durationMs === null ? '' : formatDuration(durationMs)).padStart(6),
    [progress, error?.split('\n')[0]].filter(Boolean).join(': '),
  ];
  console.log(columns.join('  ').trimEnd());
}

/** The first lines of a list, and how many more there are. */
function printList(depth: number, lines: string[], total = lines.length): void {
  const shown = lines.slice(0, 5);
  if (lines.length > 0 && total > shown.length) shown.push(`… and ${total - shown.length} more`);
  for (const line of shown) console.log('  '.repeat(depth) + line);
}

function progressOf(step: Step): string {
  if (step.itemsTotal === null) return '';
  const { itemsProcessed, itemsSucceeded, itemsFailed } = step;
  const processed = `${itemsProcessed ?? 0}/${step.itemsTotal}`;
  return `${processed}, ${itemsSucceeded ?? 0} succeeded, ${itemsFailed ?? 0} failed`;
}

/** What a step or a call resulted in: a list as it is, an object by its members. */
function resultOf(output: Payload | null): string[] {
  const result = output?.result ?? output;
  return Array.isArray(result) ? result.map(String) : membersOf(result as Payload | null);
}

function membersOf(payload: object | null): string[] {
  return Object.entries(payload ?? {}).map(([name, value]) => `${name} ${value}`);
}
