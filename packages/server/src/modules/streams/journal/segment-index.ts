/**
 * Where each shard's batches are in a segment: kept in growing columns while the segment is written, and as the bytes
 * of an `.idx` file once it is sealed (FORMAT.md).
 */
import { crc32 } from 'node:zlib';
import { assert } from '../../../base/assert.ts';

/** One entry per batch that has records of the shard, in rising order of offset, position and arrival. */
export class EntryColumns {
  length = 0;
  firstOffsets: Float64Array;
  arrivals: Float64Array;
  positions: Uint32Array;
  sections: Uint32Array;

  constructor(capacity = 8) {
    this.firstOffsets = new Float64Array(capacity);
    this.arrivals = new Float64Array(capacity);
    this.positions = new Uint32Array(capacity);
    this.sections = new Uint32Array(capacity);
  }

  push(entry: { firstOffset: number; arrivalMs: number; position: number; section: number }): void {
    const at = this.length;
    if (at === this.firstOffsets.length) this.#grow();
    this.firstOffsets[at] = entry.firstOffset;
    this.arrivals[at] = entry.arrivalMs;
    this.positions[at] = entry.position;
    this.sections[at] = entry.section;
    this.length = at + 1;
  }

  /** The entry whose batch has `offset`, which must not be before the first one. */
  find(offset: number): number {
    return lastAtMost(this.firstOffsets, this.length, offset);
  }

  /** The first entry that arrived at `timestampMs` or later; `length` when there is none. */
  findArrival(timestampMs: number): number {
    let low = 0;
    let high = this.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.arrivals[middle]! < timestampMs) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #grow(): void {
    const capacity = this.firstOffsets.length * 2;
    const larger = <Column extends Float64Array | Uint32Array>(to: Column, from: Column): Column => {
      to.set(from);
      return to;
    };
    this.firstOffsets = larger(new Float64Array(capacity), this.firstOffsets);
    this.arrivals = larger(new Float64Array(capacity), this.arrivals);
    this.positions = larger(new Uint32Array(capacity), this.positions);
    this.sections = larger(new Uint32Array(capacity), this.sections);
  }
}

function lastAtMost(column: Float64Array, length: number, value: number): number {
  let low = 0;
  let high = length - 1;
  assert(length > 0 && column[0]! <= value, 'the index begins after the offset');
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (column[middle]! <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** "SLI1" */
const INDEX_MAGIC = 0x31494c53;
const INDEX_FORMAT = 1;
const HEADER_BYTES = 64;
const ROW_BYTES = 56;
const ENTRY_BYTES = 24;
const AT = {
  magic: 0,
  crc: 4,
  format: 8,
  rows: 12,
  number: 16,
  segmentBytes: 24,
  startArrival: 32,
  lastArrival: 40,
} as const;
const ROW_AT = {
  uid: 0,
  start: 8,
  end: 16,
  firstArrival: 24,
  lastArrival: 32,
  entries: 40,
  crc: 44,
  entriesAt: 48,
} as const;

/** What is known of a segment when it is sealed. */
export interface SealedFacts {
  readonly number: number;
  readonly segmentBytes: number;
  /** No record of the segment arrived before. */
  readonly startArrivalMs: number;
  readonly lastArrivalMs: number;
  /** Next offset of each live shard when the segment was begun. */
  readonly startOffsets: ReadonlyMap<number, number>;
  readonly endOffsets: ReadonlyMap<number, number>;
  readonly columns: ReadonlyMap<number, EntryColumns>;
}

export function encodeIndex(facts: SealedFacts): Buffer {
  const uids = [...new Set([...facts.startOffsets.keys(), ...facts.columns.keys()])].sort((a, b) => a - b);
  const entries = uids.reduce((sum, uid) => sum + (facts.columns.get(uid)?.length ?? 0), 0);
  const summaryBytes = HEADER_BYTES + uids.length * ROW_BYTES;
  const image = Buffer.from(new ArrayBuffer(summaryBytes + entries * ENTRY_BYTES));
  image.writeUInt32LE(INDEX_MAGIC, AT.magic);
  image.writeUInt32LE(INDEX_FORMAT, AT.format);
  image.writeUInt32LE(uids.length, AT.rows);
  image.writeDoubleLE(facts.number, AT.number);
  image.writeDoubleLE(facts.segmentBytes, AT.segmentBytes);
  image.writeDoubleLE(facts.startArrivalMs, AT.startArrival);
  image.writeDoubleLE(facts.lastArrivalMs, AT.lastArrival);
  let entriesAt = summaryBytes;
  for (const [position, uid] of uids.entries()) {
    const at = HEADER_BYTES + position * ROW_BYTES;
    const columns = facts.columns.get(uid);
    const count = columns?.length ?? 0;
    const start = facts.startOffsets.get(uid) ?? 0;
    if (columns) writeEntries(image, entriesAt, columns);
    const end = entriesAt + count * ENTRY_BYTES;
    image.writeDoubleLE(uid, at + ROW_AT.uid);
    image.writeDoubleLE(start, at + ROW_AT.start);
    image.writeDoubleLE(facts.endOffsets.get(uid) ?? start, at + ROW_AT.end);
    image.writeDoubleLE(columns?.arrivals[0] ?? 0, at + ROW_AT.firstArrival);
    image.writeDoubleLE(columns?.arrivals[count - 1] ?? 0, at + ROW_AT.lastArrival);
    image.writeUInt32LE(count, at + ROW_AT.entries);
    image.writeUInt32LE(crc32(image.subarray(entriesAt, end)), at + ROW_AT.crc);
    image.writeDoubleLE(entriesAt, at + ROW_AT.entriesAt);
    entriesAt = end;
  }
  image.writeUInt32LE(crc32(image.subarray(AT.format, summaryBytes)), AT.crc);
  return image;
}

function writeEntries(image: Buffer, at: number, columns: EntryColumns): void {
  const count = columns.length;
  const floats = new Float64Array(image.buffer, image.byteOffset + at, 2 * count);
  floats.set(columns.firstOffsets.subarray(0, count));
  floats.set(columns.arrivals.subarray(0, count), count);
  const words = new Uint32Array(image.buffer, image.byteOffset + at + 16 * count, 2 * count);
  words.set(columns.positions.subarray(0, count));
  words.set(columns.sections.subarray(0, count), count);
}

/** A shard's line in the summary of a sealed segment. */
export interface SummaryRow {
  readonly uid: number;
  /** Next offset when the segment was begun, and when it was sealed. */
  readonly start: number;
  readonly end: number;
  readonly lastArrivalMs: number;
  readonly entries: number;
  readonly entriesAt: number;
  readonly entriesCrc: number;
}

/** Reads the first part of an `.idx` file, which says where the rest is. */
export class Summary {
  readonly #bytes: Buffer;
  readonly #rows: number;

  private constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#rows = bytes.readUInt32LE(AT.rows);
  }

  /** Undefined when the bytes are not those of the segment's index. `bytes` may go on after the summary. */
  static parse(bytes: Buffer, number: number): Summary | undefined {
    const sizeBytes = Summary.sizeBytes(bytes);
    if (sizeBytes === undefined || bytes.length < sizeBytes || bytes.readUInt32LE(AT.format) !== INDEX_FORMAT)
      return undefined;
    const crcHolds = crc32(bytes.subarray(AT.format, sizeBytes)) === bytes.readUInt32LE(AT.crc);
    return crcHolds && bytes.readDoubleLE(AT.number) === number
      ? new Summary(bytes.subarray(0, sizeBytes))
      : undefined;
  }

  /** Of the whole summary, by its header; undefined when it is no index. */
  static sizeBytes(header: Buffer): number | undefined {
    if (header.length < HEADER_BYTES || header.readUInt32LE(AT.magic) !== INDEX_MAGIC) return undefined;
    return HEADER_BYTES + header.readUInt32LE(AT.rows) * ROW_BYTES;
  }

  get memoryBytes(): number {
    return this.#bytes.length;
  }

  get segmentBytes(): number {
    return this.#bytes.readDoubleLE(AT.segmentBytes);
  }

  get lastArrivalMs(): number {
    return this.#bytes.readDoubleLE(AT.lastArrival);
  }

  row(uid: number): SummaryRow | undefined {
    let low = 0;
    let high = this.#rows - 1;
    while (low <= high) {
      const middle = (low + high) >> 1;
      const found = this.#bytes.readDoubleLE(HEADER_BYTES + middle * ROW_BYTES);
      if (found === uid) return this.#row(middle);
      if (found < uid) low = middle + 1;
      else high = middle - 1;
    }
    return undefined;
  }

  *rows(): Generator<SummaryRow> {
    for (let position = 0; position < this.#rows; position++) yield this.#row(position);
  }

  #row(position: number): SummaryRow {
    const at = HEADER_BYTES + position * ROW_BYTES;
    const bytes = this.#bytes;
    return {
      uid: bytes.readDoubleLE(at + ROW_AT.uid),
      start: bytes.readDoubleLE(at + ROW_AT.start),
      end: bytes.readDoubleLE(at + ROW_AT.end),
      lastArrivalMs: bytes.readDoubleLE(at + ROW_AT.lastArrival),
      entries: bytes.readUInt32LE(at + ROW_AT.entries),
      entriesCrc: bytes.readUInt32LE(at + ROW_AT.crc),
      entriesAt: bytes.readDoubleLE(at + ROW_AT.entriesAt),
    };
  }
}

export const SUMMARY_HEADER_BYTES = HEADER_BYTES;

export function entriesBytes(row: SummaryRow): number {
  return row.entries * ENTRY_BYTES;
}

/** Undefined when the bytes are not those that the summary vouches for. `bytes` must start at a multiple of 8. */
export function parseEntries(bytes: Buffer, row: SummaryRow): EntryColumns | undefined {
  if (bytes.length !== entriesBytes(row) || crc32(bytes) !== row.entriesCrc) return undefined;
  const count = row.entries;
  const columns = new EntryColumns(0);
  columns.length = count;
  columns.firstOffsets = new Float64Array(bytes.buffer, bytes.byteOffset, count);
  columns.arrivals = new Float64Array(bytes.buffer, bytes.byteOffset + 8 * count, count);
  columns.positions = new Uint32Array(bytes.buffer, bytes.byteOffset + 16 * count, count);
  columns.sections = new Uint32Array(bytes.buffer, bytes.byteOffset + 20 * count, count);
  return columns;
}
