import fc from 'fast-check';
import stringWidth from 'string-width';
import { describe, expect, it } from 'vitest';
import { formatRunTree, loadRunTrace, loadStepTrace, type RunTreeOptions } from '../src/report.js';
import { aCall, aRun, aStep } from './support/records.js';
import {
  aLink,
  at,
  ended,
  holding,
  hostileRecords,
  hostileText,
  type Records,
  running,
} from './support/traces.js';

const COLORS = new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g');

/** The lines of a run's tree. */
async function linesOf(
  records: Partial<Records>,
  options: RunTreeOptions & { maxRecords?: number } = {},
): Promise<string[]> {
  const { maxRecords, ...others } = options;
  const trace = await loadRunTrace(await holding(records), 'r1', { maxRecords });
  return formatRunTree(trace, { now: at(4000), ...others }).split('\n');
}

/** The lines below the run's own two, of a run with one step, without the indentation. */
async function stepLines(
  fields: Parameters<typeof aStep>[0],
  others: Partial<Records> = {},
): Promise<string[]> {
  const lines = await linesOf({ steps: [aStep({ id: 's1', ...fields })], ...others });
  return lines.slice(2).map((line) => line.trim());
}

const SYNC: Records = {
  run: aRun({
    ...ended('failed', 0, 4000),
    runType: 'sync_prices',
    actorType: 'user',
    actorId: 'ann',
    error: 'price_api answered 503',
    output: { fetched: 300, inserted: 12 },
  }),
  steps: [
    aStep({ id: 's1', stepType: 'fetch_pages', ...ended('failed', 0, 1000), error: 'gave up' }),
    aStep({
      id: 's2',
      stepType: 'fetch_pages',
      ...ended('completed', 1000, 2000),
      attempt: 2,
      retryOf: 's1',
    }),
    aStep({
      id: 's3',
      stepType: 'import',
      ...running(2000),
      itemsTotal: 200,
      itemsProcessed: 100,
      itemsSucceeded: 98,
      itemsFailed: 2,
    }),
    aStep({
      id: 's4',
      stepType: 'validate',
      parentStepId: 's3',
      status: 'skipped',
      output: { reason: 'nothing new' },
      createdAt: at(2500),
    }),
    aStep({ id: 's5', stepType: 'notify', createdAt: at(3000) }),
  ],
  calls: [
    aCall({
      stepId: 's1',
      tool: 'price_api',
      operation: 'GET /prices',
      status: 'error',
      error: '503\ncaused by: hung up',
      createdAt: at(0),
      durationMs: 500,
    }),
  ],
  links: [aLink({ stepId: 's3', entityId: 'p1', externalId: 'A-1' })],
};

describe('the tree of a run', () => {
  it('shows what happened, and when, in 80 columns', async () => {
    expect(`\n${(await linesOf(SYNC)).join('\n')}`).toBe(`
✖ sync_prices                failed      4.0s  ├─────────── 4.0s ─┤
  r1 · cron · user ann · 2026-03-01T12:00:00.000Z
  price_api answered 503
  fetched 300 · inserted 12
  ✖ fetch_pages              failed      1.0s  ━━━━━
    gave up
    ✖ price_api GET /prices  error      500ms  ━━━
      503
      caused by: hung up
  ✔ fetch_pages · attempt 2  completed   1.0s       ━━━━━
  ● import                   running     2.0s            ━━━━━━━━━━
    ██████████░░░░░░░░░░ 100/200 · 98 succeeded · 2 failed · 2.0s left
    → affected price p1 (A-1)
    ↷ validate               skipped
      nothing new
  ○ notify                   pending`);
  });

  it('has a bar for the shortest work too, wholly below the scale', async () => {
    const steps = [0, 3999].map((ms) => aStep({ id: `s${ms}`, ...ended('failed', ms, ms + 1) }));
    const [scale, , ...bars] = await linesOf({ run: aRun(ended('completed', 0, 4000)), steps });
    expect([scale, ...bars]).toEqual([
      '✔ sync     completed  4.0s  ├─────────── 4.0s ─┤',
      '  ✖ fetch  failed      1ms  ━',
      '  ✖ fetch  failed      1ms                     ━',
    ]);
  });

  it('has a shorter axis where there is less room, and none where there is no room for one', async () => {
    const [first] = await linesOf(SYNC, { width: 60, color: false });
    expect(first).toBe('✖ sync_prices              failed      4.0s  ├────── 4.0s ─┤');
    const [without] = await linesOf(SYNC, { width: 59, color: false });
    expect(without).toBe('✖ sync_prices                failed      4.0s');
  });

  it('has a shorter bar for a batch where there is less room', async () => {
    const lines = await linesOf(SYNC, { width: 40, color: false });
    expect(lines).toContain('    █████░░░░░ 100/200 · 98 succeeded ·…');
  });

  it('has no words for statuses where there is even less', async () => {
    const [enough] = await linesOf(SYNC, { width: 40, color: false });
    expect(enough).toBe('✖ sync_prices           failed      4.0s');
    const [less] = await linesOf(SYNC, { width: 39, color: false });
    expect(less).toBe('✖ sync_prices                 4.0s');
    const lines = await linesOf(SYNC, { width: 26, color: false });
    expect(lines.slice(0, 3)).toEqual([
      '✖ sync_prices         4.0s',
      '  r1 · cron · user ann ·…',
      '  price_api answered 503',
    ]);
    expect(lines).toContain('  ✔ fe… · attempt 2   1.0s');
  });

  it('is as narrow as a single column, with no spaces at the ends of lines', async () => {
    expect(await linesOf({ steps: [aStep()] }, { width: 2, color: false })).toEqual(['○', '', '○']);
    expect(await linesOf({}, { width: 1, color: false })).toEqual(['…', '…']);
  });

  it('is coloured where a width is given, unless told otherwise', async () => {
    const plain = (await linesOf(SYNC)).join('\n');
    const colored = (await linesOf(SYNC, { width: 80 })).join('\n');
    expect(colored).toContain('\u001b[31m✖ \u001b[0m\u001b[1msync_prices');
    expect(colored).toContain('\u001b[31mprice_api answered 503\u001b[0m');
    expect(colored.replace(COLORS, '').replace(/ +$/gm, '')).toBe(plain);
    expect((await linesOf(SYNC, { width: 80, color: false })).join('\n')).toBe(plain);
    expect((await linesOf(SYNC, { color: true })).join('\n')).toBe(colored);
  });

  it('has the colours of its statuses: bold 1, dim 2, red 31, green 32, yellow 33, cyan 36', async () => {
    const run = aRun({ ...ended('cancelled', 0, 4000), error: 'stopped' });
    const steps = [
      aStep({ id: 'a', ...ended('completed', 0, 1000), output: { count: 1 } }),
      aStep({ id: 'b', ...ended('failed', 1000, 2000), error: 'gave up' }),
      aStep({ id: 'c', ...running(2000), itemsTotal: 2, itemsProcessed: 1 }),
      aStep({ id: 'd', createdAt: at(3000) }),
      aStep({ id: 'e', createdAt: at(3000), status: 'skipped' }),
      aStep({ id: 'f', createdAt: at(4000) }),
    ];
    const calls = [
      aCall({ id: 'x', stepId: 'b', operation: 'GET', status: 'error', createdAt: at(1000) }),
      aCall({ id: 'y', stepId: 'b', operation: 'GET', status: 'success', createdAt: at(1500) }),
    ];
    const lines = await linesOf({ run, steps, calls }, { color: true, maxRecords: 5 });
    const readable = lines.join('\n').replace(COLORS, (code) => `<${code.slice(2, -1)}>`);
    expect(`\n${readable.replaceAll('<0>', '</>')}`).toBe(`
<33>⊘ </><1>sync       </><33>  cancelled</>  4.0s<2>  ├─────────── 4.0s ─┤</>
  <2>r1 · cron · 2026-03-01T12:00:00.000Z</>
  <33>stopped</>
  <32>✔ </>fetch    <32>  completed</>  1.0s<32>  ━━━━━</>
    count 1
  <31>✖ </>fetch    <31>  failed   </>  1.0s<31>       ━━━━━</>
    <31>gave up</>
    <31>✖ </>api GET<31>  error    </>      <31>       ━</>
    <32>✔ </>api GET<32>  success  </>      <32>          ━</>
  <36>● </>fetch    <36>  running  </>  2.0s<36>            ━━━━━━━━━━</>
    <36>██████████</><2>░░░░░░░░░░</> 1/2 · 2.0s left
  <2>○ </>fetch    <2>  pending</>
  <2>↷ </>fetch    <2>  skipped</>
<33>… there are more steps than are shown here</>`);
  });

  it.each([0, -1, Number.NaN])('is 80 columns wide where a terminal says %s', async (width) => {
    expect(await linesOf(SYNC, { width, color: false })).toEqual(await linesOf(SYNC));
  });

  it('lasts until now, unless it is told another time', async () => {
    const run = aRun({ ...running(0), startedAt: new Date(Date.now() - 7_200_000) });
    const [first] = await linesOf({ run }, { now: undefined });
    expect(first).toMatch(/ running {2}2h 0m {2}/);
  });

  it('says of what there is more than it shows', async () => {
    const cut = await linesOf(SYNC, { maxRecords: 1 });
    expect(cut.at(-1)).toBe('… there are more steps than are shown here');
    const calls = ['a', 'b'].map((id) => aCall({ id, stepId: 's1' }));
    const links = ['a', 'b'].map((id) => aLink({ id, stepId: 's1' }));
    const all = await linesOf({ ...SYNC, calls, links }, { maxRecords: 1 });
    expect(all.at(-1)).toBe('… there are more steps, calls and links than are shown here');
  });

  it('may be that of a single step', async () => {
    const store = await holding(SYNC);
    const trace = await loadStepTrace(store, 's1');
    const lines = [
      '✖ fetch_pages              failed   1.0s  ├─────────── 1.0s ─┤',
      '  gave up',
      '  ✖ price_api GET /prices  error   500ms  ━━━━━━━━━━',
      '    503',
      '    caused by: hung up',
    ];
    expect(formatRunTree(trace).split('\n')).toEqual(lines);
    const { isCut, ...withoutCut } = trace;
    expect(formatRunTree(withoutCut)).toBe(formatRunTree(trace));
  });

  it('says when the run was started, or else created', async () => {
    const times = { createdAt: at(0), startedAt: at(2000) };
    const [, started] = await linesOf({ run: aRun({ ...times, status: 'running' }) });
    expect(started).toBe('  r1 · cron · 2026-03-01T12:00:02.000Z');
    const [, waiting] = await linesOf({ run: aRun({ createdAt: at(1000) }) });
    expect(waiting).toBe('  r1 · cron · 2026-03-01T12:00:01.000Z');
  });

  it('has no scale before anything has started', async () => {
    const lines = await linesOf({ run: aRun({ createdAt: new Date(Number.NaN) }) });
    expect(lines).toEqual(['○ sync  pending', '  r1 · cron']);
  });

  it('knows no other statuses, but shows them', async () => {
    const [step] = await stepLines({ stepType: 'wait', status: 'on hold for long' as never });
    expect(step).toBe('? wait  on hold…');
    const [run] = await linesOf({ run: aRun({ status: 'lost' as never }) }, { color: true });
    expect(run).toBe('\u001b[2m? \u001b[0m\u001b[1msync\u001b[0m\u001b[2m  lost\u001b[0m');
  });

  it('is indented no further than there is room', async () => {
    const steps = Array.from({ length: 100 }, (_, index) =>
      aStep({ id: `s${index}`, parentStepId: `s${index - 1}`, stepType: `depth ${index}` }),
    );
    const lines = await linesOf({ steps });
    expect(lines[2]).toBe(`  ○ depth 0${' '.repeat(21)}pending`);
    expect(lines.at(-1)).toBe(`${' '.repeat(20)}○ depth 99  pending`);
  });
});

describe('below a step', () => {
  it('its duration is reckoned where it is not recorded', async () => {
    const [first] = await stepLines({ ...ended('completed', 0, 1500), durationMs: null });
    expect(first).toContain('completed  1.5s');
    const [unknown] = await stepLines({ status: 'completed', startedAt: at(0) });
    expect(unknown).toBe('✔ fetch  completed  ━');
    const calls = [aCall({ status: 'success', durationMs: null })];
    const [, call] = await stepLines({}, { calls });
    expect(call).toBe('✔ api GET /charges  success  ━');
  });

  it.each([
    [{ itemsTotal: 10, itemsProcessed: 5 }, '██████████░░░░░░░░░░ 5/10'],
    [{ itemsTotal: 10 }, '░░░░░░░░░░░░░░░░░░░░ 0/10'],
    [{ itemsTotal: 0, itemsProcessed: 0, itemsFailed: 0 }, '████████████████████ 0/0 · 0 failed'],
    [{ itemsProcessed: 7, itemsSucceeded: 7 }, '7 processed · 7 succeeded'],
    [{ itemsTotal: 10, itemsProcessed: Number.NaN }, 'NaN/10'],
    [{ itemsTotal: 10, itemsProcessed: 20 }, '████████████████████ 20/10'],
  ])('stands how far it got: %o', async (counts, line) => {
    expect(await stepLines({ ...counts, status: 'completed' })).toEqual([expect.anything(), line]);
  });

  it('the counts have no bar where there is no room', async () => {
    const steps = [aStep({ itemsTotal: 2, itemsProcessed: 1 })];
    expect((await linesOf({ steps }, { width: 3, color: false })).at(-1)).toBe('  …');
  });

  it('stand the first links, and how many more there are', async () => {
    const link = (index: number) => aLink({ id: `l${index}`, entityId: `p${index}` });
    const links = Array.from({ length: 9 }, (_, index) => link(index));
    expect((await stepLines({}, { links })).slice(1)).toEqual([
      '→ affected price p0',
      '→ affected price p1',
      '→ affected price p2',
      '… and 6 more',
    ]);
    expect((await stepLines({}, { links: links.slice(0, 4) })).slice(1)).toHaveLength(4);
  });

  it('stand its links, and not below a call with the same id', async () => {
    const others = { links: [aLink({})], calls: [aCall({ id: 's1', status: 'pending' })] };
    expect(await stepLines({}, others)).toEqual([
      '○ fetch               pending',
      '→ affected price p1',
      '○ api GET /charges  pending',
    ]);
  });

  it('stand the first lines of its error, none of them empty', async () => {
    const error = '\nfirst\r\n \t\n  second \u2028third\nfourth\nfifth\n';
    expect((await stepLines({ status: 'failed', error })).slice(1)).toEqual([
      'first',
      'second',
      'third',
      '… and 2 more lines',
    ]);
    const [, , , , more] = await stepLines({ status: 'failed', error: 'line\n'.repeat(10_000) });
    expect(more).toBe('… and 9997 more lines');
  });

  it('stands a long error on several lines, broken between words', async () => {
    const words = 'the file could not be imported because the server has said nothing for a while';
    const lines = (
      await stepLines({ status: 'failed', error: `${words} ${words} ${words}` })
    ).slice(1);
    expect(lines).toEqual([
      'the file could not be imported because the server has said nothing for a',
      'while the file could not be imported because the server has said nothing for',
      'a while the file could not be imported because the server has said nothing…',
    ]);
    const exactly = `${'x'.repeat(70)} fits.`;
    expect((await stepLines({ status: 'failed', error: exactly })).slice(1)).toEqual([exactly]);
    const url = `https://example.com/${'x'.repeat(100)}`;
    const [, first = '', second] = await stepLines({ status: 'failed', error: `${url} is gone` });
    expect(first).toHaveLength(76);
    expect(`${first}${second}`).toBe(`${url} is gone`);
  });

  it('stands a mark of its error where there is no room for a single character', async () => {
    const run = aRun({ ...ended('failed', 0, 1), error: '価格 価格' });
    const lines = await linesOf({ run }, { width: 3, color: false });
    expect(lines).toEqual(['✖ …', '  …', '  …']);
  });

  it.each([
    [
      { a: 1, b: 'two', c: null, d: { e: 1 }, f: [1, 2], g: true },
      ['a 1 · b two · c null · d {…} · f [2] · g true'],
    ],
    [{ result: 2, count: 3 }, ['result 2 · count 3']],
    [{ count: 3, result: { rows: 2 } }, ['count 3 · rows 2']],
    [{ result: ['a', 2, { b: 3 }, [4]] }, ['a', '2', '{…}', '[1]']],
    [{ count: 6, result: [1, 2, 3, 4, 5, 6] }, ['count 6', '1', '2', '3', '… and 3 more']],
    [{}, []],
  ])('stands what it resulted in: %j', async (output, lines) => {
    expect((await stepLines({ status: 'completed', output })).slice(1)).toEqual(lines);
  });

  it('stand a hundred members of what it resulted in, however wide the terminal is', async () => {
    const output = Object.fromEntries(Array.from({ length: 101 }, (_, index) => [`m${index}`, 0]));
    const steps = [aStep({ status: 'completed', output })];
    const line = (await linesOf({ steps }, { width: 5000, color: false })).at(-1);
    expect(line).toMatch(/^ {4}m0 0 · m1 0 · .* · m99 0$/);
  });

  it('stands why it was skipped, when that is known', async () => {
    const skipped = { status: 'skipped', output: { reason: 'nothing new' } } as const;
    expect((await stepLines(skipped)).slice(1)).toEqual(['nothing new']);
    expect((await stepLines({ status: 'skipped' })).slice(1)).toEqual([]);
    expect((await stepLines({ ...skipped, status: 'completed' })).slice(1)).toEqual([
      'reason nothing new',
    ]);
    const odd = { status: 'skipped', output: { reason: 7 } } as const;
    expect((await stepLines(odd)).slice(1)).toEqual(['reason 7']);
  });
});

describe('wide and hostile text', () => {
  it.each([
    ['価格表', 6],
    ['e\u0301te\u0301', 3],
    ['\u{1f1e9}\u{1f1ea}', 2],
    ['\u{1f600}', 2],
    // Joined emoji come apart: not every terminal joins them.
    ['\u{1f469}\u200d\u{1f4bb}', 4],
    ['क्षत्रिय', 6],
  ])('%s takes as many columns as it does in a terminal', async (stepType, columns) => {
    const steps = [aStep({ id: 'a', stepType }), aStep({ id: 'b', stepType: 'x'.repeat(20) })];
    const [line = ''] = (await linesOf({ steps })).slice(2);
    const [name = ''] = line.slice(4).split('  ');
    expect(stringWidth(name)).toBe(columns);
    expect(stringWidth(line.slice(0, line.indexOf('pending')))).toBe(2 + 2 + 20 + 2);
  });

  it('a name that is cut ends before the character that has no room', async () => {
    const steps = [aStep({ stepType: '価'.repeat(50) })];
    const [line] = (await linesOf({ steps }, { width: 20, color: false })).slice(2);
    expect(line).toBe(`  ○ ${'価'.repeat(7)}…`);
  });

  it('of a text 2000 characters are shown, however wide the terminal is', async () => {
    const shown = async (stepType: string) => {
      const steps = [aStep({ stepType })];
      return (await linesOf({ steps }, { width: 5000, color: false })).at(-1);
    };
    const long = 'x'.repeat(2000);
    expect(await shown(long)).toBe(`  ○ ${long}  pending`);
    expect(await shown(`${long}x`)).toBe(`  ○ ${long}…  pending`);
  });

  it.each([
    ['\u001b[2J\u0007bell', '\ufffd[2J\ufffdbell'],
    ['a\r\nb\tc\u0085d', 'a b c d'],
    ['\u202egnp.exe\u2066', 'gnp.exe'],
    ['ze\u200bro\ufeff', 'zero'],
    ['lone \ud800', 'lone \ufffd'],
    ['\u0301first', '\u25cc\u0301first'],
    [`Z${'\u0300'.repeat(50)}`, `Z${'\u0300'.repeat(4)}`],
    [' \u200b ', '(no name)'],
  ])('%j reaches no terminal as it is', async (stepType, shown) => {
    const [line] = await stepLines({ stepType });
    expect(line?.split(/ {2,}/)).toEqual([`○ ${shown}`, 'pending']);
  });

  it('nothing breaks a line, or makes it too wide, and every record has its own', async () => {
    const width = fc.oneof(fc.constant(undefined), fc.integer({ min: 1, max: 200 }));
    await fc.assert(
      fc.asyncProperty(hostileRecords, width, async (records, width) => {
        const trace = await loadRunTrace(await holding(records), 'r1');
        const text = formatRunTree(trace, { width, color: false, now: at(50_000) });
        expect(text).not.toMatch(/(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u);
        expect(text).not.toMatch(/\p{Default_Ignorable_Code_Point}/u);
        const lines = text.split('\n');
        for (const line of lines) expect(stringWidth(line)).toBeLessThanOrEqual(width ?? 80);
        const marks = lines.filter((line) => /^ *[○●✔✖⊘↷?]/.test(line));
        // A text below a record may begin with a mark too; in few columns there is none.
        const count = 1 + records.steps.length + trace.calls.length;
        if ((width ?? 80) > 8) expect(marks.length).toBeGreaterThanOrEqual(count);
        const colored = formatRunTree(trace, { width, color: true, now: at(50_000) });
        expect(colored.replace(COLORS, '').replace(/ +$/gm, '')).toBe(text);
      }),
    );
  });

  it('a single text has as many lines as any other', async () => {
    await fc.assert(
      fc.asyncProperty(hostileText, async (stepType) => {
        expect(await stepLines({ stepType })).toHaveLength(1);
      }),
    );
  });

  it('very long texts take no time', async () => {
    const long = 'word '.repeat(200_000);
    const run = aRun({ runType: long, error: long, output: { [long]: long, result: [long] } });
    const calls = [aCall({ tool: long, error: '\n'.repeat(1_000_000) })];
    const lines = await linesOf({ run, steps: [aStep({ stepType: long, error: long })], calls });
    expect(lines.length).toBeLessThan(20);
  });
});
