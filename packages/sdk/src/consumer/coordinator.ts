/** Which shards this worker works on: it renews, hands over, takes and asks, a round at a time. */
import { type Lease, requested, taken } from './core/lease.ts';
import { planRound } from './core/assignment.ts';
import { LeaseWatch } from './core/lease-watch.ts';
import { readableLeases } from './core/lineage.ts';
import { HeldLease } from './held-lease.ts';
import type { Settings } from './options.ts';
import { syncLeases } from './shard-directory.ts';
import { type Outcome, ShardWorker } from './shard-worker.ts';
import type { Source } from './sources/source.ts';

/** Writes to the lease store that one round has under way at the same time. */
const WRITES_AT_ONCE_MAX = 20;

export class Coordinator {
  readonly #settings: Settings;
  readonly #source: Source;
  readonly #onStop: (error: unknown) => void;
  readonly #workers = new Map<string, ShardWorker>();
  readonly #runs = new Set<Promise<void>>();
  readonly #watch = new LeaseWatch();
  /** When this worker asked for a lease. */
  readonly #asked = new Map<string, number>();
  /** The counter at which a lease was given up or lost: a list that was read before says nothing. */
  readonly #left = new Map<string, number>();
  #leases: readonly Lease[] = [];
  #discoverAtMs = 0;
  #discovering: Promise<void> | undefined;
  /** Ends a look for shards that is under way. */
  readonly #stopping = new AbortController();
  #isStopping = false;
  /** After `handoverMs` of stopping, what is still under way is no longer waited for. */
  #isAbandoned = false;
  #wake = new AbortController();

  /** `onStop` is called when a processor's failure is to stop this consumer. */
  constructor(settings: Settings, source: Source, onStop: (error: unknown) => void) {
    this.#settings = settings;
    this.#source = source;
    this.#onStop = onStop;
  }

  /** As the last round saw them. */
  get leases(): readonly Lease[] {
    return this.#leases;
  }

  get workers(): ReadonlyMap<string, ShardWorker> {
    return this.#workers;
  }

  /** Goes on until `stop` was called and all leases are given up. */
  async run(): Promise<void> {
    const { clock, limits } = this.#settings;
    while (this.#hasWork()) {
      const wake = (this.#wake = new AbortController());
      await this.#round();
      if (this.#hasWork()) await clock.sleep(limits.renewMs, wake.signal);
    }
    if (!this.#isAbandoned) await Promise.all([...this.#runs, this.#discovering]);
  }

  #hasWork(): boolean {
    return !this.#isStopping || (this.#workers.size > 0 && !this.#isAbandoned);
  }

  /** Gives all leases up when their batches are processed, or leaves them after `handoverMs`. */
  stop(): void {
    const { clock, limits } = this.#settings;
    this.#isStopping = true;
    this.#stopping.abort();
    for (const worker of this.#workers.values()) worker.drain();
    this.#wake.abort();
    const timer = new AbortController();
    void clock.sleep(limits.handoverMs, timer.signal).then(() => {
      this.#isAbandoned = this.#workers.size > 0;
      this.#wake.abort();
      for (const worker of this.#workers.values()) worker.held.lose();
    });
    void this.#whenIdle().then(() => timer.abort());
  }

  /** Finds leases that were not renewed in time, also while the store doesn't answer. */
  checkHeld(): void {
    for (const worker of this.#workers.values()) worker.held.isHeld();
  }

  async #whenIdle(): Promise<void> {
    while (this.#runs.size > 0) await Promise.all(this.#runs);
  }

  async #round(): Promise<void> {
    const { leases: store, scope, clock, report } = this.#settings;
    this.#discover();
    try {
      const leases = await store.list(scope);
      this.#leases = leases;
      this.#watch.observe(leases, clock.monotonicMs());
      await bounded(
        leases.filter((lease) => this.#isHandedOver(lease)),
        (lease) => this.#adopt(lease),
      );
      await bounded([...this.#workers.values()], (worker) => worker.held.renew());
      if (!this.#isStopping) await this.#assign(leases);
    } catch (error) {
      report({ kind: 'store-failed', error });
    }
  }

  /** Apart from the rounds, which renew: a stream that doesn't answer must not cost leases. */
  #discover(): void {
    const { clock, limits } = this.#settings;
    if (this.#isStopping || this.#discovering !== undefined || clock.monotonicMs() < this.#discoverAtMs)
      return;
    this.#discoverAtMs = clock.monotonicMs() + limits.discoverMs;
    this.#discovering = this.#findShards().finally(() => (this.#discovering = undefined));
  }

  async #findShards(): Promise<void> {
    const { report } = this.#settings;
    try {
      await syncLeases(this.#settings, this.#stopping.signal);
      // There may be leases that nobody has.
      this.#wake.abort();
    } catch (error) {
      this.#discoverAtMs = 0;
      if (!this.#isStopping) report({ kind: 'discovery-failed', error });
    }
  }

  /** Looks at what others wrote: whether somebody asks for the lease, or gave it to this worker. */
  #isHandedOver({ shardId, owner, requestedBy, counter }: Lease): boolean {
    const { me } = this.#settings;
    const worker = this.#workers.get(shardId);
    if (owner !== me) {
      if (requestedBy !== me) this.#asked.delete(shardId);
      return false;
    }
    if (worker === undefined) return counter > (this.#left.get(shardId) ?? -1) && !this.#isStopping;
    if (requestedBy !== undefined && requestedBy !== me) worker.drain();
    return false;
  }

  /** How old the hand-over is isn't known: the lease is renewed before anything is done under it. */
  async #adopt(lease: Lease): Promise<void> {
    const { leases: store, scope, clock } = this.#settings;
    const sinceMs = clock.monotonicMs();
    const mine = { ...lease, counter: lease.counter + 1 };
    if (await store.replace(scope, mine, lease.counter)) this.#start(mine, sinceMs, undefined);
  }

  async #assign(leases: readonly Lease[]): Promise<void> {
    const { me, limits, clock, random } = this.#settings;
    const nowMs = clock.monotonicMs();
    const plan = planRound({
      leases: readableLeases(leases),
      me,
      running: new Set(this.#workers.keys()),
      stillMs: (shardId) => this.#watch.stillMs(shardId, nowMs),
      askedMs: (shardId) => {
        const askedAtMs = this.#asked.get(shardId);
        return askedAtMs === undefined ? undefined : nowMs - askedAtMs;
      },
      leaseMs: limits.leaseMs,
      handoverMs: limits.handoverMs,
      leasesMax: limits.leasesMax,
      stealsMax: limits.stealsMax,
      random,
    });
    await bounded(plan.take, (lease) => this.#take(lease));
    await bounded(plan.ask, (lease) => this.#ask(lease));
  }

  async #take(lease: Lease): Promise<void> {
    const { leases: store, scope, me, clock } = this.#settings;
    const sinceMs = clock.monotonicMs();
    const mine = taken(lease, me);
    if (!(await store.replace(scope, mine, lease.counter))) return;
    if (this.#isStopping) {
      // Nobody has to wait for it to expire.
      await store.replace(scope, { ...mine, owner: undefined, counter: mine.counter + 1 }, mine.counter);
    } else this.#start(mine, sinceMs, lease.owner);
  }

  async #ask(lease: Lease): Promise<void> {
    const { leases: store, scope, me, clock, report } = this.#settings;
    if (!(await store.replace(scope, requested(lease, me), lease.counter))) return;
    this.#asked.set(lease.shardId, clock.monotonicMs());
    report({ kind: 'lease-asked-for', shardId: lease.shardId, owner: lease.owner! });
  }

  #start(lease: Lease, sinceMs: number, from: string | undefined): void {
    const { scope, leases: store, clock, random, limits, report } = this.#settings;
    const { shardId, term } = lease;
    this.#asked.delete(shardId);
    const held = new HeldLease(lease, sinceMs, { scope, store, clock, random, limits, report });
    const worker = new ShardWorker(held, this.#source, this.#settings);
    this.#workers.set(shardId, worker);
    report({ kind: 'lease-taken', shardId, term, from });
    const run = worker.run().then((outcome) => this.#ended(worker, outcome));
    this.#runs.add(run);
    void run.then(() => this.#runs.delete(run));
  }

  #ended({ held }: ShardWorker, outcome: Outcome): void {
    const { report } = this.#settings;
    const { shardId, counter, owner } = held.lease;
    this.#workers.delete(shardId);
    this.#left.set(shardId, counter);
    if (outcome.kind === 'lost') report({ kind: 'lease-lost', shardId });
    else if (outcome.kind === 'ended') {
      report({ kind: 'shard-ended', shardId });
      // Its children have waited for it.
      this.#discoverAtMs = 0;
    } else report({ kind: 'lease-given-up', shardId, to: owner });
    if (outcome.kind === 'stop') this.#onStop(outcome.error);
    this.#wake.abort();
  }
}

async function bounded<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let start = 0; start < items.length; start += WRITES_AT_ONCE_MAX)
    await Promise.all(items.slice(start, start + WRITES_AT_ONCE_MAX).map(work));
}
