/**
 * Leases: who works on a shard, and how far it is.
 *
 * L1 Every write raises `counter` by one and is made only if the stored counter is the expected one.
 * L2 `term` rises with every change of owner: a worker's writes are made only in the term that it was given.
 * L3 A checkpoint never goes back.
 */

/** Where reading goes on. */
export type Checkpoint =
  | { readonly kind: 'trim-horizon' }
  /** With the first record that arrived at or after it; milliseconds since 1970. */
  | { readonly kind: 'timestamp'; readonly atMs: number }
  /**
   * After the record; with a sub-sequence number, after that record of a user within it, so that the rest of the
   * aggregated record is read again.
   */
  | { readonly kind: 'after'; readonly sequenceNumber: string; readonly subSequenceNumber?: number }
  /** The shard is closed and all of it was processed. */
  | { readonly kind: 'end' };

export interface Lease {
  readonly shardId: string;
  /** Undefined when nobody has it. */
  readonly owner: string | undefined;
  readonly counter: number;
  readonly term: number;
  readonly checkpoint: Checkpoint;
  /** Shards that must be consumed to their end before this one. */
  readonly parents: readonly string[];
  /** The worker that asked the owner to hand the lease over. */
  readonly requestedBy: string | undefined;
}

/** A position within a shard; without a sub-sequence number it is behind all of its record. */
export interface RecordPosition {
  readonly sequenceNumber: string;
  readonly subSequenceNumber?: number | undefined;
}

/** Negative when `a` is before `b`, 0 when they are the same, positive when it is after. */
export function comparePositions(a: RecordPosition, b: RecordPosition): number {
  const [left, right] = [BigInt(a.sequenceNumber), BigInt(b.sequenceNumber)];
  if (left !== right) return left < right ? -1 : 1;
  const [leftSub, rightSub] = [a.subSequenceNumber ?? Infinity, b.subSequenceNumber ?? Infinity];
  return leftSub === rightSub ? 0 : leftSub - rightSub;
}

/** Whether a record is one that a checkpoint says was processed. */
export function isCovered(record: RecordPosition, checkpoint: Checkpoint): boolean {
  if (checkpoint.kind === 'end') return true;
  return checkpoint.kind === 'after' && comparePositions(record, checkpoint) <= 0;
}

export function newLease(shardId: string, parents: readonly string[], checkpoint: Checkpoint): Lease {
  return { shardId, parents, checkpoint, owner: undefined, requestedBy: undefined, counter: 0, term: 0 };
}

/** What a worker writes to become the owner. */
export function taken(lease: Lease, owner: string): Lease {
  return { ...lease, owner, requestedBy: undefined, term: lease.term + 1, counter: lease.counter + 1 };
}

/** What a worker writes to ask for the lease; the owner still has it. */
export function requested(lease: Lease, requestedBy: string): Lease {
  return { ...lease, requestedBy, counter: lease.counter + 1 };
}

/** What the owner writes when it is done: the lease goes to who asked for it, or to nobody. */
export function givenUp(lease: Lease): Lease {
  const owner = lease.checkpoint.kind === 'end' ? undefined : lease.requestedBy;
  return { ...lease, owner, requestedBy: undefined, term: lease.term + 1, counter: lease.counter + 1 };
}
