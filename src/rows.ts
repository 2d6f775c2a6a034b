import type { Status } from './lifecycle.js';
import type { Payload } from './types.js';

/** A record of any kind, as far as the tracker looks into it. */
export interface Row {
  id: string;
  status: Status;
  output: Payload | null;
  error: string | null;
  createdAt: Date;
  startedAt?: Date | null;
  attempt?: number;
  retryOf?: string | null;
  /** Steps only. */
  runId?: string | null;
  /** Steps only. */
  parentStepId?: string | null;
  /** Steps only. */
  stepType?: string;
  /** Calls only. */
  stepId?: string;
}

/** What an update sets. */
export interface RowFields {
  status?: Status;
  output?: Payload | null;
  error?: string | null;
  [field: string]: unknown;
}

/** What must hold for an update: the conditions of {@link RunStore}, for any kind. */
export interface RowConditions {
  ifStatus?: readonly Status[];
  ifError?: string;
  mergeOutput?: true;
}
