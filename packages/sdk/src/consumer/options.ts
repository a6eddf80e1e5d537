import { hostname } from 'node:os';
import { randomUUID } from 'node:crypto';
import type { KinesisClient } from '@aws-sdk/client-kinesis';
import { type Clock, systemClock } from './clock.ts';
import { ConsumerError } from './errors.ts';
import type { ConsumerEvent, Report } from './events.ts';
import { type ConsumerLimits, limitsOf } from './limits.ts';
import { BoundedLeaseStore } from './leases/bounded-lease-store.ts';
import type { LeaseScope, LeaseStore } from './leases/lease-store.ts';
import type { RecordBatch, ShardProcessor } from './processor.ts';

/**
 * Where an application starts that never ran: with the oldest record, with what arrives from the first start on (by this
 * machine's clock), or with what arrived at or after a time.
 */
export type StartAt = 'TRIM_HORIZON' | 'LATEST' | Date;

export interface FailedBatch {
  readonly error: unknown;
  readonly batch: RecordBatch;
}
/**
 * Decides on a batch that failed `attemptsMax` times: `retry` tries as often again, `skip` passes over its records,
 * `stop` stops this consumer, and `whenStopped` rejects with the error.
 */
export type OnError = (failed: FailedBatch) => 'retry' | 'skip' | 'stop' | Promise<'retry' | 'skip' | 'stop'>;

export interface ConsumerOptions {
  /** For AWS or for a server that speaks its protocol; it stays yours to destroy. */
  readonly client: KinesisClient;
  readonly stream: string;
  /** Workers of the same name share the stream's shards; others see all records too. */
  readonly application: string;
  /** For people to tell workers apart; something unique is added to it. The host's name by default. */
  readonly workerId?: string;
  readonly leases: LeaseStore;
  /** Either: makes the processor of a shard, whenever its lease was taken. */
  readonly processor?: (shardId: string) => ShardProcessor;
  /** Or: processes a batch of any shard; batches of one shard come one after another. */
  readonly onRecords?: (batch: RecordBatch) => Promise<void> | void;
  /** `after-batch`, the default, makes a checkpoint when a batch was processed; with `manual` only you do. */
  readonly checkpoints?: 'after-batch' | 'manual';
  /** `TRIM_HORIZON` by default. Only the very first start of an application goes by it; the lease store keeps it. */
  readonly startAt?: StartAt;
  /** `polling` (the default) reads with GetRecords, `fan-out` with SubscribeToShard. */
  readonly mode?: 'polling' | 'fan-out';
  /** The name that fan-out registers; the application's by default. It stays registered. */
  readonly consumerName?: string;
  /** Without it, a failing batch is tried for ever, and its shard waits. */
  readonly onError?: OnError;
  /** Must not throw and returns at once. */
  readonly onEvent?: (event: ConsumerEvent) => void;
  readonly limits?: Partial<ConsumerLimits>;
  readonly clock?: Clock;
  /** From 0, inclusive, to 1. */
  readonly random?: () => number;
}

/** The options with all that was left out. */
export interface Settings {
  readonly client: KinesisClient;
  readonly scope: LeaseScope;
  readonly me: string;
  readonly leases: LeaseStore;
  readonly processor: (shardId: string) => ShardProcessor;
  readonly isManual: boolean;
  readonly startAt: StartAt;
  readonly mode: 'polling' | 'fan-out';
  readonly consumerName: string;
  readonly onError: OnError;
  readonly report: Report;
  readonly limits: ConsumerLimits;
  readonly clock: Clock;
  readonly random: () => number;
}

/** Throws `invalid-option`. */
export function settingsOf(options: ConsumerOptions): Settings {
  const {
    stream,
    application,
    processor,
    onRecords,
    clock = systemClock,
    startAt = 'TRIM_HORIZON',
  } = options;
  const { checkpoints = 'after-batch', mode = 'polling', workerId = hostname() } = options;
  for (const [name, value] of Object.entries({ stream, application, workerId }))
    if (typeof value !== 'string' || value === '') throw invalid(`${name} must be a text that is not empty.`);
  if ((processor === undefined) === (onRecords === undefined))
    throw invalid('Either processor or onRecords must be given, and not both.');
  if (checkpoints !== 'after-batch' && checkpoints !== 'manual')
    throw invalid(`checkpoints is "${String(checkpoints)}"; it must be "after-batch" or "manual".`);
  if (mode !== 'polling' && mode !== 'fan-out')
    throw invalid(`mode is "${String(mode)}"; it must be "polling" or "fan-out".`);
  checkStart(startAt, clock.nowMs());
  const limits = limitsOf(options.limits);
  return {
    client: options.client,
    scope: { application, stream },
    // A worker that was killed and started again must not be taken for its former self, which may still be writing.
    me: `${workerId}/${randomUUID().slice(0, 8)}`,
    leases: new BoundedLeaseStore(options.leases, limits.callMsMax),
    processor: processor ?? (() => ({ process: onRecords! })),
    isManual: checkpoints === 'manual',
    startAt,
    mode,
    consumerName: options.consumerName ?? application,
    onError: options.onError ?? (() => 'retry'),
    report: options.onEvent ?? (() => {}),
    limits,
    clock,
    random: options.random ?? Math.random,
  };
}

function checkStart(startAt: StartAt, nowMs: number): void {
  if (startAt instanceof Date) {
    if (!(startAt.getTime() <= nowMs))
      throw invalid(`startAt is ${String(startAt)}; it must be a time that is not in the future.`);
  } else if (startAt !== 'TRIM_HORIZON' && startAt !== 'LATEST')
    throw invalid(`startAt is "${String(startAt)}"; it must be "TRIM_HORIZON", "LATEST" or a Date.`);
}

const invalid = (message: string): ConsumerError => new ConsumerError('invalid-option', message);
