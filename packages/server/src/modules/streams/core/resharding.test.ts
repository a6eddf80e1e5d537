import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '../../../adapters/sim/index.ts';
import {
  isSplittable,
  planMerge,
  planSplit,
  planUniform,
  scalingProblem,
  type ReshardPlan,
} from './resharding.ts';
import { evenRanges, HASH_KEY_MAX, type HashRange } from './routing.ts';

const NEAR_KEYS = 1n << 24n;
const abs = (value: bigint): bigint => (value < 0n ? -value : value);

/** Open ranges after a plan, lowest first; checks the lineage on the way. */
function after(open: readonly HashRange[], plan: ReshardPlan): HashRange[] {
  const all: HashRange[] = [...open, ...plan.opened];
  for (const [index, { parent, adjacentParent, start, end }] of plan.opened.entries()) {
    const own = open.length + index;
    for (const ref of [parent, adjacentParent])
      if (ref !== undefined) {
        assert.ok(ref < own, 'a parent is older than its child');
        assert.ok(plan.closed.has(ref), 'a parent is closed');
      }
    if (adjacentParent === undefined) {
      assert.ok(all[parent]!.start <= start && all[parent]!.end >= end);
      continue;
    }
    assert.deepEqual([start, end], [all[parent]!.start, all[adjacentParent]!.end]);
    assert.equal(all[parent]!.end + 1n, all[adjacentParent]!.start);
  }
  return all
    .filter((_, ref) => !plan.closed.has(ref))
    .map(({ start, end }) => ({ start, end }))
    .sort((a, b) => (a.start < b.start ? -1 : 1));
}

test('a split gives two shards and a merge one', () => {
  const one = evenRanges(1);
  const two = after(one, planSplit(one, 0, 100n));
  assert.deepEqual(two, [
    { start: 0n, end: 99n },
    { start: 100n, end: HASH_KEY_MAX },
  ]);
  assert.deepEqual(after(two, planMerge(two, { lower: 0, upper: 1 })), one);
  assert.deepEqual(
    [1n, 2n, 98n, 99n].map((at) => isSplittable(two[0]!, at)),
    [false, true, true, false],
  );
});

test('uniform scaling ends at equal ranges from whatever was there', () => {
  const random = new SeededRandom(7);
  for (let round = 0; round < 300; round++) {
    let open = evenRanges(1 + random.below(9));
    for (let cuts = random.below(5); cuts > 0; cuts--) {
      const shard = random.below(open.length);
      open = after(
        open,
        planSplit(open, shard, (open[shard]!.start + open[shard]!.end) / 2n + BigInt(random.below(9))),
      );
    }
    // Open shards come in the order of their making, not of their ranges.
    const shuffled = [...open].sort(() => random.below(3) - 1);
    const target = 1 + random.below(24);
    const ranges = after(shuffled, planUniform(shuffled, target));
    for (const [at, { start, end }] of evenRanges(target).entries()) {
      assert.ok(abs(ranges[at]!.start - start) <= NEAR_KEYS, `start of ${at}`);
      assert.ok(abs(ranges[at]!.end - end) <= NEAR_KEYS, `end of ${at}`);
    }
    assert.equal(ranges.length, target);
  }
});

test('uniform scaling leaves what is right already', () => {
  assert.deepEqual(planUniform(evenRanges(5), 5), { opened: [], closed: new Set() });
  const doubled = planUniform(evenRanges(1000), 2000);
  assert.equal(doubled.opened.length, 2000);
  assert.equal(doubled.closed.size, 1000);
});

test('one scaling at most doubles and at least halves', () => {
  assert.deepEqual(
    [6, 7, 2, 1].map((target) => scalingProblem(3, target)),
    [undefined, 'over-double', undefined, 'below-half'],
  );
});
