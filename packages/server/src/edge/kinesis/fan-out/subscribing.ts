/** SubscribeToShard. */
import { PlatformError } from '../../../base/errors.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Logger } from '../../../ports/observe.ts';
import type { Consumer, ShardState, Streams, Subscription } from '../../../modules/streams/index.ts';
import { AwsError, StreamedOutput, type RequestContext, type Wire } from '../../aws-json/index.ts';
import { ACCOUNT_ID } from '../errors.ts';
import { describePublic } from '../names.ts';
import { describeChild } from '../shard-listing.ts';
import { StartingPositions } from '../starting-position.ts';
import { consumerNotFound, consumerOf } from './consumer-names.ts';
import type { SubscribeInput } from './inputs.ts';
import { push } from './push.ts';
import { cborEvents, jsonEvents } from './shard-event.ts';
import { ShardEvents } from './shard-events.ts';

/** How long the client of a subscription that ended may take to read what was sent; and where the server stops. */
const LINGER_MS_MAX = 10_000;
const LINGER_MS_MAX_AT_STOP = 2_000;

export class Subscribing {
  readonly #streams: Streams;
  readonly #clock: Clock;
  readonly #logger: Logger | undefined;
  readonly #positions: StartingPositions;
  readonly #open = new Set<Subscription>();
  /** One for each way to write events. */
  readonly #events = new Map<Wire['name'], ShardEvents>();

  constructor(streams: Streams, clock: Clock, logger?: Logger) {
    this.#streams = streams;
    this.#clock = clock;
    this.#logger = logger;
    this.#positions = new StartingPositions(streams, clock);
  }

  readonly subscribe = async (input: SubscribeInput, context: RequestContext): Promise<StreamedOutput> => {
    const consumer = consumerOf(this.#streams, input);
    describePublic(this.#streams, consumer.stream);
    const shard = this.#positions.shard(consumer.stream, input.ShardId);
    const { Type: type, SequenceNumber: sequenceNumber, Timestamp: timestamp } = input.StartingPosition;
    const names = { operation: 'SubscribeToShard', sequenceNumber: 'SequenceNumber' };
    const position = { type, sequenceNumber, timestamp, names };
    const offset = await this.#positions.offsetOf(consumer.stream, shard, position);
    const subscription = this.#begin(consumer, shard, offset);
    return this.#answer(subscription, { consumer, shard, arn: input.ConsumerARN }, context);
  };

  #begin(consumer: Consumer, shard: ShardState, offset: number): Subscription {
    try {
      return this.#streams.consumers.subscribe(consumer, shard, offset);
    } catch (error) {
      if (!(error instanceof PlatformError && error.code === 'subscription-active')) throw error;
      throw new AwsError('ResourceInUseException', otherActive(consumer, shard));
    }
  }

  /** Ends all subscriptions as their life does. */
  readonly stop = (): void => {
    for (const subscription of this.#open) subscription.end('left');
  };

  #answer(
    subscription: Subscription,
    { consumer, shard, arn }: { consumer: Consumer; shard: ShardState; arn: string },
    { wire, signal }: RequestContext,
  ): StreamedOutput {
    const cutter = new AbortController();
    this.#open.add(subscription);
    let isSent = false;
    void subscription.whenEnded.then((reason) => {
      if (isSent) return;
      const lingerMs = reason === 'left' ? LINGER_MS_MAX_AT_STOP : LINGER_MS_MAX;
      const linger = this.#clock.timer(lingerMs, () => cutter.abort());
      cutter.signal.addEventListener('abort', () => linger.cancel());
    });
    const over = (): void => {
      isSent = true;
      // Also stops what waits to cut it off.
      cutter.abort();
      subscription.end('left');
      this.#open.delete(subscription);
      if (this.#open.size === 0) for (const events of this.#events.values()) events.clear();
    };
    const leave = (): void => subscription.end('left');
    if (signal.aborted) leave();
    else signal.addEventListener('abort', leave, { once: true });
    const chunks = push({
      subscription,
      events: this.#eventsOf(wire),
      wire,
      clock: this.#clock,
      children: () => this.#streams.children(shard).map(describeChild),
      refusals: {
        takenOver: otherActive(consumer, shard),
        gone: consumerNotFound(arn).message,
      },
      onFailure: (error) =>
        this.#logger?.error(
          { err: error, stream: consumer.stream, consumer: consumer.name, shard: shard.shardId },
          'a subscription failed',
        ),
    });
    return new StreamedOutput({
      contentType: 'application/vnd.amazon.eventstream',
      chunks,
      cut: cutter.signal,
      over,
    });
  }

  #eventsOf(wire: Wire): ShardEvents {
    let events = this.#events.get(wire.name);
    if (events === undefined) {
      const { format, contentType, timestampsPerSecond } = wire;
      events = new ShardEvents(
        this.#streams,
        format === 'json' ? jsonEvents(contentType) : cborEvents(contentType, timestampsPerSecond),
      );
      this.#events.set(wire.name, events);
    }
    return events;
  }
}

/** To who comes too early, and to who is taken over from. */
function otherActive({ stream, name }: Consumer, { shardId }: ShardState): string {
  return `Another active subscription exists for this consumer: ${ACCOUNT_ID}:${stream}:${shardId}:${name}`;
}
