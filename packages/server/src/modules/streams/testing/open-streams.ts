/** Streams over a given disk with a simulated clock, for tests. */
import { SeededRandom, SimClock } from '../../../adapters/sim/index.ts';
import { openSqliteMetaStore } from '../../../adapters/sqlite/index.ts';
import type { Disk } from '../../../ports/disk.ts';
import type { KeyService } from '../../../ports/key-service.ts';
import type { MetaStore } from '../../../ports/meta-store.ts';
import type { ReadResult, ShardRef, Streams } from '../api.ts';
import type { StreamsLimits } from '../limits.ts';
import { createStreams } from '../service.ts';
import { quietLogger, quietMetrics } from './quiet.ts';

export interface World {
  readonly disk: Disk;
  readonly directory: string;
  readonly meta: MetaStore;
  readonly clock: SimClock;
  readonly keys?: KeyService;
  readonly onFailed?: () => void;
}

export async function newWorld(disk: Disk, directory: string): Promise<World> {
  return { disk, directory, meta: await openSqliteMetaStore(':memory:'), clock: new SimClock() };
}

export function openStreams(world: World, limits: Partial<StreamsLimits> = {}) {
  return createStreams({
    ...world,
    random: new SeededRandom(1),
    logger: quietLogger,
    metrics: quietMetrics,
    limits,
  });
}

/** Appends texts under one key. */
export function appendTexts(streams: Streams, name: string, ...texts: string[]) {
  return streams.append(name, {
    partitionKeys: texts.map(() => 'key'),
    data: texts.map((text) => Buffer.from(text)),
  });
}

export function textsOf(result: ReadResult): string[] {
  return result.runs.flatMap(({ count, bytes, bounds }) =>
    Array.from({ length: count }, (_, index) =>
      bytes.toString('utf8', bounds[2 * index + 1], bounds[2 * index + 2]),
    ),
  );
}

export async function readAll(streams: Streams, shard: ShardRef, from = 0): Promise<string[]> {
  const texts: string[] = [];
  let offset = from;
  for (;;) {
    const result = await streams.read(shard, offset, { recordsMax: 1_000, bytesMax: 1_000_000 });
    if (result.runs.length === 0) return texts;
    texts.push(...textsOf(result));
    offset = result.nextOffset;
  }
}
