/** Bounds of a consumer: every pause, buffer and number of tries has its name here. */
import { ConsumerError } from './errors.ts';

export interface ConsumerLimits {
  /**
   * A lease that its owner did not renew for so long is taken by another. The same for all workers of an application.
   */
  readonly leaseMs: number;
  /** Between renewals, and between looks at what others have; below a third of `leaseMs`. */
  readonly renewMs: number;
  /** Between looks for new shards; the end of a shard is always followed by one. */
  readonly discoverMs: number;
  /** How long an owner that was asked for a lease may finish its batch before the lease is taken; also of `stop`. */
  readonly handoverMs: number;
  /** Leases that one worker has at most. */
  readonly leasesMax: number;
  /** Leases that one worker asks others for at a time. */
  readonly stealsMax: number;
  /** Records of one GetRecords, 1 – 10,000; one batch is processed while one more is read. */
  readonly recordsMax: number;
  /** Pauses between reads of a shard where nothing came double from the first to the second. */
  readonly pollMsMin: number;
  readonly pollMsMax: number;
  /** How often a batch is tried before `onError` is asked. */
  readonly attemptsMax: number;
  /** How long a call of the stream or the lease store may go without an answer before it is given up and made again. */
  readonly callMsMax: number;
  /** How long a subscription may go without an event before it is made anew; servers send one every five seconds. */
  readonly silenceMsMax: number;
  /** Pauses after failures, of processing, reading and the lease store: doubling from the first to the second. */
  readonly retryMsMin: number;
  readonly retryMsMax: number;
}

/** What holds where nothing else is said. */
export const LIMITS: ConsumerLimits = {
  leaseMs: 10_000,
  renewMs: 3_000,
  discoverMs: 30_000,
  handoverMs: 30_000,
  leasesMax: 1_000,
  stealsMax: 1,
  recordsMax: 10_000,
  pollMsMin: 200,
  pollMsMax: 1_000,
  attemptsMax: 5,
  callMsMax: 20_000,
  silenceMsMax: 20_000,
  retryMsMin: 100,
  retryMsMax: 10_000,
};

/** All limits, the given ones instead of the defaults; throws `invalid-option` for one out of its bounds. */
export function limitsOf(given: Partial<ConsumerLimits> = {}): ConsumerLimits {
  const limits = { ...LIMITS, ...given };
  for (const [name, value] of Object.entries(limits)) {
    if (!(name in LIMITS)) throw invalid(name, 'is unknown', `One of: ${Object.keys(LIMITS).join(', ')}.`);
    if (!Number.isSafeInteger(value) || value < 1)
      throw invalid(name, `is ${value}`, 'It must be a whole number from 1.');
  }
  if (limits.recordsMax > 10_000)
    throw invalid('recordsMax', `is ${limits.recordsMax}`, 'Kinesis gives 10000 at most.');
  if (limits.renewMs * 3 > limits.leaseMs)
    throw invalid(
      'renewMs',
      `is ${limits.renewMs}`,
      `It must be at most a third of leaseMs (${limits.leaseMs}).`,
    );
  if (limits.pollMsMin > limits.pollMsMax)
    throw invalid(
      'pollMsMin',
      `is ${limits.pollMsMin}`,
      `It must not be above pollMsMax (${limits.pollMsMax}).`,
    );
  if (limits.retryMsMin > limits.retryMsMax)
    throw invalid(
      'retryMsMin',
      `is ${limits.retryMsMin}`,
      `It must not be above retryMsMax (${limits.retryMsMax}).`,
    );
  return limits;
}

function invalid(name: string, problem: string, wayOut: string): ConsumerError {
  return new ConsumerError('invalid-option', `limits.${name} ${problem}. ${wayOut}`);
}
