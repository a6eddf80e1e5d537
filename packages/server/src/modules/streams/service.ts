/** The shell around the log: streams and their shards in memory, records in the journal, names in the MetaStore. */
import type { Clock } from '../../ports/clock.ts';
import type { Disk } from '../../ports/disk.ts';
import type { MetaStore } from '../../ports/meta-store.ts';
import type { Logger, Metrics } from '../../ports/observe.ts';
import type { KeyService } from '../../ports/key-service.ts';
import type { Random } from '../../ports/random.ts';
import type {
  Appended,
  CreateStream,
  ReadLimits,
  ReadResult,
  RecordsIn,
  ShardRef,
  ShardState,
  StreamChange,
  StreamDescription,
  StreamPage,
  Streams,
  StreamsError,
  StreamTotals,
} from './api.ts';
import { ConsumerRegistry } from './consumers/registry.ts';
import { Appender } from './appender.ts';
import { StreamEncryptions } from './encryption/stream-encryption.ts';
import { sizeOf } from './facts/traffic.ts';
import { StreamFactsGatherer } from './facts/stream-facts.ts';
import { damaged, shardNotFound, streamInUse, streamNotFound, streamsError } from './errors.ts';
import { Journal } from './journal/journal.ts';
import { DEFAULT_LIMITS, RETENTION_HOURS_MAX, RETENTION_HOURS_MIN, type StreamsLimits } from './limits.ts';
import { appendAdmitted, Meter } from './meter.ts';
import { checkRoom, newStream } from './new-stream.ts';
import { Reader } from './reader.ts';
import { Resharder } from './resharder.ts';
import { Retention } from './retention.ts';
import type { Shard } from './shard.ts';
import { Stream } from './stream.ts';
import { StreamStore, type Stored, type StoredStream } from './stream-store.ts';
import { waitFor } from './waiting.ts';

export interface StreamsOptions {
  readonly disk: Disk;
  /** Where the journal is kept; made when it is absent. */
  readonly directory: string;
  readonly meta: MetaStore;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly limits?: Partial<StreamsLimits>;
  /** Without one no stream is encrypted, and those that are can't be read. */
  readonly keys?: KeyService;
  /** `aws` holds streams of users to what Kinesis gives a shard; `off`, the default, to what the machine can do. */
  readonly capacity?: 'off' | 'aws';
  /** Called once when the disk failed: the log then refuses appends until a new process has recovered. */
  readonly onFailed?: (error: StreamsError) => void;
}

/**
 * Recovers what is durable and serves it. Rejects with `damaged` when the journal can't be recovered without loss.
 * `close` takes no more appends, makes those under way durable and releases the files.
 */
export async function createStreams(options: StreamsOptions): Promise<Streams & { close(): Promise<void> }> {
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const store = new StreamStore(options.meta);
  const stored = await store.load();
  const service = new StreamsService({ ...options, limits }, store, stored);
  await service.open(stored);
  return service;
}

const DAY_MS = 24 * 3_600_000;

class StreamsService implements Streams {
  readonly consumers: ConsumerRegistry;
  readonly facts: StreamFactsGatherer;
  readonly #options: StreamsOptions & { readonly limits: StreamsLimits };
  readonly #store: StreamStore;
  readonly #encryptions: StreamEncryptions;
  readonly #streams = new Map<string, Stream>();
  /** Names of streams that are being created, changed or deleted. */
  readonly #busy = new Set<string>();
  readonly #shards = new Map<number, Shard>();
  #names: readonly string[] | undefined;
  #journal!: Journal;
  #appender!: Appender;
  #reader!: Reader;
  #retention!: Retention;
  #resharder!: Resharder;
  /** Changes under way, which `close` waits for. */
  readonly #changes = new Set<Promise<unknown>>();

  constructor(
    options: StreamsOptions & { readonly limits: StreamsLimits },
    store: StreamStore,
    stored: Stored,
  ) {
    this.#options = options;
    this.#store = store;
    this.#encryptions = new StreamEncryptions({ ...options, store });
    this.consumers = new ConsumerRegistry({
      ...options,
      capacity: options.capacity ?? 'off',
      stream: (name) => this.#streams.get(name),
      shard: (uid) => this.#shards.get(uid),
    });
    this.facts = new StreamFactsGatherer({
      clock: options.clock,
      isLimited: options.capacity === 'aws',
      streams: () => this.#publicNames().map((name) => this.#streams.get(name)!),
      stream: (name) => this.#stream(name),
      consumersOf: (name) => this.consumers.factsOf(name),
      trim: (shard) => this.#reader.trim(shard),
    });
    for (const stream of stored.streams) this.#add(stream);
    for (const { uid, holder, offset } of stored.holds) this.#shards.get(uid)?.holds.set(holder, offset);
  }

  async open(stored: Stored): Promise<void> {
    const { clock, limits, logger, directory } = this.#options;
    const { disk } = this.#options;
    await disk.makeDirectory(`${directory}/journal`);
    await disk.syncDirectory(directory);
    const { journal, recovered } = await Journal.open({
      ...this.#options,
      directory: `${directory}/journal`,
      liveShards: () => this.#shards.values(),
      onDurable: (shard) => (shard as Shard).wake(),
    });
    this.#journal = journal;
    this.#appender = new Appender(journal, limits);
    for (const shard of this.#shards.values()) {
      shard.nextOffset = recovered.endOffsets.get(shard.uid) ?? 0;
      shard.raiseTrim(recovered.oldestOffsets.get(shard.uid) ?? 0);
    }
    checkEnds(stored, this.#shards);
    await this.consumers.load();
    const { dataKeys } = this.#encryptions;
    await dataKeys.removeBefore(journal.oldest);
    this.#reader = new Reader({ journal, clock, limits, dataKeys, removed: () => this.#retention.removed });
    this.#retention = new Retention({
      journal,
      reader: this.#reader,
      store: this.#store,
      dataKeys,
      clock,
      logger,
      intervalMs: limits.retentionSweepIntervalMs,
      shards: this.#shards,
      removed: stored.removed,
      forget: (shards) => this.#forget(shards),
    });
    this.#resharder = new Resharder({
      journal,
      store: this.#store,
      clock,
      logger,
      limits,
      openShards: () => this.#openShards(),
      onOpened: (shards) => {
        for (const shard of shards) this.#shards.set(shard.uid, shard);
      },
    });
    this.#retention.start();
  }

  async create(input: CreateStream): Promise<StreamDescription> {
    const { limits, clock } = this.#options;
    if (this.#streams.has(input.name) || this.#busy.has(input.name))
      throw streamsError({ code: 'stream-exists', message: `there is a stream "${input.name}" already` });
    checkRoom(input.shardCount, {
      streams: this.#streams.size + this.#busy.size,
      openShards: this.#openShards(),
      limits,
    });
    const { stream, shards } = newStream(input, clock.nowMs());
    return this.#changing(input.name, async () => {
      const stored = await this.#store.create(stream, shards);
      return this.#add({ ...stream, shards: stored }).describe();
    });
  }

  async delete(name: string): Promise<void> {
    const stream = this.#stream(name);
    await this.#changing(name, async () => {
      await this.#store.delete(name);
      this.#streams.delete(name);
      this.#names = undefined;
      this.consumers.streamDeleted(name);
      for (const shard of stream.shards) {
        shard.gone = true;
        this.#shards.delete(shard.uid);
        shard.wake();
      }
      this.#retention.policyChanged();
    });
  }

  describe(name: string): StreamDescription {
    return this.#stream(name).describe();
  }

  list(page: { readonly startAfter?: string; readonly limit: number }): StreamPage {
    const names = this.#publicNames();
    const { startAfter } = page;
    const first = startAfter === undefined ? 0 : names.findIndex((name) => name > startAfter);
    if (first === -1) return { streams: [], more: false };
    const chosen = names.slice(first, first + page.limit);
    return { streams: chosen.map((name) => this.describe(name)), more: first + page.limit < names.length };
  }

  /** Sorted. */
  #publicNames(): readonly string[] {
    return (this.#names ??= [...this.#streams.values()]
      .filter((stream) => !stream.internal)
      .map((stream) => stream.name)
      .sort());
  }

  async setRetention(name: string, retentionHours: number): Promise<void> {
    const stream = this.#stream(name);
    if (
      !Number.isInteger(retentionHours) ||
      retentionHours < RETENTION_HOURS_MIN ||
      retentionHours > RETENTION_HOURS_MAX
    )
      throw streamsError({
        code: 'invalid',
        message: `records are kept for ${RETENTION_HOURS_MIN} to ${RETENTION_HOURS_MAX} hours, not ${retentionHours}`,
      });
    await this.#changing(name, async () => {
      const settings = stream.settingsFor(retentionHours, this.#options.clock.nowMs());
      await this.#store.setRetention(name, retentionHours, settings);
      stream.settings = settings;
      stream.retentionHours = retentionHours;
      this.#retention.policyChanged();
    });
  }

  async setTags(name: string, tags: Readonly<Record<string, string>>): Promise<void> {
    const stream = this.#stream(name);
    await this.#store.setTags(name, tags);
    stream.tags = tags;
  }

  async configure(name: string, change: StreamChange): Promise<void> {
    const stream = this.#stream(name);
    await this.#changing(name, async () => {
      const { mode = stream.mode, ...settings } = change;
      const nowMs = this.#options.clock.nowMs();
      const recent = stream.settings.modeChangesMs.filter((atMs) => atMs > nowMs - DAY_MS);
      const modeChangesMs = mode === stream.mode ? recent : [...recent, nowMs];
      const changed = { mode, settings: { ...stream.settings, ...settings, modeChangesMs } };
      await this.#store.configure(name, changed);
      Object.assign(stream, changed);
    });
  }

  async startEncryption(name: string, master: { key: string; named: string }): Promise<void> {
    const stream = this.#stream(name);
    await this.#changing(name, () => this.#encryptions.start(stream, master));
  }

  async stopEncryption(name: string): Promise<void> {
    const stream = this.#stream(name);
    await this.#changing(name, () => this.#encryptions.stop(stream));
  }

  totals(): StreamTotals {
    const { openShardsMax, streamsMax } = this.#options.limits;
    let onDemandStreams = 0;
    for (const { mode } of this.#streams.values()) if (mode === 'ON_DEMAND') onDemandStreams++;
    return { openShards: this.#openShards(), openShardsMax, onDemandStreams, streamsMax };
  }

  async split(name: string, shardId: string, hashKey: bigint): Promise<void> {
    const stream = this.#stream(name);
    const shard = this.#shardOf(stream, shardId);
    await this.#changing(name, () => this.#resharder.split(stream, shard, hashKey));
  }

  async merge(name: string, { lower, upper }: { lower: string; upper: string }): Promise<void> {
    const stream = this.#stream(name);
    const [low, high] = [this.#shardOf(stream, lower), this.#shardOf(stream, upper)];
    await this.#changing(name, () => this.#resharder.merge(stream, low, high));
  }

  async scale(name: string, target: number): Promise<void> {
    const stream = this.#stream(name);
    await this.#changing(name, () => this.#resharder.scale(stream, target));
  }

  async append(
    name: string,
    records: RecordsIn,
    options?: { readonly publicOnly?: boolean },
  ): Promise<Appended> {
    let stream = this.#stream(name);
    while (stream.fence !== undefined) {
      await this.#passFence(stream);
      stream = this.#stream(name);
    }
    if (stream.internal && options?.publicOnly) throw streamNotFound(name);
    const beyond = stream.meter?.admit(records, stream);
    try {
      if (beyond === undefined) return await this.#append(stream, records);
      return await appendAdmitted(records, beyond, (rest) => this.#append(stream, rest));
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'invalid')
        stream.refusedRecords += records.partitionKeys.length;
      throw error;
    }
  }

  async #append(stream: Stream, records: RecordsIn): Promise<Appended> {
    const appending = this.#appender.start(stream, records);
    await appending.durable;
    return appending.answer();
  }

  async read(ref: ShardRef, from: number, limits: ReadLimits): Promise<ReadResult> {
    const shard = this.#live(ref);
    if (limits.shared !== true) return this.#reader.read(shard, from, limits);
    shard.meter?.admitRead(shard);
    const result = await this.#reader.read(shard, from, limits);
    const given = { ...sizeOf(result.runs), behindMs: result.millisBehindLatest };
    shard.gave(given, this.#options.clock.monotonicMs());
    shard.meter?.tookBytes(shard, given.bytes);
    return result;
  }

  async waitFor(ref: ShardRef, offset: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const shard = this.#shards.get(ref.uid);
    if (shard === undefined) return;
    await waitFor(shard, offset, { signal, waitersMax: this.#options.limits.waitersPerShardMax });
  }

  async offsetAt(ref: ShardRef, timestampMs: number): Promise<number> {
    return this.#reader.offsetAt(this.#live(ref), timestampMs);
  }

  shard(name: string, shardId: string): ShardState {
    return this.#shardOf(this.#stream(name), shardId).snapshot();
  }

  children(ref: ShardRef): readonly ShardState[] {
    const children = this.#shards.get(ref.uid)?.children ?? [];
    return children.filter((child) => !child.gone).map((child) => child.snapshot());
  }

  async hold(name: string, holder: string, offsets: ReadonlyMap<string, number>): Promise<void> {
    const stream = this.#stream(name);
    const held = new Map<number, number>();
    for (const [shardId, offset] of offsets) held.set(this.#shardOf(stream, shardId).uid, offset);
    const uids = stream.shards
      .filter((shard) => shard.holds.has(holder) || held.has(shard.uid))
      .map((shard) => shard.uid);
    // What is held already or from now on is kept while the change is stored.
    for (const shard of stream.shards) {
      const offset = held.get(shard.uid);
      if (offset !== undefined)
        shard.holds.set(holder, Math.min(offset, shard.holds.get(holder) ?? Infinity));
    }
    await this.#store.hold(holder, uids, held);
    for (const shard of stream.shards) {
      const offset = held.get(shard.uid);
      if (offset === undefined) shard.holds.delete(holder);
      else shard.holds.set(holder, offset);
    }
  }

  async close(): Promise<void> {
    this.consumers.close();
    await this.#retention.close();
    await Promise.allSettled(this.#changes);
    await this.#journal.close();
    for (const shard of this.#shards.values()) {
      shard.gone = true;
      shard.wake();
    }
  }

  #add(stored: StoredStream): Stream {
    const stream = new Stream(stored);
    this.#encryptions.restore(stream);
    this.#streams.set(stored.name, stream);
    this.#names = undefined;
    if (this.#options.capacity === 'aws' && !stream.internal) this.#measure(stream);
    for (const shard of stream.shards) this.#shards.set(shard.uid, shard);
    return stream;
  }

  #measure(stream: Stream): void {
    const { clock, logger, limits } = this.#options;
    stream.meter = new Meter({
      clock,
      onOutgrown: (needed) => {
        if (stream.mode !== 'ON_DEMAND' || this.#busy.has(stream.name)) return;
        const target = Math.min(needed, 2 * stream.open.length, limits.shardsPerStreamMax);
        if (target <= stream.open.length) return;
        // Not in the append's own turn, which must end up on one side of the fence.
        void Promise.resolve()
          .then(() => this.#changing(stream.name, () => this.#resharder.grow(stream, target)))
          .catch((error: unknown) => logger.warn({ stream: stream.name, error }, 'a stream could not grow'));
      },
    });
  }

  #openShards(): number {
    let count = 0;
    for (const { open } of this.#streams.values()) count += open.length;
    return count;
  }

  async #passFence(stream: Stream): Promise<void> {
    const fence = stream.fence!;
    if (fence.waiting >= this.#options.limits.fencedAppendsMax)
      throw streamsError({
        code: 'overloaded',
        message: `${fence.waiting} appends wait for the stream "${stream.name}" to be resharded already`,
        retry: 'backoff',
      });
    fence.waiting++;
    await fence.passed;
  }

  async #forget(shards: readonly Shard[]): Promise<void> {
    await this.#store.removeShards(shards.map(({ uid }) => uid));
    const over = new Set(shards);
    for (const stream of this.#streams.values())
      for (const shard of stream.shards) if (over.has(shard)) stream.remove(shard);
    for (const { uid } of shards) this.#shards.delete(uid);
  }

  /** One change of a stream at a time; rejects with `stream-in-use` while another is under way. */
  async #changing<Result>(name: string, change: () => Promise<Result>): Promise<Result> {
    if (this.#busy.has(name)) throw streamInUse(name, 'being changed');
    this.#busy.add(name);
    const running = change();
    this.#changes.add(running);
    try {
      return await running;
    } finally {
      this.#busy.delete(name);
      this.#changes.delete(running);
    }
  }

  #stream(name: string): Stream {
    const stream = this.#streams.get(name);
    if (stream === undefined) throw streamNotFound(name);
    return stream;
  }

  #shardOf(stream: Stream, shardId: string): Shard {
    const shard = stream.shard(shardId);
    if (shard === undefined)
      throw streamsError({
        code: 'shard-not-found',
        message: `the stream "${stream.name}" has no shard "${shardId}"`,
      });
    return shard;
  }

  #live(ref: ShardRef): Shard {
    const shard = this.#shards.get(ref.uid);
    if (shard === undefined) throw shardNotFound(ref.shardId);
    return shard;
  }
}

/** Nothing was appended to a closed shard after its end was stored, and nothing before it may be missing. */
function checkEnds(stored: Stored, shards: ReadonlyMap<number, Shard>): void {
  for (const { shards: facts } of stored.streams)
    for (const { uid, shardId, closed } of facts) {
      const found = shards.get(uid)!.nextOffset;
      if (closed !== undefined && closed.endOffset !== found)
        throw damaged(
          'the journal',
          `${shardId} (${uid}) was closed at offset ${closed.endOffset}, and the journal ends it at ${found}`,
        );
    }
}
