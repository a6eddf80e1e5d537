/** A lease that this worker has: all of its writes, one after another. */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from './clock.ts';
import { type Checkpoint, comparePositions, givenUp, type Lease } from './core/lease.ts';
import { backoffMs } from './core/pace.ts';
import { ConsumerError } from './errors.ts';
import type { Report } from './events.ts';
import type { ConsumerLimits } from './limits.ts';
import type { LeaseScope, LeaseStore } from './leases/lease-store.ts';

/** Others change a lease that is held only to ask for it, which happens once. */
const CONFLICTS_MAX = 10;

export interface HeldLeaseParts {
  readonly scope: LeaseScope;
  readonly store: LeaseStore;
  readonly clock: Clock;
  readonly random: () => number;
  readonly limits: ConsumerLimits;
  readonly report: Report;
}

/**
 * H1 A write is made only in the term that this worker was given; otherwise the lease is lost, for good.
 * H2 The lease counts as lost when no write succeeded for `leaseMs`, counted from before the write: no later than others
 *    take it for expired.
 */
export class HeldLease {
  readonly #parts: HeldLeaseParts;
  readonly #term: number;
  readonly #lost = new AbortController();
  #lease: Lease;
  #validUntilMs: number;
  #writes: Promise<unknown> = Promise.resolve();

  /** `sinceMs` is from before the lease was written or seen to be this worker's. */
  constructor(lease: Lease, sinceMs: number, parts: HeldLeaseParts) {
    this.#lease = lease;
    this.#term = lease.term;
    this.#parts = parts;
    this.#validUntilMs = sinceMs + parts.limits.leaseMs;
  }

  get lease(): Lease {
    return this.#lease;
  }

  /** Aborts when the lease is lost. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** Finds out whether it was renewed in time; once it was not, it stays lost. */
  isHeld(): boolean {
    if (!this.#lost.signal.aborted && this.#parts.clock.monotonicMs() >= this.#validUntilMs) this.lose();
    return !this.#lost.signal.aborted;
  }

  lose(): void {
    if (!this.#lost.signal.aborted) this.#lost.abort();
  }

  /** Resolves when it was renewed or is lost. */
  async renew(): Promise<void> {
    await this.#write((lease) => ({ ...lease, counter: lease.counter + 1 }));
  }

  /** Durable on return. Rejects with `lease-lost`, and with `invalid-checkpoint` when it would go back. */
  async checkpoint(checkpoint: Checkpoint): Promise<void> {
    const isWritten = await this.#write((lease) => {
      const before = lease.checkpoint;
      if (before.kind === 'after' && checkpoint.kind === 'after' && comparePositions(checkpoint, before) < 0)
        throw new ConsumerError(
          'invalid-checkpoint',
          `A checkpoint of ${lease.shardId} at ${checkpoint.sequenceNumber} would go back from ${before.sequenceNumber}.`,
        );
      return { ...lease, checkpoint, counter: lease.counter + 1 };
    });
    if (!isWritten) throw leaseLost(this.#lease.shardId);
  }

  /** Gives it to who asked for it, or to nobody; false when it is lost. */
  async giveUp(): Promise<boolean> {
    return this.#write(givenUp);
  }

  /** False when the lease is lost; tries again, while it may still be held, when the store can't be reached. */
  #write(change: (lease: Lease) => Lease): Promise<boolean> {
    const write = this.#writes.then(() => this.#writeNow(change));
    this.#writes = write.catch(() => {});
    return write;
  }

  async #writeNow(change: (lease: Lease) => Lease): Promise<boolean> {
    const { store, scope, clock, limits, random, report } = this.#parts;
    let conflicts = 0;
    for (let failures = 0; this.isHeld();) {
      const next = change(this.#lease);
      const sinceMs = clock.monotonicMs();
      try {
        if (await store.replace(scope, next, this.#lease.counter)) {
          this.#lease = next;
          this.#validUntilMs = sinceMs + limits.leaseMs;
          return true;
        }
        const found = await store.read(scope, this.#lease.shardId);
        if (isDeepStrictEqual(found, next)) {
          // The write was made, and only its answer was lost.
          this.#lease = next;
          return true;
        }
        if (found?.term !== this.#term || found.owner !== this.#lease.owner || ++conflicts >= CONFLICTS_MAX)
          break;
        this.#lease = found;
      } catch (error) {
        report({ kind: 'store-failed', error });
        const backoff = { baseMs: limits.retryMsMin, capMs: limits.renewMs };
        await clock.sleep(backoffMs(backoff, failures++, random), this.#lost.signal);
      }
    }
    this.lose();
    return false;
  }
}

export function leaseLost(shardId: string): ConsumerError {
  return new ConsumerError(
    'lease-lost',
    `The lease of ${shardId} was lost: another worker goes on from the last checkpoint.`,
  );
}
