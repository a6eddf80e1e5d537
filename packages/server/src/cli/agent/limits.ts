/** The bounds of the agent, in one place. */
const KIB = 1024;

/** What one call takes, by the limits of the two services. */
export const SERVICE_LIMITS = {
  kinesis: { recordBytesMax: 1024 * KIB, batchRecordsMax: 500, batchBytesMax: 5 * KIB * KIB, keyBytes: 32 },
  firehose: { recordBytesMax: 1000 * KIB, batchRecordsMax: 500, batchBytesMax: 4 * KIB * KIB, keyBytes: 0 },
} as const;
export type ServiceName = keyof typeof SERVICE_LIMITS;

/** Of one file at a time: what a flow holds in memory is this, one record and one batch. */
export const READ_BYTES = 256 * KIB;
/** Of a line, as far as `multiLineStartPattern` looks at it. */
export const MATCHED_BYTES_MAX = 8 * KIB;
/** Of a file's beginning, and of what stands before the position in it, by which it is known again. */
export const FINGERPRINT_BYTES = 1 * KIB;
export const FILES_PER_FLOW_MAX = 10_000;
export const FLOWS_MAX = 100;
/** Entries of one directory that are looked through for a file that was renamed. */
export const DIRECTORY_ENTRIES_MAX = 10_000;
/** How long a file that looks like the beginning of a copy waits for its original to be truncated. */
export const COPY_WAIT_MS = 5_000;
/** After so long without growth the last lines of a record, and the end of a rotated file, are taken as they are. */
export const IDLE_MS = 5_000;
/** A file that rests for so long is closed until it grows. */
export const CLOSE_MS = 60_000;
/** Attempts of one batch with `--once`; without it they never end. */
export const ONCE_ATTEMPTS_MAX = 8;
export const REQUEST_MS_MAX = 30_000;
