/**
 * `aws` holds requests to the quotas of Kinesis Data Streams, named here and in the streams module; `off` to what this
 * server can do.
 */
export type AwsLimits = 'off' | 'aws';

/** Calls of UpdateShardCount for one stream in 24 hours. */
export const SCALINGS_PER_DAY_MAX = 10;
/** Changes of one stream's mode in 24 hours. */
export const MODE_CHANGES_PER_DAY_MAX = 2;
