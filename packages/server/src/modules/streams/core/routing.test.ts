import assert from 'node:assert/strict';
import { test } from 'node:test';
import { md5 } from './md5.ts';
import { evenRanges, HASH_KEY_MAX, Router, type HashRange } from './routing.ts';

const linear = (ranges: readonly HashRange[], hash: bigint) =>
  ranges.findIndex((range) => hash >= range.start && hash <= range.end);

test('a hash at, before and after every boundary goes to its range', () => {
  for (const count of [1, 2, 3, 7, 64, 1_000]) {
    const ranges = evenRanges(count);
    const router = new Router(ranges);
    for (const { start, end } of ranges)
      for (const hash of [start - 1n, start, start + 1n, end - 1n, end, end + 1n]) {
        if (hash < 0n || hash > HASH_KEY_MAX) continue;
        assert.equal(router.ofHash(hash), linear(ranges, hash), `${count} shards, ${hash}`);
      }
  }
});

test('keys go where their MD5 says', () => {
  for (const count of [1, 2, 3, 5, 1_000]) {
    const ranges = evenRanges(count);
    const router = new Router(ranges);
    for (let index = 0; index < 2_000; index++) {
      const key = `key-${index}${'é'.repeat(index % 3)}`;
      assert.equal(router.ofKey(key), linear(ranges, md5(key)));
    }
  }
});

test('ranges that share their upper 32 bits are told apart by the lower ones', () => {
  const middle = md5('tie');
  const cuts = [middle - 5n, middle - 1n, middle, middle + 1n, middle + 9n];
  const ranges = [0n, ...cuts].map((start, index) => ({
    start,
    end: (cuts[index] ?? HASH_KEY_MAX + 1n) - 1n,
  }));
  const router = new Router(ranges);
  assert.equal(router.ofKey('tie'), linear(ranges, middle));
  for (const hash of [...cuts, ...cuts.map((cut) => cut - 1n), middle + 100n])
    assert.equal(router.ofHash(hash), linear(ranges, hash));
});

test('the ranges of AWS for three shards', () => {
  assert.deepEqual(evenRanges(3), [
    { start: 0n, end: 113427455640312821154458202477256070484n },
    { start: 113427455640312821154458202477256070485n, end: 226854911280625642308916404954512140969n },
    { start: 226854911280625642308916404954512140970n, end: 340282366920938463463374607431768211455n },
  ]);
});
