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
};

/** Bounds of `setRetention`: one day to one year, as Kinesis has them. */
export const RETENTION_HOURS_MIN = 24;
export const RETENTION_HOURS_MAX = 8760;
