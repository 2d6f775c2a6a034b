import type { VNode } from 'preact';
import { RunsError } from '../errors.js';
import { isStepComplete } from '../helpers.js';
import type { Page, RunReader } from '../store.js';
import type { Call, Step, StepLink } from '../types.js';
import { JsonView } from './json-view.js';
import { Layout } from './layout.js';
import { Duration, Progress, StatusBadge, Time } from './parts.js';
import { Fact } from './run-page.js';
import { CallNode, ErrorText, Links, rowsOf } from './step-tree.js';
import type { Site } from './viewer.js';

/** A step with a page of its calls, and its links. */
export interface StepView {
  step: Step;
  calls: Page<Call>;
  links: Page<StepLink>;
}

const CALLS_A_PAGE = 200;

/** @throws {RunsError} `not_found` for an unknown step, `invalid_argument` for a bad cursor */
export async function loadStep(
  reader: RunReader,
  id: string,
  cursor: string | undefined,
): Promise<StepView> {
  const step = await reader.getStep(id);
  if (!step) throw new RunsError('not_found', `Cannot show step "${id}": it does not exist`);
  const [calls, links] = await Promise.all([
    reader.listCalls(step.runId, { stepId: id, limit: CALLS_A_PAGE, cursor }),
    reader.listLinks(step.runId, { stepId: id, limit: CALLS_A_PAGE }),
  ]);
  return { step, calls, links };
}

interface StepPageProps {
  site: Site;
  view: StepView;
  now: Date;
}

/** A step by itself: inside a run, or standing alone. */
export function StepPage({ site, view, now }: StepPageProps): VNode {
  const { step, calls, links } = view;
  const { addresses } = site;
  const trace = { step, steps: [], calls: calls.items, links: links.items };
  const rows = rowsOf(trace, now);
  const more = new URLSearchParams({ cursor: calls.nextCursor ?? '' });
  const address = addresses.step(step.id);
  return (
    <Layout site={site} name={step.stepType} isLive={!isStepComplete(step)}>
      <h1>
        {step.stepType} <StatusBadge status={step.status} />
      </h1>
      <dl class="facts">
        <Fact name="Id">
          <span class="id">{step.id}</span>
        </Fact>
        <Fact name="Run">
          {step.runId === null ? (
            'none: it stands alone'
          ) : (
            <a href={addresses.run(step.runId)}>{step.runId}</a>
          )}
        </Fact>
        {step.parentStepId !== null && (
          <Fact name="Part of">
            <a href={addresses.step(step.parentStepId)}>{step.parentStepId}</a>
          </Fact>
        )}
        {step.retryOf !== null && (
          <Fact name="Attempt">
            {step.attempt}, after <a href={addresses.step(step.retryOf)}>{step.retryOf}</a>
          </Fact>
        )}
        <Fact name="Actor">{[step.actorType, step.actorId].filter(Boolean).join(' ')}</Fact>
        {step.entityType !== null && (
          <Fact name="About">
            {step.entityType} {step.entityId}
          </Fact>
        )}
        <Fact name="Created">
          <Time at={step.createdAt} />
        </Fact>
        {step.startedAt !== null && (
          <Fact name="Started">
            <Time at={step.startedAt} />
          </Fact>
        )}
        {step.completedAt !== null && (
          <Fact name="Ended">
            <Time at={step.completedAt} />
          </Fact>
        )}
        <Fact name="Duration">
          <Duration record={step} now={now} />
        </Fact>
      </dl>
      <Progress step={step} now={now} />
      <ErrorText error={step.error} />
      <JsonView name="context" value={step.context} />
      <JsonView name="input" value={step.input} />
      <JsonView name="output" value={step.output} />
      <Links links={links.items} />
      {links.nextCursor !== null && <p class="notice">There are more links than these.</p>}
      <h2>Calls</h2>
      {calls.items.length === 0 ? (
        <p class="empty">No calls.</p>
      ) : (
        <ol class="tree">
          {calls.items.map((call) => (
            <CallNode key={call.id} context={{ site, now, rows }} call={call} depth={0} />
          ))}
        </ol>
      )}
      {calls.nextCursor !== null && (
        <nav class="pages" aria-label="Pages">
          <a href={`${address}${address.includes('?') ? '&' : '?'}${more}`} rel="next">
            Later calls
          </a>
        </nav>
      )}
    </Layout>
  );
}
