/** When a batch is closed, and when a failure is tried again. */
import type { BatchBounds } from './core/machine.ts';
import type { DeliveryLimits } from './limits.ts';
import type { Definition } from './store.ts';

/** Share of the interval that is set aside for the commit, so that rows are in the table when the interval ends. */
const COMMIT_SHARE_MIN = 0.2;
const COMMIT_SHARE_MAX = 0.6;
/** What a slow commit leaves of itself with each one after. */
const COMMIT_MS_KEPT = 0.9;
const MIB = 1024 * 1024;
/** Beyond it doubling the pause would leave the safe integers. */
const DOUBLINGS_MAX = 20;

export class Pace {
  readonly #limits: DeliveryLimits;
  /** From the end of a batch to its commit; falls slowly. */
  #commitMs = 0;

  constructor(limits: DeliveryLimits) {
    this.#limits = limits;
  }

  committed(commitMs: number): void {
    this.#commitMs = Math.max(commitMs, this.#commitMs * COMMIT_MS_KEPT);
  }

  /** From a batch's first record to its end. */
  batchMs({ destination }: Definition): number {
    const intervalMs = destination.bufferingIntervalSeconds * 1000;
    const margin = Math.min(
      intervalMs * COMMIT_SHARE_MAX,
      Math.max(intervalMs * COMMIT_SHARE_MIN, this.#commitMs * 2),
    );
    return intervalMs - margin;
  }

  /** Before the attempt after this many failures. */
  pauseMs(attempt: number): number {
    const { retryMsFirst, retryMsMax } = this.#limits;
    return Math.min(retryMsMax, retryMsFirst * 2 ** Math.min(attempt - 1, DOUBLINGS_MAX));
  }

  bounds({ destination }: Definition, { hurried }: { readonly hurried: boolean }): BatchBounds {
    const { bufferingIntervalSeconds, bufferingSizeMiB } = destination;
    return {
      recordsMax: this.#limits.batchRecordsMax,
      bytesMax: bufferingSizeMiB * MIB,
      immediately: hurried || bufferingIntervalSeconds === 0,
    };
  }
}
