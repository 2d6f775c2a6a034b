import { expect, it } from 'vitest';
import { formatPage } from '../bench/markdown.js';

it('the page of the benchmarks has the machine, each benchmark, and whether its aims were met', () => {
  const page = formatPage(
    [
      ['processors', '2 × Some'],
      ['memory', '8 GiB'],
    ],
    [
      {
        title: 'What a write costs',
        about: 'Time of one write.',
        tables: [
          {
            title: 'SQLite',
            columns: ['µs', 'one by one', '2000 at once'],
            rows: [
              ['this store', 12.345, 3.456],
              ['a | b', undefined, 1234.5],
              ['how many', 1_234_567, '4 ×'],
            ],
            aimed: [
              { name: 'the slower', value: 12.345, aim: { atMost: 12 }, unit: ' µs' },
              { name: 'the gain', value: 20, aim: { atLeast: 20 }, unit: ' ×' },
            ],
          },
          { title: 'None', columns: ['', 'bytes'], rows: [['core', 7683]], aimed: [] },
        ],
      },
    ],
    3,
  );

  expect(page).toMatch(/^# Benchmarks\n\n/);
  expect(page).toContain('npm install && npm run bench:page');
  expect(page).toContain('within 3 minutes');
  expect(page.slice(page.indexOf('| the machine'))).toBe(`\
| the machine |          |
| ----------- | -------- |
| processors  | 2 × Some |
| memory      | 8 GiB    |

## What a write costs

Time of one write.

### SQLite

| µs         | one by one | 2000 at once |
| ---------- | ---------: | -----------: |
| this store |       12.3 |         3.46 |
| a \\| b     |            |         1235 |
| how many   |  1 234 567 |          4 × |

|            | measured |     aim |            |
| ---------- | -------: | ------: | ---------: |
| the slower |  12.3 µs | ≤ 12 µs | **missed** |
| the gain   |     20 × |  ≥ 20 × |        met |

### None

|      | bytes |
| ---- | ----: |
| core | 7 683 |
`);
});
