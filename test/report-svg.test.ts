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
    expect(named(row!, 'text')[1]?.text).toMatch(/^x{20,40}… · attempt 3$/);
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
    expect(classed(part, 'note').at(-1)?.text).toBe('… there are more steps than are shown here');
  });

  it('may be that of a single step', async () => {
    const trace = await loadStepTrace(await holding({ run, steps, calls }), 'b');
    const svg = readXml(renderTimelineSvg(trace));
    expect(svg.elements[0]?.text).toBe('load failed · 3.0s');
    expect(named(svg, 'rect')).toHaveLength(2);
    const { isCut, ...withoutCut } = trace;
    expect(readXml(renderTimelineSvg(withoutCut))).toEqual(svg);
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
