import {
  DescribeStreamConsumerCommand,
  DescribeStreamSummaryCommand,
  type KinesisClient,
  RegisterStreamConsumerCommand,
  SubscribeToShardCommand,
  type SubscribeToShardEvent,
} from '@aws-sdk/client-kinesis';
import { backoffMs } from '../core/pace.ts';
import { ConsumerError } from '../errors.ts';
import {
  failureOf,
  type Fetched,
  GONE,
  isGoneAfter,
  type Position,
  recordsOf,
  type Source,
  type SourceParts,
  startingPosition,
} from './source.ts';

/** How often a consumer that is being registered is looked at. */
const LOOKS_MAX = 60;

/** Registers the consumer unless it is, and resolves with its ARN when it is active. */
export async function registerFanOut(
  { client, stream, clock, limits, random }: SourceParts,
  consumerName: string,
): Promise<string> {
  const { StreamDescriptionSummary } = await client.send(
    new DescribeStreamSummaryCommand({ StreamName: stream }),
  );
  const names = { StreamARN: StreamDescriptionSummary!.StreamARN!, ConsumerName: consumerName };
  const backoff = { baseMs: limits.retryMsMin, capMs: 1_000 };
  for (let looks = 0; looks < LOOKS_MAX; looks++) {
    try {
      const { ConsumerDescription } = await client.send(new DescribeStreamConsumerCommand(names));
      if (ConsumerDescription?.ConsumerStatus === 'ACTIVE') return ConsumerDescription.ConsumerARN!;
    } catch (error) {
      const failure = failureOf(error);
      if (failure === 'not-found') await register(client, names);
      else if (failure !== 'throttled') throw error;
    }
    await clock.sleep(backoffMs(backoff, looks, random));
  }
  throw new ConsumerError(
    'gave-up',
    `The consumer "${consumerName}" of the stream "${stream}" did not become active.`,
  );
}

/** Another worker may have been quicker, or still be at it, and AWS takes five of these a second: all are looked at again. */
async function register(
  client: KinesisClient,
  names: { readonly StreamARN: string; readonly ConsumerName: string },
): Promise<void> {
  try {
    await client.send(new RegisterStreamConsumerCommand(names));
  } catch (error) {
    if (failureOf(error) !== 'throttled') throw error;
  }
}

/** Subscribes with SubscribeToShard, again and again where the last subscription ended. */
export function fanOutSource(parts: SourceParts, consumerArn: string): Source {
  return (shardId, from, signal) => follow(parts, { consumerArn, shardId, from, signal });
}

interface Followed {
  readonly consumerArn: string;
  readonly shardId: string;
  readonly from: Position;
  readonly signal: AbortSignal;
}

async function* follow(
  parts: SourceParts,
  { consumerArn, shardId, from, signal }: Followed,
): AsyncGenerator<Fetched, void, undefined> {
  const { clock, limits, random } = parts;
  const backoff = { baseMs: limits.retryMsMin, capMs: limits.retryMsMax };
  let position = from;
  let failures = 0;
  while (!signal.aborted) {
    try {
      for await (const event of subscription(parts, { consumerArn, shardId, from: position, signal })) {
        failures = 0;
        const { Records, MillisBehindLatest: millisBehindLatest, ContinuationSequenceNumber } = event;
        const isEnd = (event.ChildShards?.length ?? 0) > 0;
        // It may be ahead of the last record, and is there when no record is.
        if (ContinuationSequenceNumber !== undefined)
          position = { kind: 'after', sequenceNumber: ContinuationSequenceNumber };
        yield { records: recordsOf(Records), millisBehindLatest, isEnd };
        if (isEnd) return;
      }
      // A subscription that ends at once, without an event, must not be repeated without a pause.
      if (failures++ === 0) continue;
    } catch (error) {
      if (signal.aborted) return;
      if (await isGoneAfter(error, shardId, parts)) {
        yield GONE;
        return;
      }
    }
    if (!signal.aborted) await clock.sleep(backoffMs(backoff, failures++, random), signal);
  }
}

async function* subscription(
  { client }: SourceParts,
  { consumerArn, shardId, from, signal }: Followed,
): AsyncGenerator<SubscribeToShardEvent, void, undefined> {
  const start = { sequenceNumber: undefined, timestamp: undefined, ...startingPosition(from) };
  const command = new SubscribeToShardCommand({
    ConsumerARN: consumerArn,
    ShardId: shardId,
    StartingPosition: { Type: start.type, SequenceNumber: start.sequenceNumber, Timestamp: start.timestamp },
  });
  const { EventStream } = await client.send(command, { abortSignal: signal });
  const events = EventStream![Symbol.asyncIterator]();
  const aborted = Promise.withResolvers<undefined>();
  const abort = (): void => aborted.resolve(undefined);
  if (signal.aborted) abort();
  signal.addEventListener('abort', abort, { once: true });
  try {
    for (;;) {
      const next = events.next();
      next.catch(() => {});
      const got = await Promise.race([next, aborted.promise]);
      if (got === undefined || got.done === true) return;
      if (got.value.SubscribeToShardEvent !== undefined) yield got.value.SubscribeToShardEvent;
    }
  } finally {
    signal.removeEventListener('abort', abort);
    // Closes the connection's stream; it resolves only after what is under way, which may be never.
    void events.return?.().catch(() => {});
  }
}
