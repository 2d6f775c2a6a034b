import type { Payload } from '../../../src/types.js';

/** What is stored of a text. */
export function storedText(text: string): string {
  return text.toWellFormed().replaceAll('\0', '\ufffd');
}

/** What is stored of a payload, as far as it is JSON that is not too large. */
export function storedPayload(value: unknown): Payload | null {
  if (value === null || value === undefined) return null;
  const copied = copy(value);
  const isObject = typeof copied === 'object' && copied !== null && !Array.isArray(copied);
  return isObject ? (copied as Payload) : { value: copied };
}

function copy(value: unknown): unknown {
  if (typeof value === 'string') return storedText(value);
  if (value === 0) return 0;
  if (Array.isArray(value)) return value.map(copy);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [storedText(name), copy(member)]));
}

/** What is stored of an error: its message, and those of its causes. */
export function storedError(error: unknown): string {
  const lines: string[] = [];
  let current = error;
  while (current instanceof Error) {
    lines.push(current.message);
    current = current.cause;
  }
  if (current !== undefined || lines.length === 0) lines.push(String(current));
  return storedText(lines.join('\ncaused by: ').slice(0, 8192));
}

/** Lays members over others: one level deep, and `__proto__` is a name like any other. */
export function laidOver(stored: Payload | null, given: Payload): Payload {
  return Object.fromEntries([...Object.entries(stored ?? {}), ...Object.entries(given)]);
}

/** The sum of what was counted and what is counted now. */
export function counted(stored: Payload | null, increments: Record<string, number>): Payload {
  const sums = new Map<string, unknown>(Object.entries(stored ?? {}));
  for (const [name, increment] of Object.entries(increments)) {
    const key = storedText(name);
    const before = sums.get(key);
    const sum = (typeof before === 'number' ? before : 0) + increment;
    if (Number.isFinite(sum)) sums.set(key, sum);
  }
  return Object.fromEntries(sums);
}
