import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Setup, Task } from './worker.js';

/** Several processes that do the same task at the same time. */
export interface Team {
  /** Resolves to what came of it in each. */
  perform<T>(task: Task): Promise<T[]>;
  dismiss(): Promise<void>;
}

export async function startTeam(
  program: string,
  count: number,
  setup: Omit<Setup, 'index'>,
): Promise<Team> {
  const members = Array.from({ length: count }, (_, index) =>
    fork(program, [JSON.stringify({ index, ...setup })], { execArgv: [] }),
  );
  await Promise.all(members.map(answerOf));
  return {
    async perform<T>(task: Task) {
      const answers = members.map(answerOf) as Promise<T>[];
      for (const member of members) member.send(task);
      return Promise.all(answers);
    },
    async dismiss() {
      const ends = members.map((member) => once(member, 'exit'));
      for (const member of members) member.kill('SIGKILL');
      await Promise.all(ends);
    },
  };
}

function answerOf(member: ChildProcess): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = (code: number | null) => reject(new Error(`a process ended with ${code}`));
    member.once('exit', fail);
    member.once('message', (answer) => {
      member.off('exit', fail);
      resolve(answer);
    });
  });
}
