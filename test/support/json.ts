/** What in a value is not plain JSON that any database takes: one line each, none for plain JSON. */
export function flawsOf(value: unknown, at = '$'): string[] {
  switch (typeof value) {
    case 'boolean':
      return [];
    case 'number':
      return Number.isFinite(value) && !Object.is(value, -0) ? [] : [`${at} is ${value}`];
    case 'string':
      return isStorable(value) ? [] : [`${at} is ${JSON.stringify(value)}`];
    case 'object':
      return value === null ? [] : flawsInside(value, at);
    default:
      return [`${at} is of type ${typeof value}`];
  }
}

function flawsInside(value: object, at: string): string[] {
  const isList = Array.isArray(value);
  if (Object.getPrototypeOf(value) !== (isList ? Array.prototype : Object.prototype)) {
    return [`${at} is of a class`];
  }
  const names = Reflect.ownKeys(value).filter((name) => !isList || name !== 'length');
  const flaws = isList && names.length !== value.length ? [`${at} has holes`] : [];
  for (const name of names) {
    const path = `${at}[${JSON.stringify(String(name))}]`;
    const member = Object.getOwnPropertyDescriptor(value, name);
    if (typeof name === 'symbol') flaws.push(`${path} is named by a symbol`);
    else if (!isStorable(name)) flaws.push(`${path} is a name that Postgres refuses`);
    if (!member?.enumerable) flaws.push(`${path} is hidden`);
    if (!member || !('value' in member)) flaws.push(`${path} is computed`);
    else flaws.push(...flawsOf(member.value, path));
  }
  return flaws;
}

/** Whether Postgres takes the text: no NUL, no half of a surrogate pair. */
export function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0');
}

/** How many objects and lists are inside each other, the value itself being the first: `{ a: [1] }` has 2. */
export function levelsOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  return 1 + Math.max(0, ...new Set(Object.values(value).map(levelsOf)));
}

/** How much UTF-8 JSON a value takes. */
export function bytesOf(value: unknown): number {
  return new TextEncoder().encode(JSON.stringify(value)).length;
}
