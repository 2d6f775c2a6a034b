import { columnsOf, cutText } from './text.js';

export type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan';

/** A part of a line for the terminal. Its text is clean. */
export interface Part {
  text: string;
  style?: Style | undefined;
}

/** The codes that begin a style: https://ecma-international.org/publications-and-standards/standards/ecma-48, SGR. */
const CODES: Record<Style, number> = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 };

/** Writes a line of at most so many columns, without spaces at its end. */
export function writeLine(parts: Part[], columns: number, color: boolean): string {
  let left = columns;
  const shown: Part[] = [];
  for (const { text, style } of parts) {
    const part = cutText(text, left);
    left -= columnsOf(part);
    shown.push({ text: part, style });
  }
  while (shown.at(-1)?.text.trim() === '') shown.pop();
  return shown
    .map(({ text, style }, index) => {
      const end = index === shown.length - 1 ? text.trimEnd() : text;
      return color && style && end ? `\u001b[${CODES[style]}m${end}\u001b[0m` : end;
    })
    .join('');
}
