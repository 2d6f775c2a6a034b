import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  loadRunTrace,
  loadStepTrace,
  renderTimelineSvg,
  type TimelineSvgOptions,
} from '../src/report.js';
import { aCall, aRun, aStep } from './support/records.js';
import {
  at,
  ended,
  holding,
  hostileRecords,
  hostileText,
  type Records,
  running,
} from './support/traces.js';
import { type Element, elementsIn, readXml } from './support/xml.js';

async function draw(
  records: Partial<Records>,
  options: TimelineSvgOptions & { maxRecords?: number } = {},
): Promise<Element> {
  const { maxRecords, ...others } = options;
  const trace = await loadRunTrace(await holding(records), 'r1', { maxRecords });
  return readXml(renderTimelineSvg(trace, { now: at(4000), ...others }));
}

const named = (svg: Element, name: string) => elementsIn(svg).filter((each) => each.name === name);
const classed = (svg: Element, part: string) =>
  elementsIn(svg).filter(({ attributes }) => attributes.class?.split(' ').includes(part));
const place = ({ attributes }: Element) => [Number(attributes.x), Number(attributes.width)];

/** As in https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio, which asks for 4.5 where there is text. */
function contrast(...colors: [string, string]): number {
  const [darker = 0, lighter = 0] = colors.map(luminance).sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

function luminance(color: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((start) => {
    const part = Number.parseInt(color.slice(start, start + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

const run = aRun({ runType: 'sync_prices', ...ended('failed', 0, 4000), error: 'no <answer>\nx' });
const steps = [
  aStep({
    id: 'a',
    stepType: 'fetch',
    ...ended('completed', 0, 1000),
    itemsTotal: 2,
    itemsProcessed: 2,
  }),
  aStep({ id: 'b', stepType: 'load', ...ended('failed', 1000, 4000), error: 'broken\nfar away' }),
  aStep({ id: 'c', stepType: 'notify', createdAt: at(4000) }),
];
const calls = [
  aCall({
    stepId: 'b',
    operation: 'GET',
    status: 'error',
    attempt: 2,
    createdAt: at(3000),
    durationMs: 1000,
  }),
];

describe('the drawing of a run', () => {
  it('is a picture with a title and a description', async () => {
    const svg = await draw({ run, steps, calls });
    expect(svg.attributes).toMatchObject({
      xmlns: 'http://www.w3.org/2000/svg',
      role: 'img',
      width: '960',
      viewBox: `0 0 960 ${svg.attributes.height}`,
    });
    expect(svg.elements.slice(0, 2).map(({ name, text }) => `${name}: ${text}`)).toEqual([
      'title: sync_prices failed · 4.0s',
      'desc: 3 steps and 1 call, in 4.0s. Failed: sync_prices, load, api GET.',
    ]);
    expect(classed(svg, 'title')[0]?.text).toBe('sync_prices failed · 4.0s');
    expect(classed(svg, 'note')[0]?.text).toBe('no <answer>');
  });

  it('is written in numbers that fit each other, with its texts escaped', async () => {
    const live = aRun(running(0));
    const steps = [
      aStep({ id: 'a', stepType: 'fetch', ...ended('completed', 0, 1000) }),
      aStep({ id: 'b', stepType: '"load"', createdAt: at(1200) }),
    ];
    const hungUp = { status: 'error', error: "it's <hung> up & gone" } as const;
    const calls = [
      aCall({ stepId: 'a', operation: 'GET', ...hungUp, createdAt: at(500), durationMs: 250 }),
    ];
    const trace = await loadRunTrace(await holding({ run: live, steps, calls }), 'r1');
    const svg = renderTimelineSvg(trace, { now: at(2000) });
    expect(
      svg.replace(/<style>.*<\/style>/s, '<style/>'),
    ).toBe(`<svg xmlns="http://www.w3.org/2000/svg" class="runs-timeline" role="img" width="960" height="196" viewBox="0 0 960 196">
<title>sync running · 2.0s</title>
<desc>2 steps and 1 call, in 2.0s. Failed: api GET.</desc>
<style/>
<svg x="16" y="8" width="928" height="24"><text class="text title" y="18">sync running · 2.0s</text></svg>
<svg x="16" y="32" width="928" height="24"><text class="note" y="16">r1</text></svg>
<path class="grid" d="M352 78V180"/><text class="note tick" x="352" y="72">0</text>
<path class="grid" d="M482 78V180"/><text class="note tick" x="482" y="72">500ms</text>
<path class="grid" d="M612 78V180"/><text class="note tick" x="612" y="72">1.0s</text>
<path class="grid" d="M742 78V180"/><text class="note tick" x="742" y="72">1.5s</text>
<path class="grid" d="M872 78V180"/><text class="note tick" x="872" y="72">2.0s</text>
<g><svg x="16" y="84" width="328" height="24"><text class="running" y="16">●</text><text class="text" x="18" y="16">sync</text></svg><rect class="running" x="352" y="90" width="520" height="12" rx="2"><title>sync · running · 2.0s</title></rect><text class="note duration" x="944" y="100">2.0s</text></g>
<g><svg x="30" y="108" width="314" height="24"><text class="success" y="16">✔</text><text class="text" x="18" y="16">fetch</text></svg><rect class="success" x="352" y="114" width="260" height="12" rx="2"><title>fetch · completed · 1.0s</title></rect><text class="note duration" x="944" y="124">1.0s</text></g>
<g><svg x="44" y="132" width="300" height="24"><text class="error" y="16">✖</text><text class="text" x="18" y="16">api GET</text></svg><rect class="error" x="482" y="138" width="65" height="12" rx="2"><title>api GET · error · 250ms · it&#39;s &lt;hung&gt; up &amp; gone</title></rect><text class="note duration" x="944" y="148">250ms</text></g>
<g><svg x="30" y="156" width="314" height="24"><text class="idle" y="16">○</text><text class="text" x="18" y="16">&quot;load&quot;</text></svg><circle class="idle" cx="664" cy="168" r="3.5"><title>&quot;load&quot; · pending</title></circle><text class="note duration" x="944" y="172"></text></g>
<text class="note" x="16" y="196"></text>
</svg>`);
  });

  it('has a bar for each record, with a name, a status and a duration', async () => {
    const bars = named(await draw({ run, steps, calls }), 'rect');
    const [, width = 0] = place(bars[0]!);
    const [left = 0] = place(bars[0]!);
    expect(bars.map((bar) => `${bar.attributes.class}: ${bar.text}`)).toEqual([
      'error: sync_prices · failed · 4.0s · no <answer>',
      'success: fetch · completed · 1.0s · 2/2',
      'error: load · failed · 3.0s · broken',
      'error: api GET · attempt 2 · error · 1.0s',
    ]);
    expect(bars.map(place)).toEqual([
      [left, width],
      [left, width / 4],
      [left + width / 4, (width * 3) / 4],
      [left + (width * 3) / 4, width / 4],
    ]);
  });

  it('has a ring in place of a bar for what never started', async () => {
    const svg = await draw({ run, steps, calls });
    expect(named(svg, 'circle').map(({ text }) => text)).toEqual(['notify · pending']);
  });

  it('has its rings and shortest bars wholly where bars may be', async () => {
    const ends = [0, 4000].map((ms) => aStep({ id: `s${ms}`, createdAt: at(ms) }));
    const short = aStep({ id: 'short', ...ended('completed', 3999, 4000) });
    const svg = await draw({ run, steps: [...ends, short] });
    expect(named(svg, 'circle').map(({ attributes }) => attributes.cx)).toEqual(['356', '868']);
    expect(named(svg, 'rect').map(place)).toEqual([
      [352, 520],
      [869, 3],
    ]);
  });

  it('is indented no further than half the room for names', async () => {
    const deep = Array.from({ length: 100 }, (_, index) =>
      aStep({ id: `s${index}`, parentStepId: `s${index - 1}` }),
    );
    const labels = named(await draw({ run, steps: deep }), 'g').map(
      ({ elements: [label] }) => label!,
    );
    expect(labels.map(place).slice(0, 3)).toEqual([
      [16, 328],
      [30, 314],
      [44, 300],
    ]);
    expect(place(labels.at(-1)!)).toEqual([184, 160]);
  });

  it('has a label and a duration beside each bar', async () => {
    const svg = await draw({ run, steps, calls });
    const rows = named(svg, 'g').map((row) => named(row, 'text').map(({ text }) => text));
    expect(rows).toEqual([
      ['✖', 'sync_prices', '4.0s'],
      ['✔', 'fetch', '1.0s'],
      ['✖', 'load', '3.0s'],
      ['✖', 'api GET · attempt 2', '1.0s'],
      ['○', 'notify', ''],
    ]);
  });

  it.each([
    [3, ['0', '1ms', '2ms', '3ms']],
    [4000, ['0', '1.0s', '2.0s', '3.0s', '4.0s']],
    [100 * 60_000, ['0', '30m 0s', '1h 0m', '1h 30m']],
    [10 * 3_600_000, ['0', '2h 0m', '4h 0m', '6h 0m', '8h 0m', '10h 0m']],
    [1000 * 3_600_000, ['0', '168h 0m', '336h 0m', '504h 0m', '672h 0m', '840h 0m']],
    [0, []],
  ])('has a few round times at its top when it took %s ms', async (ms, times) => {
    const svg = await draw({ run: aRun(ended('completed', 0, ms)) });
    expect(classed(svg, 'tick').map(({ text }) => text)).toEqual(times);
  });

  it('has even in little room one time more than the beginning', async () => {
    const svg = await draw({ run }, { width: 1 });
    expect(svg.attributes.width).toBe('320');
    expect(classed(svg, 'tick').map(({ text }) => text)).toEqual(['0', '2.0s', '4.0s']);
  });

  it('is as wide as it is asked to be', async () => {
    expect((await draw({ run }, { width: 1200.4 })).attributes.width).toBe('1200');
    expect((await draw({ run }, { width: Number.NaN })).attributes.width).toBe('960');
  });

  it('has the title that it is given', async () => {
    const svg = await draw({ run }, { title: 'Last <night>' });
    expect(svg.elements[0]?.text).toBe('Last <night>');
    expect(classed(svg, 'title')[0]?.text).toBe('Last <night>');
  });

  it('cuts long names, but not their attempts', async () => {
    const long = aStep({ stepType: 'x'.repeat(200), attempt: 3 });
    const [, row] = named(await draw({ run, steps: [long] }), 'g');
    expect(named(row!, 'text')[1]?.text).toBe(`${'x'.repeat(29)}… · attempt 3`);
  });

  it('lasts until now, unless it is told another time', async () => {
    const live = aRun({ ...running(0), startedAt: new Date(Date.now() - 7_200_000) });
    const svg = await draw({ run: live }, { now: undefined });
    expect(svg.elements[0]?.text).toBe('sync running · 2h 0m');
  });

  it('says when nothing has started, and which run it is', async () => {
    const svg = await draw({ run: aRun() });
    expect(svg.elements.slice(0, 2).map(({ text }) => text)).toEqual([
      'sync pending',
      '0 steps and 0 calls, none of them started.',
    ]);
    expect(classed(svg, 'note')[0]?.text).toBe('r1');
  });

  it('names no more failures than one cares to hear', async () => {
    const failed = Array.from({ length: 12 }, (_, index) =>
      aStep({ id: `s${index}`, stepType: `s${index}`, createdAt: at(index), status: 'failed' }),
    );
    const svg = await draw({ run: aRun(ended('completed', 0, 1000)), steps: failed });
    expect(svg.elements[1]?.text).toMatch(/Failed: s0, s1, .*, s9, 2 more\.$/);
  });

  it('says of what there is more than it shows', async () => {
    const whole = await draw({ run, steps, calls });
    const part = await draw({ run, steps, calls }, { maxRecords: 1 });
    expect(whole.text).not.toContain('there are more');
    const note = classed(part, 'note').at(-1);
    expect(note?.text).toBe('… there are more steps than are shown here');
    expect([note?.attributes.y, part.attributes.height]).toEqual(['172', '196']);
  });

  it('may be that of a single step', async () => {
    const trace = await loadStepTrace(await holding({ run, steps, calls }), 'b');
    const svg = readXml(renderTimelineSvg(trace));
    expect(svg.elements[0]?.text).toBe('load failed · 3.0s');
    expect(named(svg, 'rect')).toHaveLength(2);
    const { isCut, ...withoutCut } = trace;
    expect(readXml(renderTimelineSvg(withoutCut))).toEqual(svg);
  });

  it('stands out from a light and from a dark page', async () => {
    const [style] = named(await draw({}), 'style');
    const [light, dark] = style!.text.split('@media (prefers-color-scheme:dark)');
    for (const [css, page] of [
      [light, '#ffffff'],
      [dark, '#0d1117'],
    ] as const) {
      const colors = [...css!.matchAll(/ \.(\w+)\{color:(#\w{6})\}/g)];
      const contrasts = colors.map(([, name, color]) => [name, contrast(color!, page)] as const);
      const states = ['success', 'error', 'running', 'cancelled', 'idle'];
      expect(contrasts.map(([name]) => name)).toEqual(['text', 'note', 'grid', ...states]);
      for (const [name, ratio] of contrasts) {
        expect(ratio, `${name} on ${page}`).toBeGreaterThan(name === 'grid' ? 1.4 : 4.5);
      }
    }
  });

  it('follows the reader’s light or dark, has no background, and asks for nothing', async () => {
    const svg = await draw({ run, steps, calls });
    const [style] = named(svg, 'style');
    expect(style?.text).toContain('@media (prefers-color-scheme:dark)');
    expect(style?.text).not.toMatch(/url|import|background/);
    for (const [selectors] of style!.text.matchAll(/[^{}\n]+(?=\{[^{}]*:)/g)) {
      if (selectors.startsWith('@')) continue;
      for (const selector of selectors.split(',')) expect(selector).toMatch(/^\.runs-timeline\b/);
    }
    const names = new Set(elementsIn(svg).map(({ name }) => name));
    expect([...names].sort()).toEqual(
      ['circle', 'desc', 'g', 'path', 'rect', 'style', 'svg', 'text', 'title'].sort(),
    );
  });
});

it('is valid XML with the same elements, whatever the records say', async () => {
  const widths = fc.oneof(fc.integer({ min: -10, max: 3000 }), fc.constant(Number.NaN));
  await fc.assert(
    fc.asyncProperty(hostileRecords, hostileText, widths, async (records, title, width) => {
      const trace = await loadRunTrace(await holding(records), 'r1');
      const svg = readXml(renderTimelineSvg(trace, { title, width, now: at(50_000) }));
      const rows = 1 + records.steps.length + trace.calls.length;
      const of = (...names: string[]) => names.flatMap((name) => named(svg, name));
      expect(of('g')).toHaveLength(rows);
      expect(of('rect', 'circle')).toHaveLength(rows);
      expect(of('title')).toHaveLength(rows + 1);
      expect(of('script', 'a', 'image', 'use', 'foreignObject')).toEqual([]);
      for (const { name, attributes } of [svg, ...elementsIn(svg)]) {
        const allowed = /^(xmlns|class|role|width|height|viewBox|x|y|d|cx|cy|r|rx)$/;
        for (const [key, value] of Object.entries(attributes)) {
          expect(key, name).toMatch(allowed);
          expect(value).not.toMatch(/NaN|Infinity|undefined/);
        }
        if (name === 'rect') {
          expect(Number(attributes.x)).toBeGreaterThan(0);
          const end = Number(attributes.x) + Number(attributes.width);
          expect(end).toBeLessThan(Number(svg.attributes.width) - 72);
        }
      }
    }),
  );
});
