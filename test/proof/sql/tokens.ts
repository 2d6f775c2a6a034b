/** The two ways in which SQL is written here. */
export type Language = 'sqlite' | 'postgres';

/** A part of a statement; `space` is what stands in front of it. */
export interface Token {
  kind: 'word' | 'name' | 'string' | 'number' | 'value' | 'symbol';
  space: string;
  text: string;
  /** Of a `value` that is bound: which of them, from 0. */
  index: number;
}

/** A statement as it is sent, and which of the values that were to be bound it still takes. */
export interface Rendered {
  text: string;
  values: number[];
}

const TOKEN =
  /(\s*)(?:('(?:[^']|'')*')|("(?:[^"]|"")*")|(\$\d+)|(\d+(?:\.\d+)?(?:e\d+)?)|([a-z_]\w*)|(->>|->|\|\||::|<>|<=|>=|\S))/giy;

export function tokensOf(text: string, language: Language): Token[] {
  const tokens: Token[] = [];
  let values = 0;
  for (const [, space = '', string, name, value, number, word, symbol] of text.matchAll(TOKEN)) {
    const token = (kind: Token['kind'], text: string, index = -1) =>
      tokens.push({ kind, space, text, index });
    if (string) token('string', string);
    else if (name) token('name', name);
    else if (value) token('value', value, Number(value.slice(1)) - 1);
    else if (number) token('number', number);
    else if (word) token('word', word);
    // To Postgres it is an operator of jsonb.
    else if (symbol === '?' && language === 'sqlite') token('value', symbol, values++);
    else token('symbol', symbol as string);
  }
  return tokens;
}

/** Text that takes the place of tokens. */
export function written(text: string): Token {
  return { kind: 'symbol', space: ' ', text, index: -1 };
}

/** Puts a statement together, whichever values it has lost or shows in another order. */
export function render(tokens: Token[], language: Language): Rendered {
  const values: number[] = [];
  let text = '';
  for (const token of tokens) {
    text += token.space;
    if (token.kind !== 'value') {
      text += token.text;
    } else if (language === 'sqlite') {
      values.push(token.index);
      text += '?';
    } else {
      if (!values.includes(token.index)) values.push(token.index);
      text += `$${values.indexOf(token.index) + 1}`;
    }
  }
  return { text, values };
}
