import { isNothing } from './helpers.js';
import type { Payload } from './types.js';

const CUT = '[cut]';
const UNREADABLE = '[unreadable]';
/** NUL, and surrogates without their other half. */
const UNSTORABLE = /[\0\ud800-\udfff]/;
const EACH_UNSTORABLE = /[\0\p{Cs}]/gu;

/** Replaces NUL and lone surrogates, which Postgres refuses in text and in JSON, by U+FFFD. */
export function cleanText(text: string): string {
  return UNSTORABLE.test(text) ? text.replace(EACH_UNSTORABLE, '\ufffd') : text;
}

/** The same for names, few of which come again and again: to know one is quicker than to look at it. */
export function cleanName(name: string): string {
  if (cleanNames.has(name)) return name;
  const longName = 64;
  const clean = cleanText(name);
  if (clean.length <= longName) {
    if (cleanNames.size >= 1000) cleanNames.clear();
    cleanNames.add(clean);
  }
  return clean;
}

const cleanNames = new Set<string>();

/**
 * Copies a value into plain JSON that any store can take.
 *
 * Never throws, shares nothing with the value, and does a bounded amount of
 * work whatever the value is. What JSON cannot say becomes text (`"123n"`,
 * `"[function]"`, `"[circular]"`), and a value that is no object becomes
 * `{ value }`. A value that takes more than `maxBytes` of UTF-8 JSON is copied
 * again with shorter and shorter strings and lists, each cut marked, until it fits.
 */
export function preparePayload(value: unknown, maxBytes: number): Payload | null {
  if (isNothing(value)) return null;
  for (let limit = maxBytes * 2; limit >= 1; limit = Math.floor(limit / 4)) {
    const pass: Pass = { left: maxBytes, maxBytes, limit, path: [] };
    const payload = copy(value, pass);
    if (Object(payload) !== payload || Array.isArray(payload)) {
      value = { value };
      limit *= 4;
    } else if (
      // No JSON takes more than 13 times what was counted: most payloads need no exact measure.
      (maxBytes - pass.left) * 13 <= maxBytes ||
      (pass.left > -1 && new TextEncoder().encode(JSON.stringify(payload)).length <= maxBytes)
    ) {
      return payload as Payload;
    }
  }
  return { [CUT]: true };
}

/** One attempt to copy a value. */
interface Pass {
  /** The bytes of JSON that are left, at least. The attempt is given up when there are none. */
  left: number;
  maxBytes: number;
  /** How many characters, items or members are copied of each string, list or object. */
  limit: number;
  /** The objects around the current value, outermost first. */
  path: object[];
}

function copy(value: unknown, pass: Pass): unknown {
  if (typeof value === 'string') return copyText(value, pass);
  if (typeof value === 'object' && value) return copyObject(value, pass);
  if (Number.isFinite(value)) {
    pass.left -= 2;
    // Adding 0 turns -0 into 0, as JSON does.
    return (value as number) + 0;
  }
  // A larger one would take long to write.
  if (typeof value === 'bigint' && BigInt.asIntN(1024, value) === value) {
    return mark(`${value}n`, pass);
  }
  pass.left -= 5;
  if (typeof value === 'boolean') return value;
  return isNothing(value) || typeof value === 'number' ? null : `[${typeof value}]`;
}

function mark(text: string, pass: Pass): string {
  pass.left -= text.length + 3;
  return text;
}

function copyText(text: string, pass: Pass): string {
  const { limit } = pass;
  pass.left -= Math.min(text.length, limit) + 3;
  if (pass.left < 0) return '';
  if (text.length <= limit) return cleanText(text);
  return `${cleanText(text.slice(0, limit))}[+${text.length - limit}]`;
}

function copyObject(value: object, pass: Pass): unknown {
  const maxDepth = 32;
  const { path } = pass;
  if (path.includes(value)) return mark('[circular]', pass);
  if (path.length === maxDepth) return mark(CUT, pass);
  path.push(value);
  let copied: unknown;
  try {
    copied = copyContents(value, pass);
  } catch {
    copied = mark(UNREADABLE, pass);
  }
  path.pop();
  return copied;
}

function copyContents(value: object, pass: Pass): unknown {
  if (ArrayBuffer.isView(value)) return mark(`[${value.byteLength} bytes]`, pass);
  const { toJSON } = value as { toJSON?: unknown };
  const source: unknown = typeof toJSON === 'function' ? toJSON.call(value, '') : value;
  if (source !== value) return copy(source, pass);
  if (Array.isArray(value)) return copyList(value, value.length, pass);
  if (value instanceof Map || value instanceof Set) return copyList(value, value.size, pass);
  if (value instanceof String) return copyText(`${value}`, pass);
  return copyMembers(value as Payload, pass);
}

function copyList(list: Iterable<unknown>, length: number, pass: Pass): unknown[] {
  const items: unknown[] = [];
  pass.left -= 1;
  for (const item of list) {
    if (items.length >= pass.limit) {
      items.push(mark(`[+${length - items.length}]`, pass));
      break;
    }
    items.push(copy(item, pass));
    if (pass.left < 0) break;
  }
  return items;
}

function copyMembers(source: Payload, pass: Pass): Payload {
  const maxWork = 100_000;
  let members: Payload = {};
  pass.left -= 1;
  if (source instanceof Error) {
    members = { name: copy(source.name, pass), message: copy(source.message, pass) };
  }
  let count = 0;
  for (const name of Object.keys(source)) {
    if (pass.left < 0) break;
    if (count >= pass.limit) {
      members[CUT] = mark(CUT, pass);
      break;
    }
    let member: unknown;
    try {
      member = source[name];
    } catch {
      member = UNREADABLE;
    }
    if (member === undefined) {
      // Takes no JSON, but work.
      pass.left -= pass.maxBytes / maxWork;
      continue;
    }
    count += 1;
    const key = cleanName(name);
    pass.left -= key.length + 3;
    const copied = copy(member, pass);
    // To assign it would set the prototype, while a computed key is a member like any other.
    if (key === '__proto__') members = { ...members, [key]: copied };
    else members[key] = copied;
  }
  return members;
}
