/**
 * The layout of a batch (FORMAT.md). All numbers are little-endian, which every platform that Node runs on here is;
 * the assertion below holds it, since typed arrays are laid over the bytes.
 */
import { assert } from '../../../base/assert.ts';

assert(new Uint8Array(new Uint32Array([1]).buffer)[0] === 1, 'the log needs a little-endian machine');

/** "SLB1" */
export const BATCH_MAGIC = 0x31424c53;
export const BATCH_HEADER_BYTES = 64;
export const SECTION_BYTES = 32;
export const ALIGNMENT_BYTES = 8;

/** Byte positions in the header. */
export const AT = {
  magic: 0,
  crc: 4,
  length: 8,
  sectionCount: 12,
  arrival: 16,
  recordCount: 24,
  format: 28,
  salt: 32,
  position: 40,
  durableTo: 48,
  /** Of sealed batches; zero in others. */
  dataKey: 56,
} as const;
export const BATCH_FORMAT = 1;
/** Of encrypted streams: as the first, with a seal for each section at the end. */
export const BATCH_FORMAT_SEALED = 2;

export const SEAL_BYTES = 32;
/** Byte positions in a seal. `open` is zero in files, and one in memory where the section is in the clear. */
export const SEAL_AT = { tag: 0, count: 16, open: 24 } as const;

/** Byte positions in a section. */
export const SECTION_AT = { uid: 0, firstOffset: 8, count: 16, bounds: 20, bytes: 24, bytesEnd: 28 } as const;

/** Of the keys and data of a section's records. */
export function sectionBytes(batch: Buffer, section: number): number {
  const at = BATCH_HEADER_BYTES + section * SECTION_BYTES;
  return batch.readUInt32LE(at + SECTION_AT.bytesEnd) - batch.readUInt32LE(at + SECTION_AT.bytes);
}

export function aligned(sizeBytes: number): number {
  return Math.ceil(sizeBytes / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}
