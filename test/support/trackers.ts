import { RunTracker, type RunTrackerOptions, type TrackingErrorInfo } from '../../src/index.js';

export interface Report {
  error: unknown;
  info: TrackingErrorInfo;
}

/** A tracker whose clock stands still until it is moved, and which writes down what it reports. */
export function testTracker(options: RunTrackerOptions): {
  tracker: RunTracker;
  reports: Report[];
  clock: { at: number };
} {
  const reports: Report[] = [];
  const clock = { at: Date.parse('2026-03-01T12:00:00.000Z') };
  const tracker = new RunTracker({
    now: () => new Date(clock.at),
    onTrackingError: (error, info) => reports.push({ error, info }),
    ...options,
  });
  return { tracker, reports, clock };
}
