import type { VNode } from 'preact';
import { cleanText } from '../payload.js';
import { type TimelineRow, timelineOf } from '../report/timeline.js';
import type { StepTrace, Trace } from '../report/trace.js';
import type { Call, StepLink } from '../types.js';
import { JsonView } from './json-view.js';
import { Duration, firstLine, Progress, StatusBadge, Time } from './parts.js';
import type { Site } from './viewer.js';

/** What every part of the tree is told. */
export interface TreeContext {
  site: Site;
  now: Date;
  /** Where each record lies on the time axis, by its kind and id. */
  rows: Map<string, TimelineRow>;
}

export function rowsOf(trace: Trace, now: Date): TreeContext['rows'] {
  return new Map(timelineOf(trace, now).map((row) => [row.kind + row.record.id, row]));
}

interface StepNodeProps {
  context: TreeContext;
  trace: StepTrace;
  depth: number;
}

/** A step with its calls and the steps in it, to unfold; its line shows when it ran. */
export function StepNode({ context, trace, depth }: StepNodeProps): VNode {
  const { step, steps, calls, links } = trace;
  const { site, now } = context;
  return (
    <li>
      <details id={`step-${step.id}`} data-key={step.id}>
        <summary>
          <Line
            context={context}
            depth={depth}
            record={step}
            name={step.stepType}
            row={context.rows.get(`step${step.id}`) as TimelineRow}
          />
        </summary>
        <div class="body">
          <p class="facts">
            <a href={site.addresses.step(step.id)}>Step</a> <span class="id">{step.id}</span>
            {step.startedAt !== null && (
              <span>
                {' '}
                started <Time at={step.startedAt} />
              </span>
            )}
            {step.actorId !== null && (
              <span>
                {' '}
                by {step.actorType} {step.actorId}
              </span>
            )}
            {step.entityType !== null && (
              <span>
                {' '}
                about {step.entityType} {step.entityId}
              </span>
            )}
            <Attempt kind="step" attempt={step.attempt} retryOf={step.retryOf} />
          </p>
          <Progress step={step} now={now} />
          <ErrorText error={step.error} />
          <JsonView name="context" value={step.context} />
          <JsonView name="input" value={step.input} />
          <JsonView name="output" value={step.output} />
          <Links links={links} />
          {calls.length > 0 && (
            <ol class="calls" aria-label="Calls">
              {calls.map((call) => (
                <CallNode key={call.id} context={context} call={call} depth={depth + 1} />
              ))}
            </ol>
          )}
        </div>
      </details>
      {steps.length > 0 && (
        <ol aria-label={`Steps in ${step.stepType}`}>
          {steps.map((child) => (
            <StepNode key={child.step.id} context={context} trace={child} depth={depth + 1} />
          ))}
        </ol>
      )}
    </li>
  );
}

interface CallNodeProps {
  context: TreeContext;
  call: Call;
  depth: number;
}

export function CallNode({ context, call, depth }: CallNodeProps): VNode {
  return (
    <li>
      <details id={`call-${call.id}`} data-key={call.id}>
        <summary>
          <Line
            context={context}
            depth={depth}
            record={call}
            name={`${call.tool} ${call.operation}`}
            row={context.rows.get(`call${call.id}`) as TimelineRow}
          />
        </summary>
        <div class="body">
          <p class="facts">
            Call <span class="id">{call.id}</span> started <Time at={call.createdAt} />
            <Attempt kind="call" attempt={call.attempt} retryOf={call.retryOf} />
          </p>
          <ErrorText error={call.error} />
          <JsonView name="input" value={call.input} />
          <JsonView name="output" value={call.output} />
          <JsonView name="metadata" value={call.metadata} />
        </div>
      </details>
    </li>
  );
}

interface LineProps {
  context: TreeContext;
  depth: number;
  record: StepTrace['step'] | Call;
  name: string;
  row: TimelineRow;
}

function Line({ context, depth, record, name, row }: LineProps): VNode {
  const { status, attempt, error } = record;
  return (
    <span class="line">
      <span class={`label depth-${Math.min(depth, 8)}`}>
        <StatusBadge status={status} /> <span class="name">{name}</span>
        {attempt > 1 && <span class="hint"> attempt {attempt}</span>}
        {error !== null && <span class="error"> {firstLine(error)}</span>}
      </span>
      <span class="number">
        <Duration record={record} now={context.now} />
      </span>
      <Bar row={row} status={status} />
    </span>
  );
}

/** Shows when a record ran, on an axis as long as all of them. */
function Bar({ row, status }: { row: TimelineRow; status: string }): VNode {
  const scale = 1000;
  const start = row.start * scale;
  // Even what took no time is seen.
  const width = Math.max(4, (row.end - row.start) * scale);
  return (
    <svg
      class={`bar ${status}`}
      viewBox={`0 0 ${scale} 10`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      <rect x={Math.min(start, scale - width)} y="1" width={width} height="8" rx="2" />
    </svg>
  );
}

interface AttemptProps {
  kind: 'step' | 'call';
  attempt: number;
  retryOf: string | null;
}

/** Which attempt a record is, with a link to the one before. */
function Attempt({ kind, attempt, retryOf }: AttemptProps): VNode | null {
  if (attempt <= 1 && retryOf === null) return null;
  return (
    <span>
      {' '}
      attempt {attempt}
      {retryOf !== null && (
        <>
          , after <a href={`#${kind}-${encodeURIComponent(cleanText(retryOf))}`}>{retryOf}</a>
        </>
      )}
    </span>
  );
}

/** An error in full, as it was recorded. */
export function ErrorText({ error }: { error: string | null }): VNode | null {
  return error === null ? null : <pre class="error">{error}</pre>;
}

/** The entities that a step touched. */
export function Links({ links }: { links: StepLink[] }): VNode | null {
  if (links.length === 0) return null;
  return (
    <table class="links">
      <caption>Linked entities</caption>
      <thead>
        <tr>
          <th scope="col">Link</th>
          <th scope="col">Entity</th>
          <th scope="col">Id</th>
          <th scope="col">External id</th>
        </tr>
      </thead>
      <tbody>
        {links.map((link) => (
          <tr key={link.id}>
            <td>{link.linkType}</td>
            <td>{link.entityType}</td>
            <td>{link.entityId}</td>
            <td>{link.externalId}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
