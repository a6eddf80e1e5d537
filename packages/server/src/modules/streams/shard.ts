import type { ShardState } from './api.ts';
import { Traffic } from './facts/traffic.ts';
import type { Amounts } from './facts/api.ts';
import type { Appending, LogShard } from './journal/journal.ts';
import type { Meter } from './meter.ts';
import { sectionBytes } from './core/batch-format.ts';
import { cutoffMs } from './core/retention.ts';
import type { StoredShard } from './stream-store.ts';

/** A reader that waits for an offset. */
export interface Waiter {
  readonly offset: number;
  readonly wake: () => void;
}

/** What one reader got at once. */
export interface Given {
  readonly bytes: number;
  readonly records: number;
  readonly behindMs?: number;
}

/** A shard as the service keeps it; `snapshot` is what leaves the module. */
export class Shard implements ShardState, LogShard {
  readonly uid: number;
  readonly shardId: string;
  readonly hashKeyStart: bigint;
  readonly hashKeyEnd: bigint;
  readonly openedMs: number;
  readonly parentShardId: string | undefined;
  readonly adjacentParentShardId: string | undefined;
  /** Undefined while it takes records. */
  closedMs: number | undefined;
  trimOffset = 0;
  nextOffset = 0;
  reserved = 0;
  /** Arrival of the record at the trim horizon, when it is known. */
  trimArrivalMs: number | undefined;
  retentionMs: number;
  /** What arrived earlier is gone for good, unless it is held. */
  goneBeforeMs = -Infinity;
  readonly holds = new Map<string, number>();
  readonly waiters = new Set<Waiter>();
  /** Shards that go on with its hash keys; none while it is open. */
  readonly children: Shard[] = [];
  /** Undefined when its readers share what the machine can do. */
  meter: Meter | undefined;
  gone = false;
  /** Undefined until something goes through it. */
  traffic: Traffic | undefined;
  /** Of its stream. */
  readonly #totals: Amounts;

  constructor(facts: StoredShard & { readonly retentionMs: number }, totals: Amounts) {
    this.#totals = totals;
    this.uid = facts.uid;
    this.shardId = facts.shardId;
    this.hashKeyStart = facts.hashKeyStart;
    this.hashKeyEnd = facts.hashKeyEnd;
    this.openedMs = facts.openedMs;
    this.parentShardId = facts.parentShardId;
    this.adjacentParentShardId = facts.adjacentParentShardId;
    this.closedMs = facts.closed?.atMs;
    this.retentionMs = facts.retentionMs;
  }

  get holdOffset(): number {
    let lowest = Infinity;
    for (const offset of this.holds.values()) lowest = Math.min(lowest, offset);
    return lowest;
  }

  /** What arrived earlier has expired. */
  cutoffMs(nowMs: number): number {
    return Math.max(cutoffMs(nowMs, this.retentionMs), this.goneBeforeMs);
  }

  /** It has taken its last record and a reader has them all before `offset`. */
  endsAt(offset: number): boolean {
    return this.closedMs !== undefined && offset >= this.nextOffset;
  }

  /** Nobody can read anything of it any more, nor wants to know that it ended. */
  isOver(nowMs: number): boolean {
    return (
      this.closedMs !== undefined &&
      this.closedMs + this.retentionMs < nowMs &&
      this.trimOffset >= this.nextOffset &&
      this.holdOffset >= this.nextOffset
    );
  }

  arrived(section: number, { buffer, counts, firstOffsets, arrivalMs }: Appending, nowMs: number): void {
    // The only record is the oldest.
    if (this.trimOffset === firstOffsets[section]!) this.trimArrivalMs = arrivalMs;
    const slot = (this.traffic ??= new Traffic()).at(nowMs);
    const bytes = sectionBytes(buffer, section);
    const records = counts[section]!;
    slot.inBytes += bytes;
    slot.inRecords += records;
    this.#totals.inBytes += bytes;
    this.#totals.inRecords += records;
  }

  /** Counts what a reader got; `behindMs` is how far behind the newest record it was then. */
  gave({ bytes, records, behindMs = 0 }: Given, nowMs: number): void {
    const slot = (this.traffic ??= new Traffic()).at(nowMs);
    slot.outBytes += bytes;
    slot.outRecords += records;
    if (behindMs > slot.behindMs) slot.behindMs = behindMs;
    this.#totals.outBytes += bytes;
    this.#totals.outRecords += records;
  }

  /** Counts what it had no capacity for. */
  throttled(what: 'throttledRecords' | 'throttledReads', nowMs: number): void {
    (this.traffic ??= new Traffic()).at(nowMs)[what]++;
    this.#totals[what]++;
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
      if (!this.gone && this.closedMs === undefined && this.nextOffset <= waiter.offset) continue;
      this.waiters.delete(waiter);
      waiter.wake();
    }
  }

  snapshot(): ShardState {
    const { uid, shardId, hashKeyStart, hashKeyEnd, openedMs, closedMs, trimOffset, nextOffset } = this;
    const { parentShardId, adjacentParentShardId } = this;
    return {
      uid,
      shardId,
      hashKeyStart,
      hashKeyEnd,
      openedMs,
      closedMs,
      parentShardId,
      adjacentParentShardId,
      trimOffset,
      nextOffset,
    };
  }
}
