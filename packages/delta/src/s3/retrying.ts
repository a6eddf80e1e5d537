/** Sends requests again when their failure may pass: bounded, slower each time, at random moments. */
import { DeltaError } from '../errors.ts';
import { failureKind, isWorthRetrying, storeError } from './failures.ts';

export interface RetryLimits {
  /** Times that one request is sent; default 8. */
  readonly attemptsMax: number;
  /** Bound of the pause before the second attempt; it doubles with each further one. Default 100. */
  readonly firstPauseMsMax: number;
  /** Bound of any pause; default 10,000. */
  readonly pauseMsMax: number;
  /** Bound of the time that a request may take, or that a transfer may stand still; default 60,000. */
  readonly stallMsMax: number;
}

export const RETRY_DEFAULTS: RetryLimits = {
  attemptsMax: 8,
  firstPauseMsMax: 100,
  pauseMsMax: 10_000,
  stallMsMax: 60_000,
};

/** The slowest that bytes are sent: by so much longer may a request with a body take. */
const UPLOAD_BYTES_PER_MS_MIN = 50;
/** Throttled requests wait at least this share of the pause: a service that asks for less gets less. */
const THROTTLED_PAUSE_SHARE_MIN = 0.5;

export interface Attempt {
  /** From 1. */
  readonly number: number;
  /** Ends the attempt when it takes too long. */
  readonly signal: AbortSignal;
  /** Call when bytes arrived: the time that the attempt may take begins anew. */
  readonly progressed: () => void;
  /** Whether an earlier attempt may have had its effect although it failed. */
  readonly mayBeApplied: boolean;
}

export interface Retrying {
  readonly limits: RetryLimits;
  /** Resolves after a time in ms; rejects with the signal's reason once it is aborted. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** In [0, 1). */
  readonly random: () => number;
}

export interface RetriedRequest {
  /** Names the request in messages, such as `read "a/b"`. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
  /** Bytes that are sent; default 0. */
  readonly sizeBytes?: number;
}

/**
 * The first result of an attempt; after `attemptsMax` failures, or one that can't pass, the last failure as a
 * DeltaError, or the reason of the signal.
 */
export async function retrying<Result>(
  { limits, sleep, random }: Retrying,
  request: RetriedRequest,
  attempt: (attempt: Attempt) => Promise<Result>,
): Promise<Result> {
  let mayBeApplied = false;
  for (let number = 1; ; number += 1) {
    request.signal?.throwIfAborted();
    const stallMsMax = limits.stallMsMax + (request.sizeBytes ?? 0) / UPLOAD_BYTES_PER_MS_MIN;
    const watch = stallWatch(stallMsMax, request.signal);
    try {
      return await attempt({ number, signal: watch.signal, progressed: watch.restart, mayBeApplied });
    } catch (error) {
      request.signal?.throwIfAborted();
      if (error instanceof DeltaError) throw error;
      const kind = failureKind(error);
      if (!isWorthRetrying(kind) || number >= limits.attemptsMax) {
        throw storeError(request.what, watch.stalled() ? stalled(stallMsMax, error) : error);
      }
      mayBeApplied ||= kind === 'passing';
      const bound = Math.min(limits.pauseMsMax, limits.firstPauseMsMax * 2 ** (number - 1));
      const least = kind === 'throttled' ? THROTTLED_PAUSE_SHARE_MIN : 0;
      await sleep(bound * (least + (1 - least) * random()), request.signal);
    } finally {
      watch.end();
    }
  }
}

function stallWatch(
  stallMsMax: number,
  outer: AbortSignal | undefined,
): { signal: AbortSignal; restart: () => void; stalled: () => boolean; end: () => void } {
  const controller = new AbortController();
  let isStalled = false;
  const timer = setTimeout(() => {
    isStalled = true;
    controller.abort(new Error('the service did not answer in time'));
  }, stallMsMax);
  return {
    signal: outer === undefined ? controller.signal : AbortSignal.any([controller.signal, outer]),
    restart: () => void timer.refresh(),
    stalled: () => isStalled,
    end: () => clearTimeout(timer),
  };
}

function stalled(ms: number, cause: unknown): Error {
  return new Error(`the service stood still for ${Math.round(ms)} ms`, { cause });
}
