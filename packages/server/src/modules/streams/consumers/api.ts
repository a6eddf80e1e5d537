import type { ShardRef } from '../api.ts';

/** Consumers with a throughput of their own (enhanced fan-out), and what they are subscribed to. */
export interface Consumers {
  /**
   * Durable on return; it can subscribe at once. Rejects with `stream-not-found`, `consumer-exists`, and
   * `limit-exceeded` beyond `CONSUMERS_PER_STREAM_MAX`.
   */
  register(stream: string, name: string, tags?: Readonly<Record<string, string>>): Promise<Consumer>;
  /** Durable on return; its subscriptions end. Rejects with `consumer-not-found`. */
  deregister(consumer: Consumer): Promise<void>;
  find(stream: string, name: string): Consumer | undefined;
  /** In the order of names. */
  list(stream: string): readonly Consumer[];
  /** Durable on return. Rejects with `consumer-not-found`. */
  setTags(consumer: Consumer, tags: Readonly<Record<string, string>>): Promise<void>;
  /**
   * Gives the consumer the shard's records from an offset on. Throws `consumer-not-found` and `shard-not-found`, and
   * `subscription-active` within `TAKEOVER_MS_MIN` of the subscription before it; later it ends that one.
   */
  subscribe(consumer: Consumer, shard: ShardRef, offset: number): Subscription;
  /** How far each consumer is, and what it is subscribed to now. */
  facts(): readonly ConsumerFacts[];
}

export interface Consumer {
  readonly stream: string;
  readonly name: string;
  readonly createdMs: number;
  readonly tags: Readonly<Record<string, string>>;
}

/**
 * - `expired`: it lived for `SUBSCRIPTION_MS_MAX`;
 * - `taken-over`: the consumer subscribed to the shard again;
 * - `deregistered`: the consumer is gone, with its stream or alone;
 * - `left`: who subscribed is gone, or the process stops.
 */
export type SubscriptionEnd = 'expired' | 'taken-over' | 'deregistered' | 'left';

/** What a waiting subscription was woken by. */
export type Wake = 'records' | 'idle' | 'ended';

/** One consumer on one shard. Who holds it sends records and says so; it wakes, paces and ends the sending. */
export interface Subscription {
  readonly shard: ShardRef;
  /** Where to begin. */
  readonly offset: number;
  /** Undefined while it goes on. */
  readonly ended: SubscriptionEnd | undefined;
  /** Resolves when it ends; never rejects. */
  readonly whenEnded: Promise<SubscriptionEnd>;
  /** The offset that the shard's next record gets. */
  readonly tailOffset: number;
  /** The shard is closed, or gone, and has nothing at `offset` or later. */
  endsAt(offset: number): boolean;
  /**
   * Resolves with `records` once the shard has one at `offset` or later or gets none any more, with `ended` when the
   * subscription does, and with `idle` when nothing was sent for `KEEP_ALIVE_MS`. A commit wakes it; it never polls.
   * One wait at a time.
   */
  wait(offset: number): Promise<Wake>;
  /** Resolves when the consumer has capacity for more of the shard, where that is limited, or when it ends. */
  pace(): Promise<void>;
  /** Counts what is sent; without bytes it is a sign of life. */
  sent(what: { readonly nextOffset: number; readonly bytes: number; readonly arrivalMs?: number }): void;
  /** Idempotent; the first reason stays. */
  end(reason: SubscriptionEnd): void;
}

export interface ConsumerFacts {
  readonly stream: string;
  readonly consumer: string;
  readonly createdMs: number;
  /** One a shard that the consumer subscribed to since the process started. */
  readonly shards: readonly ConsumerShardFacts[];
}

export interface ConsumerShardFacts {
  readonly shardId: string;
  readonly subscribed: boolean;
  /** When the last subscription began. */
  readonly subscribedMs: number;
  /** The next record to be sent. */
  readonly nextOffset: number;
  readonly lagRecords: number;
  /** Age of the last record that was sent, or of the subscription without one, while there are others; 0 at the tail. */
  readonly lagMs: number;
}
