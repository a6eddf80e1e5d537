import type { Clock } from '../../ports/clock.ts';
import {
  RETENTION_HOURS_MAX,
  RETENTION_HOURS_MIN,
  sequenceNumberOf,
  type ShardState,
  type StreamDescription,
  type Streams,
} from '../../modules/streams/index.ts';
import { PlatformError } from '../../base/errors.ts';
import { AwsError, type RequestContext } from '../aws-json/index.ts';
import { ACCOUNT_ID, invalid } from './errors.ts';
import type {
  AddTagsInput,
  CreateStreamInput,
  DescribeStreamInput,
  ListShardsInput,
  ListStreamsInput,
  ListTagsInput,
  RemoveTagsInput,
  RetentionInput,
  StreamInput,
} from './inputs.ts';
import { arnOf, asMissing, describePublic, nameOf } from './names.ts';
import type { Tokens } from './tokens.ts';

const ON_DEMAND_SHARDS = 4;
const DESCRIBED_SHARDS_DEFAULT = 100;
const LISTED_STREAMS_DEFAULT = 100;
const LISTED_SHARDS_DEFAULT = 1_000;
const TAGS_MAX = 50;
const TAG_TEXT = /^[\p{L}\p{Z}\p{N}_.:/=+\-@%]*$/u;

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
      await this.#streams.create({ name, shardCount: input.ShardCount ?? ON_DEMAND_SHARDS, mode, tags });
    } catch (error) {
      if (!(error instanceof PlatformError && error.code === 'stream-exists')) throw error;
      throw new AwsError(
        'ResourceInUseException',
        `Stream ${name} under account ${ACCOUNT_ID} already exists.`,
      );
    }
    return {};
  };

  readonly delete = async (input: StreamInput): Promise<object> => {
    const { name } = this.#describe(input);
    await this.#run(name, () => this.#streams.delete(name));
    return {};
  };

  readonly describe = async (input: DescribeStreamInput, context: RequestContext): Promise<object> => {
    const stream = this.#describe(input);
    const limit = input.Limit ?? DESCRIBED_SHARDS_DEFAULT;
    const rest = after(stream.shards, input.ExclusiveStartShardId);
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
    const common = describeCommon(stream, context.region);
    return {
      StreamDescriptionSummary: { ...common, OpenShardCount: stream.shards.length, ConsumerCount: 0 },
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
        StreamStatus: 'ACTIVE',
        StreamModeDetails: { StreamMode: stream.mode },
        StreamCreationTimestamp: stream.createdMs / 1000,
      })),
    };
  };

  readonly listShards = async (input: ListShardsInput): Promise<object> => {
    const nowMs = this.#clock.nowMs();
    const { stream, startAfter } = this.#shardPage(input, nowMs);
    const filtered = filterShards(stream, input.ShardFilter);
    const rest = after(filtered, startAfter);
    const limit = input.MaxResults ?? LISTED_SHARDS_DEFAULT;
    const shards = rest.slice(0, limit);
    const last = shards.at(-1)?.shardId;
    const page = {
      kind: 'shards',
      stream: stream.name,
      after: last ?? '',
      createdMs: stream.createdMs,
    } as const;
    return {
      Shards: shards.map(describeShard),
      ...(rest.length > limit && { NextToken: this.#tokens.page(page, nowMs) }),
    };
  };

  readonly increaseRetention = (input: RetentionInput): Promise<object> => {
    return this.#setRetention(input, (stream, hours) => {
      if (hours > RETENTION_HOURS_MAX)
        throw invalid(
          `Maximum allowed retention period is ${RETENTION_HOURS_MAX} hours. Requested retention period (${hours} hours) is too long.`,
        );
      if (hours < stream.retentionHours)
        throw invalid(
          `Requested retention period (${hours} hours) for stream ${stream.name} can not be shorter than existing retention period (${stream.retentionHours} hours). Use DecreaseRetentionPeriod API.`,
        );
    });
  };

  readonly decreaseRetention = (input: RetentionInput): Promise<object> => {
    return this.#setRetention(input, (stream, hours) => {
      if (hours < RETENTION_HOURS_MIN)
        throw invalid(
          `Minimum allowed retention period is ${RETENTION_HOURS_MIN} hours. Requested retention period (${hours} hours) is too short.`,
        );
      if (hours > stream.retentionHours)
        throw invalid(
          `Requested retention period (${hours} hours) for stream ${stream.name} can not be longer than existing retention period (${stream.retentionHours} hours). Use IncreaseRetentionPeriod API.`,
        );
    });
  };

  readonly addTags = async (input: AddTagsInput): Promise<object> => {
    const { name, tags } = this.#describe(input);
    const all = { ...tags, ...input.Tags };
    checkTags(name, input.Tags, all);
    await this.#run(name, () => this.#streams.setTags(name, all));
    return {};
  };

  readonly removeTags = async (input: RemoveTagsInput): Promise<object> => {
    const { name, tags } = this.#describe(input);
    const kept = Object.fromEntries(Object.entries(tags).filter(([key]) => !input.TagKeys.includes(key)));
    await this.#run(name, () => this.#streams.setTags(name, kept));
    return {};
  };

  readonly listTags = async (input: ListTagsInput): Promise<object> => {
    const { tags } = this.#describe(input);
    const start = input.ExclusiveStartTagKey;
    const rest = Object.keys(tags)
      .filter((key) => start === undefined || key > start)
      .sort();
    const limit = input.Limit ?? TAGS_MAX;
    const shown = rest.slice(0, limit).map((key) => ({ Key: key, Value: tags[key] }));
    return { Tags: shown, HasMoreTags: rest.length > limit };
  };

  async #setRetention(
    input: RetentionInput,
    check: (stream: StreamDescription, hours: number) => void,
  ): Promise<object> {
    const stream = this.#describe(input);
    check(stream, input.RetentionPeriodHours);
    await this.#run(stream.name, () => this.#streams.setRetention(stream.name, input.RetentionPeriodHours));
    return {};
  }

  #shardPage(
    input: ListShardsInput,
    nowMs: number,
  ): { stream: StreamDescription; startAfter: string | undefined } {
    const { NextToken: token } = input;
    if (token === undefined) {
      const stream = this.#describe(input);
      const { StreamCreationTimestamp: created } = input;
      if (created !== undefined && Math.floor(created) !== Math.floor(stream.createdMs / 1000))
        throw new AwsError(
          'ResourceNotFoundException',
          `Stream ${stream.name} was not created at ${created}.`,
        );
      return { stream, startAfter: input.ExclusiveStartShardId };
    }
    const others = [input.StreamName, input.ExclusiveStartShardId, input.StreamCreationTimestamp];
    if (others.some((other) => other !== undefined))
      throw invalid(
        'NextToken and StreamName, ExclusiveStartShardId or StreamCreationTimestamp cannot be provided together.',
      );
    const page = this.#tokens.openPage(token, 'shards', nowMs);
    const stream = this.#describe({ StreamName: page.stream });
    if (stream.createdMs !== page.createdMs) throw invalid('Invalid NextToken.');
    return { stream, startAfter: page.after };
  }

  #describe(input: StreamInput): StreamDescription {
    return describePublic(this.#streams, nameOf(input));
  }

  async #run(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      throw asMissing(name, error);
    }
  }
}

function describeCommon(stream: StreamDescription, region: string): object {
  return {
    StreamName: stream.name,
    StreamARN: arnOf(stream.name, region),
    StreamStatus: 'ACTIVE',
    StreamModeDetails: { StreamMode: stream.mode },
    RetentionPeriodHours: stream.retentionHours,
    StreamCreationTimestamp: stream.createdMs / 1000,
    EnhancedMonitoring: [{ ShardLevelMetrics: [] }],
    EncryptionType: 'NONE',
  };
}

function describeShard(shard: ShardState): object {
  return {
    ShardId: shard.shardId,
    HashKeyRange: { StartingHashKey: String(shard.hashKeyStart), EndingHashKey: String(shard.hashKeyEnd) },
    SequenceNumberRange: { StartingSequenceNumber: sequenceNumberOf(shard, 0) },
  };
}

function after(shards: readonly ShardState[], startAfter: string | undefined): readonly ShardState[] {
  return startAfter === undefined ? shards : shards.filter((shard) => shard.shardId > startAfter);
}

/** All shards are open for as long as there is no resharding, so that only what lies before or after can differ. */
function filterShards(
  stream: StreamDescription,
  filter: ListShardsInput['ShardFilter'],
): readonly ShardState[] {
  if (filter === undefined) return stream.shards;
  const { Type: type, ShardId: shardId, Timestamp: timestamp } = filter;
  if (type === 'AFTER_SHARD_ID') {
    if (shardId === undefined)
      throw invalid('ShardId must be provided for the shard filter type AFTER_SHARD_ID.');
    return after(stream.shards, shardId);
  }
  if (shardId !== undefined) throw invalid(`ShardId must not be provided for the shard filter type ${type}.`);
  const byTime = type === 'AT_TIMESTAMP' || type === 'FROM_TIMESTAMP';
  if (byTime !== (timestamp !== undefined))
    throw invalid(`Timestamp must ${byTime ? '' : 'not '}be provided for the shard filter type ${type}.`);
  const before = timestamp !== undefined && timestamp * 1000 < stream.createdMs;
  return type === 'AT_TIMESTAMP' && before ? [] : stream.shards;
}

function checkTags(
  stream: string,
  added: Readonly<Record<string, string>>,
  all: Readonly<Record<string, string>>,
): void {
  for (const [key, value] of Object.entries(added))
    if (!TAG_TEXT.test(key) || !TAG_TEXT.test(value))
      throw invalid(
        'Some tags contain invalid characters. Valid characters: Unicode letters, digits, white space, _ . / = + - % @.',
      );
  if (Object.keys(all).length > TAGS_MAX)
    throw invalid(
      `Failed to add tags to stream ${stream} under account ${ACCOUNT_ID} because a given stream cannot have more than ${TAGS_MAX} tags associated with it.`,
    );
}
