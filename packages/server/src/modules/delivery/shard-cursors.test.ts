import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SimClock } from '../../adapters/sim/index.ts';
import type { ShardState } from '../streams/index.ts';
import { ShardCursors } from './shard-cursors.ts';

const shard = (uid: number, facts: Partial<ShardState> = {}): ShardState => ({
  uid,
  shardId: `s${uid}`,
  hashKeyStart: 0n,
  hashKeyEnd: 1n,
  openedMs: 0,
  trimOffset: 0,
  nextOffset: 0,
  ...facts,
});
const closed = { closedMs: 1 };
const open = (): ShardCursors =>
  new ShardCursors({ waitFor: () => new Promise(() => {}) }, new SimClock(), () => {});

function taken(cursors: ShardCursors): number[] {
  const uids: number[] = [];
  for (let cursor = cursors.take(); cursor !== undefined; cursor = cursors.take())
    uids.push(cursor.shard.uid);
  return uids;
}

test('a child waits until all of its parents were read to their ends', () => {
  const cursors = open();
  const parents = [shard(1, { ...closed, nextOffset: 5 }), shard(2, { ...closed, nextOffset: 5 })];
  const child = shard(3, { parentShardId: 's1', adjacentParentShardId: 's2' });
  cursors.reset([...parents, child].map((each) => ({ shard: each, next: 0 })));
  const [first, second] = [cursors.take()!, cursors.take()!];
  assert.equal(cursors.take(), undefined);
  cursors.finished(first);
  assert.equal(cursors.take(), undefined);
  cursors.finished(second);
  assert.deepEqual(taken(cursors), [3]);
});

test('what is delivered already is not read again, and its children are', () => {
  const cursors = open();
  cursors.reset([
    { shard: shard(1, { ...closed, nextOffset: 5 }), next: 5 },
    { shard: shard(2, { parentShardId: 's1' }), next: 0 },
    { shard: shard(3, { parentShardId: 'of a time long gone' }), next: 0 },
  ]);
  assert.deepEqual(taken(cursors), [2, 3]);
});

test('an empty shard between does not let its children overtake its parents', () => {
  const cursors = open();
  const root = { shard: shard(1), next: 0 };
  cursors.reset([root]);
  const cursor = cursors.take()!;
  const between = shard(2, { ...closed, parentShardId: 's1' });
  cursors.follow([root, { shard: between, next: 0 }, { shard: shard(3, { parentShardId: 's2' }), next: 0 }]);
  assert.equal(cursors.take(), undefined);
  cursors.finished(cursor);
  assert.deepEqual(taken(cursors), [3]);
});
