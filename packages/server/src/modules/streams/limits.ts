import type { StreamSettings } from './api.ts';

/** The bounds of the log, in one place. */
export interface StreamsLimits {
  /** A segment is sealed when the next group would make it larger. */
  readonly segmentBytesMax: number;
  /** Zeros that a small group is followed by in the file; at most `ROOM_BYTES_MAX`, 0 for none. */
  readonly roomBytes: number;
  /** One write and sync. */
  readonly groupBytesMax: number;
  /** Encoded and not yet durable; beyond it appends are refused with `overloaded`. */
  readonly unsyncedBytesMax: number;
  /** One append, encoded; it bounds what a reader of a file takes for one batch. */
  readonly batchBytesMax: number;
  /** Newest bytes of the journal, kept in memory for readers at the tail. */
  readonly tailBytesMax: number;
  /** Bytes read back from segments, for readers that lag. */
  readonly readCacheBytesMax: number;
  /** One read from a segment, unless a batch is larger. */
  readonly coldReadBytes: number;
  /** Loaded parts of the indexes of sealed segments. */
  readonly indexCacheBytesMax: number;
  readonly retentionSweepIntervalMs: number;
  readonly waitersPerShardMax: number;
  readonly shardsPerStreamMax: number;
  readonly streamsMax: number;
  /** Open shards of all streams. */
  readonly openShardsMax: number;
  /** Appends to one stream that wait while its shards are closed and opened. */
  readonly fencedAppendsMax: number;
}

const MIB = 2 ** 20;

export const ROOM_BYTES_MAX = MIB;

export const DEFAULT_LIMITS: StreamsLimits = {
  segmentBytesMax: 128 * MIB,
  roomBytes: MIB,
  groupBytesMax: 8 * MIB,
  unsyncedBytesMax: 64 * MIB,
  batchBytesMax: 24 * MIB,
  tailBytesMax: 64 * MIB,
  readCacheBytesMax: 32 * MIB,
  coldReadBytes: MIB,
  indexCacheBytesMax: 32 * MIB,
  retentionSweepIntervalMs: 60_000,
  waitersPerShardMax: 10_000,
  shardsPerStreamMax: 10_000,
  streamsMax: 10_000,
  openShardsMax: 100_000,
  fencedAppendsMax: 10_000,
};

/** Of one record's key and data, as a stream may set it. */
export const RECORD_BYTES_MAX_LEAST = MIB;
export const RECORD_BYTES_MAX_MOST = 10 * MIB;

/** Data keys in the clear that are kept in memory for readers. */
export const OPEN_DATA_KEYS_MAX = 1_000;

/** Shards that a stream without a count of its own begins with. */
export const ON_DEMAND_SHARDS = 4;

export const DEFAULT_SETTINGS: StreamSettings = {
  recordBytesMax: RECORD_BYTES_MAX_LEAST,
  shardLevelMetrics: [],
  policy: undefined,
  scalingsMs: [],
  modeChangesMs: [],
  encryption: undefined,
};

/** Bounds of `setRetention`: one day to one year, as Kinesis has them. */
export const RETENTION_HOURS_MIN = 24;
export const RETENTION_HOURS_MAX = 8760;
