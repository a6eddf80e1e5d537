/** The shell around the log: streams and their shards in memory, records in the journal, names in the MetaStore. */
import { assert } from '../../base/assert.ts';
import type { Clock } from '../../ports/clock.ts';
import type { Disk } from '../../ports/disk.ts';
import type { MetaStore } from '../../ports/meta-store.ts';
import type { Logger, Metrics } from '../../ports/observe.ts';
import type { Random } from '../../ports/random.ts';
import type {
  Appended,
  CreateStream,
  ReadLimits,
  ReadResult,
  RecordsIn,
  ShardRef,
  ShardState,
  StreamDescription,
  StreamPage,
  Streams,
  StreamsError,
} from './api.ts';
import { BatchEncoder, type Refused } from './core/batch-encoder.ts';
import { evenRanges, Router } from './core/routing.ts';
import { shardNotFound, streamNotFound, streamsError } from './errors.ts';
import { Journal } from './journal/journal.ts';
import { DEFAULT_LIMITS, RETENTION_HOURS_MAX, RETENTION_HOURS_MIN, type StreamsLimits } from './limits.ts';
import { Reader } from './reader.ts';
import { Retention } from './retention.ts';
import { Shard, type Waiter } from './shard.ts';
import { StreamStore, type Stored, type StoredStream } from './stream-store.ts';

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
  /** Called once when the disk failed: the log then refuses appends until a new process has recovered. */
  readonly onFailed?: (error: StreamsError) => void;
}

const HOUR_MS = 3_600_000;
const SHARD_ID_DIGITS = 12;

interface Stream extends Omit<StoredStream, 'shards' | 'retentionHours' | 'tags'> {
  retentionHours: number;
  tags: Readonly<Record<string, string>>;
  readonly shards: readonly Shard[];
  readonly shardById: ReadonlyMap<string, Shard>;
  readonly router: Router;
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

class StreamsService implements Streams {
  readonly #options: StreamsOptions & { readonly limits: StreamsLimits };
  readonly #store: StreamStore;
  readonly #streams = new Map<string, Stream>();
  /** Names that are being created or deleted. */
  readonly #changing = new Set<string>();
  readonly #shards = new Map<number, Shard>();
  readonly #encoder = new BatchEncoder();
  #names: string[] | undefined;
  #journal!: Journal;
  #reader!: Reader;
  #retention!: Retention;

  constructor(
    options: StreamsOptions & { readonly limits: StreamsLimits },
    store: StreamStore,
    stored: Stored,
  ) {
    this.#options = options;
    this.#store = store;
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
    for (const shard of this.#shards.values()) {
      shard.nextOffset = recovered.endOffsets.get(shard.uid) ?? 0;
      shard.raiseTrim(recovered.oldestOffsets.get(shard.uid) ?? 0);
    }
    this.#reader = new Reader({ journal, clock, limits, removed: () => this.#retention.removed });
    this.#retention = new Retention({
      journal,
      reader: this.#reader,
      store: this.#store,
      clock,
      logger,
      intervalMs: limits.retentionSweepIntervalMs,
      shards: this.#shards,
      removed: stored.removed,
    });
    this.#retention.start();
  }

  async create(input: CreateStream): Promise<StreamDescription> {
    const { limits, clock } = this.#options;
    if (
      !Number.isInteger(input.shardCount) ||
      input.shardCount < 1 ||
      input.shardCount > limits.shardsPerStreamMax
    )
      throw streamsError({
        code: 'limit-exceeded',
        message: `a stream has 1 to ${limits.shardsPerStreamMax} shards, not ${input.shardCount}`,
      });
    if (this.#streams.has(input.name) || this.#changing.has(input.name))
      throw streamsError({ code: 'stream-exists', message: `there is a stream "${input.name}" already` });
    if (this.#streams.size + this.#changing.size >= limits.streamsMax)
      throw streamsError({
        code: 'limit-exceeded',
        message: `there are ${limits.streamsMax} streams already`,
      });
    const stream = {
      name: input.name,
      createdMs: clock.nowMs(),
      retentionHours: RETENTION_HOURS_MIN,
      mode: input.mode,
      internal: input.internal ?? false,
      tags: input.tags ?? {},
    };
    const shards = evenRanges(input.shardCount).map((range, index) => ({
      shardId: `shardId-${String(index).padStart(SHARD_ID_DIGITS, '0')}`,
      hashKeyStart: range.start,
      hashKeyEnd: range.end,
    }));
    return this.#changingName(input.name, async () => {
      const stored = await this.#store.create(stream, shards);
      return describe(this.#add({ ...stream, shards: stored }));
    });
  }

  async delete(name: string): Promise<void> {
    const stream = this.#stream(name);
    if (this.#changing.has(name))
      throw streamsError({ code: 'stream-not-found', message: `the stream "${name}" is being deleted` });
    await this.#changingName(name, async () => {
      await this.#store.delete(name);
      this.#streams.delete(name);
      this.#names = undefined;
      for (const shard of stream.shards) {
        shard.gone = true;
        this.#shards.delete(shard.uid);
        shard.wake();
      }
      this.#retention.policyChanged();
    });
  }

  describe(name: string): StreamDescription {
    return describe(this.#stream(name));
  }

  list(page: { readonly startAfter?: string; readonly limit: number }): StreamPage {
    this.#names ??= [...this.#streams.values()]
      .filter((stream) => !stream.internal)
      .map((stream) => stream.name)
      .sort();
    const names = this.#names;
    const { startAfter } = page;
    const first = startAfter === undefined ? 0 : names.findIndex((name) => name > startAfter);
    if (first === -1) return { streams: [], more: false };
    const chosen = names.slice(first, first + page.limit);
    return { streams: chosen.map((name) => this.describe(name)), more: first + page.limit < names.length };
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
    await this.#store.setRetention(name, retentionHours);
    stream.retentionHours = retentionHours;
    for (const shard of stream.shards) shard.retentionMs = retentionHours * HOUR_MS;
    this.#retention.policyChanged();
  }

  async setTags(name: string, tags: Readonly<Record<string, string>>): Promise<void> {
    const stream = this.#stream(name);
    await this.#store.setTags(name, tags);
    stream.tags = tags;
  }

  async append(
    name: string,
    records: RecordsIn,
    options?: { readonly publicOnly?: boolean },
  ): Promise<Appended> {
    const { shards, router, internal } = this.#stream(name);
    if (internal && options?.publicOnly) throw streamNotFound(name);
    const count = records.partitionKeys.length;
    assert(count === records.data.length, 'columns must have one length');
    if (count === 0) throw streamsError({ code: 'invalid', message: 'there is no record to append' });
    this.#journal.admit(1);
    const encoded = this.#encoder.encode(records, router, {
      uidOf: (shard) => shards[shard]!.uid,
      allocate: this.#journal.allocate,
      bytesMax: this.#options.limits.batchBytesMax,
    });
    if ('problem' in encoded) throw refusal(encoded, this.#options.limits);
    this.#journal.admit(encoded.buffer.length);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const batch = {
      buffer: encoded.buffer,
      shards: Array.from(encoded.sectionShards, (shard) => shards[shard]!),
      counts: encoded.sectionCounts,
      firstOffsets: new Float64Array(encoded.sectionShards.length),
      arrivalMs: 0,
      resolve,
      reject,
    };
    this.#journal.append(batch);
    await promise;
    // The first offsets have served the journal: they count up to the next of their section now.
    const next = batch.firstOffsets;
    const offsets = new Float64Array(count);
    const ofRecords: ShardState[] = [];
    for (let index = 0; index < count; index++) {
      const section = encoded.recordSections[index]!;
      ofRecords.push(batch.shards[section]!);
      offsets[index] = next[section]!++;
    }
    return { shards: ofRecords, offsets, arrivalMs: batch.arrivalMs };
  }

  async read(ref: ShardRef, from: number, limits: ReadLimits): Promise<ReadResult> {
    return this.#reader.read(this.#live(ref), from, limits);
  }

  async waitFor(ref: ShardRef, offset: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    const shard = this.#shards.get(ref.uid);
    if (shard === undefined || shard.nextOffset > offset) return;
    if (shard.waiters.size >= this.#options.limits.waitersPerShardMax)
      throw streamsError({
        code: 'overloaded',
        message: `${shard.waiters.size} readers wait for ${shard.shardId} already`,
        retry: 'backoff',
      });
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiter: Waiter = { offset, wake: resolve };
    const abort = (): void => {
      shard.waiters.delete(waiter);
      reject(signal?.reason as Error);
    };
    shard.waiters.add(waiter);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  async offsetAt(ref: ShardRef, timestampMs: number): Promise<number> {
    return this.#reader.offsetAt(this.#live(ref), timestampMs);
  }

  shard(name: string, shardId: string): ShardState {
    return this.#shardOf(this.#stream(name), shardId).snapshot();
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
    await this.#retention.close();
    await this.#journal.close();
    for (const shard of this.#shards.values()) {
      shard.gone = true;
      shard.wake();
    }
  }

  #add(stored: StoredStream): Stream {
    const retentionMs = stored.retentionHours * HOUR_MS;
    const shards = stored.shards.map((facts) => new Shard({ ...facts, retentionMs }));
    const router = new Router(shards.map((shard) => ({ start: shard.hashKeyStart, end: shard.hashKeyEnd })));
    const shardById = new Map(shards.map((shard) => [shard.shardId, shard]));
    const stream = { ...stored, shards, shardById, router };
    this.#streams.set(stored.name, stream);
    this.#names = undefined;
    for (const shard of shards) this.#shards.set(shard.uid, shard);
    return stream;
  }

  async #changingName<Result>(name: string, change: () => Promise<Result>): Promise<Result> {
    this.#changing.add(name);
    try {
      return await change();
    } finally {
      this.#changing.delete(name);
    }
  }

  #stream(name: string): Stream {
    const stream = this.#streams.get(name);
    if (stream === undefined) throw streamNotFound(name);
    return stream;
  }

  #shardOf(stream: Stream, shardId: string): Shard {
    const shard = stream.shardById.get(shardId);
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

function describe(stream: Stream): StreamDescription {
  const { name, createdMs, retentionHours, mode, tags, internal } = stream;
  return {
    name,
    createdMs,
    retentionHours,
    mode,
    tags,
    internal,
    shards: stream.shards.map((shard) => shard.snapshot()),
  };
}

function refusal({ record, problem }: Refused, limits: StreamsLimits) {
  const messages = {
    'explicit-hash-key': `the explicit hash key of record ${record} is not a decimal number from 0 to 2^128 - 1`,
    base64: `the data of record ${record} is not base64`,
    'too-large': `the records take more than ${limits.batchBytesMax} bytes together`,
  };
  return streamsError({ code: 'invalid', message: messages[problem] });
}
