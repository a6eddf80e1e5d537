import { GetRecordsCommand, GetShardIteratorCommand, type GetRecordsOutput } from '@aws-sdk/client-kinesis';
import { within } from '../bounded-wait.ts';
import { backoffMs, INITIAL_PACE, paceAfterRead, paceAfterThrottling } from '../core/pace.ts';
import {
  type Fetched,
  failureOf,
  GONE,
  isGoneAfter,
  type Position,
  recordsOf,
  type Source,
  type SourceParts,
  startingPosition,
} from './source.ts';

/** Reads with GetRecords: at once while it is behind, with growing pauses while nothing comes. */
export function pollingSource(parts: SourceParts): Source {
  return (shardId, from, signal) => poll(parts, { shardId, from, signal });
}

interface Polled {
  readonly shardId: string;
  readonly from: Position;
  readonly signal: AbortSignal;
}

async function* poll(
  parts: SourceParts,
  { shardId, from, signal }: Polled,
): AsyncGenerator<Fetched, void, undefined> {
  const { clock, limits, random } = parts;
  const backoff = { baseMs: limits.retryMsMin, capMs: limits.retryMsMax };
  let position = from;
  let iterator: string | undefined;
  let pace = INITIAL_PACE;
  let failures = 0;
  while (!signal.aborted) {
    let answer: GetRecordsOutput;
    try {
      iterator ??= await iteratorAt(parts, { shardId, from: position, signal });
      const command = new GetRecordsCommand({ ShardIterator: iterator, Limit: limits.recordsMax });
      const bound = { what: `GetRecords of ${shardId}`, msMax: limits.callMsMax, signal };
      answer = await within(bound, (abortSignal) => parts.client.send(command, { abortSignal }));
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      if (await isGoneAfter(error, { shardId, signal }, parts)) {
        yield GONE;
        return;
      }
      const failure = failureOf(error);
      // Whatever is wrong with an iterator is right with a new one.
      if (failure !== 'throttled') iterator = undefined;
      if (failure === 'throttled') pace = paceAfterThrottling(pace, limits);
      const pauseMs = failure === 'throttled' ? pace.floorMs : 0;
      await clock.sleep(pauseMs + backoffMs(backoff, failures++, random), signal);
      continue;
    }
    const records = recordsOf(answer.Records);
    const last = records.at(-1);
    if (last !== undefined) position = { kind: 'after', sequenceNumber: last.sequenceNumber };
    iterator = answer.NextShardIterator;
    const isEnd = iterator === undefined || iterator === '';
    const { MillisBehindLatest: millisBehindLatest } = answer;
    yield { records, millisBehindLatest, isEnd };
    if (isEnd) return;
    pace = paceAfterRead(pace, { records: records.length, isBehind: (millisBehindLatest ?? 0) > 0 }, limits);
    if (pace.pauseMs > 0) await clock.sleep(pace.pauseMs, signal);
  }
}

async function iteratorAt(
  { client, stream, limits }: SourceParts,
  { shardId, from, signal }: Polled,
): Promise<string> {
  const { type, sequenceNumber, timestamp } = {
    sequenceNumber: undefined,
    timestamp: undefined,
    ...startingPosition(from),
  };
  const command = new GetShardIteratorCommand({
    StreamName: stream,
    ShardId: shardId,
    ShardIteratorType: type,
    StartingSequenceNumber: sequenceNumber,
    Timestamp: timestamp,
  });
  const bound = { what: `GetShardIterator of ${shardId}`, msMax: limits.callMsMax, signal };
  const { ShardIterator } = await within(bound, (abortSignal) => client.send(command, { abortSignal }));
  return ShardIterator!;
}
