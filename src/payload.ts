import { isNothing } from './helpers.js';
import type { Payload } from './types.js';

const MAX_DEPTH = 32;
const MAX_WORK = 100_000;
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
  const clean = cleanText(name);
  if (clean === name && name.length <= LONG_NAME) {
    if (cleanNames.size === 1000) cleanNames.clear();
    cleanNames.add(name);
  }
  return clean;
}

const cleanNames = new Set<string>();
const LONG_NAME = 64;

/** The first `length` code units of a text, never ending in half a character. */
export function cutText(text: string, length: number): string {
  return text.slice(0, length).replace(/[\ud800-\udbff]$/, '');
}

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
  const pass: Pass = { size: 0, maxBytes, limit: Infinity, work: 0, path: [], sizes: new Map() };
  while (pass.limit >= 1) {
    let payload = copy(value, pass, '');
    if (!isPayload(payload)) {
      pass.size = 0;
      payload = copy({ value }, pass, '');
    }
    // No JSON takes more than 13 times what was counted: most payloads need no exact measure.
    const fits = pass.size * 13 <= maxBytes;
    if (fits || (pass.size <= maxBytes && byteLength(payload) <= maxBytes))
      return payload as Payload;
    pass.limit = Math.floor(Math.min(pass.limit, maxBytes * 2) / 4);
    pass.size = pass.work = 0;
    pass.sizes.clear();
  }
  return { [CUT]: true };
}

/** One attempt to copy a value. */
interface Pass {
  /** The JSON copied so far, in bytes: never more than it really takes. */
  size: number;
  /** How much was looked at that takes no JSON. */
  work: number;
  /** The pass is given up when `size` grows beyond this. */
  maxBytes: number;
  /** How many characters, items or members are copied of each string, list or object. */
  limit: number;
  /** The objects around the current value, outermost first. */
  path: object[];
  /** What each object took that was copied; a larger one than `limit` is copied once only. */
  sizes: Map<object, number>;
}

function copy(value: unknown, pass: Pass, key: string | number): unknown {
  if (typeof value === 'string') return copyText(value, pass);
  if (typeof value === 'object' && value) return copyObject(value, pass, key);
  if (typeof value === 'number' && Number.isFinite(value)) {
    pass.size += 2;
    // Adding 0 turns -0 into 0, as JSON does.
    return value + 0;
  }
  // A larger one would take long to write.
  if (typeof value === 'bigint' && BigInt.asIntN(1024, value) === value) {
    return mark(`${value}n`, pass);
  }
  pass.size += 5;
  if (typeof value === 'boolean') return value;
  return isNothing(value) || typeof value === 'number' ? null : `[${typeof value}]`;
}

function mark(text: string, pass: Pass): string {
  pass.size += text.length + 3;
  return text;
}

function copyText(text: string, pass: Pass): string {
  const { limit } = pass;
  pass.size += Math.min(text.length, limit) + 3;
  if (pass.size > pass.maxBytes) return '';
  if (text.length <= limit) return cleanText(text);
  const start = cutText(text, limit);
  return `${cleanText(start)}[+${text.length - start.length}]`;
}

function copyObject(value: object, pass: Pass, key: string | number): unknown {
  const { path, sizes, size } = pass;
  if (path.includes(value)) return mark('[circular]', pass);
  if (path.length === MAX_DEPTH) return mark(CUT, pass);
  if ((sizes.get(value) ?? 0) > pass.limit) return mark(CUT, pass);
  path.push(value);
  let copied: unknown;
  try {
    copied = copyContents(value, pass, key);
  } catch {
    copied = mark(UNREADABLE, pass);
  }
  path.pop();
  // Only a second pass needs to know.
  if (pass.limit < Infinity) sizes.set(value, pass.size - size);
  return copied;
}

function copyContents(value: object, pass: Pass, key: string | number): unknown {
  let source: unknown = value;
  const { toJSON } = value as { toJSON?: unknown };
  // That of a Buffer would make a list of all its bytes.
  if (typeof toJSON === 'function' && !ArrayBuffer.isView(value)) {
    source = toJSON.call(value, String(key));
  }
  if (ArrayBuffer.isView(source)) return mark(`[${source.byteLength} bytes]`, pass);
  if (Array.isArray(source)) return copyList(source, source.length, pass);
  if (source instanceof Map || source instanceof Set) return copyList(source, source.size, pass);
  if (source instanceof String) return copyText(`${source}`, pass);
  return isPayload(source) ? copyMembers(source, pass) : copy(source, pass, key);
}

function copyList(list: Iterable<unknown>, length: number, pass: Pass): unknown[] {
  const items: unknown[] = [];
  pass.size += 1;
  for (const item of list) {
    if (items.length >= pass.limit) {
      items.push(mark(`[+${length - items.length}]`, pass));
      break;
    }
    items.push(copy(item, pass, items.length));
    if (pass.size > pass.maxBytes) break;
  }
  return items;
}

function copyMembers(source: Payload, pass: Pass): Payload {
  let members: Payload = {};
  pass.size += 1;
  if (source instanceof Error) {
    members.name = copy(source.name, pass, 'name');
    members.message = copy(source.message, pass, 'message');
  }
  let count = 0;
  for (const name in source) {
    if (count >= pass.limit) {
      members[CUT] = mark(CUT, pass);
      break;
    }
    let member: unknown;
    try {
      if (hasOwn.call(source, name)) member = source[name];
    } catch {
      member = UNREADABLE;
    }
    if (member === undefined) {
      // Takes no JSON, but work.
      pass.work += 1;
      if (pass.work > MAX_WORK) pass.size = Infinity;
      continue;
    }
    count += 1;
    const key = cleanName(name);
    pass.size += key.length + 3;
    const copied = copy(member, pass, name);
    if (pass.size > pass.maxBytes) break;
    // To assign it would set the prototype, while a computed key is a member like any other.
    if (key === '__proto__') members = { ...members, [key]: copied };
    else members[key] = copied;
  }
  return members;
}

const hasOwn = Object.prototype.hasOwnProperty;

function isPayload(value: unknown): value is Payload {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function byteLength(payload: unknown): number {
  return new TextEncoder().encode(JSON.stringify(payload)).length;
}
