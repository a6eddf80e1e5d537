/** How long to wait before the next read or the next try. */

/** The n-th try after a failure (from 0) waits between half and all of `baseMs` × 2ⁿ, at most `capMs`. */
export interface Backoff {
  readonly baseMs: number;
  readonly capMs: number;
}

export function backoffMs({ baseMs, capMs }: Backoff, failures: number, random: () => number): number {
  const fullMs = Math.min(capMs, baseMs * 2 ** Math.min(failures, 30));
  return fullMs * (0.5 + random() / 2);
}

/** Pauses between reads of one shard. `floorMs` stands after throttling and melts with each read that was not. */
export interface Pace {
  readonly pauseMs: number;
  readonly floorMs: number;
}

export interface PaceLimits {
  readonly pollMsMin: number;
  readonly pollMsMax: number;
}

export const INITIAL_PACE: Pace = { pauseMs: 0, floorMs: 0 };
/** Below it, the pause that throttling left is dropped. */
const FLOOR_MS_MIN = 20;
const MELTING = 0.9;

/** Behind: read on at once. Something came: soon again. Nothing came: twice as long as the last time. */
export function paceAfterRead(
  pace: Pace,
  { records, isBehind }: { records: number; isBehind: boolean },
  { pollMsMin, pollMsMax }: PaceLimits,
): Pace {
  const melted = pace.floorMs * MELTING;
  const floorMs = melted < FLOOR_MS_MIN ? 0 : melted;
  const wantedMs = isBehind
    ? 0
    : records > 0
      ? pollMsMin
      : Math.min(pollMsMax, Math.max(pollMsMin, pace.pauseMs * 2));
  return { floorMs, pauseMs: Math.max(floorMs, wantedMs) };
}

/** AWS takes five reads a second from a shard. */
const THROTTLED_MS = 200;

export function paceAfterThrottling({ floorMs }: Pace, { pollMsMax }: PaceLimits): Pace {
  const raisedMs = Math.min(Math.max(pollMsMax, THROTTLED_MS), Math.max(THROTTLED_MS, floorMs * 2));
  return { floorMs: raisedMs, pauseMs: raisedMs };
}
