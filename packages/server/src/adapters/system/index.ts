/** The system's clock and randomness. */
import { randomBytes, randomUUID } from 'node:crypto';
import type { Clock } from '../../ports/clock.ts';
import type { Random } from '../../ports/random.ts';

/** Longest delay of one timer of Node; a longer wait is made of several. */
const DELAY_MS_MAX = 2 ** 31 - 1;

export function createSystemClock(): Clock {
  return {
    nowMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    sleep(ms, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      if (signal?.aborted) return Promise.reject(signal.reason as Error);
      const cancel = startTimer(ms, () => {
        signal?.removeEventListener('abort', abort);
        resolve();
      });
      const abort = (): void => {
        cancel();
        reject(signal?.reason as Error);
      };
      signal?.addEventListener('abort', abort, { once: true });
      return promise;
    },
    timer: (ms, fn) => ({ cancel: startTimer(ms, fn) }),
  };
}

function startTimer(ms: number, fn: () => void): () => void {
  let left = Math.max(0, ms);
  let handle: NodeJS.Timeout;
  const arm = (): void => {
    const delay = Math.min(left, DELAY_MS_MAX);
    left -= delay;
    handle = setTimeout(() => (left > 0 ? arm() : fn()), delay);
  };
  arm();
  return () => clearTimeout(handle);
}

export function createSystemRandom(): Random {
  return { bytes: (length) => new Uint8Array(randomBytes(length)), uuid: () => randomUUID() };
}
