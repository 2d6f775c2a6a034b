import type { Markup } from './markup.js';

/** The colours of one scheme, by class. */
interface Scheme {
  text: string;
  note: string;
  grid: string;
  success: string;
  error: string;
  running: string;
  cancelled: string;
  idle: string;
}

const LIGHT: Scheme = {
  text: '#1f2328',
  note: '#59636e',
  grid: '#d1d9e0',
  success: '#1a7f37',
  error: '#d1242f',
  running: '#0969da',
  cancelled: '#9a6700',
  idle: '#6e7781',
};

const DARK: Scheme = {
  text: '#f0f6fc',
  note: '#9198a1',
  grid: '#3d444d',
  success: '#3fb950',
  error: '#f85149',
  running: '#4493f8',
  cancelled: '#d29922',
  idle: '#9198a1',
};

function colorsOf(scheme: Scheme): string {
  const colors = Object.entries(scheme);
  return colors.map(([name, color]) => `.runs-timeline .${name}{color:${color}}`).join('');
}

/**
 * What the drawing looks like. Every selector begins with its own class, because
 * within a page a style reaches all of it; and the colours are no variables,
 * which not every viewer of pictures knows. Where the drawing is all there is, its
 * colour scheme makes the browser's own background dark.
 */
export const SVG_STYLE: Markup = {
  xml: `.runs-timeline{color-scheme:light dark;font:12px system-ui,sans-serif}
.runs-timeline text,.runs-timeline rect{fill:currentColor}
.runs-timeline path,.runs-timeline circle{fill:none;stroke:currentColor}
.runs-timeline .title{font-size:15px;font-weight:600}
.runs-timeline .tick{text-anchor:middle}
.runs-timeline .duration{text-anchor:end}
${colorsOf(LIGHT)}
@media (prefers-color-scheme:dark){${colorsOf(DARK)}}`,
};
