import type { Clock } from '../../ports/clock.ts';
import {
  HASH_KEY_MAX,
  parseSequenceNumber,
  type RecordsIn,
  type ShardState,
  type Streams,
} from '../../modules/streams/index.ts';
import { PlatformError } from '../../base/errors.ts';
import { AwsError } from '../aws-json/index.ts';
import { ACCOUNT_ID, invalid } from './errors.ts';
import { columnsOf, getRecordsAnswer, putRecordAnswer, putRecordsAnswer, recordBytes } from './hot-path.ts';
import {
  RECORD_BYTES_MAX,
  REQUEST_BYTES_MAX,
  type GetRecordsInput,
  type GetShardIteratorInput,
  type PutRecordInput,
  type PutRecordsInput,
  type StreamInput,
} from './inputs.ts';
import { asMissing, describePublic, nameOf } from './names.ts';
import type { Tokens } from './tokens.ts';

const RECORDS_PER_READ_MAX = 10_000;
const BYTES_PER_READ_MAX = 10 * 1_048_576;

export class Records {
  readonly #streams: Streams;
  readonly #clock: Clock;
  readonly #tokens: Tokens;

  constructor(streams: Streams, clock: Clock, tokens: Tokens) {
    this.#streams = streams;
    this.#clock = clock;
    this.#tokens = tokens;
  }

  readonly put = async (input: PutRecordInput): Promise<string> => {
    const bytes = recordBytes(input.PartitionKey, input.Data);
    if (bytes > RECORD_BYTES_MAX) throw tooLarge(bytes);
    checkHashKey(input.ExplicitHashKey);
    const columns: RecordsIn = { partitionKeys: [input.PartitionKey], data: [input.Data] };
    const appended = await this.#append(
      input,
      input.ExplicitHashKey === undefined
        ? columns
        : { ...columns, explicitHashKeys: [input.ExplicitHashKey] },
    );
    return putRecordAnswer(appended);
  };

  readonly putMany = async (input: PutRecordsInput): Promise<Buffer> => {
    const { columns, largest, largestBytes, totalBytes } = columnsOf(input.Records);
    if (largestBytes > RECORD_BYTES_MAX) throw tooLarge(largestBytes, largest);
    if (totalBytes > REQUEST_BYTES_MAX) throw invalid('Records size exceeds 5 MB limit');
    for (const hashKey of columns.explicitHashKeys ?? []) checkHashKey(hashKey);
    return putRecordsAnswer(await this.#append(input, columns));
  };

  readonly iterator = async (input: GetShardIteratorInput): Promise<object> => {
    const { name } = describePublic(this.#streams, nameOf(input));
    const shard = this.#shard(name, input.ShardId);
    const offset = await this.#startOffset(name, shard, input);
    const { uid, shardId } = shard;
    return {
      ShardIterator: this.#tokens.iterator({ uid, offset, stream: name, shardId }, this.#clock.nowMs()),
    };
  };

  readonly get = async (input: GetRecordsInput): Promise<string> => {
    const nowMs = this.#clock.nowMs();
    const iterator = this.#tokens.openIterator(input.ShardIterator, nowMs);
    if (input.StreamARN !== undefined && nameOf({ StreamARN: input.StreamARN }) !== iterator.stream)
      throw invalid('The ShardIterator is not of the stream of the StreamARN.');
    try {
      const result = await this.#streams.read(iterator, iterator.offset, {
        recordsMax: input.Limit ?? RECORDS_PER_READ_MAX,
        bytesMax: BYTES_PER_READ_MAX,
      });
      const next = this.#tokens.iterator({ ...iterator, offset: result.nextOffset }, nowMs);
      return getRecordsAnswer(iterator, result, next);
    } catch (error) {
      if (!(error instanceof PlatformError && error.code === 'shard-not-found')) throw error;
      throw shardMissing(iterator.stream, iterator.shardId);
    }
  };

  async #append(input: StreamInput, columns: RecordsIn) {
    const name = nameOf(input);
    try {
      return await this.#streams.append(name, columns, { publicOnly: true });
    } catch (error) {
      throw asMissing(name, error);
    }
  }

  async #startOffset(name: string, shard: ShardState, input: GetShardIteratorInput): Promise<number> {
    const { ShardIteratorType: type, StartingSequenceNumber: number, Timestamp: timestamp } = input;
    const bySequence = type === 'AT_SEQUENCE_NUMBER' || type === 'AFTER_SEQUENCE_NUMBER';
    if (bySequence !== (number !== undefined))
      throw invalid(
        `Must either specify (1) AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and StartingSequenceNumber or (2) TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified ${type} and ${number === undefined ? 'no' : 'also a'} StartingSequenceNumber.`,
      );
    if ((type === 'AT_TIMESTAMP') !== (timestamp !== undefined))
      throw invalid(
        timestamp === undefined
          ? 'Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.'
          : `Timestamp must not be specified for an iterator of type ${type}.`,
      );
    if (timestamp !== undefined) return this.#atTimestamp(shard, timestamp * 1000);
    if (number !== undefined)
      return this.#atNumber({ name, shard, number, after: type === 'AFTER_SEQUENCE_NUMBER' });
    return type === 'LATEST' ? shard.nextOffset : shard.trimOffset;
  }

  async #atTimestamp(shard: ShardState, timestampMs: number): Promise<number> {
    const nowMs = this.#clock.nowMs();
    if (timestampMs > nowMs)
      throw invalid(
        `The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. timestampInMillis: ${timestampMs}, currentTimestampInMillis: ${nowMs}`,
      );
    return this.#streams.offsetAt(shard, timestampMs);
  }

  #atNumber(start: { name: string; shard: ShardState; number: string; after: boolean }): number {
    const { name, shard, number } = start;
    // Zero stands for the beginning, as it does on AWS.
    if (number === '0') return shard.trimOffset;
    const parsed = parseSequenceNumber(number);
    if (parsed === undefined || parsed.uid !== shard.uid || parsed.offset > shard.nextOffset)
      throw invalid(
        `StartingSequenceNumber ${number} used in GetShardIterator on shard ${shard.shardId} in stream ${name} under account ${ACCOUNT_ID} is invalid because it did not come from this stream.`,
      );
    return parsed.offset + (start.after ? 1 : 0);
  }

  #shard(name: string, shardId: string): ShardState {
    try {
      return this.#streams.shard(name, shardId);
    } catch (error) {
      if (!(error instanceof PlatformError && error.code === 'shard-not-found')) throw error;
      throw shardMissing(name, shardId);
    }
  }
}

function shardMissing(stream: string, shardId: string): AwsError {
  return new AwsError(
    'ResourceNotFoundException',
    `Shard ${shardId} in stream ${stream} under account ${ACCOUNT_ID} does not exist`,
  );
}

function checkHashKey(hashKey: string | undefined): void {
  if (hashKey === undefined) return;
  // The pattern of the model lets text follow a zero.
  if (/^(0|[1-9]\d{0,38})$/.test(hashKey) && BigInt(hashKey) <= HASH_KEY_MAX) return;
  throw invalid(
    `Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was ${hashKey}`,
  );
}

function tooLarge(bytes: number, record?: number): AwsError {
  const which = record === undefined ? 'The record' : `Record ${record}`;
  return invalid(
    `${which} has ${bytes} bytes with its partition key; the limit is ${RECORD_BYTES_MAX} bytes.`,
  );
}
