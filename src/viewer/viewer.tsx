import { describeError, invalidArgument, RunsError } from '../errors.js';
import { loadRunTrace } from '../report/trace.js';
import type { RunReader } from '../store.js';
import { type Addresses, addressesBelow, readRunQuery } from './addresses.js';
import { render } from './layout.js';
import { ListPage, loadList } from './list-page.js';
import { MessagePage } from './message-page.js';
import { type Answer, answerText, toResponse } from './responses.js';
import { RunPage } from './run-page.js';
import { SCRIPT } from './script.js';
import { loadStep, StepPage } from './step-page.js';
import { STYLES } from './styles.js';

/** What a viewer is made of. */
export interface ViewerOptions {
  /** What it shows: a ready-made store, or another `RunReader`. It is never written to. */
  reader: RunReader;
  /**
   * Decides about every request, those for scripts, styles and JSON included. What is
   * not exactly `true`, and what throws or rejects, is answered with 403 and nothing else.
   */
  authorize: (request: Request) => boolean | Promise<boolean>;
  /** The path that the viewer is mounted at. @default '' */
  basePath?: string | undefined;
  /** The title of the pages. @default 'Runs' */
  title?: string | undefined;
}

/** Answers requests; it does not reject. */
export type Viewer = (request: Request) => Promise<Response>;

/** What the pages have in common. */
export interface Site {
  title: string;
  addresses: Addresses;
}

/**
 * Makes a web page over the records in your database, for whatever serves
 * `Request` and `Response`: a Worker, Hono, Deno, Bun, or Node through an adapter.
 *
 * Shows lists of runs, and each run with its steps and calls; goes on while something
 * runs. Also gives JSON, at `/api/runs` and `/api/runs/:id`. Only GET and HEAD are
 * answered, and nothing is loaded from anywhere else.
 *
 * @throws {RunsError} `invalid_argument` for a `basePath` that is no path, and without `authorize`
 *
 * @example
 * const viewer = createViewer({ reader: store, authorize: isAdmin, basePath: '/admin/runs' });
 * export default { fetch: viewer };
 */
export function createViewer(options: ViewerOptions): Viewer {
  const { reader, authorize, title = 'Runs' } = options;
  const basePath = (options.basePath ?? '').replace(/\/$/, '');
  const operation = 'create viewer';
  if (typeof authorize !== 'function') {
    throw invalidArgument(operation, 'authorize', 'a function', authorize);
  }
  if (basePath !== '' && !/^(\/[\w.~-]+)+$/.test(basePath)) {
    throw invalidArgument(operation, 'basePath', 'a path such as /admin/runs', options.basePath);
  }
  const site: Site = { title, addresses: addressesBelow(basePath) };

  return async (request) => {
    let answer: Answer;
    if (!(await isAuthorized(authorize, request))) answer = answerText(403, 'Forbidden');
    else if (request.method !== 'GET' && request.method !== 'HEAD') {
      answer = answerText(405, 'Only GET and HEAD are answered here.', { allow: 'GET, HEAD' });
    } else answer = await answerTo(new URL(request.url), basePath, reader, site);
    return toResponse(request, answer);
  };
}

async function isAuthorized(
  authorize: ViewerOptions['authorize'],
  request: Request,
): Promise<boolean> {
  try {
    return (await authorize(request)) === true;
  } catch {
    return false;
  }
}

async function answerTo(
  url: URL,
  basePath: string,
  reader: RunReader,
  site: Site,
): Promise<Answer> {
  const isBelow = url.pathname === basePath || url.pathname.startsWith(`${basePath}/`);
  const path = url.pathname.slice(basePath.length);
  const isApi = path.startsWith('/api/');
  try {
    if (!isBelow) return answerText(404, 'There is no such page.');
    return await route(path, url.searchParams, reader, site);
  } catch (error) {
    const [status, message] = explain(error);
    if (isApi) return { status, type: 'json', body: JSON.stringify({ error: message }) };
    const body = render(<MessagePage site={site} status={status} message={message} />);
    return { status, type: 'html', body };
  }
}

/** What a visitor is told of an error: of what the library refuses, why; of anything else, nothing. */
function explain(error: unknown): [status: number, message: string] {
  if (error instanceof RunsError && error.code === 'not_found') return [404, error.message];
  if (error instanceof RunsError && error.code === 'invalid_argument') return [400, error.message];
  console.error(`[@systemoperator/runs] viewer: ${describeError(error).replace(/\s+/g, ' ')}`);
  return [500, 'Something went wrong. The log of the server says what.'];
}

async function route(
  path: string,
  parameters: URLSearchParams,
  reader: RunReader,
  site: Site,
): Promise<Answer> {
  if (path === '' || path === '/') {
    const list = await loadList(reader, readRunQuery(parameters));
    const page = <ListPage site={site} list={list} parameters={parameters} now={new Date()} />;
    return { status: 200, type: 'html', body: render(page), version: JSON.stringify(list) };
  }
  if (path === '/viewer.js') return { status: 200, type: 'js', body: SCRIPT };
  if (path === '/viewer.css') return { status: 200, type: 'css', body: STYLES };
  if (path === '/go') return jump(parameters.get('id')?.trim() ?? '', reader, site);
  if (path === '/api/runs' && !parameters.has('id')) {
    const page = await reader.listRuns(readRunQuery(parameters));
    return { status: 200, type: 'json', body: JSON.stringify(page) };
  }
  const [, api, kind, encoded] = /^(\/api)?\/(runs|steps)(?:\/([^/]+))?$/.exec(path) ?? [];
  const id = encoded === undefined ? parameters.get('id') : decode(encoded);
  if (kind === 'runs' && id !== null) {
    const trace = await loadRunTrace(reader, id);
    const { run, steps, isCut } = trace;
    const version = JSON.stringify({ run, steps, isCut });
    if (api) return { status: 200, type: 'json', body: version };
    const body = render(<RunPage site={site} trace={trace} now={new Date()} />);
    return { status: 200, type: 'html', body, version };
  }
  if (kind === 'steps' && !api && id !== null) {
    const view = await loadStep(reader, id, parameters.get('cursor') ?? undefined);
    const body = render(<StepPage site={site} view={view} now={new Date()} />);
    return { status: 200, type: 'html', body, version: JSON.stringify(view) };
  }
  throw new RunsError('not_found', 'There is no such page.');
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw invalidArgument('read the address', 'the id', 'encoded as URLs are', text);
  }
}

/** Leads to the run or the step of an id. */
async function jump(id: string, reader: RunReader, { addresses }: Site): Promise<Answer> {
  if (id === '') throw invalidArgument('jump', 'id', 'the id of a run or of a step', id);
  let location: string | undefined;
  if (await reader.getRun(id)) location = addresses.run(id);
  else if (await reader.getStep(id)) location = addresses.step(id);
  if (location) return answerText(303, 'See there.', { location });
  throw new RunsError('not_found', `There is no run and no step with the id "${id}".`);
}
