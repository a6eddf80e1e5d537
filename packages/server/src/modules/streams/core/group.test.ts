import assert from 'node:assert/strict';
import { test } from 'node:test';
import { groupSize, isOverloaded, mustRoll } from './group.ts';

const bounds = { groupBytesMax: 100, segmentBytesMax: 1_000 };
const batches = (...sizes: number[]) => sizes.map((length) => ({ buffer: { length } }));

test('a group takes what fits, and one batch whatever its size', () => {
  assert.equal(groupSize([], bounds), 0);
  assert.equal(groupSize(batches(40, 60, 1), bounds), 2);
  assert.equal(groupSize(batches(40, 61, 1), bounds), 1);
  assert.equal(groupSize(batches(500, 1), bounds), 1);
});

test('a segment that has batches is not grown beyond its bound, an empty one takes any group', () => {
  assert.equal(mustRoll({ end: 950, headerBytes: 50 }, { bytes: 50 }, bounds), false);
  assert.equal(mustRoll({ end: 950, headerBytes: 50 }, { bytes: 51 }, bounds), true);
  assert.equal(mustRoll({ end: 50, headerBytes: 50 }, { bytes: 5_000 }, bounds), false);
});

test('appends are refused beyond the bound, and one alone is always taken', () => {
  assert.equal(isOverloaded(60, 40, 100), false);
  assert.equal(isOverloaded(60, 41, 100), true);
  assert.equal(isOverloaded(0, 500, 100), false);
});
