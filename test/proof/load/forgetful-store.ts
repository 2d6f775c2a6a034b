import type { RunStore } from '../../../src/index.js';
import { isOpen } from '../../../src/lifecycle.js';
import type { Row } from '../../../src/rows.js';

/** A store that keeps a record only while it is open: whatever else is kept, somebody else keeps. */
export function forgetfulStore(conditionalUpdates: boolean): RunStore {
  const rows = new Map<string, Row>();
  const insert = async (row: object) => {
    const { id, status } = row as Row;
    if (isOpen(status)) rows.set(id, row as Row);
  };
  const get = async (id: string) => rows.get(id) as never;
  const update = async (id: string, fields: Partial<Row>) => {
    const row = rows.get(id);
    if (!row) return false;
    Object.assign(row, fields);
    if (!isOpen(row.status)) rows.delete(id);
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
