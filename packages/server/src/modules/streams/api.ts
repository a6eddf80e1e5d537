import type { PlatformError } from '../../base/errors.ts';
import type { Consumers } from './consumers/index.ts';
import type { Facts } from './facts/index.ts';

/** The durable sharded log. SPEC.md beside this file states its invariants. */
export interface Streams {
  /** Consumers with a throughput of their own; those of a stream go with it. */
  readonly consumers: Consumers;
  readonly facts: Facts;
  /** Durable on return; the stream is usable at once. */
  create(input: CreateStream): Promise<StreamDescription>;
  /** Durable on return; its records are unreadable at once and their space is freed some time after. */
  delete(name: string): Promise<void>;
  describe(name: string): StreamDescription;
  /** In the order of names, starting after `startAfter`. Internal streams (of deliveries) are left out. */
  list(page: { readonly startAfter?: string; readonly limit: number }): StreamPage;
  /**
   * Durable on return. What has expired doesn't come back when records are kept for longer. Rejects with
   * `stream-in-use` while another change is under way.
   */
  setRetention(name: string, retentionHours: number): Promise<void>;
  setTags(name: string, tags: Readonly<Record<string, string>>): Promise<void>;
  /** Durable on return. */
  configure(name: string, change: StreamChange): Promise<void>;
  /**
   * Encrypts the keys and data of all records that are appended after it returns; those before stay as they are.
   * Durable on return. `key` is `alias/…` or a master key's id; `named` is what the description shows for it. Called
   * again it goes over to another key. Rejects with `key-not-found`, `key-disabled` or `key-unusable`.
   */
  startEncryption(name: string, master: { readonly key: string; readonly named: string }): Promise<void>;
  /** Stores what is appended after it in the clear; what was encrypted stays so, and readable. Durable on return. */
  stopEncryption(name: string): Promise<void>;
  /** Of all streams, those of deliveries included. */
  totals(): StreamTotals;

  /**
   * Cuts an open shard in two at a hash key, which the upper one begins with. Durable on return, like each kind of
   * resharding: after a crash it happened whole or not at all, and every record acknowledged before is in the parent.
   * Rejects with `stream-in-use` while another one is under way.
   */
  split(name: string, shardId: string, hashKey: bigint): Promise<void>;
  /** Makes one of two open shards; `upper` begins after the end of `lower`. */
  merge(name: string, shards: { readonly lower: string; readonly upper: string }): Promise<void>;
  /** Makes `target` open shards of equal ranges, by splits and merges; at most double and at least half as many as now. */
  scale(name: string, target: number): Promise<void>;

  /**
   * Appends records to the shards of their keys. On return all of them are durable and visible, in the given order
   * within each shard (I1–I3); on rejection none was acknowledged, and each is in its shard whole or not at all.
   * Rejects with `overloaded` (retry backoff) when the named bounds on unsynced bytes are met and with
   * `storage-full` when the disk is. `publicOnly` treats an internal stream as one that isn't there. While shards are
   * closed and opened it waits, and is routed by the new ones. Where capacity is limited, records beyond their shard's
   * are left out and told in `Appended.throttled`.
   */
  append(name: string, records: RecordsIn, options?: { readonly publicOnly?: boolean }): Promise<Appended>;

  /** Reads from an offset, at most to the limits; at the tail gives no run. Offsets before the trim horizon are moved to it. */
  read(shard: ShardRef, from: number, limits: ReadLimits): Promise<ReadResult>;
  /** Resolves when the shard has a durable record at `offset` or later (or is closed or gone); wakes on a commit, never polls. */
  waitFor(shard: ShardRef, offset: number, signal?: AbortSignal): Promise<void>;
  /** First offset whose record arrived at or after `timestampMs`; the next offset to be written when there is none. */
  offsetAt(shard: ShardRef, timestampMs: number): Promise<number>;
  shard(name: string, shardId: string): ShardState;
  /** The shards that go on with a closed shard's hash keys; none for an open one, or one that is gone. */
  children(shard: ShardRef): readonly ShardState[];

  /**
   * Keeps the records from `offset` on readable beyond retention, until moved or released: the guarantee that an
   * acknowledged direct put waits for its delivery. Durable on return. The offsets replace those that the holder gave
   * before; an empty map releases all of them.
   */
  hold(name: string, holder: string, offsets: ReadonlyMap<string, number>): Promise<void>;
}

export type StreamsErrorCode =
  | 'stream-not-found'
  | 'stream-exists'
  | 'stream-in-use'
  | 'shard-not-found'
  | 'consumer-not-found'
  | 'consumer-exists'
  | 'subscription-active'
  | 'invalid'
  | 'limit-exceeded'
  | 'throttled'
  | 'overloaded'
  | 'key-not-found'
  | 'key-disabled'
  | 'key-unusable'
  | 'storage-full'
  | 'storage-failed'
  | 'damaged';
export type StreamsError = PlatformError<StreamsErrorCode>;

export type StreamMode = 'PROVISIONED' | 'ON_DEMAND';
export type StreamStatus = 'ACTIVE' | 'UPDATING';

/** What a stream is told to be besides its shards. */
export interface StreamSettings {
  /** Of one record's key and data; appends leave it to the edge. */
  readonly recordBytesMax: number;
  /** Names of metrics that are wanted by shard. */
  readonly shardLevelMetrics: readonly string[];
  /** The resource policy as it was given. */
  readonly policy: string | undefined;
  /** When `scale` was last done, oldest first, of the past day. */
  readonly scalingsMs: readonly number[];
  /** When the mode was changed, of the past day. */
  readonly modeChangesMs: readonly number[];
  /** What new records are encrypted with; undefined when they aren't. */
  readonly encryption: StreamEncryption | undefined;
  /** What arrived earlier had expired when records were told to be kept for longer, and stays gone. */
  readonly goneBeforeMs?: number;
}

export interface StreamEncryption {
  /** The master key as it was named. */
  readonly key: string;
  /** The id that the name meant then. */
  readonly masterKeyId: string;
}

export interface StreamChange {
  readonly mode?: StreamMode;
  readonly recordBytesMax?: number;
  readonly shardLevelMetrics?: readonly string[];
  readonly policy?: string | undefined;
}

export interface StreamTotals {
  readonly openShards: number;
  readonly openShardsMax: number;
  readonly onDemandStreams: number;
  readonly streamsMax: number;
}

export interface CreateStream {
  readonly name: string;
  readonly shardCount: number;
  readonly mode: StreamMode;
  readonly recordBytesMax?: number;
  readonly tags?: Readonly<Record<string, string>>;
  /** Internal streams carry a delivery's direct puts; the stream API doesn't show them. */
  readonly internal?: boolean;
}

export interface StreamDescription {
  readonly name: string;
  readonly createdMs: number;
  readonly retentionHours: number;
  readonly mode: StreamMode;
  readonly tags: Readonly<Record<string, string>>;
  readonly internal: boolean;
  /** `UPDATING` while shards are closed and opened. */
  readonly status: StreamStatus;
  readonly settings: StreamSettings;
  /** Oldest first: parents before their children. */
  readonly shards: readonly ShardState[];
}

export interface StreamPage {
  readonly streams: readonly StreamDescription[];
  readonly more: boolean;
}

/** A shard of one life of a stream: a stream made anew under the same name has other shards. */
export interface ShardRef {
  /** Unique in the data directory and for ever. */
  readonly uid: number;
  /** `shardId-000000000000` */
  readonly shardId: string;
}

export interface ShardState extends ShardRef {
  /** Inclusive bounds, 0 … 2^128 - 1. */
  readonly hashKeyStart: bigint;
  readonly hashKeyEnd: bigint;
  readonly openedMs: number;
  /** When it took no more records; undefined while it is open. It goes when all of its records expired. */
  readonly closedMs?: number | undefined;
  /** Shards it was made of: one for a split, two for a merge, none at the start. They may be gone by now. */
  readonly parentShardId?: string | undefined;
  readonly adjacentParentShardId?: string | undefined;
  /** First readable offset. */
  readonly trimOffset: number;
  /** Offset that the next record gets; all before it are durable. */
  readonly nextOffset: number;
}

/** Columns of a request: one allocation a column, not one a record. Strings in `data` are base64. */
export interface RecordsIn {
  readonly partitionKeys: readonly string[];
  /** Decimal, 0 … 2^128 - 1; overrides the key's hash. */
  readonly explicitHashKeys?: readonly (string | undefined)[];
  readonly data: readonly (string | Uint8Array)[];
}

export interface Appended {
  /** Per record, in the order of the request. */
  readonly shards: readonly ShardState[];
  readonly offsets: Float64Array;
  readonly arrivalMs: number;
  /** What is on the disk is encrypted. */
  readonly encrypted?: boolean | undefined;
  /** Per record, 1 for one that its shard had no capacity for: it is not appended. Undefined when there is none. */
  readonly throttled?: Uint8Array | undefined;
}

export interface ReadLimits {
  readonly recordsMax: number;
  /** Of data and partition keys; the first record is given even when it is larger. */
  readonly bytesMax: number;
  /** Counts towards what readers of the shard share, where capacity is limited; rejects with `throttled` beyond it. */
  readonly shared?: boolean;
}

export interface ReadResult {
  readonly runs: readonly RecordRun[];
  /** Where to go on reading. */
  readonly nextOffset: number;
  /** The next offset to be written, seen in the same instant. */
  readonly tailOffset: number;
  /** How old the newest unread record's arrival makes the reader; 0 at the tail. */
  readonly millisBehindLatest: number;
  /** The shard is closed, and nothing is left after `nextOffset`. */
  readonly ended: boolean;
}

/**
 * Neighbouring records of one shard that arrived together. `bytes` belongs to the log and must not be changed; it
 * stays valid as long as it is referenced.
 */
export interface RecordRun {
  readonly firstOffset: number;
  readonly count: number;
  readonly arrivalMs: number;
  /** The records are encrypted where they are stored; `bytes` is in the clear. */
  readonly encrypted: boolean;
  readonly bytes: Buffer;
  /** Byte positions in `bytes`, two per record: start of the key, start of the data; and one more: the end. */
  readonly bounds: Uint32Array;
}
