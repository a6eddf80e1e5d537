/** The shards of the stream, and the leases that they need. */
import { ListShardsCommand } from '@aws-sdk/client-kinesis';
import type { Checkpoint, Lease } from './core/lease.ts';
import { newLease } from './core/lease.ts';
import { type ListedShard, missingLeases, obsoleteLeases, START_LEASE } from './core/lineage.ts';
import { within } from './bounded-wait.ts';
import { ConsumerError } from './errors.ts';
import type { Settings } from './options.ts';

/** Of ListShards, a thousand shards each. */
const PAGES_MAX = 100;
/** Between starting and the last worker's agreeing on where it starts. */
const START_TRIES_MAX = 10;

type DirectorySettings = Pick<Settings, 'client' | 'scope' | 'leases' | 'startAt' | 'clock' | 'limits'>;

/** All shards that the stream lists, closed ones too; rejects as ListShards does, and when `signal` aborts. */
export async function listShards(
  { client, scope, limits }: DirectorySettings,
  signal?: AbortSignal,
): Promise<ListedShard[]> {
  const bound = { what: `ListShards of "${scope.stream}"`, msMax: limits.callMsMax, signal };
  const shards: ListedShard[] = [];
  let token: string | undefined;
  for (let pages = 0; pages < PAGES_MAX; pages++) {
    const input = token === undefined ? { StreamName: scope.stream } : { NextToken: token };
    const { Shards = [], NextToken } = await within(bound, (abortSignal) =>
      client.send(new ListShardsCommand(input), { abortSignal }),
    );
    for (const { ShardId, ParentShardId, AdjacentParentShardId } of Shards)
      shards.push({
        shardId: ShardId!,
        parents: [ParentShardId, AdjacentParentShardId].filter((parent) => parent !== undefined),
      });
    token = NextToken;
    if (token === undefined) return shards;
  }
  throw new ConsumerError('gave-up', `The stream "${scope.stream}" has more shards than can be listed.`);
}

/**
 * Makes the leases that are missing and deletes those that are of no more use. On return each listed shard has a lease.
 * The shards of an application's first start begin where it starts; all that come later are read whole. Where it starts
 * is decided once, so that a first start which was cut short goes on as it began. Rejects when `signal` aborts before the
 * shards are known.
 */
export async function syncLeases(settings: DirectorySettings, signal?: AbortSignal): Promise<void> {
  const { leases: store, scope } = settings;
  const start = await startLease(settings);
  const isSeeded = start.checkpoint.kind === 'end';
  const shards = await listShards(settings, signal);
  const leases = await store.list(scope);
  const from: Checkpoint = isSeeded ? { kind: 'trim-horizon' } : start.checkpoint;
  // A parent's lease is there before a child's, so that nobody takes the child for one without parents.
  for (const lease of missingLeases(shards, leases, from)) await store.create(scope, lease);
  for (const lease of obsoleteLeases(shards, leases)) await store.delete(scope, lease.shardId, lease.counter);
  if (!isSeeded)
    // Who loses this race finds it done.
    await store.replace(
      scope,
      { ...start, checkpoint: { kind: 'end' }, counter: start.counter + 1 },
      start.counter,
    );
}

async function startLease({ leases: store, scope, startAt, clock }: DirectorySettings): Promise<Lease> {
  for (let tries = 0; tries < START_TRIES_MAX; tries++) {
    const known = await store.read(scope, START_LEASE);
    if (known !== undefined) return known;
    const atMs = startAt instanceof Date ? startAt.getTime() : clock.nowMs();
    const checkpoint: Checkpoint =
      startAt === 'TRIM_HORIZON' ? { kind: 'trim-horizon' } : { kind: 'timestamp', atMs };
    const lease = newLease(START_LEASE, [], checkpoint);
    if (await store.create(scope, lease)) return lease;
  }
  throw new ConsumerError('lease-store', `The lease store neither has nor takes "${START_LEASE}".`);
}
