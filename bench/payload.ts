/** Times the preparation of a plain payload of 1 KB beside one `JSON.stringify` of it; prints both in nanoseconds. */
import { preparePayload } from '../src/payload.js';

const payload = {
  id: 'ch_3MmlLrLkdIwHu7ix0snN0B15',
  type: 'charge.succeeded',
  customer: {
    id: 'cus_9s6XKzkNRiz8i3',
    email: 'billing@example.com',
    address: { city: 'San Francisco', country: 'US', line: '1 Market Street', postalCode: '94105' },
  },
  amount: 1099,
  currency: 'usd',
  captured: true,
  refunded: false,
  items: [
    { sku: 'sku_1', quantity: 2, price: 499, description: 'A small blue widget with a handle' },
    { sku: 'sku_2', quantity: 1, price: 101, description: 'Shipping and handling' },
  ],
  tags: ['a', 'bb', 'ccc', 'dddd'],
  metadata: { order: '6735', source: 'web', campaign: 'autumn-2026', note: 'x'.repeat(280) },
  created: 1_679_090_539,
  livemode: false,
  url: '/v1/charges/ch_3MmlLrLkdIwHu7ix0snN0B15/refunds',
  status: 'succeeded',
  card: { brand: 'visa', last4: '4242', expMonth: 8, expYear: 2027, funding: 'credit' },
};

const ROUNDS = 41;
const REPETITIONS = 20_000;

function median(perform: () => unknown): number {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS + 10; round += 1) {
    const start = process.hrtime.bigint();
    for (let count = 0; count < REPETITIONS; count += 1) perform();
    if (round >= 10) times.push(Number(process.hrtime.bigint() - start) / REPETITIONS);
  }
  return times.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] as number;
}

console.log(
  JSON.stringify({
    bytes: JSON.stringify(payload).length,
    stringify: median(() => JSON.stringify(payload)),
    prepare: median(() => preparePayload(payload, 262_144)),
  }),
);
