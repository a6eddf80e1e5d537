/**
 * The events that subscriptions send, each read and encoded once for all that come to its position while it is kept.
 *
 * F1 An event is what the log has from its first offset on, whole and in order: sharing changes only where an event ends.
 */
import type { ShardRef, Streams } from '../../../modules/streams/index.ts';
import { ShardEvent, type EventFormat } from './shard-event.ts';

/** Of keys and data of one event, which with a larger first record has that one alone. */
export const EVENT_BYTES_MAX = 256 * 1024;
export const EVENT_RECORDS_MAX = 10_000;
/** Messages that are kept, of all shards. */
const CACHE_BYTES_MAX = 32 * 2 ** 20;
/** Positions that are kept, whatever their events have. */
const CACHE_EVENTS_MAX = 4_096;
/** A smaller one that isn't the newest is made anew, with what came after it, rather than sent to one that lags. */
const SHARED_BYTES_MIN = 64 * 1024;

interface Kept {
  readonly uid: number;
  readonly startOffset: number;
  readonly event: Promise<ShardEvent>;
  /** Undefined while it is made. */
  made: ShardEvent | undefined;
}

export class ShardEvents {
  readonly #streams: Streams;
  readonly #format: EventFormat;
  /** By shard, then by first offset. */
  readonly #shards = new Map<number, Map<number, Kept>>();
  /** Oldest first. */
  readonly #order = new Set<Kept>();
  #bytes = 0;

  constructor(streams: Streams, format: EventFormat) {
    this.#streams = streams;
    this.#format = format;
  }

  /**
   * Gives the event that begins at `offset`, which must be before `tailOffset`. It has no records when those expired.
   * Rejects as reading does.
   */
  at(shard: ShardRef, offset: number, tailOffset: number): Promise<ShardEvent> {
    const kept = this.#shards.get(shard.uid)?.get(offset);
    if (kept !== undefined) {
      const { made } = kept;
      if (made === undefined || made.nextOffset >= tailOffset || isLarge(made)) return kept.event;
      this.#drop(kept);
    }
    return this.#make(shard, offset);
  }

  /** An event without records, which only says how far its subscription is. */
  empty(shard: ShardRef, offset: number): ShardEvent {
    return new ShardEvent(this.#format, shard, { from: offset, nextOffset: offset, runs: [] });
  }

  /** When nobody is subscribed. */
  clear(): void {
    for (const kept of this.#order) this.#drop(kept);
  }

  #make(shard: ShardRef, offset: number): Promise<ShardEvent> {
    const events = this.#shards.get(shard.uid) ?? new Map<number, Kept>();
    const kept: Kept = {
      uid: shard.uid,
      startOffset: offset,
      event: this.#read(shard, offset, nextLarge(events, offset)),
      made: undefined,
    };
    this.#shards.set(shard.uid, events.set(offset, kept));
    this.#order.add(kept);
    void kept.event.then(
      (event) => {
        if (!this.#order.has(kept)) return;
        kept.made = event;
        this.#bytes += event.bytes;
        this.#shrink();
      },
      () => this.#drop(kept),
    );
    return kept.event;
  }

  async #read(shard: ShardRef, from: number, until: number): Promise<ShardEvent> {
    const { runs, nextOffset } = await this.#streams.read(shard, from, {
      recordsMax: Math.min(EVENT_RECORDS_MAX, until - from),
      bytesMax: EVENT_BYTES_MAX,
    });
    return new ShardEvent(this.#format, shard, { from, nextOffset, runs });
  }

  #shrink(): void {
    for (const kept of this.#order) {
      if (this.#bytes <= CACHE_BYTES_MAX && this.#order.size <= CACHE_EVENTS_MAX) return;
      this.#drop(kept);
    }
  }

  #drop(kept: Kept): void {
    if (!this.#order.delete(kept)) return;
    this.#bytes -= kept.made?.bytes ?? 0;
    const events = this.#shards.get(kept.uid);
    events?.delete(kept.startOffset);
    if (events?.size === 0) this.#shards.delete(kept.uid);
  }
}

const isLarge = ({ bytes }: ShardEvent): boolean => bytes >= SHARED_BYTES_MIN;

/** Where the next event begins that is worth meeting, so that subscriptions which are apart come together. */
function nextLarge(events: ReadonlyMap<number, Kept>, offset: number): number {
  let next = Infinity;
  for (const { startOffset, made } of events.values())
    if (startOffset > offset && startOffset < next && made !== undefined && isLarge(made)) next = startOffset;
  return next;
}
