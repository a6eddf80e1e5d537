import type { Clock } from '../../ports/clock.ts';
import {
  ON_DEMAND_SHARDS,
  RETENTION_HOURS_MAX,
  RETENTION_HOURS_MIN,
  type StreamDescription,
  type Streams,
} from '../../modules/streams/index.ts';
import { PlatformError } from '../../base/errors.ts';
import { AwsError, type RequestContext } from '../aws-json/index.ts';
import { describeEncryption } from './encryption.ts';
import { ACCOUNT_ID, invalid } from './errors.ts';
import type {
  CreateStreamInput,
  DeleteStreamInput,
  DescribeStreamInput,
  ListStreamsInput,
  RetentionInput,
  StreamInput,
} from './inputs.ts';
import { arnOf, describePublic, foundLater, nameOf } from './names.ts';
import { describeShard, shardsAfter } from './shard-listing.ts';
import { checkTags } from './tags.ts';
import type { Tokens } from './tokens.ts';

const DESCRIBED_SHARDS_DEFAULT = 100;
const LISTED_STREAMS_DEFAULT = 100;

export class StreamAdministration {
  readonly #streams: Streams;
  readonly #clock: Clock;
  readonly #tokens: Tokens;

  constructor(streams: Streams, clock: Clock, tokens: Tokens) {
    this.#streams = streams;
    this.#clock = clock;
    this.#tokens = tokens;
  }

  readonly create = async (input: CreateStreamInput): Promise<object> => {
    const name = input.StreamName;
    const mode = input.StreamModeDetails?.StreamMode ?? 'PROVISIONED';
    if (mode === 'PROVISIONED' && input.ShardCount === undefined)
      throw invalid('ShardCount must be provided for a stream in PROVISIONED mode.');
    if (mode === 'ON_DEMAND' && input.ShardCount !== undefined)
      throw invalid('ShardCount must not be provided for a stream in ON_DEMAND mode.');
    const tags = input.Tags ?? {};
    checkTags(name, tags, tags);
    try {
      await this.#streams.create({
        name,
        shardCount: input.ShardCount ?? ON_DEMAND_SHARDS,
        mode,
        tags,
        ...(input.MaxRecordSizeInKiB !== undefined && { recordBytesMax: input.MaxRecordSizeInKiB * 1024 }),
      });
    } catch (error) {
      if (!(error instanceof PlatformError && error.code === 'stream-exists')) throw error;
      throw new AwsError(
        'ResourceInUseException',
        `Stream ${name} under account ${ACCOUNT_ID} already exists.`,
      );
    }
    return {};
  };

  readonly delete = async (input: DeleteStreamInput, { region }: RequestContext): Promise<object> => {
    const { name } = this.#describe(input);
    if (input.EnforceConsumerDeletion !== true && this.#streams.consumers.list(name).length > 0)
      throw new AwsError(
        'ResourceInUseException',
        `DeleteStream can't delete ${arnOf(name, region)} because there are consumers associated with this data stream. To delete ${name} anyway, set the EnforceConsumerDeletion parameter to true to force the deletion of all the consumers that are associated with it.`,
      );
    await foundLater(name, () => this.#streams.delete(name));
    return {};
  };

  readonly describe = async (input: DescribeStreamInput, context: RequestContext): Promise<object> => {
    const stream = this.#describe(input);
    const limit = input.Limit ?? DESCRIBED_SHARDS_DEFAULT;
    const rest = shardsAfter(stream.shards, input.ExclusiveStartShardId);
    return {
      StreamDescription: {
        ...describeCommon(stream, context.region),
        Shards: rest.slice(0, limit).map(describeShard),
        HasMoreShards: rest.length > limit,
      },
    };
  };

  readonly summary = async (input: StreamInput, context: RequestContext): Promise<object> => {
    const stream = this.#describe(input);
    return {
      StreamDescriptionSummary: {
        ...describeCommon(stream, context.region),
        OpenShardCount: stream.shards.filter(({ closedMs }) => closedMs === undefined).length,
        ConsumerCount: this.#streams.consumers.list(stream.name).length,
        MaxRecordSizeInKiB: stream.settings.recordBytesMax / 1024,
      },
    };
  };

  readonly list = async (input: ListStreamsInput, context: RequestContext): Promise<object> => {
    const nowMs = this.#clock.nowMs();
    if (input.NextToken !== undefined && input.ExclusiveStartStreamName !== undefined)
      throw invalid('NextToken and ExclusiveStartStreamName cannot be provided together.');
    const startAfter =
      input.NextToken === undefined
        ? input.ExclusiveStartStreamName
        : this.#tokens.openPage(input.NextToken, 'streams', nowMs).after;
    const limit = input.Limit ?? LISTED_STREAMS_DEFAULT;
    const { streams, more } = this.#streams.list(
      startAfter === undefined ? { limit } : { startAfter, limit },
    );
    const last = streams.at(-1)?.name;
    return {
      StreamNames: streams.map((stream) => stream.name),
      HasMoreStreams: more,
      ...(more &&
        last !== undefined && {
          NextToken: this.#tokens.page({ kind: 'streams', stream: '', after: last, createdMs: 0 }, nowMs),
        }),
      StreamSummaries: streams.map((stream) => ({
        StreamName: stream.name,
        StreamARN: arnOf(stream.name, context.region),
        StreamStatus: stream.status,
        StreamModeDetails: { StreamMode: stream.mode },
        StreamCreationTimestamp: stream.createdMs / 1000,
      })),
    };
  };

  readonly increaseRetention = (input: RetentionInput): Promise<object> => {
    return this.#setRetention(input, (stream, hours) => {
      if (hours < stream.retentionHours)
        throw invalid(
          `Requested retention period (${hours} hours) for stream ${stream.name} can not be shorter than existing retention period (${stream.retentionHours} hours). Use DecreaseRetentionPeriod API.`,
        );
    });
  };

  readonly decreaseRetention = (input: RetentionInput): Promise<object> => {
    return this.#setRetention(input, (stream, hours) => {
      if (hours > stream.retentionHours)
        throw invalid(
          `Requested retention period (${hours} hours) for stream ${stream.name} can not be longer than existing retention period (${stream.retentionHours} hours). Use IncreaseRetentionPeriod API.`,
        );
    });
  };

  async #setRetention(
    input: RetentionInput,
    check: (stream: StreamDescription, hours: number) => void,
  ): Promise<object> {
    const stream = this.#describe(input);
    checkRetention(input.RetentionPeriodHours);
    check(stream, input.RetentionPeriodHours);
    await foundLater(stream.name, () => this.#streams.setRetention(stream.name, input.RetentionPeriodHours));
    return {};
  }

  #describe(input: StreamInput): StreamDescription {
    return describePublic(this.#streams, nameOf(input));
  }
}

function describeCommon(stream: StreamDescription, region: string): object {
  return {
    StreamName: stream.name,
    StreamARN: arnOf(stream.name, region),
    StreamStatus: stream.status,
    StreamModeDetails: { StreamMode: stream.mode },
    RetentionPeriodHours: stream.retentionHours,
    StreamCreationTimestamp: stream.createdMs / 1000,
    EnhancedMonitoring: [{ ShardLevelMetrics: stream.settings.shardLevelMetrics }],
    ...describeEncryption(stream),
  };
}

function checkRetention(hours: number): void {
  if (hours < RETENTION_HOURS_MIN)
    throw invalid(
      `Minimum allowed retention period is ${RETENTION_HOURS_MIN} hours. Requested retention period (${hours} hours) is too short.`,
    );
  if (hours > RETENTION_HOURS_MAX)
    throw invalid(
      `Maximum allowed retention period is ${RETENTION_HOURS_MAX} hours. Requested retention period (${hours} hours) is too long.`,
    );
}
