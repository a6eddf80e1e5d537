import type { StreamMode } from '../api.ts';

/** What streams and their shards do now, for operators and portals. All of it is of the time since the process started. */
export interface Facts {
  /** Of every stream that isn't internal, in the order of names. */
  streams(): Promise<readonly StreamFacts[]>;
  /** A stream's shards, oldest first, from the one after `startAfter` on. Rejects with `stream-not-found`. */
  shards(
    name: string,
    page: { readonly startAfter?: string | undefined; readonly limit: number },
  ): Promise<ShardFactsPage>;
}

/** Bytes are those of keys and data, without what stores or carries them. */
export interface Amounts {
  /** Appended and durable. */
  inBytes: number;
  inRecords: number;
  /** Given by GetRecords and to subscriptions, once for each who got it; deliveries are not counted. */
  outBytes: number;
  outRecords: number;
  /** Records that their shard had no capacity for, and reads, where capacity is limited. */
  throttledRecords: number;
  throttledReads: number;
}

/** Amounts a second, on average over the past `windowMs`: 10 to 20 seconds, and less after a start. */
export interface Rates extends Readonly<Amounts> {
  readonly windowMs: number;
}

export interface StreamFacts {
  readonly name: string;
  readonly mode: StreamMode;
  readonly createdMs: number;
  readonly retentionHours: number;
  /** All that can be read, those that are closed included. */
  readonly shards: number;
  readonly openShards: number;
  /** Readable now. */
  readonly records: number;
  readonly rates: Rates;
  /** Since the process started. */
  readonly totals: Readonly<Amounts> & {
    /** Records of appends that were refused as a whole: the disk is full or failed, too much waits, a key is missing. */
    readonly refusedRecords: number;
  };
  /** `core/hot-shards.ts` says which are. */
  readonly hotShards: number;
  /** The hottest first, at most `HOT_SHARDS_TOLD`. */
  readonly hottest: readonly HotShard[];
  /** When the oldest readable record arrived; absent without records, and while it isn't known after a start. */
  readonly oldestArrivalMs?: number | undefined;
  readonly oldestAgeMs?: number | undefined;
  /** The most that a GetRecords in the window was behind the newest record. */
  readonly readersBehindMs: number;
}

export interface HotShard {
  readonly shardId: string;
  readonly inBytes: number;
  readonly inRecords: number;
}

export interface ShardFactsPage {
  readonly shards: readonly ShardFacts[];
  readonly more: boolean;
}

export interface ShardFacts {
  readonly shardId: string;
  readonly openedMs: number;
  /** Absent while it takes records. */
  readonly closedMs?: number | undefined;
  readonly records: number;
  /** The sequence numbers of the oldest and the newest readable record; absent without one. */
  readonly oldest?: string | undefined;
  readonly newest?: string | undefined;
  readonly oldestArrivalMs?: number | undefined;
  readonly oldestAgeMs?: number | undefined;
  readonly rates: Rates;
  readonly hot: boolean;
  readonly readersBehindMs: number;
  /** Consumers with enhanced fan-out that subscribed to it. */
  readonly consumers: readonly ConsumerLag[];
}

export interface ConsumerLag {
  readonly name: string;
  readonly subscribed: boolean;
  readonly lagRecords: number;
  /** As `ConsumerShardFacts.lagMs`. */
  readonly lagMs: number;
}
