import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

const BARS = ' ▁▂▃▄▅▆▇█';

/** Lets go of what nobody can reach any more. */
export async function collectGarbage(): Promise<void> {
  // What is finalized, or has just settled, is reachable until the next turn.
  for (let times = 0; times < 3; times += 1) {
    await setImmediate();
    gc();
  }
}

/** How much memory is in use while records come and go. */
export class MemoryCurve {
  readonly #points: { calls: number; bytes: number }[] = [];

  /** Notes what is in use after so many calls. */
  async measure(calls: number): Promise<void> {
    await collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    this.#points.push({ calls, bytes: heapUsed + external });
  }

  /**
   * How much more is in use in the last quarter than in the second, at least; in the
   * first quarter code is compiled and caches fill.
   */
  growth(): { bytes: number; calls: number } {
    const quarter = Math.floor(this.#points.length / 4);
    const second = this.#points.slice(quarter, 2 * quarter);
    const last = this.#points.slice(-quarter);
    const leastOf = (points: typeof second) => Math.min(...points.map(({ bytes }) => bytes));
    return {
      bytes: leastOf(last) - leastOf(second),
      calls: last[0]!.calls - second[0]!.calls,
    };
  }

  /** The curve, drawn from 0 up, and its points in MB. */
  toString(): string {
    const sizes = this.#points.map(({ bytes }) => bytes / 2 ** 20);
    const most = Math.max(...sizes);
    const bars = sizes.map((size) => BARS[Math.round((size / most) * (BARS.length - 1))]).join('');
    const { bytes, calls } = this.growth();
    return (
      `${bars} ${this.#points.at(-1)!.calls} calls, ${(bytes / calls).toFixed(3)} bytes kept per call\n` +
      `MB ${sizes.map((size) => size.toFixed(1)).join(' ')}`
    );
  }
}
