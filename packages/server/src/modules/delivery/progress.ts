import type { Clock } from '../../ports/clock.ts';
import type { ShardState, StreamDescription, Streams } from '../streams/index.ts';
import type { Batch, Target } from './batch.ts';
import type { Positions } from './position.ts';

/** What a delivery has in its table of each shard of its source, as the table said and as commits moved it on. */
export class Progress {
  readonly #streams: Streams;
  readonly #source: string;
  readonly #positions = new Map<number, number | undefined>();
  #starts = new Map<number, number>();
  #target: Target | undefined;

  constructor(streams: Streams, source: string) {
    this.#streams = streams;
    this.#source = source;
  }

  /** The table as it was when positions were taken; undefined before. */
  get target(): Target | undefined {
    return this.#target;
  }

  /** Last offset in the table, by shard uid; undefined where the table has no position. */
  get positions(): ReadonlyMap<number, number | undefined> {
    return this.#positions;
  }

  take({ target, starts, positions }: Positions): void {
    this.#target = target;
    this.#positions.clear();
    for (const [uid, position] of positions) this.#positions.set(uid, position);
    this.#starts = new Map(starts);
  }

  committed(ends: Batch['ends']): void {
    for (const [uid, end] of ends) this.#positions.set(uid, end);
  }

  /** The shards that there are now, each with its first offset to read; `startOffsets` is for those not seen before. */
  follow(startOffsets: Readonly<Record<string, number>>): { shard: ShardState; next: number }[] {
    const shards = this.shards();
    for (const { uid } of shards) if (!this.#starts.has(uid)) this.#starts.set(uid, startOffsets[uid] ?? 0);
    return shards.map((shard) => ({ shard, next: this.#starts.get(shard.uid)! }));
  }

  /** The first offset that is not in the table. */
  nextOf(uid: number, trimOffset: number): number {
    return Math.max((this.#positions.get(uid) ?? -1) + 1, this.#starts.get(uid) ?? 0, trimOffset);
  }

  /** By shard uid; undefined before positions were ever taken, or when the source is gone. */
  nextOffsets(): Record<string, number> | undefined {
    const described = this.#describe();
    if (this.#target === undefined || described === undefined) return undefined;
    return Object.fromEntries(
      described.shards.map((shard) => [shard.uid, this.nextOf(shard.uid, shard.trimOffset)]),
    );
  }

  /** By shard id, as holds take them. */
  needed(): Map<string, number> {
    return new Map(this.shards().map((shard) => [shard.shardId, this.nextOf(shard.uid, shard.trimOffset)]));
  }

  /** Whether all that is in the source now is in the table; asked again later, it means the same records. */
  untilNow(): () => boolean {
    const ends = new Map(this.shards().map((shard) => [shard.uid, shard.nextOffset]));
    return () => this.#target !== undefined && [...ends].every(([uid, end]) => this.nextOf(uid, 0) >= end);
  }

  /** Records not delivered, and the age of the oldest of them. `batches` hold the first of them. */
  async lag(batches: readonly (Batch | undefined)[], clock: Clock): Promise<{ records: number; ms: number }> {
    const shards = this.shards();
    let records = 0;
    let oldestMs = Infinity;
    for (const batch of batches) if (batch !== undefined) oldestMs = Math.min(oldestMs, batch.firstArrivalMs);
    for (const shard of shards) {
      const next = this.nextOf(shard.uid, shard.trimOffset);
      if (shard.nextOffset <= next) continue;
      records += shard.nextOffset - next;
      if (oldestMs < Infinity) continue;
      const first = await this.#streams
        .read(shard, next, { recordsMax: 1, bytesMax: 1 })
        .catch(() => undefined);
      oldestMs = first?.runs[0]?.arrivalMs ?? Infinity;
    }
    const known = records > 0 && oldestMs < Infinity;
    return { records, ms: known ? Math.max(0, clock.nowMs() - oldestMs) : 0 };
  }

  /** None when the source is gone. */
  shards(): StreamDescription['shards'] {
    return this.#describe()?.shards ?? [];
  }

  #describe(): StreamDescription | undefined {
    try {
      return this.#streams.describe(this.#source);
    } catch {
      return undefined;
    }
  }
}
