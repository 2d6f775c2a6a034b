import { invalidArgument } from './errors.js';

/** Which ended records are deleted. */
export interface DeleteRunsOptions {
  /** Only what ended earlier than this. */
  completedBefore: Date;
  /** How many runs at most, those that ended first; and as many steps that stood alone. @default 1000 */
  limit?: number | undefined;
}

/** @throws {RunsError} `invalid_argument` for a time or a limit that makes no sense */
export function readDeletion(options: DeleteRunsOptions): {
  completedBefore: Date;
  limit: number;
} {
  const { completedBefore, limit = 1000 } = options;
  if (!(completedBefore instanceof Date) || Number.isNaN(completedBefore.getTime())) {
    throw invalidArgument('delete runs', 'completedBefore', 'a valid Date', completedBefore);
  }
  if (!Number.isSafeInteger(limit) || limit < 1) {
    throw invalidArgument('delete runs', 'limit', 'a whole number from 1', limit);
  }
  return { completedBefore, limit };
}
