import { cleanLine } from './text.js';

/** XML that may be put into other XML as it is. Everything else is escaped. */
export interface Markup {
  xml: string;
}

type Value = string | number | Markup | Markup[];

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Makes XML of a template: its texts become one clean line each, and are escaped. */
export function markup(template: TemplateStringsArray, ...values: Value[]): Markup {
  return { xml: String.raw({ raw: template }, ...values.map(write)) };
}

function write(value: Value): string {
  if (Array.isArray(value)) return value.map(({ xml }) => xml).join('\n');
  if (typeof value === 'object') return value.xml;
  return cleanLine(value).replace(/[&<>"']/g, (character) => ENTITIES[character] as string);
}
