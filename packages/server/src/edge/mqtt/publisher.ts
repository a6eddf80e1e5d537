/** Messages into their streams: durable when `publish` says so, with a bounded retry while the log is overloaded. */
import { PlatformError } from '../../base/errors.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Logger } from '../../ports/observe.ts';
import { RECORD_BYTES_MAX_LEAST, type Streams, type StreamsErrorCode } from '../../modules/streams/index.ts';
import type { MqttLimits } from './limits.ts';
import { REASONS, type Reason } from './reasons.ts';
import { PARTITION_KEY_LENGTH_MAX, isTopicName, type Routes } from './routes.ts';

export interface Message {
  readonly topic: string;
  readonly clientId: string;
  readonly payload: Buffer;
}

export interface Publisher {
  /** Per message, in their order: undefined once it is durable in its stream, or why it isn't in it. Never rejects. */
  publish(messages: readonly Message[]): Promise<(Reason | undefined)[]>;
  /** Why a topic could take no message of a client at all; undefined for one that can. */
  problemOf(topic: string, clientId: string): Reason | undefined;
}

export interface PublisherOptions {
  readonly streams: Pick<Streams, 'append' | 'describe'>;
  readonly routes: Routes;
  readonly limits: MqttLimits;
  readonly clock: Clock;
  readonly logger: Logger;
}

interface Column {
  readonly at: number;
  readonly partitionKey: string;
  readonly data: Buffer;
}

export function createPublisher(options: PublisherOptions): Publisher {
  const { streams, routes, limits, clock, logger } = options;

  const place = ({ topic, clientId, payload }: Message) => {
    if (!isTopicName(topic)) return REASONS.topicName;
    if (payload.length > limits.payloadBytesMax) return REASONS.tooLarge(limits.payloadBytesMax);
    const destination = routes(topic, clientId);
    if (destination === undefined) return REASONS.noRoute(topic);
    const { partitionKey } = destination;
    const characters = partitionKey.length > PARTITION_KEY_LENGTH_MAX ? Array.from(partitionKey).length : 1;
    if (partitionKey === '' || characters > PARTITION_KEY_LENGTH_MAX) return REASONS.partitionKey;
    return destination;
  };

  const tooLarge = (stream: string, { partitionKey, data }: Column): Reason | undefined => {
    const bytes = data.length + Buffer.byteLength(partitionKey);
    if (bytes <= RECORD_BYTES_MAX_LEAST) return undefined;
    const { settings } = streams.describe(stream);
    return bytes > settings.recordBytesMax ? REASONS.recordTooLarge(settings.recordBytesMax) : undefined;
  };

  const append = async (stream: string, columns: readonly Column[], outcomes: (Reason | undefined)[]) => {
    let left = columns;
    for (let attempt = 1; ; attempt++) {
      let error: unknown;
      try {
        left = left.filter((column) => (outcomes[column.at] = tooLarge(stream, column)) === undefined);
        if (left.length === 0) return;
        const { throttled } = await streams.append(
          stream,
          {
            partitionKeys: left.map((column) => column.partitionKey),
            data: left.map((column) => column.data),
          },
          { publicOnly: true },
        );
        left = throttled === undefined ? [] : left.filter((_, at) => throttled[at] === 1);
        if (left.length === 0) return;
      } catch (thrown) {
        error = thrown;
      }
      const known = error instanceof PlatformError ? error : undefined;
      const busy = error === undefined || known?.retry === 'backoff';
      if (busy && attempt < limits.attemptsMax) {
        await clock.sleep(limits.retryMsFirst * 2 ** (attempt - 1));
        continue;
      }
      const code = known?.code as StreamsErrorCode | undefined;
      if (!busy && code !== 'stream-not-found')
        logger.error(
          { stream, error: error instanceof Error ? error.message : String(error) },
          'an append failed',
        );
      const reason = busy
        ? REASONS.busy
        : code === 'stream-not-found'
          ? REASONS.noStream(stream)
          : REASONS.failed;
      for (const { at } of left) outcomes[at] = reason;
      return;
    }
  };

  return {
    problemOf(topic, clientId) {
      const placed = place({ topic, clientId, payload: Buffer.alloc(0) });
      return 'code' in placed ? placed : undefined;
    },
    async publish(messages) {
      const outcomes: (Reason | undefined)[] = Array<Reason | undefined>(messages.length).fill(undefined);
      const byStream = new Map<string, Column[]>();
      for (const [at, message] of messages.entries()) {
        const placed = place(message);
        if ('code' in placed) {
          outcomes[at] = placed;
          continue;
        }
        const columns = byStream.get(placed.stream) ?? [];
        byStream.set(placed.stream, columns);
        columns.push({ at, partitionKey: placed.partitionKey, data: message.payload });
      }
      await Promise.all([...byStream].map(([stream, columns]) => append(stream, columns, outcomes)));
      return outcomes;
    },
  };
}
