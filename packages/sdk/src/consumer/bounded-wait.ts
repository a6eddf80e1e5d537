/**
 * Waits for a service that end. A connection whose other side vanished without a word (a machine without power, a network
 * that drops packets) neither answers nor fails, and the AWS SDK alone waits on it for minutes or for ever.
 */
import { ConsumerError } from './errors.ts';

export interface Bound {
  /** What is waited for, for people. */
  readonly what: string;
  readonly msMax: number;
  /** Ends the wait earlier. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Resolves and rejects as `call` does; rejects with `no-answer` after `msMax`, by the machine's clock, whatever the call
 * does meanwhile. The call's signal aborts then, and with `signal`.
 */
export async function within<T>(
  { what, msMax, signal }: Bound,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const bound = new AbortController();
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = (reason: unknown): void => {
    bound.abort(reason);
    reject(reason);
  };
  const aborted = (): void => end(signal!.reason);
  const timer = setTimeout(() => end(noAnswer(what, msMax)), msMax);
  signal?.addEventListener('abort', aborted, { once: true });
  if (signal?.aborted === true) aborted();
  try {
    const called = call(bound.signal);
    // It may fail after the wait was given up.
    called.catch(() => {});
    return await Promise.race([called, ended]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', aborted);
    ended.catch(() => {});
  }
}

function noAnswer(what: string, msMax: number): ConsumerError {
  return new ConsumerError(
    'no-answer',
    `${what}: nothing came for ${msMax} ms. The connection is given up and made anew.`,
  );
}
