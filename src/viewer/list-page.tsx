import type { VNode } from 'preact';
import type { Page, RunQuery, RunReader } from '../store.js';
import type { Run, Step } from '../types.js';
import { withParameters } from './addresses.js';
import { Layout } from './layout.js';
import { Duration, firstLine, Progress, StatusBadge, Time } from './parts.js';
import type { Site } from './viewer.js';

/** A page of runs, and of those that are running the step that they are at. */
export interface RunList extends Page<Run> {
  currentSteps: Record<string, Step>;
}

const STATUSES = ['pending', 'running', 'completed', 'failed', 'cancelled'];
const TRIGGERS = ['cron', 'user', 'webhook', 'chat', 'agent', 'manual', 'system'];
/** How many steps of a running run are looked at to find the one that it is at. */
const STEPS_AT_WORK = 20;

/** Reads a page of runs, with one bounded read more for each that is running. */
export async function loadList(reader: RunReader, query: RunQuery): Promise<RunList> {
  const page = await reader.listRuns(query);
  const running = page.items.filter(({ status }) => status === 'running');
  const entries = await Promise.all(
    running.map(async (run) => {
      const wanted = { status: 'running', limit: STEPS_AT_WORK } as const;
      const { items } = await reader.listSteps(run.id, wanted);
      const current = items.filter(({ stepType }) => stepType === run.currentStep);
      return [run.id, current.at(-1) ?? items.at(-1)] as const;
    }),
  );
  const known = entries.filter((entry): entry is readonly [string, Step] => Boolean(entry[1]));
  return { ...page, currentSteps: Object.fromEntries(known) };
}

interface ListPageProps {
  site: Site;
  list: RunList;
  /** What the address asks for. */
  parameters: URLSearchParams;
  now: Date;
}

export function ListPage({ site, list, parameters, now }: ListPageProps): VNode {
  const { items, nextCursor, currentSteps } = list;
  const { addresses } = site;
  const isFirst = !parameters.get('cursor');
  return (
    <Layout site={site} isLive>
      <h1>Runs</h1>
      <Filters site={site} parameters={parameters} />
      {items.length === 0 ? (
        <p class="empty">No runs{isFirst ? ' that match' : ' further back'}.</p>
      ) : (
        <table class="runs">
          <caption class="hidden">Runs, newest first</caption>
          <thead>
            <tr>
              <th scope="col">Status</th>
              <th scope="col">Run</th>
              <th scope="col">What happens</th>
              <th scope="col">Trigger</th>
              <th scope="col">Created</th>
              <th scope="col">Duration</th>
            </tr>
          </thead>
          <tbody>
            {items.map((run) => (
              <RunRow key={run.id} site={site} run={run} step={currentSteps[run.id]} now={now} />
            ))}
          </tbody>
        </table>
      )}
      <nav class="pages" aria-label="Pages">
        {!isFirst && (
          <a href={addresses.list(withParameters(parameters, { cursor: null }))}>Newest</a>
        )}
        {nextCursor !== null && (
          <a href={addresses.list(withParameters(parameters, { cursor: nextCursor }))} rel="next">
            Older
          </a>
        )}
      </nav>
    </Layout>
  );
}

interface RunRowProps {
  site: Site;
  run: Run;
  step: Step | undefined;
  now: Date;
}

function RunRow({ site, run, step, now }: RunRowProps): VNode {
  const { id, runType, trigger, actorType, actorId, status, currentStep, error } = run;
  return (
    <tr id={`run-${id}`}>
      <td>
        <StatusBadge status={status} />
      </td>
      <td>
        <a class="name" href={site.addresses.run(id)}>
          {runType}
        </a>
        <span class="id">{id}</span>
      </td>
      <td class="what">
        {status === 'running' && (step?.stepType ?? currentStep) && (
          <span>{step?.stepType ?? currentStep}</span>
        )}
        {step && <Progress step={step} now={now} />}
        {error !== null && <span class="error">{firstLine(error)}</span>}
      </td>
      <td class="trigger">
        {trigger}
        {actorId !== null && (
          <span class="id">
            {actorType} {actorId}
          </span>
        )}
      </td>
      <td>
        <Time at={run.createdAt} />
      </td>
      <td class="number">
        <Duration record={run} now={now} />
      </td>
    </tr>
  );
}

/** The form whose fields are the filters: sending it makes the address of the view. */
function Filters({ site, parameters }: { site: Site; parameters: URLSearchParams }): VNode {
  const statuses = parameters.getAll('status');
  const text = (name: string) => parameters.get(name) ?? '';
  // A field for a time shows nothing but minutes or seconds.
  const time = (name: string) => text(name).replace(/(\.\d+)?Z$/, '');
  const isFiltered = [...parameters.keys()].some((name) => name !== 'cursor');
  return (
    <form class="filters" action={site.addresses.list()} method="get" aria-label="Filters">
      <fieldset>
        <legend>Status</legend>
        {STATUSES.map((status) => (
          <label key={status}>
            <input
              type="checkbox"
              name="status"
              value={status}
              checked={statuses.includes(status)}
            />{' '}
            {status}
          </label>
        ))}
      </fieldset>
      <label>
        Type <input name="runType" value={text('runType')} autocomplete="off" />
      </label>
      <label>
        Trigger{' '}
        <select name="trigger">
          <option value="">any</option>
          {TRIGGERS.map((trigger) => (
            <option key={trigger} value={trigger} selected={trigger === text('trigger')}>
              {trigger}
            </option>
          ))}
        </select>
      </label>
      <label>
        Actor <input name="actorId" value={text('actorId')} autocomplete="off" />
      </label>
      <label>
        After (UTC){' '}
        <input type="datetime-local" step="1" name="createdAfter" value={time('createdAfter')} />
      </label>
      <label>
        Before (UTC){' '}
        <input type="datetime-local" step="1" name="createdBefore" value={time('createdBefore')} />
      </label>
      <button type="submit">Filter</button>
      {isFiltered && <a href={site.addresses.list()}>Show all</a>}
    </form>
  );
}
