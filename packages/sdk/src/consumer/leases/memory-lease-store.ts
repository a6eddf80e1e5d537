import type { Lease } from '../core/lease.ts';
import type { LeaseScope, LeaseStore } from './lease-store.ts';

/** Leases of one process, gone with it: for tests and for consumers that always start anew. */
export class MemoryLeaseStore implements LeaseStore {
  readonly #scopes = new Map<string, Map<string, Lease>>();

  async list(scope: LeaseScope): Promise<Lease[]> {
    return [...this.#leases(scope).values()];
  }

  async read(scope: LeaseScope, shardId: string): Promise<Lease | undefined> {
    return this.#leases(scope).get(shardId);
  }

  async create(scope: LeaseScope, lease: Lease): Promise<boolean> {
    const leases = this.#leases(scope);
    if (leases.has(lease.shardId)) return false;
    leases.set(lease.shardId, structuredClone(lease));
    return true;
  }

  async replace(scope: LeaseScope, lease: Lease, counter: number): Promise<boolean> {
    const leases = this.#leases(scope);
    if (leases.get(lease.shardId)?.counter !== counter) return false;
    leases.set(lease.shardId, structuredClone(lease));
    return true;
  }

  async delete(scope: LeaseScope, shardId: string, counter: number): Promise<boolean> {
    const leases = this.#leases(scope);
    return leases.get(shardId)?.counter === counter && leases.delete(shardId);
  }

  #leases({ application, stream }: LeaseScope): Map<string, Lease> {
    const key = JSON.stringify([application, stream]);
    const leases = this.#scopes.get(key) ?? new Map<string, Lease>();
    this.#scopes.set(key, leases);
    return leases;
  }
}
