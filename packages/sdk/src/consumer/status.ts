import type { Checkpoint } from './core/lease.ts';

export interface ShardStatus {
  readonly shardId: string;
  /** The worker that has its lease, which may have died; undefined when nobody has. */
  readonly owner: string | undefined;
  /** Whether this consumer works on it now. */
  readonly isOwn: boolean;
  readonly state: 'waiting-for-parents' | 'free' | 'leased' | 'ended';
  readonly checkpoint: Checkpoint;
  /** Of own shards, as the last read said. */
  readonly millisBehindLatest: number | undefined;
  /** Of own shards, since this consumer took the lease. */
  readonly recordsProcessed: number | undefined;
}

/** As of the last look at the leases, `renewMs` ago at most while the lease store answers. */
export interface ConsumerStatus {
  readonly application: string;
  readonly stream: string;
  readonly workerId: string;
  readonly state: 'new' | 'running' | 'stopping' | 'stopped';
  /** Ordered by their ids. */
  readonly shards: readonly ShardStatus[];
}
