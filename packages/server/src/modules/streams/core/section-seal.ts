/**
 * Encrypted batches (FORMAT.md, format 2): the keys and data of each section under AES-256-GCM. In memory a batch of
 * format 2 may hold sections in the clear; its seals say which.
 *
 * No nonce serves a data key twice: a data key encrypts only in the process that had it made, which counts the
 * sections, those of refused groups and torn tails included, and it is thrown away at the end of its segment.
 */
import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { assert } from '../../../base/assert.ts';
import {
  AT,
  BATCH_FORMAT_SEALED,
  BATCH_HEADER_BYTES,
  SEAL_AT,
  SEAL_BYTES,
  SECTION_AT,
  SECTION_BYTES,
} from './batch-format.ts';

/** A data key that batches of one segment are encrypted with. */
export interface SealingKey {
  /** Names it in the MetaStore. */
  readonly id: number;
  readonly secret: KeyObject;
  /** Sections that it encrypted: the next one's nonce. */
  sections: number;
}

const ALGORITHM = 'aes-256-gcm';
const TAG_BYTES = 16;
const NONCE_BYTES = 12;
/** What a nonce's counter is written in. */
const COUNT_BYTES = 6;
const COUNT_MAX = 2 ** (8 * COUNT_BYTES) - 1;

/**
 * Writes the placed batch `plain` encrypted into `sealed`, which has its length, with its checksum. `plain` is what a
 * reader gets from memory afterwards.
 */
export function sealBatch(plain: Buffer, sealed: Buffer, key: SealingKey): void {
  plain.writeDoubleLE(key.id, AT.dataKey);
  const sections = plain.readUInt32LE(AT.sectionCount);
  plain.fill(0, sealAt(plain, 0));
  // All but the sections' bytes, which lie one after another between the tables and the zeros before the seals.
  plain.copy(sealed, 0, 0, bytesOf(plain, 0).start);
  const { end: bytesEnd } = bytesOf(plain, sections - 1);
  plain.copy(sealed, bytesEnd, bytesEnd);
  for (let section = 0; section < sections; section++) {
    const { start, end } = bytesOf(plain, section);
    const count = key.sections++;
    assert(count <= COUNT_MAX, 'a segment has fewer sections than a data key has nonces');
    const cipher = createCipheriv(ALGORITHM, key.secret, nonceOf(count), { authTagLength: TAG_BYTES });
    cipher.setAAD(boundTo(plain, section));
    cipher.update(plain.subarray(start, end)).copy(sealed, start);
    cipher.final();
    const seal = sealAt(sealed, section);
    cipher.getAuthTag().copy(sealed, seal + SEAL_AT.tag);
    sealed.writeDoubleLE(count, seal + SEAL_AT.count);
    plain.writeUInt32LE(1, sealAt(plain, section) + SEAL_AT.open);
  }
  sealed.writeUInt32LE(crc32(sealed.subarray(AT.length)), AT.crc);
}

/** The section's bytes are encrypted in this memory. */
export function isSealed(batch: Buffer, section: number): boolean {
  return (
    batch.readUInt32LE(AT.format) === BATCH_FORMAT_SEALED &&
    batch.readUInt32LE(sealAt(batch, section) + SEAL_AT.open) === 0
  );
}

export function dataKeyOf(batch: Buffer): number {
  return batch.readDoubleLE(AT.dataKey);
}

/** Decrypts a section of a checked batch where it lies; false, with nothing changed, when it isn't what was encrypted. */
export function openSection(batch: Buffer, section: number, secret: KeyObject): boolean {
  const { start, end } = bytesOf(batch, section);
  const seal = sealAt(batch, section);
  const count = batch.readDoubleLE(seal + SEAL_AT.count);
  if (!Number.isInteger(count) || count < 0 || count > COUNT_MAX) return false;
  const decipher = createDecipheriv(ALGORITHM, secret, nonceOf(count), { authTagLength: TAG_BYTES });
  decipher.setAAD(boundTo(batch, section));
  decipher.setAuthTag(batch.subarray(seal + SEAL_AT.tag, seal + SEAL_AT.tag + TAG_BYTES));
  const plain = decipher.update(batch.subarray(start, end));
  try {
    decipher.final();
  } catch {
    return false;
  }
  plain.copy(batch, start);
  batch.writeUInt32LE(1, seal + SEAL_AT.open);
  return true;
}

function sealAt(batch: Buffer, section: number): number {
  return batch.length - (batch.readUInt32LE(AT.sectionCount) - section) * SEAL_BYTES;
}

function bytesOf(batch: Buffer, section: number): { start: number; end: number } {
  const at = BATCH_HEADER_BYTES + section * SECTION_BYTES;
  return {
    start: batch.readUInt32LE(at + SECTION_AT.bytes),
    end: batch.readUInt32LE(at + SECTION_AT.bytesEnd),
  };
}

function nonceOf(count: number): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeUIntLE(count, 0, COUNT_BYTES);
  return nonce;
}

/** What the section's bytes belong to: the arrival, the section's row (uid, offsets) and the bounds of its records. */
function boundTo(batch: Buffer, section: number): Buffer {
  const row = BATCH_HEADER_BYTES + section * SECTION_BYTES;
  const bounds = batch.readUInt32LE(row + SECTION_AT.bounds);
  const boundsEnd = bounds + (2 * batch.readUInt32LE(row + SECTION_AT.count) + 1) * 4;
  return Buffer.concat([
    batch.subarray(AT.arrival, AT.arrival + 8),
    batch.subarray(row, row + SECTION_BYTES),
    batch.subarray(bounds, boundsEnd),
  ]);
}
