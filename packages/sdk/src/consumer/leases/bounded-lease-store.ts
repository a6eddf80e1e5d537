import { within } from '../bounded-wait.ts';
import type { Lease } from '../core/lease.ts';
import type { LeaseScope, LeaseStore } from './lease-store.ts';

/** A store whose calls reject with `no-answer` after `msMax`: one that fell silent must not stop its workers for good. */
export class BoundedLeaseStore implements LeaseStore {
  readonly #store: LeaseStore;
  readonly #msMax: number;

  constructor(store: LeaseStore, msMax: number) {
    this.#store = store;
    this.#msMax = msMax;
  }

  list(scope: LeaseScope): Promise<Lease[]> {
    return this.#bounded(() => this.#store.list(scope));
  }

  read(scope: LeaseScope, shardId: string): Promise<Lease | undefined> {
    return this.#bounded(() => this.#store.read(scope, shardId));
  }

  create(scope: LeaseScope, lease: Lease): Promise<boolean> {
    return this.#bounded(() => this.#store.create(scope, lease));
  }

  replace(scope: LeaseScope, lease: Lease, counter: number): Promise<boolean> {
    return this.#bounded(() => this.#store.replace(scope, lease, counter));
  }

  delete(scope: LeaseScope, shardId: string, counter: number): Promise<boolean> {
    return this.#bounded(() => this.#store.delete(scope, shardId, counter));
  }

  #bounded<T>(call: () => Promise<T>): Promise<T> {
    return within({ what: 'The lease store', msMax: this.#msMax }, call);
  }
}
