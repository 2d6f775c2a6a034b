/** Source files, and the tests that are to notice when they are changed. */
export interface Group {
  mutate: string[];
  tests: string[];
  /** Whether they are run in workerd, by a process for each mutant. */
  isWorkers?: boolean;
  /** Asked about what these leave alive. */
  slowTests?: string[];
}

export const GROUPS: Record<string, Group> = {
  core: {
    mutate: ['src/*.ts', '!src/{testing,viewer,report,pages,memory,deletion,payload}.ts'],
    tests: [
      'test/!(*.node|*.workers|*.browser|report-*|testing|viewer|sql-*|postgres-*|failures*|options-races|payload).test.ts',
    ],
    slowTests: ['test/{failures,failures-options,options-races,payload,items.node}.test.ts'],
  },
  payload: {
    mutate: ['src/payload.ts'],
    tests: ['test/{payload,errors,capture}*.test.ts'],
  },
  memory: {
    mutate: ['src/{pages,memory,deletion}.ts'],
    tests: [
      'test/{memory,pages,lists,stale,competing,counters,sql-options}.test.ts',
      'test/delete-runs.node.test.ts',
    ],
    slowTests: ['test/testing.test.ts'],
  },
  report: { mutate: ['src/report.ts', 'src/report/*.ts'], tests: ['test/report-*.test.ts'] },
  kit: {
    mutate: ['src/testing.ts', 'src/testing/*.ts'],
    tests: ['test/testing{,-expect}.test.ts'],
    slowTests: ['test/testing-answers.node.test.ts'],
  },
  sqlite: {
    mutate: ['src/sql/{sqlite,sqlite-dialect,transactions,options,tables,schema,dialect}.ts'],
    tests: ['test/{sqlite,sql-}*.test.ts'],
    slowTests: ['test/{owners,values,delete-runs,plans,group-commit}*.test.ts'],
  },
  workers: {
    mutate: ['src/sql/{d1,durable-object}.ts'],
    tests: ['test/{d1,d1-batches,durable-object*}.workers.test.ts', 'test/sql-options.test.ts'],
    isWorkers: true,
  },
  sql: {
    mutate: ['src/sql/{sql-store,writes,reads,sweeping,retention}.ts'],
    tests: ['test/{sqlite,sql-,retention}*.test.ts'],
    slowTests: ['test/{owners,values,writes,delete-runs,group-commit,postgres-*}*.test.ts'],
  },
  postgres: {
    mutate: ['src/sql/{postgres,postgres-bulk,postgres-dialect,group-commit}.ts'],
    tests: ['test/{sql-options,sql-schema,group-commit,postgres-*}*.test.ts'],
    slowTests: ['test/{postgres,owners,values,writes,delete-runs,plans}.node.test.ts'],
  },
};
