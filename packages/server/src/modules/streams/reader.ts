/** Reads shards: from memory at the tail without waiting, else from segments through a bounded cache. */
import type { Clock } from '../../ports/clock.ts';
import type { ReadLimits, ReadResult, RecordRun } from './api.ts';
import { cutRun, lengthOf } from './core/batch-reader.ts';
import { dataKeyOf, isSealed, openSection } from './core/section-seal.ts';
import { allRemoved, type NumberRange } from './core/retention.ts';
import type { DataKeys } from './encryption/data-keys.ts';
import { damaged, shardNotFound } from './errors.ts';
import { BoundedCache } from './journal/bounded-cache.ts';
import type { Journal } from './journal/journal.ts';
import type { Piece } from './journal/piece.ts';
import type { SealedSegment } from './journal/sealed-segments.ts';
import { segmentName } from './journal/segment-file.ts';
import type { EntryColumns } from './journal/segment-index.ts';
import type { StreamsLimits } from './limits.ts';
import type { Shard } from './shard.ts';

/** The entries of one segment in which a shard goes on at an offset. */
interface Place {
  readonly number: number;
  /** Undefined for the active segment. */
  readonly segment: SealedSegment | undefined;
  readonly columns: EntryColumns;
}

/** Retention removed what lies before `start`. */
interface Gap {
  readonly start: number;
}

interface Reading {
  readonly runs: RecordRun[];
  offset: number;
  recordsLeft: number;
  bytesLeft: number;
  lastArrivalMs: number;
  full: boolean;
}

export class Reader {
  readonly #journal: Journal;
  readonly #clock: Clock;
  readonly #cache: BoundedCache<string, Piece>;
  readonly #dataKeys: DataKeys;
  readonly #removed: () => readonly NumberRange[];

  constructor(options: {
    journal: Journal;
    clock: Clock;
    limits: StreamsLimits;
    dataKeys: DataKeys;
    removed: () => readonly NumberRange[];
  }) {
    this.#journal = options.journal;
    this.#clock = options.clock;
    this.#cache = new BoundedCache(options.limits.readCacheBytesMax);
    this.#dataKeys = options.dataKeys;
    this.#removed = options.removed;
  }

  async read(shard: Shard, from: number, limits: ReadLimits): Promise<ReadResult> {
    const reading: Reading = {
      runs: [],
      offset: Math.max(from, shard.trimOffset),
      recordsLeft: limits.recordsMax,
      bytesLeft: limits.bytesMax,
      lastArrivalMs: 0,
      full: false,
    };
    while (!reading.full && reading.recordsLeft > 0 && reading.offset < shard.nextOffset) {
      if (shard.gone) throw shardNotFound(shard.shardId);
      await this.#again(() => this.#readOn(shard, reading));
    }
    return this.#result(shard, reading);
  }

  /** First offset that arrived at `timestampMs` or later. */
  offsetAt(shard: Shard, timestampMs: number): Promise<number> {
    return this.#again(() => this.#offsetAt(shard, timestampMs));
  }

  /** Moves the shard's trim horizon to what retention and holds keep now. */
  trim(shard: Shard): Promise<void> {
    return this.#again(() => this.#trim(shard));
  }

  /** Runs `work` again when retention removed a segment under it. */
  async #again<Result>(work: () => Promise<Result>): Promise<Result> {
    const { sealed } = this.#journal;
    for (;;) {
      const { removals } = sealed;
      try {
        return await work();
      } catch (error) {
        if (sealed.removals === removals) throw error;
      }
    }
  }

  async #readOn(shard: Shard, reading: Reading): Promise<void> {
    const place = await this.#locate(shard, reading.offset);
    if ('start' in place) {
      shard.raiseTrim(place.start);
      reading.offset = place.start;
      return;
    }
    const index = place.columns.find(reading.offset);
    if (reading.runs.length === 0 && this.#isExpired(shard, reading.offset, place.columns.arrivals[index]!)) {
      await this.#trim(shard);
      if (shard.trimOffset > reading.offset) {
        reading.offset = shard.trimOffset;
        return;
      }
    }
    await this.#cut(place, index, reading);
  }

  async #offsetAt(shard: Shard, timestampMs: number): Promise<number> {
    const before = this.#journal.active;
    const own = before.columns.get(shard.uid);
    if (own !== undefined && own.length > 0 && own.arrivals[0]! < timestampMs)
      return firstAt(own, timestampMs, shard.nextOffset);
    const sealed = await this.#journal.sealed.findArrival(shard.uid, timestampMs);
    if (sealed !== undefined) return Math.max(sealed, shard.trimOffset);
    // The active segment may have been sealed meanwhile; its columns are still true.
    const start = before.header.startOffsets.get(shard.uid) ?? 0;
    return Math.max(
      own === undefined || own.length === 0 ? start : firstAt(own, timestampMs, shard.nextOffset),
      shard.trimOffset,
    );
  }

  async #trim(shard: Shard): Promise<void> {
    const { trimArrivalMs } = shard;
    const cutoff = shard.cutoffMs(this.#clock.nowMs());
    if (shard.trimOffset >= shard.nextOffset || (trimArrivalMs !== undefined && trimArrivalMs >= cutoff))
      return;
    shard.raiseTrim(Math.min(await this.#offsetAt(shard, cutoff), shard.holdOffset));
    if (shard.trimOffset >= shard.nextOffset) return;
    const place = await this.#locate(shard, shard.trimOffset);
    if ('start' in place) shard.raiseTrim(place.start);
    else shard.trimArrivalMs = place.columns.arrivals[place.columns.find(shard.trimOffset)];
  }

  #isExpired(shard: Shard, offset: number, arrivalMs: number): boolean {
    return arrivalMs < shard.cutoffMs(this.#clock.nowMs()) && offset < shard.holdOffset;
  }

  /** The offset must be before the shard's next one. */
  async #locate(shard: Shard, offset: number): Promise<Place | Gap> {
    for (;;) {
      const { active, sealed } = this.#journal;
      const number = active.header.number;
      const columns = active.columns.get(shard.uid);
      if (columns !== undefined && columns.length > 0 && columns.firstOffsets[0]! <= offset)
        return { number, segment: undefined, columns };
      const { removals } = sealed;
      const found = await sealed.findOffset(shard.uid, offset);
      if (this.#journal.active !== active || sealed.removals !== removals) continue;
      if (found === undefined)
        return this.#gap(shard, { offset, start: active.header.startOffsets.get(shard.uid) ?? 0, number });
      const { segment, start } = found;
      if (found.columns !== undefined) return { number: segment.number, segment, columns: found.columns };
      return this.#gap(shard, { offset, start, number: segment.number });
    }
  }

  /** Offsets that are in no segment are fine when retention removed them, and damage when nobody did. */
  #gap(shard: Shard, found: { offset: number; start: number; number: number }): Gap {
    let after = 0;
    for (const segment of this.#journal.sealed.list)
      if (segment.number < found.number) after = segment.number;
    const removed = allRemoved(this.#removed(), { after, before: found.number });
    if (!removed || found.start <= found.offset) throw this.#lost(shard, found.offset);
    return { start: found.start };
  }

  #lost(shard: Shard, offset: number) {
    return damaged(
      `the journal, at offset ${offset} of ${shard.shardId} (${shard.uid}),`,
      'a segment that has it is missing',
    );
  }

  async #cut(place: Place, firstIndex: number, reading: Reading): Promise<void> {
    const { columns } = place;
    let piece: Piece | undefined;
    for (let index = firstIndex; index < columns.length && reading.recordsLeft > 0; index++) {
      const position = columns.positions[index]!;
      if (
        piece === undefined ||
        position < piece.position ||
        position >= piece.position + piece.buffer.length
      ) {
        piece = this.#journal.cached(place.number, position) ?? this.#cold(place.number, position);
        piece ??= await this.#load(place, position);
      }
      const at = position - piece.position;
      const batch = piece.buffer.subarray(at, at + lengthOf(piece.buffer, at));
      if (isSealed(batch, columns.sections[index]!))
        await this.#open(batch, columns.sections[index]!, { number: place.number, position });
      const cut = cutRun(batch, columns.sections[index]!, {
        from: reading.offset,
        recordsMax: reading.recordsLeft,
        bytesMax: reading.bytesLeft,
        first: reading.runs.length === 0,
      });
      if (cut === undefined) {
        reading.full = true;
        return;
      }
      reading.runs.push(cut.run);
      reading.offset += cut.run.count;
      reading.recordsLeft -= cut.run.count;
      reading.bytesLeft -= cut.bytes;
      reading.lastArrivalMs = cut.run.arrivalMs;
      const sectionEnd = index + 1 < columns.length ? columns.firstOffsets[index + 1]! : undefined;
      if (sectionEnd !== undefined && reading.offset < sectionEnd) {
        reading.full = true;
        return;
      }
      if (reading.bytesLeft <= 0) reading.full = true;
      if (reading.full) return;
    }
  }

  /** Decrypts a section in the memory that it was read into, once for all who read it. */
  async #open(batch: Buffer, section: number, at: { number: number; position: number }): Promise<void> {
    const id = dataKeyOf(batch);
    const secret = await this.#dataKeys.secret(id);
    // Another reader may have been faster.
    if (!isSealed(batch, section) || openSection(batch, section, secret)) return;
    throw damaged(
      `${segmentName(at.number)} at byte ${at.position}`,
      `it is not what was encrypted with data key ${id}`,
    );
  }

  #cold(segment: number, position: number): Piece | undefined {
    for (const piece of this.#cache.values())
      if (
        piece.segment === segment &&
        position >= piece.position &&
        position < piece.position + piece.buffer.length
      )
        return piece;
    return undefined;
  }

  async #load(place: Place, position: number): Promise<Piece> {
    const sealed =
      place.segment ?? this.#journal.sealed.list.find((segment) => segment.number === place.number);
    const piece = sealed
      ? await this.#journal.sealed.readPiece(sealed, position)
      : await this.#journal.readActive(position);
    this.#cache.set(`${segmentName(place.number)}@${position}`, piece, piece.buffer.length);
    return piece;
  }

  #result(shard: Shard, reading: Reading): ReadResult {
    const tailOffset = shard.nextOffset;
    const behind = reading.offset < tailOffset && reading.runs.length > 0;
    return {
      runs: reading.runs,
      nextOffset: Math.max(reading.offset, 0),
      tailOffset,
      ended: shard.endsAt(reading.offset),
      millisBehindLatest: behind ? Math.max(0, this.#clock.nowMs() - reading.lastArrivalMs) : 0,
    };
  }
}

function firstAt(columns: EntryColumns, timestampMs: number, none: number): number {
  const index = columns.findArrival(timestampMs);
  return index === columns.length ? none : columns.firstOffsets[index]!;
}
