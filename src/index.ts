/**
 * Records the execution of workflows, syncs and background jobs in a database of yours.
 *
 * @packageDocumentation
 */
export type { Redact, RedactInfo } from './capture.js';
export type { DeleteRunsOptions } from './deletion.js';
export { RunsError, type RunsErrorCode } from './errors.js';
export {
  calculateDuration,
  formatDuration,
  getProgress,
  getRunSummary,
  isCallComplete,
  isRunComplete,
  isStepComplete,
  mergeOutputIncrements,
  type ProgressEstimate,
  type Timestamp,
} from './helpers.js';
export type { ExecuteItemsOptions, ItemError, ItemsResult } from './items.js';
export type {
  ExecuteCallOptions,
  ExecuteContext,
  ExecuteRunOptions,
  ExecuteStepOptions,
  RetryOptions,
} from './options.js';
export type {
  Page,
  PageQuery,
  RunQuery,
  RunReader,
  RunStore,
  StaleIds,
  StaleSweep,
  StepLinkStore,
  StepQuery,
  StepRecordQuery,
  UpdateConditions,
  UpdateRunConditions,
} from './store.js';
export { type FailStaleOptions, RunTracker, type RunTrackerOptions } from './tracker.js';
export type { OnTrackingError, TrackingErrorInfo, Work } from './tracking-errors.js';
export type {
  ActorType,
  Call,
  CallStatus,
  CreateCallParams,
  CreateRunParams,
  CreateStepParams,
  FinishCallParams,
  FinishParams,
  LinkStepParams,
  Payload,
  RecordKind,
  Run,
  RunStatus,
  Step,
  StepLink,
  StepLinkType,
  StepProgress,
  StepStatus,
  TriggerType,
} from './types.js';
