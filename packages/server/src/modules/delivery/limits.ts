/** Every bound of deliveries, in one place. */
export interface DeliveryLimits {
  /** Records of one batch; Delta commits stay small enough to replay. */
  readonly batchRecordsMax: number;
  /** Data of one read from the stream. */
  readonly readBytesMax: number;
  readonly readRecordsMax: number;
  /** Data read and not yet taken by the row writer: the only copy that a delivery keeps in memory. */
  readonly inFlightBytesMax: number;
  /** Data of all deliveries that is read and not committed; it lies in temporary files. */
  readonly bufferedBytesMax: number;
  /** First pause after a failure; doubles with each further one. */
  readonly retryMsFirst: number;
  readonly retryMsMax: number;
  /** Commits of one batch before it is built anew. */
  readonly commitAttemptsMax: number;
  /** Columns that one batch may add to a table, and columns that a table may have. */
  readonly columnsAddedMax: number;
  readonly columnsMax: number;
  /** How long `close` and `delete` wait for what is buffered. */
  readonly drainMsMax: number;
  readonly deliveriesMax: number;
  /** Records of one direct put; the log bounds its bytes. */
  readonly putRecordsMax: number;
}

export const DEFAULT_LIMITS: DeliveryLimits = {
  batchRecordsMax: 2_000_000,
  readBytesMax: 4 * 1024 * 1024,
  readRecordsMax: 20_000,
  inFlightBytesMax: 16 * 1024 * 1024,
  bufferedBytesMax: 1024 * 1024 * 1024,
  retryMsFirst: 100,
  retryMsMax: 15_000,
  commitAttemptsMax: 3,
  columnsAddedMax: 100,
  columnsMax: 1_000,
  drainMsMax: 20_000,
  deliveriesMax: 5_000,
  putRecordsMax: 500,
};

export const INTERVAL_SECONDS_MAX = 900;
export const SIZE_MIB_MAX = 128;
