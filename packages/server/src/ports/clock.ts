/**
 * Time as every module sees it. Nothing below `app` reads the system's clock, so that a test or a replay owns all
 * waiting, retention, leases and buffering.
 */
export interface Clock {
  /** Milliseconds since the Unix epoch. May step backwards when the system's clock is set. */
  nowMs(): number;
  /** Milliseconds from an arbitrary start; never steps backwards. For durations. */
  monotonicMs(): number;
  /** Resolves once `ms` have passed; rejects with the signal's reason when it is aborted before. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** Calls `fn` once after `ms`; `cancel` is idempotent and also releases the process from waiting for it. */
  timer(ms: number, fn: () => void): Timer;
}

export interface Timer {
  cancel(): void;
}
