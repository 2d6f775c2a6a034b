import type { RunStore } from '../../src/index.js';
import type { Row } from '../../src/rows.js';

/** A store that keeps a record only while it is open: whatever else is kept, somebody else keeps. */
export function forgetfulStore(conditionalUpdates: boolean): RunStore {
  const rows = new Map<string, Row>();
  const insert = async (row: object) => {
    rows.set((row as Row).id, row as Row);
  };
  const get = async (id: string) => rows.get(id) as never;
  const update = async (id: string, fields: Partial<Row>) => {
    const row = rows.get(id);
    if (!row) return false;
    if (fields.status && fields.status !== 'running') rows.delete(id);
    else Object.assign(row, fields);
    return true;
  };
  return {
    conditionalUpdates,
    insertRun: insert,
    getRun: get,
    updateRun: update as never,
    insertStep: insert,
    getStep: get,
    updateStep: update as never,
    insertCall: insert,
    getCall: get,
    updateCall: update as never,
  };
}
