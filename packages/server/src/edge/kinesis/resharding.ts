import {
  isSplittable,
  scalingProblem,
  type ShardState,
  type StreamDescription,
  type Streams,
} from '../../modules/streams/index.ts';
import type { Clock } from '../../ports/clock.ts';
import { AwsError, type RequestContext } from '../aws-json/index.ts';
import { SCALINGS_PER_DAY_MAX, type AwsLimits } from './aws-limits.ts';
import { ACCOUNT_ID, invalid, limitExceeded, notActive } from './errors.ts';
import type { MergeShardsInput, SplitShardInput, StreamInput, UpdateShardCountInput } from './inputs.ts';
import { arnOf, describePublic, foundLater, nameOf } from './names.ts';

const HASH_KEY = /^(0|[1-9]\d{0,38})$/;

/** SplitShard, MergeShards and UpdateShardCount. Each is done when it is answered; the status says so in between. */
export class Resharding {
  readonly #streams: Streams;
  readonly #clock: Clock;
  readonly #limits: AwsLimits;

  constructor(streams: Streams, clock: Clock, limits: AwsLimits) {
    this.#streams = streams;
    this.#clock = clock;
    this.#limits = limits;
  }

  readonly split = async (input: SplitShardInput): Promise<object> => {
    const stream = this.#provisioned(input);
    const shard = openShard(stream, input.ShardToSplit);
    const { NewStartingHashKey: text } = input;
    const { hashKeyStart: start, hashKeyEnd: end } = shard;
    if (!HASH_KEY.test(text) || !isSplittable({ start, end }, BigInt(text)))
      throw invalid(
        `NewStartingHashKey ${text} used in SplitShard() on shard ${shard.shardId} in stream ${stream.name} under account ${ACCOUNT_ID} is not both greater than one plus the shard's StartingHashKey ${start} and less than the shard's EndingHashKey ${end}.`,
      );
    await foundLater(stream.name, () => this.#streams.split(stream.name, shard.shardId, BigInt(text)));
    return {};
  };

  readonly merge = async (input: MergeShardsInput): Promise<object> => {
    const stream = this.#provisioned(input);
    const lower = openShard(stream, input.ShardToMerge);
    const upper = openShard(stream, input.AdjacentShardToMerge);
    if (lower.hashKeyEnd + 1n !== upper.hashKeyStart)
      throw invalid(
        `Shards ${lower.shardId} and ${upper.shardId} in stream ${stream.name} under account ${ACCOUNT_ID} are not an adjacent pair of shards eligible for merging`,
      );
    const pair = { lower: lower.shardId, upper: upper.shardId };
    await foundLater(stream.name, () => this.#streams.merge(stream.name, pair));
    return {};
  };

  readonly scale = async (input: UpdateShardCountInput, context: RequestContext): Promise<object> => {
    const stream = this.#provisioned(input);
    const { TargetShardCount: target } = input;
    const open = stream.shards.filter(({ closedMs }) => closedMs === undefined).length;
    this.#checkScaling(stream, open, target);
    await foundLater(stream.name, () => this.#streams.scale(stream.name, target));
    return {
      StreamName: stream.name,
      StreamARN: arnOf(stream.name, context.region),
      CurrentShardCount: open,
      TargetShardCount: target,
    };
  };

  #checkScaling(stream: StreamDescription, open: number, target: number): void {
    const problem = scalingProblem(open, target);
    if (problem !== undefined)
      throw limitExceeded(
        `UpdateShardCount cannot scale ${problem === 'over-double' ? 'up over double' : 'down below half'} your current open shard count. Current open shard count: ${open}, Target shard count: ${target}`,
      );
    if (this.#limits === 'off') return;
    const dayAgoMs = this.#clock.nowMs() - 24 * 3_600_000;
    const scalings = stream.settings.scalingsMs.filter((atMs) => atMs > dayAgoMs).length;
    if (scalings >= SCALINGS_PER_DAY_MAX)
      throw limitExceeded(
        `UpdateShardCount was called ${scalings} times for stream ${stream.name} under account ${ACCOUNT_ID} in the past 24 hours. Limit: ${SCALINGS_PER_DAY_MAX}.`,
      );
  }

  #provisioned(input: StreamInput): StreamDescription {
    const stream = describePublic(this.#streams, nameOf(input));
    if (stream.mode === 'ON_DEMAND')
      throw new AwsError(
        'ValidationException',
        `Request is invalid. Stream ${stream.name} under account ${ACCOUNT_ID} is in On-Demand mode.`,
      );
    if (stream.status !== 'ACTIVE') throw notActive(stream.name, stream.status);
    return stream;
  }
}

function openShard(stream: StreamDescription, shardId: string): ShardState {
  const shard = stream.shards.find((candidate) => candidate.shardId === shardId);
  if (shard === undefined)
    throw new AwsError(
      'ResourceNotFoundException',
      `Could not find shard ${shardId} in stream ${stream.name} under account ${ACCOUNT_ID}.`,
    );
  if (shard.closedMs !== undefined)
    throw invalid(
      `Shard ${shardId} in stream ${stream.name} under account ${ACCOUNT_ID} has already been merged or split, and thus is not eligible for merging or splitting.`,
    );
  return shard;
}
