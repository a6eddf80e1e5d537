import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Allowance, shardsFor } from './throughput.ts';

const take = (allowance: Allowance, amount: number, nowMs: number): boolean => {
  const allowed = allowance.allows(amount, nowMs);
  if (allowed) allowance.take(amount);
  return allowed;
};

test('an allowance passes one second at once and refills evenly', () => {
  const allowance = new Allowance(5, 0);
  assert.deepEqual(
    [0, 0, 0, 0, 0, 0, 199, 200, 399, 400].map((nowMs) => take(allowance, 1, nowMs)),
    [true, true, true, true, true, false, false, true, false, true],
  );
  assert.deepEqual(
    Array.from({ length: 6 }, () => take(allowance, 1, 100_000)),
    [true, true, true, true, true, false],
    'no more than a second is saved up',
  );
});

test('what is larger than a second passes a full allowance and is paid off', () => {
  const allowance = new Allowance(100, 0);
  assert.equal(take(allowance, 450, 0), true);
  assert.equal(take(allowance, 1, 3_500), false);
  assert.equal(take(allowance, 1, 3_510), true);
  assert.equal(take(allowance, 450, 4_000), false);
});

test('an on-demand stream has room for double its busiest second', () => {
  assert.equal(shardsFor({ bytes: 0, records: 0 }), 0);
  assert.equal(shardsFor({ bytes: 2 ** 21, records: 10 }), 4);
  assert.equal(shardsFor({ bytes: 2 ** 21 + 1, records: 10 }), 5);
  assert.equal(shardsFor({ bytes: 10, records: 3_001 }), 7);
});
