import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allRemoved, expiresAtMs, isHeld, withRemoved, type NumberRange } from './retention.ts';

const rows = [
  { uid: 1, entries: 3, lastArrivalMs: 1_000, end: 30 },
  { uid: 2, entries: 1, lastArrivalMs: 2_000, end: 5 },
  { uid: 3, entries: 0, lastArrivalMs: 0, end: 9 },
];

test('a segment expires with the last of its records', () => {
  const retention = (ms: Record<number, number>) => (uid: number) =>
    ms[uid] === undefined ? undefined : { retentionMs: ms[uid], holdOffset: Infinity };
  assert.equal(expiresAtMs(rows, retention({ 1: 100, 2: 100 })), 2_100);
  assert.equal(expiresAtMs(rows, retention({ 1: 5_000, 2: 100 })), 6_000);
  assert.equal(expiresAtMs(rows, retention({ 1: 100 })), 1_100, 'a shard that is gone keeps nothing');
  assert.equal(expiresAtMs(rows, retention({ 3: 9_999 })), 0, 'a shard without records keeps nothing');
});

test('a hold keeps a segment that has the offset or later ones', () => {
  const hold = (offset: number) => (uid: number) =>
    uid === 1 ? { retentionMs: 0, holdOffset: offset } : undefined;
  assert.equal(isHeld(rows, hold(29)), true);
  assert.equal(isHeld(rows, hold(30)), false);
  assert.equal(isHeld(rows, hold(Infinity)), false);
});

test('removed segments are remembered as few ranges', () => {
  let ranges: NumberRange[] = [];
  for (const number of [5, 1, 2, 4, 9, 3, 3]) ranges = withRemoved(ranges, number);
  assert.deepEqual(ranges, [
    { first: 1, last: 5 },
    { first: 9, last: 9 },
  ]);
  assert.equal(allRemoved(ranges, { after: 0, before: 6 }), true);
  assert.equal(allRemoved(ranges, { after: 7, before: 8 }), true);
  assert.equal(allRemoved(ranges, { after: 6, before: 8 }), false);
  assert.equal(allRemoved(ranges, { after: 5, before: 10 }), false);
});
