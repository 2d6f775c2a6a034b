/** An element of XML, as far as these tests look at it. */
export interface Element {
  name: string;
  attributes: Record<string, string>;
  /** The elements in it. */
  elements: Element[];
  /** All text in it. */
  text: string;
}

/** What XML 1.0 does not allow: https://www.w3.org/TR/xml/#charsets */
const FORBIDDEN = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;
const TOKEN = /<(\/?)([a-z]+)((?: [a-zA-Z-]+="[^"<]*")*)(\/?)>|([^<]+)/gy;
const ATTRIBUTE = / ([a-zA-Z-]+)="([^"]*)"/g;

/** Reads XML as strictly as browsers do, without what a drawing has no need for; throws for what is not well-formed. */
export function readXml(xml: string): Element {
  if (FORBIDDEN.test(xml))
    throw new Error(`A character that XML forbids in ${JSON.stringify(xml)}`);
  const top: Element = { name: '', attributes: {}, elements: [], text: '' };
  const open = [top];
  let end = 0;
  for (const match of xml.matchAll(TOKEN)) {
    const [token, isEnd, name = '', attributes = '', isEmpty, text] = match;
    end += token.length;
    const parent = open.at(-1)!;
    if (text !== undefined) {
      for (const each of open) each.text += decode(text);
    } else if (isEnd) {
      if (open.pop()!.name !== name) throw new Error(`</${name}> ends <${parent.name}>`);
    } else {
      const element: Element = { name, attributes: {}, elements: [], text: '' };
      for (const [, key = '', value = ''] of attributes.matchAll(ATTRIBUTE)) {
        if (key in element.attributes) throw new Error(`${key} twice in <${name}>`);
        element.attributes[key] = decode(value);
      }
      parent.elements.push(element);
      if (!isEmpty) open.push(element);
    }
  }
  if (end !== xml.length) throw new Error(`Not well-formed: ${xml.slice(end, end + 80)}`);
  const [root] = top.elements;
  if (open.length !== 1 || top.elements.length !== 1 || !root) throw new Error('Not one element');
  return root;
}

/** Every element in another, however deep. */
export function elementsIn(element: Element): Element[] {
  return element.elements.flatMap((each) => [each, ...elementsIn(each)]);
}

function decode(text: string): string {
  const entities: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'" };
  if (text.includes(']]>')) throw new Error(']]> in text');
  return text.replace(/&([^;]*;?)/g, (whole, name: string) => {
    const character = entities[name.slice(0, -1)];
    if (character === undefined || !name.endsWith(';')) throw new Error(`The entity ${whole}`);
    return character;
  });
}
