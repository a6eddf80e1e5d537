import type { Clock } from '../../ports/clock.ts';
import { HASH_KEY_MAX, type RecordsIn, type Streams } from '../../modules/streams/index.ts';
import { PlatformError } from '../../base/errors.ts';
import { AwsError, type RequestContext } from '../aws-json/index.ts';
import { getRecordsCbor, putRecordCbor, putRecordsCbor } from './cbor-answers.ts';
import { constraintBroken, invalid, rateExceeded } from './errors.ts';
import {
  columnsOf,
  getRecordsAnswer,
  putRecordAnswer,
  putRecordsAnswer,
  recordBytes,
  THROTTLED,
  throttledAnswer,
} from './hot-path.ts';
import {
  RECORD_BYTES_MAX,
  REQUEST_BYTES_MAX,
  type GetRecordsInput,
  type GetShardIteratorInput,
  type PutRecordInput,
  type PutRecordsInput,
  type StreamInput,
} from './inputs.ts';
import { describePublic, foundLater, nameOf } from './names.ts';
import { describeChild } from './shard-listing.ts';
import { shardMissing, StartingPositions } from './starting-position.ts';
import type { Tokens } from './tokens.ts';

const RECORDS_PER_READ_MAX = 10_000;
const BYTES_PER_READ_MAX = 10 * 1_048_576;

export class Records {
  readonly #streams: Streams;
  readonly #clock: Clock;
  readonly #tokens: Tokens;
  readonly #positions: StartingPositions;

  constructor(streams: Streams, clock: Clock, tokens: Tokens) {
    this.#streams = streams;
    this.#clock = clock;
    this.#tokens = tokens;
    this.#positions = new StartingPositions(streams, clock);
  }

  readonly put = async (input: PutRecordInput, { wire }: RequestContext): Promise<string | Buffer> => {
    const bytes = recordBytes(input.PartitionKey, input.Data);
    if (bytes > RECORD_BYTES_MAX) this.#checkSize(input, bytes, input);
    checkHashKey(input.ExplicitHashKey);
    const columns: RecordsIn = { partitionKeys: [input.PartitionKey], data: [input.Data] };
    const appended = await this.#append(
      input,
      input.ExplicitHashKey === undefined
        ? columns
        : { ...columns, explicitHashKeys: [input.ExplicitHashKey] },
    );
    if (appended.throttled !== undefined)
      throw new AwsError(THROTTLED, rateExceeded(appended.shards[0]!.shardId, nameOf(input)));
    return wire.format === 'json' ? putRecordAnswer(appended) : putRecordCbor(appended);
  };

  readonly putMany = async (input: PutRecordsInput, { wire }: RequestContext): Promise<Buffer | object> => {
    const { columns, largest, largestBytes, totalBytes } = columnsOf(input.Records);
    if (largestBytes > RECORD_BYTES_MAX)
      this.#checkSize(input, largestBytes, input.Records[largest]!, largest);
    if (totalBytes > REQUEST_BYTES_MAX) throw invalid('Records size exceeds 10 MB limit');
    for (const hashKey of columns.explicitHashKeys ?? []) checkHashKey(hashKey);
    const appended = await this.#append(input, columns);
    if (appended.throttled !== undefined) return throttledAnswer(appended, appended.throttled, nameOf(input));
    return wire.format === 'json' ? putRecordsAnswer(appended) : putRecordsCbor(appended);
  };

  readonly iterator = async (input: GetShardIteratorInput): Promise<object> => {
    const { name } = describePublic(this.#streams, nameOf(input));
    const shard = this.#positions.shard(name, input.ShardId);
    const offset = await this.#positions.offsetOf(name, shard, {
      type: input.ShardIteratorType,
      sequenceNumber: input.StartingSequenceNumber,
      timestamp: input.Timestamp,
      names: { operation: 'GetShardIterator', sequenceNumber: 'StartingSequenceNumber' },
    });
    const { uid, shardId } = shard;
    return {
      ShardIterator: this.#tokens.iterator({ uid, offset, stream: name, shardId }, this.#clock.nowMs()),
    };
  };

  readonly get = async (input: GetRecordsInput, { wire }: RequestContext): Promise<string | Buffer> => {
    const nowMs = this.#clock.nowMs();
    const iterator = this.#tokens.openIterator(input.ShardIterator, nowMs);
    if (input.StreamARN !== undefined && nameOf({ StreamARN: input.StreamARN }) !== iterator.stream)
      throw invalid('The ShardIterator is not of the stream of the StreamARN.');
    try {
      const result = await this.#streams.read(iterator, iterator.offset, {
        recordsMax: input.Limit ?? RECORDS_PER_READ_MAX,
        bytesMax: BYTES_PER_READ_MAX,
        shared: true,
      });
      const next = result.ended
        ? this.#streams.children(iterator).map(describeChild)
        : this.#tokens.iterator({ ...iterator, offset: result.nextOffset }, nowMs);
      return wire.format === 'json'
        ? getRecordsAnswer(iterator, result, next)
        : getRecordsCbor(iterator, result, next, wire.timestampsPerSecond);
    } catch (error) {
      if (!(error instanceof PlatformError)) throw error;
      if (error.code === 'throttled')
        throw new AwsError(THROTTLED, rateExceeded(iterator.shardId, iterator.stream));
      if (error.code !== 'shard-not-found') throw error;
      throw shardMissing(iterator.stream, iterator.shardId);
    }
  };

  /** Throws for a record that is larger than its stream takes. */
  #checkSize(
    input: StreamInput,
    bytes: number,
    { Data: data }: Pick<PutRecordInput, 'Data'>,
    record?: number,
  ): void {
    const { settings } = describePublic(this.#streams, nameOf(input));
    if (bytes <= settings.recordBytesMax) return;
    // What is too large without its key breaks the constraint of the shape, as far as this stream has it.
    if (recordBytes('', data) > settings.recordBytesMax)
      throw constraintBroken(
        ` at '${record === undefined ? 'data' : `records.${record + 1}.member.data`}'`,
        `Member must have length less than or equal to ${settings.recordBytesMax}`,
      );
    throw tooLarge(bytes, settings.recordBytesMax, record);
  }

  async #append(input: StreamInput, columns: RecordsIn) {
    const name = nameOf(input);
    return foundLater(name, () => this.#streams.append(name, columns, { publicOnly: true }));
  }
}

function checkHashKey(hashKey: string | undefined): void {
  if (hashKey === undefined) return;
  // The pattern of the model lets text follow a zero.
  if (/^(0|[1-9]\d{0,38})$/.test(hashKey) && BigInt(hashKey) <= HASH_KEY_MAX) return;
  throw invalid(
    `Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. Specified value was ${hashKey}`,
  );
}

function tooLarge(bytes: number, bytesMax: number, record?: number): AwsError {
  const which = record === undefined ? 'The record' : `Record ${record}`;
  return invalid(
    `${which} has ${bytes} bytes with its partition key; the limit of the stream is ${bytesMax} bytes.`,
  );
}
