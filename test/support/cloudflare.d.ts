/** What the tests use of the modules that workerd and its test pool bring. */
declare module 'cloudflare:workers' {
  export class DurableObject {
    constructor(state: { storage: import('../../src/sql/durable-object.js').DurableObjectStorage });
  }
}

declare module 'cloudflare:test' {
  type Storage = import('../../src/sql/durable-object.js').DurableObjectStorage;
  interface Stub {
    fetch(url: string): Promise<Response>;
  }
  export const env: {
    DB: import('../../src/sql/d1.js').D1Binding;
    RUNS: {
      newUniqueId(): object;
      idFromName(name: string): object;
      get(id: object): Stub;
    };
  };
  export const SELF: Stub;
  export function runInDurableObject<T>(
    stub: Stub,
    use: (object: unknown, state: { storage: Storage }) => T | Promise<T>,
  ): Promise<T>;
}
