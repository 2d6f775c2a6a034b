import { invalidArgument } from '../errors.js';
import { cleanText } from '../payload.js';
import type { RunQuery } from '../store.js';

/** What a list can be asked for in an address, and how each is read. */
const FILTERS = [
  'status',
  'runType',
  'trigger',
  'actorId',
  'createdAfter',
  'createdBefore',
  'updatedBefore',
  'limit',
  'cursor',
] as const;

/** The addresses of the pages, all below the path that the viewer is mounted at. */
export interface Addresses {
  list(query?: URLSearchParams): string;
  run(id: string): string;
  step(id: string): string;
  asset(name: string): string;
  /** Where the form leads that jumps to an id. */
  jump: string;
}

export function addressesBelow(basePath: string): Addresses {
  const record = (kind: string, id: string) => {
    const text = cleanText(id);
    // A path of dots is a way up, however it is encoded (URL, "double-dot URL path segment").
    return /^\.{1,2}$/.test(text) || text === ''
      ? `${basePath}/${kind}?id=${encodeURIComponent(text)}`
      : `${basePath}/${kind}/${encodeURIComponent(text)}`;
  };
  return {
    list: (query) => `${basePath}/${query?.size ? `?${query}` : ''}`,
    run: (id) => record('runs', id),
    step: (id) => record('steps', id),
    asset: (name) => `${basePath}/${name}`,
    jump: `${basePath}/go`,
  };
}

/**
 * Reads what an address asks a list for. Forms send empty fields: they ask for nothing.
 *
 * @throws {RunsError} `invalid_argument` for a time or a limit that is none
 */
export function readRunQuery(parameters: URLSearchParams): RunQuery {
  const query: Record<string, unknown> = {};
  for (const name of FILTERS) {
    const values = parameters.getAll(name).filter((value) => value !== '');
    const [value] = values;
    if (value === undefined) continue;
    if (name === 'status') query.status = values.length > 1 ? values : value;
    else if (name === 'limit') query.limit = Number(value);
    else if (/^(created|updated)/.test(name)) query[name] = readTime(name, value);
    else query[name] = value;
  }
  return query as RunQuery;
}

/** A time without a zone is meant in UTC, as the pages show it. */
function readTime(name: string, value: string): Date {
  const hasZone = /(Z|[+-]\d\d:?\d\d)$/i.test(value);
  const time = new Date(hasZone || !value.includes('T') ? value : `${value}Z`);
  if (Number.isNaN(time.getTime())) {
    throw invalidArgument('list runs', name, 'a time such as 2026-03-01T12:00', value);
  }
  return time;
}

/** The same address with other parameters: `null` leaves one out. */
export function withParameters(
  parameters: URLSearchParams,
  changes: Record<string, string | null>,
): URLSearchParams {
  const changed = new URLSearchParams();
  for (const [name, value] of parameters) {
    if (value !== '' && !(name in changes)) changed.append(name, value);
  }
  for (const [name, value] of Object.entries(changes)) {
    if (value !== null) changed.set(name, value);
  }
  return changed;
}
