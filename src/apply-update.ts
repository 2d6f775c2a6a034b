import type { Row, RowConditions, RowFields } from './rows.js';

/**
 * Updates a record in memory as a database would in one statement: checks the
 * conditions, then sets every field that is not `undefined`.
 *
 * @returns whether the conditions held
 */
export function applyUpdate(row: Row, fields: RowFields, conditions?: RowConditions): boolean {
  const { ifStatus, ifError, mergeOutput } = conditions ?? {};
  if (ifStatus && !ifStatus.includes(row.status)) return false;
  if (ifError !== undefined && row.error !== ifError) return false;
  const output = mergeOutput && { output: { ...row.output, ...fields.output } };
  for (const [name, value] of Object.entries({ ...fields, ...output })) {
    if (value !== undefined) Object.assign(row, { [name]: value });
  }
  return true;
}
