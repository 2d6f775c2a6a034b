import type { VNode } from 'preact';
import { isRunComplete } from '../helpers.js';
import type { RunTrace } from '../report/trace.js';
import type { Payload } from '../types.js';
import { JsonView } from './json-view.js';
import { Layout } from './layout.js';
import { Duration, format, StatusBadge, Time } from './parts.js';
import { ErrorText, rowsOf, StepNode } from './step-tree.js';
import type { Site } from './viewer.js';

interface RunPageProps {
  site: Site;
  trace: RunTrace;
  now: Date;
}

/** A run: what it is and counted, and when its steps and calls ran. */
export function RunPage({ site, trace, now }: RunPageProps): VNode {
  const { run, steps, isCut } = trace;
  const rows = rowsOf(trace, now);
  const cut = Object.entries(isCut).filter(([, isMore]) => isMore);
  return (
    <Layout site={site} name={run.runType} isLive={!isRunComplete(run)}>
      <h1>
        {run.runType} <StatusBadge status={run.status} />
      </h1>
      <dl class="facts">
        <Fact name="Id">
          <span class="id">{run.id}</span>
        </Fact>
        <Fact name="Trigger">{run.trigger}</Fact>
        <Fact name="Actor">{[run.actorType, run.actorId].filter(Boolean).join(' ')}</Fact>
        {run.currentStep !== null && <Fact name="Current step">{run.currentStep}</Fact>}
        <Fact name="Created">
          <Time at={run.createdAt} />
        </Fact>
        {run.startedAt !== null && (
          <Fact name="Started">
            <Time at={run.startedAt} />
          </Fact>
        )}
        {run.completedAt !== null && (
          <Fact name="Ended">
            <Time at={run.completedAt} />
          </Fact>
        )}
        <Fact name="Duration">
          <Duration record={run} now={now} />
        </Fact>
      </dl>
      <ErrorText error={run.error} />
      <Figures output={run.output} />
      <JsonView name="input" value={run.input} />
      <JsonView name="output" value={run.output} />
      <h2>Steps</h2>
      {cut.length > 0 && (
        <p class="notice">
          There are more {cut.map(([kind]) => kind).join(' and ')} than are shown here. The page of
          a step shows all of its own.
        </p>
      )}
      {steps.length === 0 ? (
        <p class="empty">No steps yet.</p>
      ) : (
        <ol class="tree">
          {steps.map((step) => (
            <StepNode key={step.step.id} context={{ site, now, rows }} trace={step} depth={0} />
          ))}
        </ol>
      )}
    </Layout>
  );
}

export function Fact({ name, children }: { name: string; children: unknown }): VNode {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children as VNode}</dd>
    </div>
  );
}

/** The counters of a run, as large as they are interesting. */
function Figures({ output }: { output: Payload | null }): VNode | null {
  const counters = Object.entries(output ?? {}).filter(([, value]) => typeof value === 'number');
  if (counters.length === 0) return null;
  return (
    <dl class="figures">
      {counters.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{format(value as number)}</dd>
        </div>
      ))}
    </dl>
  );
}
