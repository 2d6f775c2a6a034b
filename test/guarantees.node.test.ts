import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const page = readFileSync(join(root, 'GUARANTEES.md'), 'utf8');
const files = [...page.matchAll(/`((?:test|src)\/[\w./-]+\.ts)`/g)].map(([, file = '']) => file);

it('every test that GUARANTEES.md names is there', () => {
  expect(files.length).toBeGreaterThan(20);
  expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
});

it('every title that GUARANTEES.md gives of a test is one', () => {
  const named = [...page.matchAll(/^\| ((?:`[^`]+`,? ?)+): (.+?) +\|/gm)];
  expect(named.length).toBeGreaterThan(15);
  for (const [, tests = '', title = ''] of named) {
    for (const [, file = ''] of tests.matchAll(/`([^`]+)`/g)) {
      const text = readFileSync(join(root, file), 'utf8');
      // Numbers come from constants there.
      const words = title.replace(/\d+/g, '…').split('…');
      for (const part of words) expect(text, `${file}: ${title}`).toContain(part.trim());
    }
  }
});
