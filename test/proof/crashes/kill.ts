import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { below, type Random } from '../chance.js';
import { type Line, readJournal } from './journal.js';
import type { Setup } from './worker.js';

/** When a worker is killed: so many milliseconds after it has said that it begins a write. */
export interface Moment {
  signalAt: number;
  delayMs: number;
}

/** Some time after the first write; or next to the beginning of a later one, while that is stored. */
export function randomMoment(random: Random, isInside: boolean): Moment {
  return isInside
    ? { signalAt: 2 + below(150, random), delayMs: random() * 2 }
    : { signalAt: 1, delayMs: random() * 400 };
}

/** Lets a worker work until that moment, and gives what it has written down. */
export async function kill(
  program: string,
  setup: Omit<Setup, 'signalAt'>,
  { signalAt, delayMs }: Moment,
): Promise<Line[]> {
  const child = spawn(process.execPath, [program, JSON.stringify({ ...setup, signalAt })]);
  let stderr = '';
  child.stderr.on('data', (data) => {
    stderr += data;
  });
  const exit = once(child, 'exit');
  await Promise.race([once(child.stdout, 'data'), exit]);
  await wait(delayMs);
  child.kill('SIGKILL');
  const [, signal] = await exit;
  if (signal !== 'SIGKILL') throw new Error(`a worker ended by itself: ${stderr}`);
  const lines = readJournal(setup.journal);
  rmSync(setup.journal);
  return lines;
}

/** A timer is too coarse for a part of a millisecond. */
async function wait(delayMs: number): Promise<void> {
  const end = performance.now() + delayMs;
  if (delayMs > 5) await sleep(delayMs - 2);
  while (performance.now() < end);
}
