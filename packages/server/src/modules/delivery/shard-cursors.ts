/** Where a delivery stands in each shard of its source, and which shards have something to read. */
import type { Clock } from '../../ports/clock.ts';
import type { ShardRef, Streams } from '../streams/index.ts';

/** Pause before a shard is looked at again whose log refused to tell of news. */
const REFUSED_MS = 1_000;

export interface Cursor {
  readonly shard: ShardRef;
  /** The next offset to read. */
  next: number;
}

export class ShardCursors {
  readonly #streams: Pick<Streams, 'waitFor'>;
  readonly #clock: Clock;
  readonly #onReady: () => void;
  #ready: Cursor[] = [];
  #abort = new AbortController();
  all: readonly Cursor[] = [];

  constructor(streams: Pick<Streams, 'waitFor'>, clock: Clock, onReady: () => void) {
    this.#streams = streams;
    this.#clock = clock;
    this.#onReady = onReady;
  }

  /** Begins anew; every cursor counts as ready until a read finds nothing. */
  reset(cursors: readonly Cursor[]): void {
    this.stop();
    this.#abort = new AbortController();
    this.all = cursors;
    this.#ready = [...cursors];
  }

  /** Ends all waiting. */
  stop(): void {
    this.#abort.abort(new Error('the delivery reads no more'));
    this.all = [];
    this.#ready = [];
  }

  /** The one that has waited longest for its turn; give it back by `again` or `atTail`. */
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
