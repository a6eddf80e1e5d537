import {
  DescribeStreamConsumerCommand,
  DescribeStreamSummaryCommand,
  type KinesisClient,
  RegisterStreamConsumerCommand,
  SubscribeToShardCommand,
  type SubscribeToShardEvent,
} from '@aws-sdk/client-kinesis';
import { type Bound, within } from '../bounded-wait.ts';
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
  const bound = { what: `Registering the consumer "${consumerName}"`, msMax: limits.callMsMax };
  const { StreamDescriptionSummary } = await within(bound, (abortSignal) =>
    client.send(new DescribeStreamSummaryCommand({ StreamName: stream }), { abortSignal }),
  );
  const names = { StreamARN: StreamDescriptionSummary!.StreamARN!, ConsumerName: consumerName };
  const backoff = { baseMs: limits.retryMsMin, capMs: 1_000 };
  for (let looks = 0; looks < LOOKS_MAX; looks++) {
    try {
      const { ConsumerDescription } = await within(bound, (abortSignal) =>
        client.send(new DescribeStreamConsumerCommand(names), { abortSignal }),
      );
      if (ConsumerDescription?.ConsumerStatus === 'ACTIVE') return ConsumerDescription.ConsumerARN!;
    } catch (error) {
      const failure = failureOf(error);
      if (failure === 'not-found') await register(client, names, bound);
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
  bound: Bound,
): Promise<void> {
  try {
    await within(bound, (abortSignal) =>
      client.send(new RegisterStreamConsumerCommand(names), { abortSignal }),
    );
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
      if (await isGoneAfter(error, { shardId, signal }, parts)) {
        yield GONE;
        return;
      }
    }
    if (!signal.aborted) await clock.sleep(backoffMs(backoff, failures++, random), signal);
  }
}

/** Throws when it can't be had, and when it falls silent; its connection is closed when nobody goes on. */
async function* subscription(
  { client, limits }: SourceParts,
  { consumerArn, shardId, from, signal }: Followed,
): AsyncGenerator<SubscribeToShardEvent, void, undefined> {
  const start = { sequenceNumber: undefined, timestamp: undefined, ...startingPosition(from) };
  const command = new SubscribeToShardCommand({
    ConsumerARN: consumerArn,
    ShardId: shardId,
    StartingPosition: { Type: start.type, SequenceNumber: start.sequenceNumber, Timestamp: start.timestamp },
  });
  const closing = new AbortController();
  const what = `The subscription to ${shardId}`;
  try {
    const { EventStream } = await within({ what, msMax: limits.callMsMax, signal }, (abortSignal) => {
      abortSignal.addEventListener('abort', () => closing.abort(), { once: true });
      return client.send(command, { abortSignal: closing.signal });
    });
    const events = EventStream![Symbol.asyncIterator]();
    for (;;) {
      const got = await within({ what, msMax: limits.silenceMsMax, signal }, () => events.next());
      if (got.done === true) return;
      if (got.value.SubscribeToShardEvent !== undefined) yield got.value.SubscribeToShardEvent;
    }
  } finally {
    // Not the iterator's `return`: it waits for what is under way, which may be never.
    closing.abort();
  }
}
