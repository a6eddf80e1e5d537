import type { ShardState } from './api.ts';
import type { LogShard } from './journal/journal.ts';

/** A reader that waits for an offset. */
export interface Waiter {
  readonly offset: number;
  readonly wake: () => void;
}

/** A shard as the service keeps it; `snapshot` is what leaves the module. */
export class Shard implements ShardState, LogShard {
  readonly uid: number;
  readonly shardId: string;
  readonly hashKeyStart: bigint;
  readonly hashKeyEnd: bigint;
  trimOffset = 0;
  nextOffset = 0;
  reserved = 0;
  /** Arrival of the record at the trim horizon, when it is known. */
  trimArrivalMs: number | undefined;
  retentionMs: number;
  readonly holds = new Map<string, number>();
  readonly waiters = new Set<Waiter>();
  gone = false;

  constructor(
    facts: Pick<ShardState, 'uid' | 'shardId' | 'hashKeyStart' | 'hashKeyEnd'> & {
      readonly retentionMs: number;
    },
  ) {
    this.uid = facts.uid;
    this.shardId = facts.shardId;
    this.hashKeyStart = facts.hashKeyStart;
    this.hashKeyEnd = facts.hashKeyEnd;
    this.retentionMs = facts.retentionMs;
  }

  get holdOffset(): number {
    let lowest = Infinity;
    for (const offset of this.holds.values()) lowest = Math.min(lowest, offset);
    return lowest;
  }

  raiseTrim(offset: number): void {
    const to = Math.min(offset, this.nextOffset);
    if (to <= this.trimOffset) return;
    this.trimOffset = to;
    this.trimArrivalMs = undefined;
  }

  wake(): void {
    if (this.waiters.size === 0) return;
    for (const waiter of this.waiters) {
      if (!this.gone && this.nextOffset <= waiter.offset) continue;
      this.waiters.delete(waiter);
      waiter.wake();
    }
  }

  snapshot(): ShardState {
    const { uid, shardId, hashKeyStart, hashKeyEnd, trimOffset, nextOffset } = this;
    return { uid, shardId, hashKeyStart, hashKeyEnd, trimOffset, nextOffset };
  }
}
