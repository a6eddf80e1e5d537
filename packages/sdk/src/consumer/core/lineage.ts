/**
 * Which shards have leases, and when one may be read.
 *
 * P1 A shard that is listed gets its lease after its parents have theirs.
 * P2 A shard is read when each of its parents is consumed to the end or is gone from stream and leases.
 * P3 Only leases of shards that were consumed to the end and are gone from the stream are deleted.
 */
import { type Checkpoint, type Lease, newLease } from './lease.ts';

/** A shard as ListShards gives it. */
export interface ListedShard {
  readonly shardId: string;
  readonly parents: readonly string[];
}

/**
 * Not of a shard: it keeps where the application started (`timestamp` or `trim-horizon`), and with `end` that all
 * shards of that time have leases. No shard has such a name.
 */
export const START_LEASE = '#start';

/** Leases that are to be made, in this order. */
export function missingLeases(
  shards: readonly ListedShard[],
  leases: readonly Lease[],
  start: Checkpoint,
): Lease[] {
  const known = new Set(leases.map(({ shardId }) => shardId));
  return parentsFirst(shards)
    .filter(({ shardId }) => !known.has(shardId))
    .map(({ shardId, parents }) => newLease(shardId, parents, start));
}

function parentsFirst(shards: readonly ListedShard[]): ListedShard[] {
  const byId = new Map(shards.map((shard) => [shard.shardId, shard]));
  const ordered = new Set<ListedShard>();
  // Not recursive: a line of thousands of splits is possible.
  const stack = [...shards].reverse();
  const entered = new Set<ListedShard>();
  while (stack.length > 0) {
    const shard = stack.at(-1)!;
    const waiting = shard.parents
      .map((parent) => byId.get(parent))
      .filter((parent) => parent !== undefined)
      .filter((parent) => !ordered.has(parent) && !entered.has(parent));
    if (waiting.length === 0 || entered.has(shard)) {
      ordered.add(shard);
      stack.pop();
    } else {
      entered.add(shard);
      stack.push(...waiting);
    }
  }
  return [...ordered];
}

/** Leases that are neither consumed nor waiting for parents. */
export function readableLeases(leases: readonly Lease[]): Lease[] {
  const open = new Set<string>();
  for (const { shardId, checkpoint } of leases) if (checkpoint.kind !== 'end') open.add(shardId);
  return leases.filter(
    ({ shardId, parents, checkpoint }) =>
      shardId !== START_LEASE && checkpoint.kind !== 'end' && !parents.some((parent) => open.has(parent)),
  );
}

/** Leases that are of no more use. */
export function obsoleteLeases(shards: readonly ListedShard[], leases: readonly Lease[]): Lease[] {
  const listed = new Set(shards.map(({ shardId }) => shardId));
  return leases.filter(
    ({ shardId, checkpoint }) => shardId !== START_LEASE && checkpoint.kind === 'end' && !listed.has(shardId),
  );
}
