import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Checkpoint, type Lease, newLease } from './lease.ts';
import { missingLeases, obsoleteLeases, readableLeases, START_LEASE } from './lineage.ts';

const START: Checkpoint = { kind: 'trim-horizon' };
const shard = (shardId: string, ...parents: string[]) => ({ shardId, parents });
const lease = (shardId: string, parents: string[], isEnded = false): Lease =>
  newLease(shardId, parents, isEnded ? { kind: 'end' } : START);
const ids = (leases: readonly Lease[]) => leases.map(({ shardId }) => shardId);

test('leases are made parents first, in whatever order the shards are listed', () => {
  const shards = [
    shard('e', 'd'),
    shard('d', 'b', 'c'),
    shard('c', 'a'),
    shard('b', 'a'),
    shard('a', 'gone'),
  ];
  const order = ids(missingLeases(shards, [], START));
  assert.equal(order.length, 5);
  for (const { shardId, parents } of shards)
    for (const parent of parents.filter((id) => id !== 'gone'))
      assert.ok(order.indexOf(parent) < order.indexOf(shardId), `${parent} after ${shardId}`);
  assert.deepEqual(ids(missingLeases(shards, [lease('a', []), lease('b', ['a'])], START)).sort(), [
    'c',
    'd',
    'e',
  ]);
});

test('a long line of splits is no trouble', () => {
  const shards = Array.from({ length: 20_000 }, (_, index) => shard(`s${index}`, `s${index - 1}`)).reverse();
  assert.equal(missingLeases(shards, [], START)[0]!.shardId, 's0');
});

test('a child is read when all of its parents are consumed', () => {
  const merged = (left: boolean, right: boolean) => [
    lease('l', [], left),
    lease('r', [], right),
    lease('m', ['l', 'r']),
  ];
  assert.deepEqual(ids(readableLeases(merged(false, false))), ['l', 'r']);
  assert.deepEqual(ids(readableLeases(merged(true, false))), ['r']);
  assert.deepEqual(ids(readableLeases(merged(true, true))), ['m']);
});

test('a parent that has no lease any more is no obstacle, and what only marks the start is not read', () => {
  assert.deepEqual(ids(readableLeases([lease(START_LEASE, []), lease('m', ['gone'])])), ['m']);
});

test('only consumed leases of shards that are gone are deleted', () => {
  const leases = [
    lease(START_LEASE, [], true),
    lease('gone', [], true),
    lease('gone-unread', []),
    lease('listed', [], true),
  ];
  assert.deepEqual(ids(obsoleteLeases([shard('listed')], leases)), ['gone']);
});
