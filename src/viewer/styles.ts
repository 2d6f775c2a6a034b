/** How the pages look: in light and dark, on a phone and on a wide screen. */
export const STYLES: string = `:root {
  color-scheme: light dark;
  --paper: #fff;
  --sheet: #f5f6f8;
  --ink: #1b1f24;
  --faint: #57606a;
  --line: #d4d9df;
  --link: #0758b8;
  --good: #116329;
  --bad: #a40e26;
  --busy: #7d4e00;
  --idle: #57606a;
  --bar: #8fa1b3;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #0f1318;
    --sheet: #181d24;
    --ink: #e6eaef;
    --faint: #9aa6b2;
    --line: #313943;
    --link: #79b8ff;
    --good: #56d364;
    --bad: #ff8b8b;
    --busy: #e3b341;
    --idle: #9aa6b2;
    --bar: #66788a;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
a { color: var(--link); }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
main:focus { outline: none; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 8px; top: 8px; background: var(--paper); padding: 4px 8px; z-index: 1; }
.hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
header { display: flex; flex-wrap: wrap; gap: 8px 24px; align-items: center; justify-content: space-between; padding: 10px 20px; border-bottom: 1px solid var(--line); background: var(--sheet); }
header .site { font-weight: 600; text-decoration: none; color: var(--ink); }
main { max-width: 1200px; margin: 0 auto; padding: 12px 20px 48px; }
h1 { font-size: 22px; margin: 8px 0 12px; overflow-wrap: anywhere; }
h1 .status { font-size: 15px; font-weight: 400; margin-left: 8px; }
h2 { font-size: 17px; margin: 28px 0 8px; }
input, select, button { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--bar); border-radius: 5px; padding: 3px 8px; max-width: 100%; }
button { background: var(--sheet); cursor: pointer; }
.jump { display: flex; gap: 6px; align-items: center; flex-wrap: wrap; }
.filters { display: flex; flex-wrap: wrap; gap: 8px 16px; align-items: end; padding: 10px 12px; margin-bottom: 16px; background: var(--sheet); border: 1px solid var(--line); border-radius: 8px; }
.filters fieldset { border: 0; margin: 0; padding: 0; display: flex; flex-wrap: wrap; gap: 4px 12px; width: 100%; }
.filters legend { float: left; padding: 0 4px 0 0; }
.filters > label { display: flex; flex-direction: column; font-size: 13px; color: var(--faint); }
.filters > label > * { color: var(--ink); font-size: 15px; }
table { width: 100%; border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: 7px 10px 7px 0; border-bottom: 1px solid var(--line); overflow-wrap: anywhere; }
th { font-size: 13px; color: var(--faint); font-weight: 600; white-space: nowrap; }
caption { text-align: left; font-weight: 600; padding: 8px 0 2px; }
.runs td:first-child, .runs td.number, .runs time { white-space: nowrap; }
.runs .name { font-weight: 600; }
.runs .trigger { min-width: 84px; }
.what > * { display: block; }
.id { display: block; font: 12px/1.5 ui-monospace, monospace; color: var(--faint); overflow-wrap: anywhere; }
.facts .id { display: inline; }
.hint, .facts { color: var(--faint); }
.number { font-variant-numeric: tabular-nums; }
.status { white-space: nowrap; color: var(--idle); }
.status.completed, .status.success { color: var(--good); }
.status.failed, .status.error { color: var(--bad); }
.status.running { color: var(--busy); }
span.error { color: var(--bad); }
pre { margin: 8px 0; padding: 10px 12px; background: var(--sheet); border: 1px solid var(--line); border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere; font: 13px/1.5 ui-monospace, monospace; max-height: 480px; overflow: auto; }
pre.error { border-left: 4px solid var(--bad); color: var(--ink); }
progress { width: 140px; height: 10px; vertical-align: middle; accent-color: var(--link); }
.progress { font-size: 13px; color: var(--faint); }
dl { margin: 0 0 12px; }
dl.facts { display: flex; flex-wrap: wrap; gap: 8px 28px; }
dt { font-size: 12px; color: var(--faint); }
dd { margin: 0; color: var(--ink); overflow-wrap: anywhere; }
dl.figures { display: flex; flex-wrap: wrap; gap: 10px; }
dl.figures > div { padding: 8px 14px; background: var(--sheet); border: 1px solid var(--line); border-radius: 8px; display: flex; flex-direction: column-reverse; max-width: 100%; }
dl.figures dt { overflow-wrap: anywhere; }
dl.figures dd { font-size: 22px; font-weight: 600; font-variant-numeric: tabular-nums; }
ol { list-style: none; margin: 0; padding: 0; }
.tree summary, .calls summary { cursor: pointer; border-bottom: 1px solid var(--line); padding: 5px 0; list-style-position: outside; margin-left: 18px; }
.tree summary:hover { background: var(--sheet); }
.line { display: inline-grid; grid-template-columns: minmax(0, 1fr) 76px clamp(90px, 30vw, 360px); gap: 12px; width: 100%; vertical-align: top; align-items: center; }
.label { overflow-wrap: anywhere; }
.line .number { text-align: right; }
.bar { width: 100%; height: 12px; background: var(--sheet); fill: var(--bar); }
.bar.completed, .bar.success { fill: var(--good); }
.bar.failed, .bar.error { fill: var(--bad); }
.bar.running { fill: var(--busy); }
.depth-1 { padding-left: 18px; } .depth-2 { padding-left: 36px; } .depth-3 { padding-left: 54px; } .depth-4 { padding-left: 72px; }
.depth-5 { padding-left: 90px; } .depth-6 { padding-left: 108px; } .depth-7 { padding-left: 126px; } .depth-8 { padding-left: 144px; }
.body { padding: 8px 0 12px 18px; }
.body .facts { margin: 0 0 6px; font-size: 13px; }
.json { margin: 6px 0; }
.json summary { cursor: pointer; }
.json ul { margin: 0; padding: 2px 0 2px 20px; list-style: none; border-left: 1px solid var(--line); }
.json li { overflow-wrap: anywhere; }
.key { color: var(--faint); }
.value { white-space: pre-wrap; font: 13px/1.5 ui-monospace, monospace; }
.value.null { color: var(--faint); }
.pages { display: flex; gap: 20px; padding: 14px 0; }
.notice, .empty { color: var(--faint); }
.live { position: fixed; right: 12px; bottom: 0; margin: 0; padding: 6px 10px; color: var(--bad); background: var(--paper); }
.live:empty { display: none; }
@media (max-width: 700px) {
  main { padding: 8px 12px 40px; }
  header { padding: 8px 12px; }
  .runs thead { display: none; }
  .runs, .runs tbody, .runs tr, .runs td { display: block; }
  .runs tr { border: 1px solid var(--line); border-radius: 8px; padding: 6px 10px; margin-bottom: 10px; }
  .runs td { border: 0; padding: 2px 0; }
  .line { grid-template-columns: minmax(0, 1fr) 64px; }
  .bar { grid-column: 1 / -1; }
  .depth-1, .depth-2, .depth-3, .depth-4, .depth-5, .depth-6, .depth-7, .depth-8 { padding-left: 12px; }
}
@media (prefers-reduced-motion: no-preference) {
  .status.running > span { animation: pulse 1.6s ease-in-out infinite; display: inline-block; }
  @keyframes pulse { 50% { opacity: 0.45; } }
}
`;
