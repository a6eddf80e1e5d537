/**
 * Closes and opens shards of a stream at one moment (I7, I8): appends wait at a fence, what was appended before is made
 * durable or refused for good, then the metadata change in one transaction, which alone decides whether it happened.
 */
import { assert } from '../../base/assert.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/observe.ts';
import type { StreamSettings } from './api.ts';
import {
  isSplittable,
  planMerge,
  planSplit,
  planUniform,
  scalingProblem,
  type ReshardPlan,
} from './core/resharding.ts';
import { streamInUse, streamsError } from './errors.ts';
import type { Journal } from './journal/journal.ts';
import type { StreamsLimits } from './limits.ts';
import type { Shard } from './shard.ts';
import { shardIdOf, type Stream } from './stream.ts';
import type { StreamStore } from './stream-store.ts';

export interface ResharderOptions {
  readonly journal: Journal;
  readonly store: StreamStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly limits: StreamsLimits;
  /** Open shards of all streams. */
  readonly openShards: () => number;
  /** Called with shards that were opened, before anyone can append to them. */
  readonly onOpened: (shards: readonly Shard[]) => void;
}

const DAY_MS = 24 * 3_600_000;

export class Resharder {
  readonly #options: ResharderOptions;

  constructor(options: ResharderOptions) {
    this.#options = options;
  }

  split(stream: Stream, shard: Shard, hashKey: bigint): Promise<void> {
    checkOpen(stream, [shard]);
    const range = { start: shard.hashKeyStart, end: shard.hashKeyEnd };
    if (!isSplittable(range, hashKey))
      throw streamsError({
        code: 'invalid',
        message: `${shard.shardId} has the hash keys from ${range.start} to ${range.end}; it can't be split at ${hashKey}`,
      });
    const { open } = stream;
    return this.#change(stream, planSplit(rangesOf(open), open.indexOf(shard), hashKey));
  }

  merge(stream: Stream, lower: Shard, upper: Shard): Promise<void> {
    checkOpen(stream, [lower, upper]);
    if (lower.hashKeyEnd + 1n !== upper.hashKeyStart)
      throw streamsError({
        code: 'invalid',
        message: `${upper.shardId} doesn't begin after the end of ${lower.shardId} in the stream "${stream.name}"`,
      });
    const { open } = stream;
    const pair = { lower: open.indexOf(lower), upper: open.indexOf(upper) };
    return this.#change(stream, planMerge(rangesOf(open), pair));
  }

  scale(stream: Stream, target: number): Promise<void> {
    const { open } = stream;
    if (!Number.isInteger(target) || target < 1 || target > this.#options.limits.shardsPerStreamMax)
      throw streamsError({
        code: 'limit-exceeded',
        message: `a stream has 1 to ${this.#options.limits.shardsPerStreamMax} open shards, not ${target}`,
      });
    const problem = scalingProblem(open.length, target);
    if (problem !== undefined)
      throw streamsError({
        code: 'limit-exceeded',
        message: `one scaling ${problem === 'over-double' ? 'at most doubles' : 'at least halves'} the ${open.length} open shards of "${stream.name}"; ${target} were asked for`,
        hint: 'Scale in several steps.',
      });
    return this.#change(stream, planUniform(rangesOf(open), target), this.#counted(stream));
  }

  /** Scales up without counting it among what users asked for. */
  grow(stream: Stream, target: number): Promise<void> {
    return this.#change(stream, planUniform(rangesOf(stream.open), target));
  }

  #counted(stream: Stream): StreamSettings {
    const nowMs = this.#options.clock.nowMs();
    const scalingsMs = [...stream.settings.scalingsMs.filter((atMs) => atMs > nowMs - DAY_MS), nowMs];
    return { ...stream.settings, scalingsMs };
  }

  async #change(stream: Stream, plan: ReshardPlan, settings = stream.settings): Promise<void> {
    if (stream.status !== 'ACTIVE') throw streamInUse(stream.name, stream.status);
    this.#checkRoom(plan);
    const { promise, resolve } = Promise.withResolvers<void>();
    stream.status = 'UPDATING';
    stream.fence = { passed: promise, waiting: 0 };
    try {
      await this.#apply(stream, plan, settings);
    } finally {
      stream.status = 'ACTIVE';
      stream.fence = undefined;
      resolve();
    }
  }

  async #apply(stream: Stream, plan: ReshardPlan, settings: StreamSettings): Promise<void> {
    const { journal, store, logger, clock, onOpened } = this.#options;
    // Records that come after it arrive at this time or later: time and lineage agree.
    const atMs = Math.max(await journal.barrier(), clock.nowMs());
    const { open } = stream;
    const closed = open.filter((_, ref) => plan.closed.has(ref));
    const first = stream.nextShardNumber;
    const idOf = (ref: number): string =>
      ref < open.length ? open[ref]!.shardId : shardIdOf(first + ref - open.length);
    const opened = plan.opened.map((shard, index) => ({
      shardId: idOf(open.length + index),
      hashKeyStart: shard.start,
      hashKeyEnd: shard.end,
      openedMs: atMs,
      parentShardId: idOf(shard.parent),
      adjacentParentShardId: shard.adjacentParent === undefined ? undefined : idOf(shard.adjacentParent),
      isClosed: plan.closed.has(open.length + index),
    }));
    const ends = closed.map(({ uid, nextOffset }) => ({ uid, endOffset: nextOffset }));
    const stored = await store.reshard(stream.name, { atMs, closed: ends, opened, settings });
    for (const [index, shard] of closed.entries())
      assert(shard.nextOffset === ends[index]!.endOffset, 'nothing is appended to a shard that is closed');
    stream.settings = settings;
    onOpened(stream.reshard({ opened: stored, closed, atMs }));
    const ids = (shards: readonly { shardId: string }[]): string[] => shards.map(({ shardId }) => shardId);
    logger.info({ stream: stream.name, closed: ids(closed), opened: ids(opened) }, 'a stream was resharded');
  }

  #checkRoom(plan: ReshardPlan): void {
    const { limits, openShards } = this.#options;
    const more = plan.opened.length - plan.closed.size;
    if (openShards() + more > limits.openShardsMax)
      throw streamsError({
        code: 'limit-exceeded',
        message: `there are ${openShards()} open shards; ${more} more would be over the limit of ${limits.openShardsMax}`,
      });
  }
}

function checkOpen(stream: Stream, shards: readonly Shard[]): void {
  for (const { shardId, closedMs } of shards)
    if (closedMs !== undefined)
      throw streamsError({
        code: 'invalid',
        message: `${shardId} of the stream "${stream.name}" was split or merged already`,
      });
}

function rangesOf(shards: readonly Shard[]): { start: bigint; end: bigint }[] {
  return shards.map(({ hashKeyStart, hashKeyEnd }) => ({ start: hashKeyStart, end: hashKeyEnd }));
}
