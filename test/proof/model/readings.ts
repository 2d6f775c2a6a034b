import type { DeleteRunsOptions } from '../../../src/deletion.js';
import type { Page, RunReader, RunStore, StepLink, StepLinkStore } from '../../../src/index.js';
import { toCode } from './code.js';
import { oldestFirst } from './lists.js';
import type { Kind, Model } from './model.js';
import type { List } from './operations.js';

export type Store = RunStore &
  Partial<StepLinkStore & RunReader & { deleteRuns(options: DeleteRunsOptions): Promise<number> }>;

/** What a store holds, by a name such as `run r1`; `link s1` are the links of a step. */
export async function readingOf(store: Store, name: string): Promise<unknown> {
  const [kind, id] = split(name);
  if (kind === 'run') return (await store.getRun(id)) ?? null;
  if (kind === 'step') return (await store.getStep(id)) ?? null;
  if (kind === 'call') return (await store.getCall(id)) ?? null;
  return tidied((await store.getStepLinks?.(id)) ?? []);
}

/** What it should hold. */
export function expectedOf(model: Model, name: string): unknown {
  const [kind, id] = split(name);
  if (kind === 'link') return tidied(model.getStepLinks(id));
  return model.records[kind].get(id) ?? null;
}

/** The code that reads it. */
export function readingCode(name: string): string {
  const [kind, id] = split(name);
  const what = kind === 'link' ? 'StepLinks' : capitalized(kind);
  return `await store.get${what}(${toCode(id)})`;
}

function split(name: string): [kind: Kind | 'link', id: string] {
  const [kind, id] = name.split(' ');
  return [kind as Kind, id as string];
}

export function capitalized(word: string): string {
  return word.slice(0, 1).toUpperCase() + word.slice(1);
}

/** Links in the order of their ids where they have the same time: nothing says which is first. */
export function tidied(links: StepLink[]): StepLink[] {
  const isInOrder = links.every(
    (link, index) => index === 0 || link.createdAt >= (links[index - 1] as StepLink).createdAt,
  );
  return isInOrder ? links.toSorted(oldestFirst) : links;
}

/** Reads a list to its end; every page but the last one has to be full. */
export async function allPages(
  store: Store,
  { list, runId, query }: Pick<List, 'list' | 'runId' | 'query'>,
): Promise<unknown[]> {
  const read = store[list] as (...args: unknown[]) => Promise<Page<unknown>>;
  const given = list === 'listRuns' ? [] : [runId];
  const items: unknown[] = [];
  const { limit = 50 } = query;
  for (let cursor: string | undefined; ; ) {
    const page = await read.call(store, ...given, cursor ? { ...query, cursor } : query);
    items.push(...page.items);
    if (page.nextCursor === null) return items;
    if (page.items.length !== limit) throw new Error(`A page of ${page.items.length} items`);
    cursor = page.nextCursor;
  }
}
