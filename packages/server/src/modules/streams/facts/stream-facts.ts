/** Gathers facts from what the shards count, in one pass over a stream's shards. */
import { assert } from '../../../base/assert.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { ConsumerFacts } from '../consumers/index.ts';
import { hotShards } from '../core/hot-shards.ts';
import { sequenceNumberOf } from '../core/sequence-number.ts';
import type { Shard } from '../shard.ts';
import type { Stream } from '../stream.ts';
import type { ConsumerLag, Facts, HotShard, Rates, ShardFacts, ShardFactsPage, StreamFacts } from './api.ts';
import { addAmounts, noAmounts, noTraffic, perSecond, windowMs } from './traffic.ts';

export interface StreamFactsOptions {
  readonly clock: Clock;
  readonly isLimited: boolean;
  /** Streams that aren't internal, in the order of names. */
  readonly streams: () => readonly Stream[];
  /** Throws `stream-not-found`. */
  readonly stream: (name: string) => Stream;
  readonly consumersOf: (stream: string) => readonly ConsumerFacts[];
  /** Finds a shard's oldest readable record. */
  readonly trim: (shard: Shard) => Promise<void>;
}

export const HOT_SHARDS_TOLD = 5;
/** Oldest records that one question looks up in the journal; the others are known already, or a later time. */
const LOOK_UPS_MAX = 100;

interface Measured {
  readonly shard: Shard;
  readonly rates: Rates;
  readonly behindMs: number;
  hot: boolean;
}

export class StreamFactsGatherer implements Facts {
  readonly #options: StreamFactsOptions;
  readonly #startedMs: number;

  constructor(options: StreamFactsOptions) {
    this.#options = options;
    this.#startedMs = options.clock.monotonicMs();
  }

  async streams(): Promise<readonly StreamFacts[]> {
    const streams = this.#options.streams();
    await this.#lookUp(streams.flatMap(({ shards }) => shards));
    return streams.map((stream) => this.#streamFacts(stream));
  }

  async shards(
    name: string,
    { startAfter, limit }: { readonly startAfter?: string | undefined; readonly limit: number },
  ): Promise<ShardFactsPage> {
    const stream = this.#options.stream(name);
    const after = stream.shards.findIndex(({ shardId }) => startAfter === undefined || shardId > startAfter);
    const page = after === -1 ? [] : stream.shards.slice(after, after + limit);
    await this.#lookUp(page);
    const measured = new Map(this.#measure(stream).map((each) => [each.shard, each]));
    const lags = lagsByShard(this.#options.consumersOf(name));
    return {
      // Retention may have taken some meanwhile.
      shards: page.flatMap((shard) => {
        const found = measured.get(shard);
        if (found === undefined) return [];
        const isEmpty = shard.trimOffset === shard.nextOffset;
        const oldest = this.#oldest(isEmpty ? undefined : shard.trimArrivalMs);
        return [{ ...shardFacts(found, lags.get(shard.shardId) ?? []), ...oldest }];
      }),
      more: page.length > 0 && after + limit < stream.shards.length,
    };
  }

  #streamFacts(stream: Stream): StreamFacts {
    const { name, mode, createdMs, retentionHours, totals } = stream;
    const measured = this.#measure(stream);
    const sum = noAmounts();
    let records = 0;
    let oldestArrivalMs: number | undefined = Infinity;
    let readersBehindMs = 0;
    for (const { shard, rates, behindMs } of measured) {
      addAmounts(sum, rates);
      readersBehindMs = Math.max(readersBehindMs, behindMs);
      if (shard.trimOffset >= shard.nextOffset) continue;
      records += shard.nextOffset - shard.trimOffset;
      if (shard.trimArrivalMs === undefined) oldestArrivalMs = undefined;
      else if (oldestArrivalMs !== undefined)
        oldestArrivalMs = Math.min(oldestArrivalMs, shard.trimArrivalMs);
    }
    const hot = measured.filter((each) => each.hot);
    return {
      name,
      mode,
      createdMs,
      retentionHours,
      shards: stream.shards.length,
      openShards: stream.open.length,
      records,
      rates: { ...sum, windowMs: this.#windowMs() },
      totals: { ...totals, refusedRecords: stream.refusedRecords },
      hotShards: hot.length,
      hottest: hottest(hot),
      ...this.#oldest(oldestArrivalMs === Infinity ? undefined : oldestArrivalMs),
      readersBehindMs,
    };
  }

  #measure(stream: Stream): Measured[] {
    const nowMs = this.#options.clock.monotonicMs();
    const window = { windowMs: this.#windowMs() };
    const measured = stream.shards.map((shard): Measured => {
      const counted = noTraffic();
      shard.traffic?.addTo(counted, nowMs);
      const rates = { ...perSecond(counted, window), ...window };
      return { shard, rates, behindMs: counted.behindMs, hot: false };
    });
    const open = measured.filter(({ shard }) => shard.closedMs === undefined);
    const isHot = hotShards(
      open.map(({ rates }) => rates),
      this.#options,
    );
    for (const [at, each] of open.entries()) each.hot = isHot[at]!;
    return measured;
  }

  #windowMs(): number {
    return windowMs(this.#options.clock.monotonicMs(), { startedMs: this.#startedMs });
  }

  #oldest(oldestArrivalMs: number | undefined): Pick<StreamFacts, 'oldestArrivalMs' | 'oldestAgeMs'> {
    if (oldestArrivalMs === undefined) return {};
    return { oldestArrivalMs, oldestAgeMs: Math.max(0, this.#options.clock.nowMs() - oldestArrivalMs) };
  }

  /** What can't be found, since the shard is gone or its bytes are damaged, stays unknown. */
  async #lookUp(shards: readonly Shard[]): Promise<void> {
    const nowMs = this.#options.clock.nowMs();
    let left = LOOK_UPS_MAX;
    for (const shard of shards) {
      if (!needsLookUp(shard, nowMs)) continue;
      if (left-- === 0) return;
      await this.#options.trim(shard).catch(() => undefined);
    }
  }
}

function needsLookUp(shard: Shard, nowMs: number): boolean {
  if (shard.gone || shard.trimOffset >= shard.nextOffset) return false;
  const { trimArrivalMs } = shard;
  // One that is held stays the oldest beyond its time.
  const isHeld = shard.holdOffset <= shard.trimOffset;
  return trimArrivalMs === undefined || (trimArrivalMs < shard.cutoffMs(nowMs) && !isHeld);
}

function hottest(hot: readonly Measured[]): HotShard[] {
  return hot
    .toSorted((a, b) => b.rates.inBytes - a.rates.inBytes)
    .slice(0, HOT_SHARDS_TOLD)
    .map(({ shard: { shardId }, rates: { inBytes, inRecords } }) => ({ shardId, inBytes, inRecords }));
}

function shardFacts(
  { shard, rates, behindMs, hot }: Measured,
  consumers: readonly ConsumerLag[],
): ShardFacts {
  const { shardId, openedMs, closedMs, trimOffset, nextOffset } = shard;
  assert(trimOffset <= nextOffset, 'the trim horizon is not beyond the end');
  const isEmpty = trimOffset === nextOffset;
  return {
    shardId,
    openedMs,
    closedMs,
    records: nextOffset - trimOffset,
    oldest: isEmpty ? undefined : sequenceNumberOf(shard, trimOffset),
    newest: isEmpty ? undefined : sequenceNumberOf(shard, nextOffset - 1),
    rates,
    hot,
    readersBehindMs: behindMs,
    consumers,
  };
}

function lagsByShard(consumers: readonly ConsumerFacts[]): Map<string, ConsumerLag[]> {
  const lags = new Map<string, ConsumerLag[]>();
  for (const { consumer: name, shards } of consumers)
    for (const { shardId, subscribed, lagRecords, lagMs } of shards) {
      const ofShard = lags.get(shardId) ?? [];
      ofShard.push({ name, subscribed, lagRecords, lagMs });
      lags.set(shardId, ofShard);
    }
  return lags;
}
