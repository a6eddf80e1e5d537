/** Reads batches back: checks them, lists their sections and cuts runs out of them without copying. */
import { crc32 } from 'node:zlib';
import { assert } from '../../../base/assert.ts';
import type { ReadLimits, RecordRun } from '../api.ts';
import {
  ALIGNMENT_BYTES,
  AT,
  BATCH_FORMAT,
  BATCH_FORMAT_SEALED,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  SEAL_AT,
  SEAL_BYTES,
  SECTION_AT,
  SECTION_BYTES,
} from './batch-format.ts';

/** What a batch must say of itself to belong where it was found. */
export interface Expected {
  /** Byte position in the segment. */
  readonly position: number;
  readonly salt: number;
  readonly bytesMax: number;
}

export type Checked =
  | { readonly kind: 'valid'; readonly bytes: number }
  /** More bytes are needed to tell. */
  | { readonly kind: 'short'; readonly bytes: number }
  | { readonly kind: 'invalid'; readonly reason: string };

/** Judges the batch that starts at byte `at` of `buffer`. Never throws, whatever the bytes are. */
export function checkBatch(buffer: Buffer, at: number, expected: Expected): Checked {
  if (buffer.length - at < BATCH_HEADER_BYTES) return { kind: 'short', bytes: BATCH_HEADER_BYTES };
  if (buffer.readUInt32LE(at + AT.magic) !== BATCH_MAGIC)
    return { kind: 'invalid', reason: 'no batch begins here' };
  const bytes = buffer.readUInt32LE(at + AT.length);
  if (bytes < BATCH_HEADER_BYTES || bytes > expected.bytesMax || bytes % ALIGNMENT_BYTES !== 0)
    return { kind: 'invalid', reason: `a batch can't have ${bytes} bytes` };
  if (buffer.readDoubleLE(at + AT.salt) !== expected.salt)
    return { kind: 'invalid', reason: 'of another segment' };
  if (buffer.readDoubleLE(at + AT.position) !== expected.position)
    return { kind: 'invalid', reason: 'of another position' };
  if (buffer.length - at < bytes) return { kind: 'short', bytes };
  const batch = buffer.subarray(at, at + bytes);
  if (crc32(batch.subarray(AT.length)) !== batch.readUInt32LE(AT.crc))
    return { kind: 'invalid', reason: 'its checksum differs' };
  const format = batch.readUInt32LE(AT.format);
  if (format !== BATCH_FORMAT && format !== BATCH_FORMAT_SEALED)
    return { kind: 'invalid', reason: 'of an unknown format' };
  return wellFormed(batch)
    ? { kind: 'valid', bytes }
    : { kind: 'invalid', reason: 'its tables are not well-formed' };
}

export function arrivalMsOf(batch: Buffer): number {
  return batch.readDoubleLE(AT.arrival);
}

export function durableToOf(batch: Buffer): number {
  return batch.readDoubleLE(AT.durableTo);
}

export function lengthOf(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at + AT.length);
}

export function sectionCountOf(batch: Buffer): number {
  return batch.readUInt32LE(AT.sectionCount);
}

export interface Section {
  readonly uid: number;
  readonly firstOffset: number;
  readonly count: number;
}

export function sectionOf(batch: Buffer, section: number): Section {
  const at = BATCH_HEADER_BYTES + section * SECTION_BYTES;
  return {
    uid: batch.readDoubleLE(at + SECTION_AT.uid),
    firstOffset: batch.readDoubleLE(at + SECTION_AT.firstOffset),
    count: batch.readUInt32LE(at + SECTION_AT.count),
  };
}

/** A run and the bytes of its keys and data. */
export interface CutRun {
  readonly run: RecordRun;
  readonly bytes: number;
}

/**
 * The records of a section from `from` on, at most to the limits; undefined when the first one alone is beyond
 * `bytesMax` and `first` is not set. The batch must have been checked and start at a multiple of 8 bytes.
 */
export function cutRun(
  batch: Buffer,
  section: number,
  options: ReadLimits & { readonly from: number; readonly first: boolean },
): CutRun | undefined {
  const at = BATCH_HEADER_BYTES + section * SECTION_BYTES;
  const firstOffset = batch.readDoubleLE(at + SECTION_AT.firstOffset);
  const count = batch.readUInt32LE(at + SECTION_AT.count);
  const skip = options.from - firstOffset;
  assert(skip >= 0 && skip < count, 'the index names a batch that does not have the offset');
  const boundsAt = batch.readUInt32LE(at + SECTION_AT.bounds);
  const all = new Uint32Array(batch.buffer, batch.byteOffset + boundsAt, 2 * count + 1);
  const start = all[2 * skip]!;
  let take = Math.min(count - skip, options.recordsMax);
  if (all[2 * (skip + take)]! - start > options.bytesMax) {
    let low = 0;
    while (low < take) {
      const middle = (low + take + 1) >> 1;
      if (all[2 * (skip + middle)]! - start <= options.bytesMax) low = middle;
      else take = middle - 1;
    }
    if (take === 0) {
      if (!options.first) return undefined;
      take = 1;
    }
  }
  const bounds = all.subarray(2 * skip, 2 * (skip + take) + 1);
  return {
    run: {
      firstOffset: options.from,
      count: take,
      arrivalMs: batch.readDoubleLE(AT.arrival),
      encrypted: batch.readUInt32LE(AT.format) === BATCH_FORMAT_SEALED,
      bytes: batch,
      bounds,
    },
    bytes: bounds[2 * take]! - start,
  };
}

function wellFormed(batch: Buffer): boolean {
  const sections = batch.readUInt32LE(AT.sectionCount);
  if (sections > (batch.length - BATCH_HEADER_BYTES) / SECTION_BYTES) return false;
  const bytesMax = recordBytesMax(batch, sections);
  if (bytesMax === undefined) return false;
  let records = 0;
  let boundsAt = BATCH_HEADER_BYTES + sections * SECTION_BYTES;
  for (let section = 0; section < sections; section++) {
    const at = BATCH_HEADER_BYTES + section * SECTION_BYTES;
    const count = batch.readUInt32LE(at + SECTION_AT.count);
    const bytesEnd = batch.readUInt32LE(at + SECTION_AT.bytesEnd);
    const positions = [
      batch.readDoubleLE(at + SECTION_AT.uid),
      batch.readDoubleLE(at + SECTION_AT.firstOffset),
    ];
    if (!positions.every((value) => Number.isSafeInteger(value) && value >= 0)) return false;
    if (count === 0 || count > batch.length || batch.readUInt32LE(at + SECTION_AT.bounds) !== boundsAt)
      return false;
    const boundsEnd = boundsAt + (2 * count + 1) * 4;
    if (boundsEnd > bytesMax || bytesEnd > bytesMax) return false;
    if (
      !boundsRise(batch, {
        boundsAt,
        boundsEnd,
        bytesEnd,
        bytesAt: batch.readUInt32LE(at + SECTION_AT.bytes),
      })
    )
      return false;
    records += count;
    boundsAt = boundsEnd;
  }
  return records === batch.readUInt32LE(AT.recordCount);
}

/** Where the records' bytes must have ended; undefined when what seals them is not well-formed. */
function recordBytesMax(batch: Buffer, sections: number): number | undefined {
  if (batch.readUInt32LE(AT.format) === BATCH_FORMAT) return batch.length;
  const key = batch.readDoubleLE(AT.dataKey);
  const end = batch.length - sections * SEAL_BYTES;
  if (!Number.isSafeInteger(key) || key <= 0 || end < BATCH_HEADER_BYTES) return undefined;
  for (let at = end; at < batch.length; at += SEAL_BYTES)
    if (batch.readUInt32LE(at + SEAL_AT.open) !== 0) return undefined;
  return end;
}

function boundsRise(
  batch: Buffer,
  {
    boundsAt,
    boundsEnd,
    bytesAt,
    bytesEnd,
  }: { boundsAt: number; boundsEnd: number; bytesAt: number; bytesEnd: number },
): boolean {
  let before = bytesAt;
  if (batch.readUInt32LE(boundsAt) !== bytesAt || bytesAt < boundsEnd) return false;
  for (let at = boundsAt; at < boundsEnd; at += 4) {
    const bound = batch.readUInt32LE(at);
    if (bound < before) return false;
    before = bound;
  }
  return before === bytesEnd;
}
