/** ListShards and the form of a shard: filters, pages and lineage. */
import type { Clock } from '../../ports/clock.ts';
import {
  sequenceNumberOf,
  type ShardState,
  type StreamDescription,
  type Streams,
} from '../../modules/streams/index.ts';
import { AwsError } from '../aws-json/index.ts';
import { invalid } from './errors.ts';
import type { ListShardsInput, ShardFilterInput } from './inputs.ts';
import { describePublic, nameOf } from './names.ts';
import type { Tokens } from './tokens.ts';

const LISTED_SHARDS_DEFAULT = 1_000;
const HOUR_MS = 3_600_000;

interface ShardPage {
  readonly stream: StreamDescription;
  readonly startAfter: string | undefined;
  readonly filter: ShardFilterInput | undefined;
}

export class ShardListing {
  readonly #streams: Streams;
  readonly #clock: Clock;
  readonly #tokens: Tokens;

  constructor(streams: Streams, clock: Clock, tokens: Tokens) {
    this.#streams = streams;
    this.#clock = clock;
    this.#tokens = tokens;
  }

  readonly list = async (input: ListShardsInput): Promise<object> => {
    const nowMs = this.#clock.nowMs();
    const { stream, startAfter, filter } = this.#page(input, nowMs);
    const rest = shardsAfter(filterShards(stream, filter, nowMs), startAfter);
    const limit = input.MaxResults ?? LISTED_SHARDS_DEFAULT;
    const shards = rest.slice(0, limit);
    const page = {
      kind: 'shards',
      stream: stream.name,
      after: shards.at(-1)?.shardId ?? '',
      createdMs: stream.createdMs,
      ...(filter !== undefined && { filter: JSON.stringify(filter) }),
    } as const;
    return {
      Shards: shards.map(describeShard),
      ...(rest.length > limit && { NextToken: this.#tokens.page(page, nowMs) }),
    };
  };

  #page(input: ListShardsInput, nowMs: number): ShardPage {
    const { NextToken: token, ShardFilter: given } = input;
    if (token === undefined) {
      const stream = describePublic(this.#streams, nameOf(input));
      const { StreamCreationTimestamp: created } = input;
      if (created !== undefined && Math.floor(created) !== Math.floor(stream.createdMs / 1000))
        throw new AwsError(
          'ResourceNotFoundException',
          `Stream ${stream.name} was not created at ${created}.`,
        );
      return { stream, startAfter: input.ExclusiveStartShardId, filter: given };
    }
    const others = [input.StreamName, input.ExclusiveStartShardId, input.StreamCreationTimestamp];
    if (others.some((other) => other !== undefined))
      throw invalid(
        'NextToken and StreamName, ExclusiveStartShardId or StreamCreationTimestamp cannot be provided together.',
      );
    const page = this.#tokens.openPage(token, 'shards', nowMs);
    if (input.StreamARN !== undefined && nameOf({ StreamARN: input.StreamARN }) !== page.stream)
      throw invalid('The NextToken is not of the stream of the StreamARN.');
    const stream = describePublic(this.#streams, page.stream);
    if (stream.createdMs !== page.createdMs) throw invalid('Invalid NextToken.');
    const filter = page.filter === undefined ? undefined : (JSON.parse(page.filter) as ShardFilterInput);
    if (given !== undefined && JSON.stringify(given) !== page.filter)
      throw invalid('The ShardFilter is not the one that the NextToken was made with.');
    return { stream, startAfter: page.after, filter };
  }
}

export function describeShard(shard: ShardState): object {
  const { shardId, parentShardId, adjacentParentShardId, closedMs, nextOffset } = shard;
  return {
    ShardId: shardId,
    ...(parentShardId !== undefined && { ParentShardId: parentShardId }),
    ...(adjacentParentShardId !== undefined && { AdjacentParentShardId: adjacentParentShardId }),
    HashKeyRange: hashKeyRange(shard),
    SequenceNumberRange: {
      StartingSequenceNumber: sequenceNumberOf(shard, 0),
      // The last record's; an empty shard begins and ends at one number.
      ...(closedMs !== undefined && {
        EndingSequenceNumber: sequenceNumberOf(shard, Math.max(0, nextOffset - 1)),
      }),
    },
  };
}

/** As the last answer of GetRecords names the shards that go on. */
export function describeChild(shard: ShardState): object {
  const parents = [shard.parentShardId, shard.adjacentParentShardId];
  return {
    ShardId: shard.shardId,
    ParentShards: parents.filter((parent) => parent !== undefined),
    HashKeyRange: hashKeyRange(shard),
  };
}

export function shardsAfter(
  shards: readonly ShardState[],
  startAfter: string | undefined,
): readonly ShardState[] {
  return startAfter === undefined ? shards : shards.filter((shard) => shard.shardId > startAfter);
}

function hashKeyRange({ hashKeyStart, hashKeyEnd }: ShardState): object {
  return { StartingHashKey: String(hashKeyStart), EndingHashKey: String(hashKeyEnd) };
}

/** As the API reference of ListShards defines the types of filters. */
function filterShards(
  stream: StreamDescription,
  filter: ShardFilterInput | undefined,
  nowMs: number,
): readonly ShardState[] {
  const { shards } = stream;
  if (filter === undefined) return shards;
  const { Type: type, ShardId: shardId } = filter;
  const timestampMs = timeOf(filter);
  switch (type) {
    case 'AFTER_SHARD_ID':
      if (shardId === undefined)
        throw invalid('ShardId must be provided for the shard filter type AFTER_SHARD_ID.');
      return shardsAfter(shards, shardId);
    case 'AT_LATEST':
      return shards.filter(({ closedMs }) => closedMs === undefined);
    case 'AT_TRIM_HORIZON': {
      // By lineage, not by time: who begins with them and goes on with their children misses nothing.
      const present = new Set(shards.map((shard) => shard.shardId));
      return shards.filter(
        ({ parentShardId = '', adjacentParentShardId = '' }) =>
          !present.has(parentShardId) && !present.has(adjacentParentShardId),
      );
    }
    case 'AT_TIMESTAMP':
    case 'FROM_TIMESTAMP': {
      const horizonMs = Math.max(stream.createdMs, nowMs - stream.retentionHours * HOUR_MS);
      const fromMs = Math.max(timestampMs!, horizonMs);
      return shards.filter(
        ({ openedMs, closedMs = Infinity }) =>
          closedMs >= fromMs && (type === 'FROM_TIMESTAMP' || openedMs <= fromMs),
      );
    }
    default:
      return shards;
  }
}

function timeOf({
  Type: type,
  ShardId: shardId,
  Timestamp: timestamp,
}: ShardFilterInput): number | undefined {
  if (type !== 'AFTER_SHARD_ID' && shardId !== undefined)
    throw invalid(`ShardId must not be provided for the shard filter type ${type}.`);
  const byTime = type === 'AT_TIMESTAMP' || type === 'FROM_TIMESTAMP';
  if (byTime !== (timestamp !== undefined))
    throw invalid(`Timestamp must ${byTime ? '' : 'not '}be provided for the shard filter type ${type}.`);
  return timestamp === undefined ? undefined : timestamp * 1000;
}
