/** What a stream is when it is made, and whether there is room for it. */
import type { CreateStream } from './api.ts';
import { evenRanges } from './core/routing.ts';
import { streamsError } from './errors.ts';
import { DEFAULT_SETTINGS, RETENTION_HOURS_MIN, type StreamsLimits } from './limits.ts';
import { shardIdOf } from './stream.ts';
import type { StoredShard, StoredStream } from './stream-store.ts';

/** Throws `limit-exceeded` when the stream has too many shards, alone or with those that are there. */
export function checkRoom(
  shardCount: number,
  taken: { readonly streams: number; readonly openShards: number; readonly limits: StreamsLimits },
): void {
  const { streams, openShards, limits } = taken;
  const { shardsPerStreamMax, streamsMax, openShardsMax } = limits;
  if (!Number.isInteger(shardCount) || shardCount < 1 || shardCount > shardsPerStreamMax)
    throw tooMany(`a stream has 1 to ${shardsPerStreamMax} shards, not ${shardCount}`);
  if (streams >= streamsMax) throw tooMany(`there are ${streamsMax} streams already`);
  if (openShards + shardCount > openShardsMax)
    throw tooMany(
      `there are ${openShards} open shards; ${shardCount} more would be over the limit of ${openShardsMax}`,
    );
}

/** The shards share the space of hash keys evenly. */
export function newStream(
  { name, shardCount, mode, internal, tags, recordBytesMax }: CreateStream,
  nowMs: number,
): {
  readonly stream: Omit<StoredStream, 'shards'>;
  readonly shards: readonly Omit<StoredShard, 'uid'>[];
} {
  const stream = {
    name,
    createdMs: nowMs,
    retentionHours: RETENTION_HOURS_MIN,
    mode,
    internal: internal ?? false,
    tags: tags ?? {},
    settings: { ...DEFAULT_SETTINGS, ...(recordBytesMax !== undefined && { recordBytesMax }) },
  };
  const shards = evenRanges(shardCount).map((range, index) => ({
    shardId: shardIdOf(index),
    hashKeyStart: range.start,
    hashKeyEnd: range.end,
    openedMs: nowMs,
  }));
  return { stream, shards };
}

function tooMany(message: string): Error {
  return streamsError({ code: 'limit-exceeded', message });
}
