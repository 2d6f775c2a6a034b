import type { VNode } from 'preact';
import type { Payload } from '../types.js';

/** How many members are shown one by one; what has more is shown as text. */
const MAX_MEMBERS = 500;

/** A payload to fold and unfold, member by member. */
export function JsonView({ name, value }: { name: string; value: Payload | null }): VNode | null {
  if (value === null) return null;
  const isLarge = countMembers(value, MAX_MEMBERS) > MAX_MEMBERS;
  return (
    <details class="json" data-key={name}>
      <summary>
        {name} <span class="hint">{describe(value)}</span>
      </summary>
      {isLarge ? <pre>{JSON.stringify(value, null, 2)}</pre> : <Members value={value} />}
    </details>
  );
}

function Members({ value }: { value: object }): VNode {
  return (
    <ul>
      {Object.entries(value).map(([name, member]) => (
        <li key={name}>
          <Member name={name} value={member} />
        </li>
      ))}
    </ul>
  );
}

function Member({ name, value }: { name: string; value: unknown }): VNode {
  const isNested = typeof value === 'object' && value !== null && Object.keys(value).length > 0;
  if (!isNested) {
    return (
      <span>
        <span class="key">{name}</span>{' '}
        <span class={`value ${value === null ? 'null' : typeof value}`}>{textOf(value)}</span>
      </span>
    );
  }
  return (
    <details open data-key={name}>
      <summary>
        <span class="key">{name}</span> <span class="hint">{describe(value)}</span>
      </summary>
      <Members value={value} />
    </details>
  );
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function describe(value: object): string {
  const { length } = Object.keys(value);
  const [one, many] = Array.isArray(value) ? ['item', 'items'] : ['member', 'members'];
  return `${length} ${length === 1 ? one : many}`;
}

/** How many members a value has with all that is inside them; stops counting beyond a limit. */
function countMembers(value: unknown, limit: number): number {
  if (typeof value !== 'object' || value === null) return 0;
  let count = 0;
  for (const member of Object.values(value)) {
    count += 1 + countMembers(member, limit - count);
    if (count > limit) break;
  }
  return count;
}
