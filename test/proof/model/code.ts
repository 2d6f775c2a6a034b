/** A value that is written down in words of its own, such as a function. */
export class Code {
  readonly text: string;
  readonly value: unknown;

  constructor(text: string, value: unknown) {
    this.text = text;
    this.value = value;
  }
}

/** The arguments that a method is given. */
export function valuesOf(args: unknown[]): unknown[] {
  return args.map(plain);
}

/** The value itself: members of options may be written in words of their own too. */
function plain(value: unknown): unknown {
  if (value instanceof Code) return value.value;
  if (typeof value !== 'object' || !value) return value;
  const members = Object.entries(value);
  const hasCode = members.some(([, member]) => member instanceof Code);
  return hasCode
    ? Object.fromEntries(members.map(([name, member]) => [name, plain(member)]))
    : value;
}

/** A value as the code that makes it, always the same for the same value. */
export function toCode(value: unknown): string {
  if (value instanceof Code) return value.text;
  if (typeof value === 'string') return textToCode(value);
  if (typeof value !== 'object' || value === null) return Object.is(value, -0) ? '-0' : `${value}`;
  if (value instanceof Date) return dateToCode(value);
  if (value instanceof Error) return errorToCode(value);
  if (Array.isArray(value)) return `[${value.map(toCode).join(', ')}]`;
  const members = Object.keys(value)
    .sort()
    .map((name) => `${nameToCode(name)}: ${toCode((value as Record<string, unknown>)[name])}`);
  return members.length > 0 ? `{ ${members.join(', ')} }` : '{}';
}

function textToCode(text: string): string {
  const isRepeated = text.length > 100 && text === text.slice(0, 1).repeat(text.length);
  if (isRepeated) return `${textToCode(text.slice(0, 1))}.repeat(${text.length})`;
  const quoted = JSON.stringify(text);
  return /['\\"]/.test(text) || quoted.includes('\\') ? quoted : `'${text}'`;
}

/** A name in brackets is a member whatever it is, `__proto__` too. */
function nameToCode(name: string): string {
  if (name === '__proto__') return "['__proto__']";
  return /^[a-z_]\w*$/i.test(name) ? name : textToCode(name);
}

function dateToCode(date: Date): string {
  return Number.isNaN(date.getTime())
    ? 'new Date(Number.NaN)'
    : `new Date('${date.toISOString()}')`;
}

function errorToCode(error: Error): string {
  const cause = error.cause === undefined ? '' : `, { cause: ${toCode(error.cause)} }`;
  return `new Error(${toCode(error.message)}${cause})`;
}
