import { type Language, type Token, tokensOf } from './tokens.js';

/** As much of the syntax of a statement as mutations need to know. */
export class Syntax {
  readonly tokens: Token[];
  /** Of a bracket, or of `case` and `end`, the place of the other one. */
  readonly #partners = new Map<number, number>();
  readonly #depths: number[] = [];

  constructor(text: string, language: Language) {
    this.tokens = tokensOf(text, language);
    const open: number[] = [];
    for (const [at, { text }] of this.tokens.entries()) {
      if (text === ')' || text === 'end') {
        const partner = open.pop() as number;
        this.#partners.set(at, partner).set(partner, at);
      }
      this.#depths.push(open.length);
      if (text === '(' || text === 'case') open.push(at);
    }
  }

  /** The text at a place; empty where there is none. */
  at(place: number): string {
    return this.tokens[place]?.text ?? '';
  }

  isAt(place: number, ...texts: string[]): boolean {
    return texts.every((text, offset) => this.at(place + offset) === text);
  }

  partner(place: number): number {
    return this.#partners.get(place) as number;
  }

  /** The bracket or `case` that a place is in. */
  enclosing(place: number): number {
    let open = place - 1;
    while (this.#depths[open] !== (this.#depths[place] as number) - 1) open -= 1;
    return open;
  }

  /** The places of a text. */
  find(...texts: string[]): number[] {
    return [...this.tokens.keys()].filter((place) => this.isAt(place, ...texts));
  }

  /** Where what begins at a place ends: before the first of these texts, or before its bracket is closed. */
  until(start: number, texts: ReadonlySet<string>): number {
    const depth = this.#depths[start] as number;
    for (let place = start; place < this.tokens.length; place += 1) {
      const here = this.#depths[place] as number;
      if (here < depth) return place;
      if (here === depth && place > start && texts.has(this.at(place))) {
        if (this.at(place) !== 'and' || !this.#isBound(place, start)) return place;
      }
    }
    return this.tokens.length;
  }

  /** Where the list, of which an item begins at a place, is divided: pairs of begin and end. */
  items(start: number, end: number): [number, number][] {
    const items: [number, number][] = [];
    for (let from = start; from < end; ) {
      const to = Math.min(end, this.until(from, COMMA));
      items.push([from, to]);
      from = to + 1;
    }
    return items;
  }

  /** Where the value that begins at a place ends, its casts included. */
  valueEnd(start: number): number {
    let end = start + 1;
    const isCall = this.tokens[start]?.kind === 'word' && this.isAt(end, '(');
    if (this.#partners.has(start)) end = this.partner(start) + 1;
    else if (isCall) end = this.partner(end) + 1;
    else if (this.isAt(end, '.')) end += 2;
    while (this.isAt(end, '::')) end = this.typeEnd(end + 1);
    return end;
  }

  /** Where the value that ends before a place begins. */
  valueStart(end: number): number {
    let start = end - 1;
    if (this.isAt(start - 1, '::')) return this.valueStart(start - 1);
    if (this.#partners.has(start)) {
      start = this.partner(start);
      if (this.tokens[start - 1]?.kind === 'word' && this.at(start) === '(') start -= 1;
      return start;
    }
    return this.isAt(start - 1, '.') ? start - 2 : start;
  }

  /** Where a type ends that begins at a place. */
  typeEnd(start: number): number {
    const end = start + 1;
    return this.isAt(end, '(') ? this.partner(end) + 1 : end;
  }

  /** Whether an `and` belongs to a `between`. */
  #isBound(place: number, start: number): boolean {
    for (let before = place - 1; before >= start; before -= 1) {
      if (this.#depths[before] !== this.#depths[place]) continue;
      if (this.at(before) === 'between') return true;
      if (this.at(before) === 'and') return false;
    }
    return false;
  }
}

const COMMA: ReadonlySet<string> = new Set([',']);
