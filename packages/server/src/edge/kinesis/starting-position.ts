/** Where an iterator or a subscription begins to read a shard. */
import { PlatformError } from '../../base/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import { parseSequenceNumber, type ShardState, type Streams } from '../../modules/streams/index.ts';
import { AwsError } from '../aws-json/index.ts';
import { ACCOUNT_ID, invalid } from './errors.ts';

export interface StartingPosition {
  readonly type: string;
  readonly sequenceNumber: string | undefined;
  /** Seconds since the epoch. */
  readonly timestamp: number | undefined;
  /** What the request calls them, for its errors. */
  readonly names: { readonly operation: string; readonly sequenceNumber: string };
}

export class StartingPositions {
  readonly #streams: Streams;
  readonly #clock: Clock;

  constructor(streams: Streams, clock: Clock) {
    this.#streams = streams;
    this.#clock = clock;
  }

  /** Rejects with InvalidArgumentException for a position that isn't one of the shard. */
  async offsetOf(stream: string, shard: ShardState, position: StartingPosition): Promise<number> {
    const { type, sequenceNumber: number, timestamp, names } = position;
    const bySequence = type === 'AT_SEQUENCE_NUMBER' || type === 'AFTER_SEQUENCE_NUMBER';
    if (bySequence !== (number !== undefined))
      throw invalid(
        `Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and ${names.sequenceNumber} or (2) TRIM_HORIZON or LATEST and no ${names.sequenceNumber}. Request specified ${type} and ${number === undefined ? 'no' : 'also a'} ${names.sequenceNumber}.`,
      );
    if ((type === 'AT_TIMESTAMP') !== (timestamp !== undefined))
      throw invalid(
        timestamp === undefined
          ? 'Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.'
          : `Timestamp must not be specified for an iterator of type ${type}.`,
      );
    if (timestamp !== undefined) return this.#atTimestamp(shard, timestamp * 1000);
    if (number !== undefined) return this.#atNumber(stream, shard, { ...position, number });
    return type === 'LATEST' ? shard.nextOffset : shard.trimOffset;
  }

  /** Throws ResourceNotFoundException, in the words of Kinesis. */
  shard(stream: string, shardId: string): ShardState {
    try {
      return this.#streams.shard(stream, shardId);
    } catch (error) {
      if (!(error instanceof PlatformError && error.code === 'shard-not-found')) throw error;
      throw shardMissing(stream, shardId);
    }
  }

  async #atTimestamp(shard: ShardState, timestampMs: number): Promise<number> {
    const nowMs = this.#clock.nowMs();
    if (timestampMs > nowMs)
      throw invalid(
        `The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. timestampInMillis: ${timestampMs}, currentTimestampInMillis: ${nowMs}`,
      );
    return this.#streams.offsetAt(shard, timestampMs);
  }

  #atNumber(
    stream: string,
    shard: ShardState,
    { type, number, names }: StartingPosition & { readonly number: string },
  ): number {
    // Zero stands for the beginning, as it does on AWS.
    if (number === '0') return shard.trimOffset;
    const parsed = parseSequenceNumber(number);
    const other = parsed && this.#streams.describe(stream).shards.find(({ uid }) => uid === parsed.uid);
    if (other !== undefined && other.uid !== shard.uid)
      throw invalid(
        `Invalid StartingSequenceNumber. It encodes ${other.shardId}, while it was used in a call to a shard with ${shard.shardId}`,
      );
    if (parsed === undefined || parsed.uid !== shard.uid || parsed.offset > shard.nextOffset)
      throw invalid(
        `StartingSequenceNumber ${number} used in ${names.operation} on shard ${shard.shardId} in stream ${stream} under account ${ACCOUNT_ID} is invalid because it did not come from this stream.`,
      );
    return parsed.offset + (type === 'AFTER_SEQUENCE_NUMBER' ? 1 : 0);
  }
}

/** An id that ends with a number names a shard, and another one none. */
export function shardMissing(stream: string, shardId: string): AwsError {
  const number = /(?:^|-)(\d+)$/.exec(shardId)?.[1];
  return new AwsError(
    'ResourceNotFoundException',
    number === undefined || Number(number) > SHARD_NUMBER_MAX
      ? `Could not find shard ${shardId} in stream ${stream} under account ${ACCOUNT_ID}.`
      : `Shard shardId-${String(Number(number)).padStart(12, '0')} in stream ${stream} under account ${ACCOUNT_ID} does not exist`,
  );
}

const SHARD_NUMBER_MAX = 2 ** 31 - 1;
