import type { Clock, Timer } from '../../../ports/clock.ts';
import type { Shard, Waiter } from '../shard.ts';
import type { Subscription, SubscriptionEnd, Wake } from './api.ts';
import { CONSUMER_READ_BYTES, KEEP_ALIVE_MS, SUBSCRIPTION_MS_MAX } from './limits.ts';

const SECOND_MS = 1_000;

/** How far a consumer is in a shard; kept from one of its subscriptions to the next. */
export interface Progress {
  readonly shard: Shard;
  subscribedMs: number;
  nextOffset: number;
  /** Of the last record that was sent. */
  arrivalMs: number | undefined;
  /** In monotonic time: when what was sent is paid off by the capacity, of which one second can be saved up. */
  paidMs: number;
}

export class ShardSubscription implements Subscription {
  readonly shard: Shard;
  readonly offset: number;
  readonly whenEnded: Promise<SubscriptionEnd>;
  /** In monotonic time. */
  readonly startedMs: number;
  readonly #clock: Clock;
  readonly #progress: Progress;
  readonly #isLimited: boolean;
  readonly #life: Timer;
  readonly #resolveEnded: (reason: SubscriptionEnd) => void;
  #ended: SubscriptionEnd | undefined;
  #wake: ((wake: Wake) => void) | undefined;
  #waiter: Waiter | undefined;
  #keepAlive: Timer | undefined;
  #pause: Timer | undefined;
  #sentMs: number;

  constructor(options: { clock: Clock; progress: Progress; isLimited: boolean }) {
    const { clock, progress } = options;
    const ended = Promise.withResolvers<SubscriptionEnd>();
    this.shard = progress.shard;
    this.offset = progress.nextOffset;
    this.whenEnded = ended.promise;
    this.startedMs = clock.monotonicMs();
    this.#clock = clock;
    this.#progress = progress;
    this.#isLimited = options.isLimited;
    this.#resolveEnded = ended.resolve;
    this.#sentMs = this.startedMs;
    this.#life = clock.timer(SUBSCRIPTION_MS_MAX, () => this.end('expired'));
  }

  get ended(): SubscriptionEnd | undefined {
    return this.#ended;
  }

  get tailOffset(): number {
    return this.shard.nextOffset;
  }

  endsAt(offset: number): boolean {
    return this.shard.gone || this.shard.endsAt(offset);
  }

  wait(offset: number): Promise<Wake> {
    if (this.#ended !== undefined) return Promise.resolve('ended');
    if (this.shard.nextOffset > offset || this.endsAt(offset)) return Promise.resolve('records');
    const { promise, resolve } = Promise.withResolvers<Wake>();
    const waiter = { offset, wake: () => this.#woken('records') };
    this.#wake = resolve;
    this.#waiter = waiter;
    this.shard.waiters.add(waiter);
    this.#keepAlive ??= this.#armKeepAlive(KEEP_ALIVE_MS);
    return promise;
  }

  pace(): Promise<void> {
    if (!this.#isLimited || this.#ended !== undefined) return Promise.resolve();
    const waitMs = this.#progress.paidMs - this.#clock.monotonicMs();
    if (waitMs <= 0) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = () => resolve();
    this.#pause = this.#clock.timer(waitMs, () => this.#woken('records'));
    return promise;
  }

  sent({ nextOffset, bytes, arrivalMs }: Parameters<Subscription['sent']>[0]): void {
    const progress = this.#progress;
    this.#sentMs = this.#clock.monotonicMs();
    // Records that expired before they were sent are not among what it got.
    const records = nextOffset - Math.max(progress.nextOffset, this.shard.trimOffset);
    if (records > 0) this.shard.gave({ bytes, records }, this.#sentMs);
    progress.nextOffset = nextOffset;
    progress.arrivalMs = arrivalMs ?? progress.arrivalMs;
    progress.paidMs =
      Math.max(progress.paidMs, this.#sentMs - SECOND_MS) + (bytes / CONSUMER_READ_BYTES) * SECOND_MS;
  }

  end(reason: SubscriptionEnd): void {
    if (this.#ended !== undefined) return;
    this.#ended = reason;
    this.#life.cancel();
    this.#keepAlive?.cancel();
    this.#pause?.cancel();
    this.#woken('ended');
    this.#resolveEnded(reason);
  }

  #woken(wake: Wake): void {
    const resolve = this.#wake;
    if (this.#waiter !== undefined) this.shard.waiters.delete(this.#waiter);
    this.#waiter = undefined;
    this.#wake = undefined;
    resolve?.(wake);
  }

  /** One timer that looks when the last event was, rather than one that each event sets anew. */
  #armKeepAlive(afterMs: number): Timer {
    return this.#clock.timer(afterMs, () => {
      const leftMs = this.#sentMs + KEEP_ALIVE_MS - this.#clock.monotonicMs();
      if (leftMs > 0) this.#keepAlive = this.#armKeepAlive(leftMs);
      else {
        this.#keepAlive = undefined;
        if (this.#waiter !== undefined) this.#woken('idle');
      }
    });
  }
}
