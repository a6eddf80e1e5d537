/** Consumers in memory, as they are stored, with the subscriptions that they have now. */
import type { Clock } from '../../../ports/clock.ts';
import type { MetaStore } from '../../../ports/meta-store.ts';
import type { ShardRef } from '../api.ts';
import { shardNotFound, streamNotFound, streamsError } from '../errors.ts';
import type { Shard } from '../shard.ts';
import type { Stream } from '../stream.ts';
import type {
  Consumer,
  ConsumerFacts,
  ConsumerShardFacts,
  Consumers,
  Subscription,
  SubscriptionEnd,
} from './api.ts';
import { ConsumerStore } from './consumer-store.ts';
import { CONSUMERS_PER_STREAM_MAX, TAKEOVER_MS_MIN } from './limits.ts';
import { ShardSubscription, type Progress } from './shard-subscription.ts';

export interface ConsumerRegistryOptions {
  readonly meta: MetaStore;
  readonly clock: Clock;
  /** `aws` holds each consumer to what Kinesis gives it of a shard. */
  readonly capacity: 'off' | 'aws';
  readonly stream: (name: string) => Stream | undefined;
  readonly shard: (uid: number) => Shard | undefined;
}

interface Registered extends Consumer {
  tags: Readonly<Record<string, string>>;
  /** By the uids of shards. */
  readonly slots: Map<number, Slot>;
}

interface Slot {
  readonly progress: Progress;
  subscription: ShardSubscription;
}

export class ConsumerRegistry implements Consumers {
  readonly #options: ConsumerRegistryOptions;
  readonly #store: ConsumerStore;
  /** By stream, then by name. */
  readonly #consumers = new Map<string, Map<string, Registered>>();
  /** Names that are being registered, by stream. */
  readonly #registering = new Map<string, Set<string>>();

  constructor(options: ConsumerRegistryOptions) {
    this.#options = options;
    this.#store = new ConsumerStore(options.meta);
  }

  async load(): Promise<void> {
    for (const consumer of await this.#store.load()) this.#add(consumer);
  }

  async register(
    stream: string,
    name: string,
    tags: Readonly<Record<string, string>> = {},
  ): Promise<Consumer> {
    const { clock } = this.#options;
    const life = this.#options.stream(stream);
    if (life === undefined) throw streamNotFound(stream);
    const registering = this.#registering.get(stream) ?? new Set();
    if (registering.has(name) || this.find(stream, name) !== undefined)
      throw streamsError({
        code: 'consumer-exists',
        message: `the stream "${stream}" has a consumer "${name}" already`,
      });
    if (this.list(stream).length + registering.size >= CONSUMERS_PER_STREAM_MAX)
      throw streamsError({
        code: 'limit-exceeded',
        message: `the stream "${stream}" has ${CONSUMERS_PER_STREAM_MAX} consumers already, and can't have more`,
      });
    this.#registering.set(stream, registering.add(name));
    try {
      const consumer = { stream, name, createdMs: clock.nowMs(), tags };
      const stored = await this.#store.insert(consumer);
      if (!stored || this.#options.stream(stream) !== life) throw streamNotFound(stream);
      return this.#add(consumer);
    } finally {
      registering.delete(name);
      if (registering.size === 0) this.#registering.delete(stream);
    }
  }

  async deregister(consumer: Consumer): Promise<void> {
    const registered = this.#live(consumer);
    await this.#store.remove(registered);
    this.#forget(registered);
  }

  find(stream: string, name: string): Consumer | undefined {
    return this.#consumers.get(stream)?.get(name);
  }

  list(stream: string): readonly Consumer[] {
    const consumers = [...(this.#consumers.get(stream)?.values() ?? [])];
    return consumers.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  async setTags(consumer: Consumer, tags: Readonly<Record<string, string>>): Promise<void> {
    const registered = this.#live(consumer);
    await this.#store.setTags(registered, tags);
    registered.tags = tags;
  }

  subscribe(consumer: Consumer, ref: ShardRef, offset: number): Subscription {
    const { clock, capacity } = this.#options;
    const { slots, stream, name } = this.#live(consumer);
    const shard = this.#options.shard(ref.uid);
    if (shard === undefined) throw shardNotFound(ref.shardId);
    const former = slots.get(shard.uid);
    // Kinesis counts from the call even when that subscription is over already; a client that lost its connection need
    // not wait for it here, unless limits are as there.
    const counts = former !== undefined && (capacity === 'aws' || former.subscription.ended === undefined);
    if (counts && clock.monotonicMs() - former.subscription.startedMs < TAKEOVER_MS_MIN)
      throw streamsError({
        code: 'subscription-active',
        message: `the consumer "${name}" of the stream "${stream}" subscribed to ${shard.shardId} less than ${TAKEOVER_MS_MIN / 1000} seconds ago`,
        retry: 'backoff',
      });
    former?.subscription.end('taken-over');
    for (const [uid, { progress }] of slots) if (progress.shard.gone) slots.delete(uid);
    const progress: Progress = {
      shard,
      subscribedMs: clock.nowMs(),
      nextOffset: offset,
      arrivalMs: undefined,
      paidMs: former?.progress.paidMs ?? -Infinity,
    };
    const isLimited = capacity === 'aws';
    const subscription = new ShardSubscription({ clock, progress, isLimited });
    slots.set(shard.uid, { progress, subscription });
    return subscription;
  }

  facts(): readonly ConsumerFacts[] {
    const nowMs = this.#options.clock.nowMs();
    return [...this.#consumers.values()].flatMap((consumers) =>
      [...consumers.values()].map((consumer) => consumerFacts(consumer, nowMs)),
    );
  }

  factsOf(stream: string): readonly ConsumerFacts[] {
    const nowMs = this.#options.clock.nowMs();
    return [...(this.#consumers.get(stream)?.values() ?? [])].map((consumer) =>
      consumerFacts(consumer, nowMs),
    );
  }

  /** Their rows went with the stream's. */
  streamDeleted(stream: string): void {
    for (const consumer of this.#consumers.get(stream)?.values() ?? []) this.#forget(consumer);
  }

  /** Ends all subscriptions. */
  close(): void {
    for (const consumers of this.#consumers.values())
      for (const consumer of consumers.values()) endAll(consumer, 'left');
  }

  #add(consumer: Consumer): Registered {
    const registered = { ...consumer, slots: new Map<number, Slot>() };
    const consumers = this.#consumers.get(consumer.stream) ?? new Map<string, Registered>();
    this.#consumers.set(consumer.stream, consumers.set(consumer.name, registered));
    return registered;
  }

  #forget(consumer: Registered): void {
    const consumers = this.#consumers.get(consumer.stream);
    if (consumers?.get(consumer.name) !== consumer) return;
    consumers.delete(consumer.name);
    if (consumers.size === 0) this.#consumers.delete(consumer.stream);
    endAll(consumer, 'deregistered');
  }

  #live({ stream, name, createdMs }: Consumer): Registered {
    const registered = this.#consumers.get(stream)?.get(name);
    if (registered === undefined || registered.createdMs !== createdMs)
      throw streamsError({
        code: 'consumer-not-found',
        message: `the stream "${stream}" has no consumer "${name}"`,
      });
    return registered;
  }
}

function endAll({ slots }: Registered, reason: SubscriptionEnd): void {
  for (const { subscription } of slots.values()) subscription.end(reason);
}

function consumerFacts({ stream, name, createdMs, slots }: Registered, nowMs: number): ConsumerFacts {
  const shards = [...slots.values()].map((slot) => shardFacts(slot, nowMs));
  return { stream, consumer: name, createdMs, shards };
}

function shardFacts({ progress, subscription }: Slot, nowMs: number): ConsumerShardFacts {
  const { shard, subscribedMs, nextOffset, arrivalMs } = progress;
  const lagRecords = Math.max(0, shard.nextOffset - Math.max(nextOffset, shard.trimOffset));
  return {
    shardId: shard.shardId,
    subscribed: subscription.ended === undefined,
    subscribedMs,
    nextOffset,
    lagRecords,
    lagMs: lagRecords === 0 ? 0 : Math.max(0, nowMs - (arrivalMs ?? subscribedMs)),
  };
}
