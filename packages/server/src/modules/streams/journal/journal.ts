/**
 * The writer of the journal that all streams share. Appends that arrive while a sync runs share the next write and
 * sync, so that syncs don't grow with shards. What is published was synced before (I1, I3).
 */
import { assert } from '../../../base/assert.ts';
import type { Clock } from '../../../ports/clock.ts';
import type { Disk, DiskFile } from '../../../ports/disk.ts';
import type { Logger, Metrics } from '../../../ports/observe.ts';
import type { Random } from '../../../ports/random.ts';
import type { StreamsError } from '../api.ts';
import { markBatch, placeBatch } from '../core/batch-encoder.ts';
import type { SealingKey } from '../core/section-seal.ts';
import { aligned } from '../core/batch-format.ts';
import { groupSize, isOverloaded, mustRoll, roomAfter } from '../core/group.ts';
import { isDiskError, storageFailed, storageFull, streamsError } from '../errors.ts';
import { ROOM_BYTES_MAX, type StreamsLimits } from '../limits.ts';
import { readPiece } from './cold-read.ts';
import { GroupSealer, withKeys } from './group-sealing.ts';
import { journalMetrics, type JournalMetrics } from './journal-metrics.ts';
import { joined, type Piece } from './piece.ts';
import { recover, type Recovered } from './recovery.ts';
import type { SealedSegment, SealedSegments } from './sealed-segments.ts';
import { createWhole, encodeHeader, segmentName, type SegmentHeader } from './segment-file.ts';
import { EntryColumns, encodeIndex } from './segment-index.ts';
import { Tail } from './tail.ts';

/** What the journal needs of a shard; `nextOffset` is moved when records become durable. */
export interface LogShard {
  readonly uid: number;
  nextOffset: number;
  /** Offset of the next record of the group that is being written. */
  reserved: number;
  /** Counts the records of a batch's section, which became durable at `nowMs` of monotonic time. */
  arrived(section: number, batch: Appending, nowMs: number): void;
}

export interface Appending {
  readonly buffer: Buffer;
  /** By section. */
  readonly shards: readonly LogShard[];
  readonly counts: Int32Array;
  /** By section; set when the batch is written. */
  readonly firstOffsets: Float64Array;
  arrivalMs: number;
  /** What encrypts it; undefined for a batch that is written as it is. */
  readonly sealer: BatchSealer | undefined;
  readonly resolve: () => void;
  readonly reject: (error: StreamsError) => void;
}

/** Has the data key that batches of a segment are encrypted with. */
export interface BatchSealer {
  isReady(segment: number): boolean;
  /** Makes a data key for a segment; it is durable on return. */
  prepare(segment: number): Promise<void>;
  /** Of the segment that was prepared last. */
  readonly key: SealingKey;
}

export interface ActiveSegment {
  readonly header: SegmentHeader;
  readonly headerBytes: number;
  readonly file: DiskFile;
  /** End of the durable batches. */
  end: number;
  /** End of the file when zeros follow the batches; at or before `end` when none do. */
  room: number;
  readonly columns: Map<number, EntryColumns>;
  /** Reads under way; the file is closed after them. */
  readonly reads: Set<Promise<unknown>>;
  /** Cut back since its last sync. */
  cut: boolean;
}

export interface JournalOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly limits: StreamsLimits;
  /** All shards that are not gone, for the header of a new segment. */
  readonly liveShards: () => Iterable<LogShard>;
  /** Called for every shard that got records, once they are durable and readable. */
  readonly onDurable: (shard: LogShard) => void;
  /** Called once, when no append can succeed any more until a new process has recovered. */
  readonly onFailed?: ((error: StreamsError) => void) | undefined;
}

/** Batches up to this size are carved from shared memory, so that a group of them is written as one piece. */
const CARVED_BYTES_MAX = 64 * 1024;
const SLAB_BYTES = 512 * 1024;
const SALT_BYTES = 6;
const ZEROS = Buffer.alloc(ROOM_BYTES_MAX);

export class Journal {
  readonly #options: JournalOptions;
  readonly #metrics: JournalMetrics;
  readonly #tail: Tail;
  readonly #sealer = new GroupSealer();
  readonly sealed: SealedSegments;
  #active: ActiveSegment;
  #waiting: Appending[] = [];
  #unsyncedBytes = 0;
  #lastArrivalMs: number;
  #slab: Buffer | undefined;
  #slabUsed = 0;
  #running: Promise<void> | undefined;
  #sealing: Promise<void> = Promise.resolve();
  #failure: unknown;
  #closing = false;
  #rollAsked = false;
  /** Whether the newest batch vouches for all before it. */
  #marked = true;

  private constructor(options: JournalOptions, recovered: Recovered) {
    this.#options = options;
    this.#metrics = journalMetrics(options.metrics);
    this.#tail = new Tail(options.limits.tailBytesMax);
    this.sealed = recovered.sealed;
    this.#active = recovered.active;
    this.#lastArrivalMs = recovered.lastArrivalMs;
  }

  /** Recovers what is durable in the directory; rejects with `damaged` when that is not possible without loss. */
  static async open(options: JournalOptions): Promise<{ journal: Journal; recovered: Recovered }> {
    const recovered = await recover(options, (facts) => newSegment(options, facts));
    return { journal: new Journal(options, recovered), recovered };
  }

  get active(): ActiveSegment {
    return this.#active;
  }

  /** Number of the oldest segment. */
  get oldest(): number {
    return this.sealed.list[0]?.number ?? this.#active.header.number;
  }

  /** 8-byte aligned memory for one batch, until the next call. */
  readonly allocate = (sizeBytes: number): Buffer => {
    if (sizeBytes > CARVED_BYTES_MAX) return Buffer.allocUnsafeSlow(sizeBytes);
    if (this.#slab === undefined || this.#slabUsed + sizeBytes > SLAB_BYTES) {
      this.#slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.#slabUsed = 0;
    }
    const start = this.#slabUsed;
    this.#slabUsed = aligned(start + sizeBytes);
    return this.#slab.subarray(start, start + sizeBytes);
  };

  /** Throws when a batch of `bytes` can't be taken now; else `append` takes it. */
  admit(bytes: number): void {
    if (this.#failure !== undefined) throw storageFailed(this.#failure);
    if (this.#closing)
      throw streamsError({ code: 'overloaded', message: 'the stream log is stopping', retry: 'backoff' });
    if (isOverloaded(this.#unsyncedBytes, bytes, this.#options.limits.unsyncedBytesMax))
      throw streamsError({
        code: 'overloaded',
        message: `${this.#unsyncedBytes} bytes wait for the disk already`,
        retry: 'backoff',
        hint: 'Send less at a time, or try again after a pause.',
      });
  }

  append(batch: Appending): void {
    this.#waiting.push(batch);
    this.#unsyncedBytes += batch.buffer.length;
    this.#running ??= this.#run();
  }

  /**
   * Resolves, with its arrival, once all that was appended before is durable or refused for good: what was refused can't
   * come back after it. Rejects as an append does.
   */
  async barrier(): Promise<number> {
    this.admit(0);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const batch = {
      buffer: markBatch({ position: 0, durableTo: 0, salt: 0, arrivalMs: 0 }),
      shards: [],
      counts: new Int32Array(0),
      firstOffsets: new Float64Array(0),
      arrivalMs: 0,
      sealer: undefined,
      resolve,
      reject,
    };
    this.append(batch);
    await promise;
    return batch.arrivalMs;
  }

  /** Seals the active segment when it has records; for retention, which removes whole segments only. */
  async roll(): Promise<void> {
    this.#rollAsked = true;
    await (this.#running ??= this.#run());
  }

  async close(): Promise<void> {
    this.#closing = true;
    while (this.#running) await this.#running;
    await this.#mark();
    await this.#sealing;
    await Promise.allSettled(this.#active.reads);
    await this.#active.file.close();
  }

  /** Whole checked batches from `position` on, when they are in memory. */
  cached(segment: number, position: number): Piece | undefined {
    return this.#tail.find(segment, position);
  }

  readActive(position: number): Promise<Piece> {
    const { header, file, end, reads } = this.#active;
    const { limits } = this.#options;
    const read = readPiece(file, { segment: header.number, salt: header.salt, position, end, limits });
    reads.add(read);
    return read.finally(() => reads.delete(read));
  }

  async #run(): Promise<void> {
    // What else is appended in this turn joins the first group.
    await Promise.resolve();
    while (this.#waiting.length > 0 || this.#rollAsked) {
      const rollAsked = this.#rollAsked;
      this.#rollAsked = false;
      const group = this.#waiting.splice(0, groupSize(this.#waiting, this.#options.limits));
      const bytes = group.reduce((sum, batch) => sum + batch.buffer.length, 0);
      try {
        if (this.#failure !== undefined) throw storageFailed(this.#failure);
        if (rollAsked || mustRoll(this.#active, { bytes }, this.#options.limits)) await this.#roll();
        await this.#commit(await this.#keyed(group));
      } catch (error) {
        this.#giveUp(group, error);
      } finally {
        this.#unsyncedBytes -= bytes;
      }
    }
    this.#running = undefined;
  }

  /** Those whose data key is durable; others are refused, and hold up nobody. */
  async #keyed(group: readonly Appending[]): Promise<readonly Appending[]> {
    if (group.every(({ sealer }) => sealer === undefined)) return group;
    return withKeys(group, this.#active.header.number, (batch, error) => {
      batch.reject(error);
      this.#options.logger.warn({ error }, 'an append had no key to be encrypted with');
    });
  }

  async #commit(group: readonly Appending[]): Promise<void> {
    if (group.length === 0) return;
    const bytes = group.reduce((sum, batch) => sum + batch.buffer.length, 0);
    const active = this.#active;
    const start = active.end;
    const arrivalMs = Math.max(this.#options.clock.nowMs(), this.#lastArrivalMs);
    place(group, { position: start, durableTo: start, salt: active.header.salt, arrivalMs });
    const pieces = joined(group, active.header.number, start);
    const buffers = (this.#sealer.seal(group, pieces) ?? pieces).map((piece) => piece.buffer);
    await this.#write(active, { buffers, bytes, position: start });
    const startMs = this.#options.clock.monotonicMs();
    try {
      await active.file.sync();
    } catch (error) {
      throw this.#fail(error);
    }
    const nowMs = this.#options.clock.monotonicMs();
    this.#metrics.group({ bytes, batches: group.length, syncMs: nowMs - startMs });
    this.#lastArrivalMs = arrivalMs;
    active.end = start + bytes;
    active.cut = false;
    this.#marked = false;
    for (const piece of pieces) this.#tail.push(piece);
    this.#publish(group, { start, nowMs });
  }

  /** A write that fails leaves nothing behind: either the file is cut back, or it takes no more. */
  async #write(
    active: ActiveSegment,
    group: { buffers: readonly Buffer[]; bytes: number; position: number },
    room = roomAfter(active, group.bytes, this.#options.limits),
  ): Promise<void> {
    const { buffers, bytes, position } = group;
    try {
      if (room === 0) return await active.file.write(buffers, position);
      await active.file.write([...buffers, ZEROS.subarray(0, room)], position);
      active.room = position + bytes + room;
    } catch (error) {
      if (!isDiskError(error, 'no-space')) throw this.#fail(error);
      await this.#cut(active, position);
      // The room is for speed only; without it the group may fit.
      if (room > 0) return this.#write(active, group, 0);
      throw storageFull(error);
    }
  }

  async #cut(active: ActiveSegment, position: number): Promise<void> {
    try {
      await active.file.truncate(position);
      active.room = position;
      active.cut = true;
    } catch (error) {
      throw this.#fail(error);
    }
  }

  #publish(group: readonly Appending[], { start, nowMs }: { start: number; nowMs: number }): void {
    let position = start;
    for (const batch of group) {
      for (let section = 0; section < batch.shards.length; section++) {
        const shard = batch.shards[section]!;
        const firstOffset = batch.firstOffsets[section]!;
        assert(firstOffset === shard.nextOffset, 'offsets of a shard must be contiguous');
        let columns = this.#active.columns.get(shard.uid);
        if (columns === undefined) this.#active.columns.set(shard.uid, (columns = new EntryColumns()));
        columns.push({ firstOffset, arrivalMs: batch.arrivalMs, position, section });
        shard.nextOffset = firstOffset + batch.counts[section]!;
        shard.arrived(section, batch, nowMs);
      }
      position += batch.buffer.length;
      batch.resolve();
    }
    for (const batch of group) for (const shard of batch.shards) this.#options.onDurable(shard);
  }

  #giveUp(group: readonly Appending[], error: unknown): void {
    const known = asStreamsError(error) ?? this.#fail(error);
    for (const batch of group) batch.reject(known);
    this.#options.logger.warn({ error: known, requests: group.length }, 'appends were not made durable');
  }

  /** After it no append succeeds until a new process recovers: what the file holds is unknown now. */
  #fail(cause: unknown): StreamsError {
    if (this.#failure === undefined) {
      this.#failure = cause;
      this.#options.logger.error({ error: cause }, 'the disk failed under the stream log');
      this.#options.onFailed?.(storageFailed(cause));
    }
    return storageFailed(cause);
  }

  async #roll(): Promise<void> {
    const old = this.#active;
    if (old.end === old.headerBytes) return;
    try {
      if (old.room > old.end) await this.#cut(old, old.end);
      // Bytes that were cut off must not come back in a segment that counts as whole.
      if (old.cut) await old.file.sync();
      this.#active = await newSegment(this.#options, {
        number: old.header.number + 1,
        startArrivalMs: this.#lastArrivalMs,
      });
    } catch (error) {
      // A failed sync of a file that no batch is in yet breaks nothing that was acknowledged.
      throw isDiskError(error, 'no-space') ? storageFull(error) : this.#fail(error);
    }
    const endOffsets = new Map(old.header.startOffsets);
    for (const shard of this.#options.liveShards()) endOffsets.set(shard.uid, shard.nextOffset);
    const image = encodeIndex({
      ...old.header,
      segmentBytes: old.end,
      lastArrivalMs: this.#lastArrivalMs,
      endOffsets,
      columns: old.columns,
    });
    const segment = this.sealed.add(old.header.number, { image, salt: old.header.salt });
    this.#metrics.segments(this.sealed.list.length + 1);
    // One index at a time is written, and none waits: that bounds the memory they take.
    await this.#sealing;
    this.#sealing = this.#finishSeal(segment, old);
  }

  async #finishSeal(segment: SealedSegment, { file, reads }: ActiveSegment): Promise<void> {
    await this.sealed.writeIndex(segment);
    await Promise.allSettled(reads);
    try {
      await file.close();
    } catch (error) {
      this.#options.logger.warn({ segment: segment.number, error }, 'a sealed segment was not closed');
    }
  }

  /** Vouches for the last group, so that damage to it is told apart from a torn tail. */
  async #mark(): Promise<void> {
    if (this.#marked || this.#failure !== undefined) return;
    const { file, end, room, header } = this.#active;
    const mark = markBatch({
      position: end,
      durableTo: end,
      salt: header.salt,
      arrivalMs: this.#lastArrivalMs,
    });
    try {
      await file.write([mark], end);
      if (room > end + mark.length) await file.truncate(end + mark.length);
      await file.sync();
    } catch (error) {
      this.#options.logger.warn({ error }, 'the end of the log was not marked');
    }
  }
}

function place(
  group: readonly Appending[],
  at: { position: number; durableTo: number; salt: number; arrivalMs: number },
): void {
  for (const batch of group) for (const shard of batch.shards) shard.reserved = shard.nextOffset;
  let { position } = at;
  for (const batch of group) {
    for (let section = 0; section < batch.shards.length; section++) {
      const shard = batch.shards[section]!;
      batch.firstOffsets[section] = shard.reserved;
      shard.reserved += batch.counts[section]!;
    }
    batch.arrivalMs = at.arrivalMs;
    placeBatch(batch.buffer, batch.shards.length, {
      ...at,
      position,
      firstOffsetOf: (section) => batch.firstOffsets[section]!,
    });
    position += batch.buffer.length;
  }
}

async function newSegment(
  options: JournalOptions,
  facts: { readonly number: number; readonly startArrivalMs: number },
): Promise<ActiveSegment> {
  const { disk, directory, random } = options;
  const salt = Buffer.from(random.bytes(SALT_BYTES)).readUIntLE(0, SALT_BYTES);
  const startOffsets = new Map<number, number>();
  for (const shard of options.liveShards()) startOffsets.set(shard.uid, shard.nextOffset);
  const header = { ...facts, salt, startOffsets };
  const bytes = encodeHeader(header);
  const file = await createWhole(disk, { directory, name: segmentName(facts.number) }, bytes);
  return {
    header,
    headerBytes: bytes.length,
    file,
    end: bytes.length,
    room: 0,
    columns: new Map(),
    reads: new Set(),
    cut: false,
  };
}

function asStreamsError(error: unknown): StreamsError | undefined {
  const code = (error as { code?: unknown }).code;
  return code === 'storage-full' || code === 'storage-failed' ? (error as StreamsError) : undefined;
}
