import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hotShards } from './hot-shards.ts';
import { SHARD_WRITE_BYTES, SHARD_WRITE_RECORDS } from './throughput.ts';

const load = (inBytes: number, inRecords = 0, throttledRecords = 0) => ({
  inBytes,
  inRecords,
  throttledRecords,
});
const UNLIMITED = { isLimited: false };
const LIMITED = { isLimited: true };

test('one that takes more than double the mean of the others is hot, when it takes much at all', () => {
  const busy = SHARD_WRITE_BYTES;
  assert.deepEqual(hotShards([load(busy), load(busy), load(busy)], UNLIMITED), [false, false, false]);
  assert.deepEqual(hotShards([load(busy), load(4 * busy), load(busy)], UNLIMITED), [false, true, false]);
  assert.deepEqual(hotShards([load(busy), load(2 * busy)], UNLIMITED), [false, false]);
  assert.deepEqual(hotShards([load(busy), load(0)], UNLIMITED), [true, false]);
  assert.deepEqual(hotShards([load(0, SHARD_WRITE_RECORDS), load(busy, 0)], UNLIMITED), [true, true]);
  assert.deepEqual(hotShards([load(busy / 11), load(0)], UNLIMITED), [false, false]);
  assert.deepEqual(hotShards([load(100 * busy)], UNLIMITED), [false], 'there is no other to compare it with');
  assert.deepEqual(hotShards([], UNLIMITED), []);
});

test('where capacity is limited, one that is nearly full is hot, like its equals', () => {
  const full = load(0.81 * SHARD_WRITE_BYTES);
  assert.deepEqual(hotShards([full, full], LIMITED), [true, true]);
  assert.deepEqual(hotShards([load(0.79 * SHARD_WRITE_BYTES)], LIMITED), [false]);
  assert.deepEqual(hotShards([load(0, 0.81 * SHARD_WRITE_RECORDS)], LIMITED), [true]);
});

test('one that had to throttle is hot', () => {
  assert.deepEqual(hotShards([load(0, 0, 1), load(0)], LIMITED), [true, false]);
});
