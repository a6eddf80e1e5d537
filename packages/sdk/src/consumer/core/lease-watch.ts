/**
 * Which leases have expired. Clocks of machines are never compared: a lease has expired for this worker when it saw the
 * same counter for as long as a lease lasts, by its own clock.
 */
import type { Lease } from './lease.ts';

interface Seen {
  readonly counter: number;
  readonly sinceMs: number;
}

export class LeaseWatch {
  #seen: ReadonlyMap<string, Seen> = new Map();

  /** Takes all leases as they were read at `nowMs`, of a clock that never goes back. Those not among them are forgotten. */
  observe(leases: readonly Lease[], nowMs: number): void {
    this.#seen = new Map(
      leases.map(({ shardId, counter }) => {
        const before = this.#seen.get(shardId);
        return [shardId, before?.counter === counter ? before : { counter, sinceMs: nowMs }];
      }),
    );
  }

  /** How long the lease has not moved; 0 for one that was never observed. */
  stillMs(shardId: string, nowMs: number): number {
    const seen = this.#seen.get(shardId);
    return seen === undefined ? 0 : nowMs - seen.sinceMs;
  }
}
