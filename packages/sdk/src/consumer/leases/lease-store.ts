/** The port to where leases are kept. */
import type { Checkpoint, Lease } from '../core/lease.ts';

/** Leases of one application on one stream; others in the same store have nothing to do with them. */
export interface LeaseScope {
  readonly application: string;
  readonly stream: string;
}

/**
 * Keeps leases for all workers of an application. What it acknowledges is durable as far as the store is, and every
 * later read by any worker sees it. Calls reject when the store can't be reached; a write that rejected may have been made.
 */
export interface LeaseStore {
  /** All of them, in no order; writes made before the call are in it. */
  list(scope: LeaseScope): Promise<Lease[]>;
  read(scope: LeaseScope, shardId: string): Promise<Lease | undefined>;
  /** Adds the lease; false when there is one of that shard, which stays as it is. */
  create(scope: LeaseScope, lease: Lease): Promise<boolean>;
  /** Replaces the lease of that shard whole; false, and nothing changes, unless the stored counter is `counter`. */
  replace(scope: LeaseScope, lease: Lease, counter: number): Promise<boolean>;
  /** False, and nothing changes, unless the stored counter is `counter`. */
  delete(scope: LeaseScope, shardId: string, counter: number): Promise<boolean>;
}

/** A checkpoint as stores write it. */
export const encodeCheckpoint = (checkpoint: Checkpoint): string => JSON.stringify(checkpoint);
export const decodeCheckpoint = (text: string): Checkpoint => JSON.parse(text) as Checkpoint;
