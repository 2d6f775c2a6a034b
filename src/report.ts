export { renderTimelineSvg, type TimelineSvgOptions } from './report/svg.js';
export { type TimelineRow, timelineOf } from './report/timeline.js';
export {
  type LoadTraceOptions,
  loadRunTrace,
  loadStepTrace,
  type RunTrace,
  type SingleStepTrace,
  type StepTrace,
  type Trace,
  type TraceCut,
} from './report/trace.js';
export { formatRunTree, type RunTreeOptions } from './report/tree.js';
