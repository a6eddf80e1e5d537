import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSequenceNumber, sequenceNumberOf } from './sequence-number.ts';

const OFFSETS = [0, 1, 9, 10, 999_999, 1_000_000, 1_000_001, 123_456_789_012, Number.MAX_SAFE_INTEGER];

test('rises with offsets and shards, as text and as a number, at one width', () => {
  let before = '';
  for (const uid of [0, 1, 17, 999, 1_000_000])
    for (const offset of OFFSETS) {
      const number = sequenceNumberOf({ uid }, offset);
      assert.match(number, /^[1-9]\d{37}$/);
      assert.ok(number > before && BigInt(number) > BigInt(before || 0));
      before = number;
    }
});

test('parses what it made, and nothing else', () => {
  for (const offset of OFFSETS)
    assert.deepEqual(parseSequenceNumber(sequenceNumberOf({ uid: 42 }, offset)), { uid: 42, offset });
  for (const text of [
    '',
    '0',
    '49',
    'x'.repeat(38),
    `48${'0'.repeat(36)}`,
    `49${'9'.repeat(36)}`,
    `49${'0'.repeat(37)}`,
  ])
    assert.equal(parseSequenceNumber(text), undefined);
});

test('does not mix shards whose numbers are asked for by turns', () => {
  assert.notEqual(sequenceNumberOf({ uid: 1 }, 5), sequenceNumberOf({ uid: 2 }, 5));
  assert.equal(sequenceNumberOf({ uid: 1 }, 5), sequenceNumberOf({ uid: 1 }, 5));
  assert.deepEqual(parseSequenceNumber(sequenceNumberOf({ uid: 2 }, 2_000_000)), {
    uid: 2,
    offset: 2_000_000,
  });
});
