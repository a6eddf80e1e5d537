/**
 * Counts what goes through a shard, by slots of time that begin at the same moment for all shards, so that their rates
 * can be added. Two slots are kept: the present one, and the one before.
 */
import type { RecordRun } from '../api.ts';
import type { Amounts } from './api.ts';

const SLOT_MS = 10_000;
/** Rates over less time would be noise. */
const WINDOW_MS_MIN = 1_000;

interface Slot extends Amounts {
  /** The most of a reader's. */
  behindMs: number;
}

export class Traffic {
  #number = 0;
  #present = noTraffic();
  #before = noTraffic();

  /** Where to count what happens at a moment of monotonic time; valid in the caller's turn. */
  at(nowMs: number): Slot {
    const number = Math.floor(nowMs / SLOT_MS);
    if (number !== this.#number) this.#turnTo(number);
    return this.#present;
  }

  /** Adds what was counted in the window that ends now. */
  addTo(sum: Slot, nowMs: number): void {
    this.at(nowMs);
    for (const slot of [this.#present, this.#before]) {
      addAmounts(sum, slot);
      sum.behindMs = Math.max(sum.behindMs, slot.behindMs);
    }
  }

  #turnTo(number: number): void {
    const free = this.#before;
    this.#before = number === this.#number + 1 ? this.#present : noTraffic();
    this.#present = Object.assign(free, noTraffic());
    this.#number = number;
  }
}

export function noAmounts(): Amounts {
  return { inBytes: 0, inRecords: 0, outBytes: 0, outRecords: 0, throttledRecords: 0, throttledReads: 0 };
}

export function noTraffic(): Slot {
  return { ...noAmounts(), behindMs: 0 };
}

export function addAmounts(sum: Amounts, more: Readonly<Amounts>): void {
  sum.inBytes += more.inBytes;
  sum.inRecords += more.inRecords;
  sum.outBytes += more.outBytes;
  sum.outRecords += more.outRecords;
  sum.throttledRecords += more.throttledRecords;
  sum.throttledReads += more.throttledReads;
}

/** How long the window is that ends at a moment of monotonic time, when counting began at `startedMs`. */
export function windowMs(nowMs: number, { startedMs }: { readonly startedMs: number }): number {
  return Math.max(WINDOW_MS_MIN, Math.min(SLOT_MS + (nowMs % SLOT_MS), nowMs - startedMs));
}

/** What was counted in a window, a second. */
export function perSecond(counted: Readonly<Amounts>, { windowMs }: { readonly windowMs: number }): Amounts {
  const seconds = windowMs / 1_000;
  return {
    inBytes: counted.inBytes / seconds,
    inRecords: counted.inRecords / seconds,
    outBytes: counted.outBytes / seconds,
    outRecords: counted.outRecords / seconds,
    throttledRecords: counted.throttledRecords / seconds,
    throttledReads: counted.throttledReads / seconds,
  };
}

/** Of what a reader got. */
export function sizeOf(runs: readonly RecordRun[]): { readonly bytes: number; readonly records: number } {
  let bytes = 0;
  let records = 0;
  for (const { bounds, count } of runs) {
    bytes += bounds[2 * count]! - bounds[0]!;
    records += count;
  }
  return { bytes, records };
}
