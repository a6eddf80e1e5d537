/**
 * Where a delivery stands in each shard of its source, and which shards have something to read. A shard is read only
 * once its parents were read to their ends (D3).
 */
import type { Clock } from '../../ports/clock.ts';
import type { ShardState, Streams } from '../streams/index.ts';

/** Pause before a shard is looked at again whose log refused to tell of news. */
const REFUSED_MS = 1_000;

export interface Cursor {
  readonly shard: ShardState;
  /** The next offset to read. */
  next: number;
}

/** A shard with the first offset to read in it. */
export interface CursorStart {
  readonly shard: ShardState;
  readonly next: number;
}

export class ShardCursors {
  readonly #streams: Pick<Streams, 'waitFor'>;
  readonly #clock: Clock;
  readonly #onReady: () => void;
  #ready: Cursor[] = [];
  #abort = new AbortController();
  /** Shards, by id, that are waited for by their children, or are being read. */
  readonly #unfinished = new Set<string>();
  readonly #known = new Set<number>();
  #held: Cursor[] = [];

  constructor(streams: Pick<Streams, 'waitFor'>, clock: Clock, onReady: () => void) {
    this.#streams = streams;
    this.#clock = clock;
    this.#onReady = onReady;
  }

  /** Begins anew, with all shards of the source; a cursor counts as ready until a read finds nothing. */
  reset(starts: readonly CursorStart[]): void {
    this.stop();
    this.#abort = new AbortController();
    this.follow(starts);
  }

  /** Takes up the shards, of all that the source has now, that it didn't have before. */
  follow(starts: readonly CursorStart[]): void {
    for (const { shard, next } of starts) {
      if (this.#known.has(shard.uid)) continue;
      this.#known.add(shard.uid);
      this.#unfinished.add(shard.shardId);
      this.#held.push({ shard, next });
    }
    this.#release();
  }

  /** Ends all waiting. */
  stop(): void {
    this.#abort.abort(new Error('the delivery reads no more'));
    this.#ready = [];
    this.#held = [];
    this.#unfinished.clear();
    this.#known.clear();
  }

  /** The shard was read to its end: its children can be read now, once `follow` has made them known. */
  finished(cursor: Cursor): void {
    this.#unfinished.delete(cursor.shard.shardId);
    this.#release();
  }

  /**
   * Makes those ready whose parents are finished, parents first. A closed shard with nothing left to read is finished at
   * once, but not before its own parents: its children may have records of a key that these still hold.
   */
  #release(): void {
    const held: Cursor[] = [];
    for (const cursor of this.#held.sort((a, b) => a.shard.uid - b.shard.uid)) {
      const { shardId, parentShardId, adjacentParentShardId, closedMs, nextOffset } = cursor.shard;
      const parents = [parentShardId, adjacentParentShardId];
      if (parents.some((parent) => parent !== undefined && this.#unfinished.has(parent))) held.push(cursor);
      else if (closedMs !== undefined && cursor.next >= nextOffset) this.#unfinished.delete(shardId);
      else this.#ready.push(cursor);
    }
    this.#held = held;
  }

  /** The one that has waited longest for its turn; give it back by `again`, `atTail` or `finished`. */
  take(): Cursor | undefined {
    return this.#ready.shift();
  }

  again(cursor: Cursor): void {
    this.#ready.push(cursor);
  }

  /** Ready once the shard has more; wakes on the commit of the log. */
  atTail(cursor: Cursor): void {
    const { signal } = this.#abort;
    const wake = (): void => {
      if (signal.aborted) return;
      this.#ready.push(cursor);
      this.#onReady();
    };
    // A shard that is gone says so to the read that follows.
    this.#streams.waitFor(cursor.shard, cursor.next, signal).then(wake, () => {
      if (!signal.aborted) this.#clock.timer(REFUSED_MS, wake);
    });
  }
}
