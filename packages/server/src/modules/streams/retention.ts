/** Removes segments that nothing keeps (I6), by whole segments and some time after their records expired. */
import type { Clock, Timer } from '../../ports/clock.ts';
import type { Logger } from '../../ports/observe.ts';
import { expiresAtMs, isHeld, withRemoved, type NumberRange, type RetentionOf } from './core/retention.ts';
import type { DataKeys } from './encryption/data-keys.ts';
import type { Journal } from './journal/journal.ts';
import type { SealedSegment } from './journal/sealed-segments.ts';
import type { Reader } from './reader.ts';
import type { Shard } from './shard.ts';
import type { StreamStore } from './stream-store.ts';

export interface RetentionOptions {
  readonly journal: Journal;
  readonly reader: Reader;
  readonly store: StreamStore;
  readonly dataKeys: DataKeys;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly intervalMs: number;
  readonly shards: ReadonlyMap<number, Shard>;
  readonly removed: readonly NumberRange[];
  /** Forgets closed shards of which nothing can be read any more; durable on return. */
  readonly forget: (shards: readonly Shard[]) => Promise<void>;
}

export class Retention {
  readonly #options: RetentionOptions;
  #removed: readonly NumberRange[];
  /** Rises when a segment may expire earlier than was computed. */
  #generation = 0;
  #timer: Timer | undefined;
  #sweeping: Promise<void> | undefined;
  #closed = false;

  constructor(options: RetentionOptions) {
    this.#options = options;
    this.#removed = options.removed;
  }

  get removed(): readonly NumberRange[] {
    return this.#removed;
  }

  start(): void {
    if (this.#closed) return;
    this.#timer = this.#options.clock.timer(this.#options.intervalMs, () => {
      void this.sweep().finally(() => this.start());
    });
  }

  /** To be called when a stream is deleted or keeps its records for less time. */
  policyChanged(): void {
    this.#generation++;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#sweeping;
  }

  /** Moves trim horizons and removes what expired; one sweep at a time. Never rejects: the next one tries again. */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep()
      .catch((error: unknown) => this.#options.logger.warn({ error }, 'retention could not go on'))
      .finally(() => (this.#sweeping = undefined));
    return this.#sweeping;
  }

  async #sweep(): Promise<void> {
    const { journal, reader, shards, clock } = this.#options;
    for (const shard of shards.values()) if (!shard.gone) await reader.trim(shard);
    const over = shardsOver(shards.values(), clock.nowMs());
    if (over.length > 0 && !this.#closed) await this.#options.forget(over);
    if (this.#activeIsExpired()) await journal.roll();
    const expired: SealedSegment[] = [];
    for (const segment of journal.sealed.list) if (await this.#isExpired(segment)) expired.push(segment);
    if (expired.length > 0 && !this.#closed) await this.#remove(expired);
  }

  async #remove(expired: readonly SealedSegment[]): Promise<void> {
    const { journal, store, logger } = this.#options;
    let ranges = [...this.#removed];
    for (const segment of expired) ranges = withRemoved(ranges, segment.number);
    // First the note, so that a segment that is missing without one is known to be lost.
    await store.setRemoved(ranges);
    this.#removed = ranges;
    await journal.sealed.remove(expired);
    await this.#options.dataKeys.removeBefore(journal.oldest);
    logger.info({ segments: expired.map((segment) => segment.number) }, 'expired segments were removed');
  }

  readonly #retentionOf: RetentionOf = (uid) => {
    const shard = this.#options.shards.get(uid);
    return shard === undefined || shard.gone
      ? undefined
      : { retentionMs: shard.retentionMs, holdOffset: shard.holdOffset };
  };

  async #isExpired(segment: SealedSegment): Promise<boolean> {
    const nowMs = this.#options.clock.nowMs();
    const { recheck } = segment;
    if (recheck?.generation === this.#generation && recheck.atMs > nowMs) return false;
    const generation = this.#generation;
    const rows = [...(await this.#options.journal.sealed.summary(segment)).rows()];
    const atMs = expiresAtMs(rows, this.#retentionOf);
    segment.recheck = { generation, atMs };
    return atMs < nowMs && !isHeld(rows, this.#retentionOf);
  }

  /** A segment that is written is sealed early when all in it expired, or an idle log would never free it. */
  #activeIsExpired(): boolean {
    const { active } = this.#options.journal;
    const rows = [...active.columns].map(([uid, columns]) => ({
      uid,
      entries: columns.length,
      lastArrivalMs: columns.arrivals[columns.length - 1] ?? 0,
      end: Infinity,
    }));
    if (rows.length === 0) return false;
    return (
      expiresAtMs(rows, this.#retentionOf) < this.#options.clock.nowMs() && !isHeld(rows, this.#retentionOf)
    );
  }
}

/**
 * Shards to be forgotten, of shards in the order of their age. One that goes on with a shard which stays is kept too,
 * since who comes to the end of that is told of it.
 */
function shardsOver(shards: Iterable<Shard>, nowMs: number): Shard[] {
  const over: Shard[] = [];
  const childrenOfKept = new Set<Shard>();
  for (const shard of shards) {
    if (shard.isOver(nowMs) && !childrenOfKept.has(shard)) over.push(shard);
    else for (const child of shard.children) childrenOfKept.add(child);
  }
  return over;
}
