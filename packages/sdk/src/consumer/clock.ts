/** Time as the consumer sees it; a test gives its own. */
import { setTimeout as pause } from 'node:timers/promises';

export interface Clock {
  /** Wall clock, in milliseconds since 1970; only for positions in the stream. */
  nowMs(): number;
  /** Never goes back; all durations are measured with it. */
  monotonicMs(): number;
  /** Resolves after `ms`, or as soon as `signal` aborts; never rejects. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  sleep: async (ms, signal) => {
    await pause(ms, undefined, { signal }).catch(() => {});
  },
};
