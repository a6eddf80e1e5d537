/** Which open shards of a stream take so much more than the others, or so much at all, that the stream is held up by them. */
import { SHARD_WRITE_BYTES, SHARD_WRITE_RECORDS } from './throughput.ts';

/** What an open shard took, a second. */
export interface ShardLoad {
  readonly inBytes: number;
  readonly inRecords: number;
  readonly throttledRecords: number;
}

/** Of what Kinesis lets a shard take. */
const FULL_SHARE = 0.8;
const BUSY_SHARE = 0.1;
/** Of the mean of the other open shards. */
const ABOVE_OTHERS = 2;

/**
 * For each open shard of one stream, whether it is hot:
 * - records for it were throttled; or
 * - where capacity is limited, it took more than 80 % of what a shard may take (1 MiB or 1,000 records a second); or
 * - it took more than double the mean of the stream's other open shards, and more than 10 % of what Kinesis lets a
 *   shard take, in bytes or in records.
 */
export function hotShards(
  loads: readonly ShardLoad[],
  { isLimited }: { readonly isLimited: boolean },
): boolean[] {
  let bytes = 0;
  let records = 0;
  for (const { inBytes, inRecords } of loads) {
    bytes += inBytes;
    records += inRecords;
  }
  const others = loads.length - 1;
  return loads.map(({ inBytes, inRecords, throttledRecords }) => {
    const share = Math.max(inBytes / SHARD_WRITE_BYTES, inRecords / SHARD_WRITE_RECORDS);
    if (throttledRecords > 0 || (isLimited && share > FULL_SHARE)) return true;
    if (others === 0) return false;
    const stands = (own: number, all: number, quota: number): boolean =>
      own > BUSY_SHARE * quota && own > (ABOVE_OTHERS * (all - own)) / others;
    return stands(inBytes, bytes, SHARD_WRITE_BYTES) || stands(inRecords, records, SHARD_WRITE_RECORDS);
  });
}
