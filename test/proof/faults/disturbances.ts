import type pg from 'pg';
import type { PostgresServer } from '../../support/postgres-server.js';
import type { Chance } from '../chance.js';

/** Ends connections and restarts the server, after so many writes as chance will have it. */
export class Disturbances {
  terminated = 0;
  readonly restarts = { fast: 0, immediate: 0 };
  readonly #server: PostgresServer;
  readonly #own: pg.Pool;
  readonly #chance: Chance;
  #untilTermination = 50;
  #untilRestart = 1000;
  #busy: Promise<void> | undefined;
  #isOver = false;

  constructor(server: PostgresServer, chance: Chance) {
    this.#server = server;
    this.#own = server.pool(1);
    this.#chance = chance;
  }

  /** To be called at every write. */
  readonly onWrite = (): void => {
    this.#untilTermination -= 1;
    this.#untilRestart -= 1;
    if (this.#busy || this.#isOver) return;
    if (this.#untilRestart < 0) {
      this.#untilRestart = 1000 + this.#chance.below(4000);
      this.#busy = this.#restart();
    } else if (this.#untilTermination < 0) {
      this.#untilTermination = this.#chance.below(200);
      this.#busy = this.#terminate();
    }
  };

  /** Resolves when the server is at peace. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#busy;
  }

  async #restart(): Promise<void> {
    const mode = this.#chance.once(2) ? 'fast' : 'immediate';
    await this.#server.restart(mode);
    this.restarts[mode] += 1;
    this.#busy = undefined;
  }

  async #terminate(): Promise<void> {
    // One that is at work, mostly: that is where something can go wrong.
    const order = this.#chance.once(4) ? '' : `(state = 'active') desc,`;
    const text = `select pg_terminate_backend(pid) from (select pid from pg_stat_activity
      where backend_type = 'client backend' and pid <> pg_backend_pid()
      order by ${order} md5(pid || $1) limit 1) one`;
    const { rows } = await this.#own.query(text, [String(this.#chance.below(1000))]);
    this.terminated += rows.length;
    this.#busy = undefined;
  }
}
