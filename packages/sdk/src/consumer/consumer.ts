import { Coordinator } from './coordinator.ts';
import { readableLeases, START_LEASE } from './core/lineage.ts';
import { ConsumerError } from './errors.ts';
import { type ConsumerOptions, type Settings, settingsOf } from './options.ts';
import { listShards, syncLeases } from './shard-directory.ts';
import { fanOutSource, registerFanOut } from './sources/fan-out.ts';
import { pollingSource } from './sources/polling.ts';
import type { Source, SourceParts } from './sources/source.ts';
import type { ConsumerStatus, ShardStatus } from './status.ts';

export interface Consumer {
  /**
   * Resolves when the stream's shards are known and this worker takes part in sharing them. Rejects when the stream or
   * the lease store can't be reached; the consumer is then stopped.
   */
  start(): Promise<void>;
  /**
   * Finishes the batches under way and gives the leases up, so that other workers go on at once. What takes longer than
   * `handoverMs` is left as it is: its `signal` aborts, it can't make a checkpoint, and its lease expires.
   */
  stop(): Promise<void>;
  /** Resolves when it was stopped; rejects with the processor's error when `onError` said so. */
  readonly whenStopped: Promise<void>;
  status(): ConsumerStatus;
}

/**
 * A worker of an application that processes all records of a stream at least once: those of one shard in order, and those
 * of its children after them. Any number of workers, in as many processes, share the shards through the lease store.
 * Throws `invalid-option`; nothing begins before `start`.
 */
export function createConsumer(options: ConsumerOptions): Consumer {
  return new SharedConsumer(settingsOf(options));
}

class SharedConsumer implements Consumer {
  readonly #settings: Settings;
  readonly #stopped = Promise.withResolvers<void>();
  readonly whenStopped = this.#stopped.promise;
  readonly #ticking = new AbortController();
  #state: ConsumerStatus['state'] = 'new';
  #coordinator: Coordinator | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(settings: Settings) {
    this.#settings = settings;
    // Who doesn't look at it isn't to be ended by it.
    this.whenStopped.catch(() => {});
  }

  async start(): Promise<void> {
    if (this.#state !== 'new')
      throw new ConsumerError('already-started', 'A consumer is started once. Make another to start again.');
    this.#state = 'running';
    try {
      const source = await this.#openSource();
      await syncLeases(this.#settings);
      // `stop` may have been called meanwhile.
      if (this.#isStopping()) return this.#finish();
      this.#coordinator = new Coordinator(this.#settings, source, (error) => this.#failed(error));
    } catch (error) {
      this.#finish();
      throw error;
    }
    void this.#tick();
    void this.#coordinator.run().then(
      () => this.#finish(),
      (error: unknown) => {
        this.#failure ??= { error };
        this.#finish();
      },
    );
  }

  async stop(): Promise<void> {
    if (this.#state === 'new') this.#finish();
    if (this.#state === 'running') {
      this.#state = 'stopping';
      this.#coordinator?.stop();
    }
    await this.whenStopped.catch(() => {});
  }

  status(): ConsumerStatus {
    const { scope, me } = this.#settings;
    const leases = (this.#coordinator?.leases ?? []).filter(({ shardId }) => shardId !== START_LEASE);
    const readable = new Set(readableLeases(leases));
    const shards = leases.map((lease): ShardStatus => {
      const { shardId } = lease;
      const worker = this.#coordinator?.workers.get(shardId);
      const { owner, checkpoint } = worker?.held.lease ?? lease;
      const waiting = readable.has(lease) ? 'free' : 'waiting-for-parents';
      return {
        shardId,
        owner,
        isOwn: worker !== undefined,
        state: checkpoint.kind === 'end' ? 'ended' : owner === undefined ? waiting : 'leased',
        checkpoint,
        millisBehindLatest: worker?.millisBehindLatest,
        recordsProcessed: worker?.recordsProcessed,
      };
    });
    shards.sort((a, b) => (a.shardId < b.shardId ? -1 : 1));
    return { ...scope, workerId: me, state: this.#state, shards };
  }

  async #openSource(): Promise<Source> {
    const { client, scope, clock, random, limits, report, mode, consumerName } = this.#settings;
    const isGone: SourceParts['isGone'] = async (shardId, signal) => {
      const shards = await listShards(this.#settings, signal);
      return !shards.some((shard) => shard.shardId === shardId);
    };
    const parts: SourceParts = { client, stream: scope.stream, clock, random, limits, report, isGone };
    return mode === 'polling'
      ? pollingSource(parts)
      : fanOutSource(parts, await registerFanOut(parts, consumerName));
  }

  /** Apart from the rounds, which wait for the lease store. */
  async #tick(): Promise<void> {
    const { clock, limits } = this.#settings;
    while (!this.#ticking.signal.aborted) {
      await clock.sleep(limits.renewMs, this.#ticking.signal);
      this.#coordinator?.checkHeld();
    }
  }

  #failed(error: unknown): void {
    this.#failure ??= { error };
    void this.stop();
  }

  #isStopping(): boolean {
    return this.#state !== 'running';
  }

  #finish(): void {
    this.#state = 'stopped';
    this.#ticking.abort();
    if (this.#failure === undefined) this.#stopped.resolve();
    else this.#stopped.reject(this.#failure.error);
  }
}
