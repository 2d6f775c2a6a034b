import stringWidth from 'string-width';

/** How much of a text is looked at: more than any line shows. */
const MAX_LENGTH = 2000;

/** Whatever is empty, or leads to another place. */
const SPACES = /[\s\u0085]+/g;
/** What is not seen, but changes what is: direction, joining, variants. */
const INVISIBLE = /\p{Default_Ignorable_Code_Point}/gu;
/** What else speaks to the terminal rather than the reader, or may not be in XML. */
const UNSAFE = /[\p{Cc}\p{Cf}\p{Cs}\ufffe\uffff]/gu;
/** Marks that pile up on one character. */
const PILE = /(\p{M}{4})\p{M}+/gu;
const LEADING_MARK = /^\p{M}/u;

/**
 * Makes one line of any text: what moves the cursor, changes the direction,
 * is invisible, or lets the text reach out of its line is taken out or replaced.
 *
 * Emoji that are joined invisibly come apart by it. So they take the same
 * columns in every terminal.
 */
export function cleanLine(text: unknown): string {
  const whole = String(text);
  const cut = whole.length > MAX_LENGTH ? `${whole.slice(0, MAX_LENGTH)}…` : whole;
  const clean = cut
    .replace(SPACES, ' ')
    .replace(INVISIBLE, '')
    .replace(UNSAFE, '\ufffd')
    .replace(PILE, '$1')
    .trim();
  // A mark belongs to the character before it, which would be one of ours.
  return LEADING_MARK.test(clean) ? `\u25cc${clean}` : clean;
}

/** The lines of a text that are not empty, each cleaned. */
export function cleanLines(text: string): string[] {
  const lines = text.match(/[^\n\r\u0085\u2028\u2029]+/g) ?? [];
  return lines.map(cleanLine).filter((line) => line !== '');
}

/** How many columns of a terminal a clean text takes. */
export function columnsOf(text: string): number {
  return stringWidth(text);
}

const segmenter = new Intl.Segmenter();

/** The beginning of a clean text that takes at most so many columns. */
function takeColumns(text: string, columns: number): string {
  let left = columns;
  let length = 0;
  for (const { segment } of segmenter.segment(text)) {
    left -= columnsOf(segment);
    if (left < 0) break;
    length += segment.length;
  }
  return text.slice(0, length);
}

/** A clean text that takes at most so many columns; what was cut ends in `…`. */
export function cutText(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  return columns < 1 ? '' : `${takeColumns(text, columns - 1).trimEnd()}…`;
}

/** A clean text that takes exactly so many columns. */
export function padText(text: string, columns: number): string {
  const shown = cutText(text, columns);
  return shown + ' '.repeat(Math.max(0, columns - columnsOf(shown)));
}

/**
 * A clean text in lines of at most so many columns, broken between words where
 * that is possible. The last of too many lines is cut.
 */
export function wrapText(text: string, columns: number, maxLines: number): string[] {
  const lines: string[] = [];
  let rest = text;
  while (lines.length < maxLines - 1 && columnsOf(rest) > columns) {
    const most = takeColumns(rest, columns);
    // The word that follows may begin exactly there.
    const space = `${most}${rest.charAt(most.length)}`.lastIndexOf(' ');
    const line = space === -1 ? most : most.slice(0, space);
    if (line === '') break;
    lines.push(line);
    rest = rest.slice(line.length).trimStart();
  }
  return [...lines, cutText(rest, columns)];
}
