/** What a consumer may do, as Kinesis Data Streams has it. */

export const CONSUMERS_PER_STREAM_MAX = 20;

/** A subscription ends after it; the consumer subscribes again. */
export const SUBSCRIPTION_MS_MAX = 300_000;

/** A consumer that subscribes to the same shard again must have had the subscription for as long. */
export const TAKEOVER_MS_MIN = 5_000;

/** An idle subscription sends an event without records as often, so that a client can tell it from a broken one. */
export const KEEP_ALIVE_MS = 5_000;

/** Of one consumer from one shard, where capacity is limited. */
export const CONSUMER_READ_BYTES = 2 * 2 ** 20;
