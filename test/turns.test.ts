import { expect, it } from 'vitest';
import { type Turns, takeTurn } from '../src/turns.js';

it('the turns of a record are forgotten as soon as nobody waits for one', async () => {
  const turns: Turns = new Map();
  const { promise: open, resolve } = Promise.withResolvers<void>();
  const first = takeTurn(turns, 'r1', () => open);
  const second = takeTurn(turns, 'r1', () => Promise.reject(new Error('mine')));
  const other = takeTurn(turns, 'r2', () => 2);
  expect([...turns.keys()]).toEqual(['r1', 'r2']);
  expect(await other).toBe(2);
  expect([...turns.keys()]).toEqual(['r1']);
  resolve();
  await first;
  expect([...turns.keys()]).toEqual(['r1']);
  await expect(second).rejects.toThrow('mine');
  expect(turns.size).toBe(0);
});
