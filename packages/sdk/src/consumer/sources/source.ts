/** Where the batches of a shard come from. */
import type { KinesisClient, _Record } from '@aws-sdk/client-kinesis';
import type { Clock } from '../clock.ts';
import type { Checkpoint } from '../core/lease.ts';
import type { KinesisRecord } from '../deaggregate.ts';
import type { Report } from '../events.ts';
import type { ConsumerLimits } from '../limits.ts';

export interface Fetched {
  readonly records: readonly KinesisRecord[];
  readonly millisBehindLatest: number | undefined;
  /** Nothing follows, ever: the shard is closed and read whole, or gone. */
  readonly isEnd: boolean;
}

/**
 * Batches from a position on, in order and without a gap, until the end of the shard or until `signal` aborts. Failures
 * are reported and tried again without an end; it never throws. At most what is asked for is read.
 */
export type Source = (
  shardId: string,
  from: Exclude<Checkpoint, { kind: 'end' }>,
  signal: AbortSignal,
) => AsyncGenerator<Fetched, void, undefined>;

export interface SourceParts {
  readonly client: KinesisClient;
  readonly stream: string;
  readonly clock: Clock;
  readonly random: () => number;
  readonly limits: ConsumerLimits;
  readonly report: Report;
  /** Whether the stream is there and the shard isn't in it; rejects when that can't be said. */
  readonly isGone: (shardId: string, signal: AbortSignal) => Promise<boolean>;
}

export type Position = Exclude<Checkpoint, { kind: 'end' }>;

/** With a position within an aggregated record, that record comes again, whole. */
export function startingPosition(position: Position) {
  if (position.kind === 'trim-horizon') return { type: 'TRIM_HORIZON' } as const;
  if (position.kind === 'timestamp')
    return { type: 'AT_TIMESTAMP', timestamp: new Date(position.atMs) } as const;
  const { sequenceNumber, subSequenceNumber } = position;
  const type = subSequenceNumber === undefined ? 'AFTER_SEQUENCE_NUMBER' : 'AT_SEQUENCE_NUMBER';
  return { type, sequenceNumber } as const;
}

export function recordsOf(records: readonly _Record[] | undefined): KinesisRecord[] {
  return (records ?? []).map(({ PartitionKey, SequenceNumber, Data, ApproximateArrivalTimestamp }) => ({
    partitionKey: PartitionKey!,
    sequenceNumber: SequenceNumber!,
    data: Data!,
    arrivalMs: ApproximateArrivalTimestamp?.getTime(),
  }));
}

const THROTTLED: ReadonlySet<string> = new Set([
  'ProvisionedThroughputExceededException',
  'LimitExceededException',
  'ThrottlingException',
  'KMSThrottlingException',
  'ResourceInUseException',
]);

/** What a failed call means for reading on. */
export function failureOf(error: unknown): 'throttled' | 'expired' | 'not-found' | 'other' {
  const name = error instanceof Error ? error.name : '';
  if (THROTTLED.has(name)) return 'throttled';
  if (name === 'ExpiredIteratorException') return 'expired';
  return name === 'ResourceNotFoundException' ? 'not-found' : 'other';
}

export const GONE: Fetched = { records: [], millisBehindLatest: undefined, isEnd: true };

/** Reports a failed read and says whether the shard is gone, which is reported too. */
export async function isGoneAfter(
  error: unknown,
  { shardId, signal }: { readonly shardId: string; readonly signal: AbortSignal },
  { isGone, report }: SourceParts,
): Promise<boolean> {
  const failure = failureOf(error);
  if (failure === 'not-found') {
    const gone = await isGone(shardId, signal).catch(() => false);
    if (gone) {
      report({ kind: 'shard-gone', shardId });
      return true;
    }
  }
  if (failure === 'throttled') report({ kind: 'throttled', shardId });
  else if (failure !== 'expired') report({ kind: 'read-failed', shardId, error });
  return false;
}
