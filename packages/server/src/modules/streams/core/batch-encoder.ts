/**
 * Encodes one request's records into one buffer in two passes: the first routes and measures, the second writes keys
 * and decodes base64 into place. Nothing is allocated for a record.
 */
import { crc32 } from 'node:zlib';
import type { RecordsIn } from '../api.ts';
import {
  aligned,
  AT,
  BATCH_FORMAT,
  BATCH_FORMAT_SEALED,
  BATCH_HEADER_BYTES,
  BATCH_MAGIC,
  SEAL_BYTES,
  SECTION_AT,
  SECTION_BYTES,
} from './batch-format.ts';
import { HASH_KEY_MAX, type Router } from './routing.ts';

export interface EncodedBatch {
  readonly buffer: Buffer;
  /** Position of each section's shard among the router's ranges. */
  readonly sectionShards: Int32Array;
  readonly sectionCounts: Int32Array;
  /** The section of each record, in the order of the request. */
  readonly recordSections: Int32Array;
}

/** Why a request can't be encoded; `record` is its position. */
export interface Refused {
  readonly record: number;
  readonly problem: 'explicit-hash-key' | 'base64' | 'too-large';
}

/** Where a batch ends up; known only when its group is written. */
export interface Placement {
  readonly position: number;
  readonly durableTo: number;
  readonly salt: number;
  readonly arrivalMs: number;
}

/** Gives 8-byte aligned memory of at least the size, which the encoder fills from its start. */
export type Allocate = (sizeBytes: number) => Buffer;

/** What `write(…, 'base64')` calls after checks of its arguments, which cost as much for a short text as the decoding. */
type Base64Buffer = Buffer & { base64Write(text: string, at: number, bytesMax: number): number };

const EXPLICIT_HASH_KEY = /^(0|[1-9]\d{0,38})$/;

/** Keeps scratch columns between calls; not to be shared by calls that interleave. */
export class BatchEncoder {
  #sections = new Int32Array(512);
  #keyBytes = new Int32Array(512);
  #dataBytes = new Int32Array(512);
  /** Section of a shard, valid when its stamp is the present call's. */
  #sectionOfShard = new Int32Array(16);
  #stamps = new Float64Array(16);
  #stamp = 0;
  #counts = new Int32Array(16);
  #bytes = new Float64Array(16);
  #shards = new Int32Array(16);
  #bytesAt = new Float64Array(16);
  #boundsAt = new Float64Array(16);

  /** `offsets` and header stay blank until `place`; `sealed` leaves room for what the batch is encrypted with. */
  encode(
    records: RecordsIn,
    router: Router,
    options: { uidOf: (shard: number) => number; allocate: Allocate; bytesMax: number; sealed?: boolean },
  ): EncodedBatch | Refused {
    const count = records.partitionKeys.length;
    this.#reserve(count, router.size);
    const sectionCount = this.#measure(records, router);
    if (typeof sectionCount !== 'number') return sectionCount;
    let size = BATCH_HEADER_BYTES + sectionCount * SECTION_BYTES + (2 * count + sectionCount) * 4;
    for (let section = 0; section < sectionCount; section++) size += this.#bytes[section]!;
    size = aligned(size);
    const sealed = options.sealed === true;
    if (sealed) size += sectionCount * SEAL_BYTES;
    if (size > options.bytesMax) return { record: 0, problem: 'too-large' };
    const buffer = options.allocate(size);
    const words = this.#writeTables(buffer, { count, sectionCount, sealed, uidOf: options.uidOf });
    const refused = this.#writeRecords({ buffer, words }, records, sectionCount);
    if (refused !== undefined) return refused;
    return {
      buffer,
      sectionShards: this.#shards.slice(0, sectionCount),
      sectionCounts: this.#counts.slice(0, sectionCount),
      recordSections: this.#sections.slice(0, count),
    };
  }

  /** First pass: sections and sizes. */
  #measure(records: RecordsIn, router: Router): number | Refused {
    const { partitionKeys, explicitHashKeys, data } = records;
    const count = partitionKeys.length;
    const single = router.size === 1;
    const stamp = ++this.#stamp;
    let sectionCount = 0;
    for (let index = 0; index < count; index++) {
      const key = partitionKeys[index]!;
      const explicit = explicitHashKeys?.[index];
      let shard = 0;
      if (explicit !== undefined) {
        if (!EXPLICIT_HASH_KEY.test(explicit) || BigInt(explicit) > HASH_KEY_MAX)
          return { record: index, problem: 'explicit-hash-key' };
        if (!single) shard = router.ofHash(BigInt(explicit));
      } else if (!single) shard = router.ofKey(key);
      let section = this.#sectionOfShard[shard]!;
      if (this.#stamps[shard] !== stamp) {
        section = sectionCount++;
        this.#stamps[shard] = stamp;
        this.#sectionOfShard[shard] = section;
        this.#shards[section] = shard;
        this.#counts[section] = 0;
        this.#bytes[section] = 0;
      }
      const bytes = data[index]!;
      const dataBytes = typeof bytes === 'string' ? base64Bytes(bytes) : bytes.length;
      if (dataBytes < 0) return { record: index, problem: 'base64' };
      const keyBytes = utf8Bytes(key);
      this.#sections[index] = section;
      this.#keyBytes[index] = keyBytes;
      this.#dataBytes[index] = dataBytes;
      this.#counts[section]!++;
      this.#bytes[section]! += keyBytes + dataBytes;
    }
    return sectionCount;
  }

  #writeTables(
    buffer: Buffer,
    sizes: { count: number; sectionCount: number; sealed: boolean; uidOf: (shard: number) => number },
  ): Uint32Array {
    const { count, sectionCount, sealed, uidOf } = sizes;
    const words = new Uint32Array(buffer.buffer, buffer.byteOffset, buffer.length >> 2);
    const floats = new Float64Array(buffer.buffer, buffer.byteOffset, buffer.length >> 3);
    // Indexed writes throughout: a call of `fill` or `writeUInt32LE` costs as much as a short record.
    for (let at = 0; at < BATCH_HEADER_BYTES >> 3; at++) floats[at] = 0;
    words[AT.magic >> 2] = BATCH_MAGIC;
    words[AT.length >> 2] = buffer.length;
    words[AT.sectionCount >> 2] = sectionCount;
    words[AT.recordCount >> 2] = count;
    words[AT.format >> 2] = sealed ? BATCH_FORMAT_SEALED : BATCH_FORMAT;
    let boundsAt = BATCH_HEADER_BYTES + sectionCount * SECTION_BYTES;
    let bytesAt = boundsAt + (2 * count + sectionCount) * 4;
    for (let section = 0; section < sectionCount; section++) {
      const at = BATCH_HEADER_BYTES + section * SECTION_BYTES;
      const end = bytesAt + this.#bytes[section]!;
      floats[(at + SECTION_AT.uid) >> 3] = uidOf(this.#shards[section]!);
      floats[(at + SECTION_AT.firstOffset) >> 3] = 0;
      words[(at + SECTION_AT.count) >> 2] = this.#counts[section]!;
      words[(at + SECTION_AT.bounds) >> 2] = boundsAt;
      words[(at + SECTION_AT.bytes) >> 2] = bytesAt;
      words[(at + SECTION_AT.bytesEnd) >> 2] = end;
      this.#boundsAt[section] = boundsAt >> 2;
      this.#bytesAt[section] = bytesAt;
      boundsAt += (2 * this.#counts[section]! + 1) * 4;
      bytesAt = end;
    }
    if (sealed) buffer.fill(0, bytesAt);
    else for (let at = bytesAt; at < buffer.length; at++) buffer[at] = 0;
    return words;
  }

  /** Second pass. */
  #writeRecords(
    { buffer, words }: { buffer: Buffer; words: Uint32Array },
    records: RecordsIn,
    sectionCount: number,
  ): Refused | undefined {
    const { partitionKeys, data } = records;
    const bytesAt = this.#bytesAt;
    const boundsAt = this.#boundsAt;
    for (let index = 0, count = partitionKeys.length; index < count; index++) {
      const section = this.#sections[index]!;
      const bound = boundsAt[section]!;
      boundsAt[section] = bound + 2;
      let at = bytesAt[section]!;
      words[bound] = at;
      const keyBytes = this.#keyBytes[index]!;
      writeText(buffer, partitionKeys[index]!, { at, bytes: keyBytes });
      at += keyBytes;
      words[bound + 1] = at;
      const bytes = data[index]!;
      const dataBytes = this.#dataBytes[index]!;
      if (typeof bytes === 'string') {
        // Decoding skips what isn't base64, so that a shorter result tells of it.
        if (dataBytes > 0 && (buffer as Base64Buffer).base64Write(bytes, at, dataBytes) !== dataBytes)
          return { record: index, problem: 'base64' };
      } else buffer.set(bytes, at);
      bytesAt[section] = at + dataBytes;
    }
    for (let section = 0; section < sectionCount; section++) words[boundsAt[section]!] = bytesAt[section]!;
    return undefined;
  }

  #reserve(records: number, shards: number): void {
    if (this.#sections.length < records) {
      this.#sections = new Int32Array(records * 2);
      this.#keyBytes = new Int32Array(records * 2);
      this.#dataBytes = new Int32Array(records * 2);
    }
    if (this.#stamps.length < shards) {
      this.#stamps = new Float64Array(shards);
      this.#sectionOfShard = new Int32Array(shards);
      this.#counts = new Int32Array(shards);
      this.#bytes = new Float64Array(shards);
      this.#shards = new Int32Array(shards);
      this.#bytesAt = new Float64Array(shards);
      this.#boundsAt = new Float64Array(shards);
    }
  }
}

/** Writes what is known only now, the sections' first offsets and the checksum; the batch is then final, or to be sealed. */
export function placeBatch(
  buffer: Buffer,
  sectionCount: number,
  placement: Placement & { firstOffsetOf: (section: number) => number },
): void {
  const floats = new Float64Array(buffer.buffer, buffer.byteOffset, buffer.length >> 3);
  for (let section = 0; section < sectionCount; section++) {
    const at = BATCH_HEADER_BYTES + section * SECTION_BYTES + SECTION_AT.firstOffset;
    floats[at >> 3] = placement.firstOffsetOf(section);
  }
  floats[AT.arrival >> 3] = placement.arrivalMs;
  floats[AT.salt >> 3] = placement.salt;
  floats[AT.position >> 3] = placement.position;
  floats[AT.durableTo >> 3] = placement.durableTo;
  // A sealed batch has the checksum of what is written for it.
  if (buffer.readUInt32LE(AT.format) === BATCH_FORMAT_SEALED) return;
  buffer.writeUInt32LE(crc32(buffer.subarray(AT.length)), AT.crc);
}

/** A batch without records, whose `durableTo` vouches for what lies before it. */
export function markBatch(placement: Placement): Buffer {
  const buffer = Buffer.from(new ArrayBuffer(BATCH_HEADER_BYTES));
  buffer.writeUInt32LE(BATCH_MAGIC, AT.magic);
  buffer.writeUInt32LE(buffer.length, AT.length);
  buffer.writeUInt32LE(BATCH_FORMAT, AT.format);
  placeBatch(buffer, 0, { ...placement, firstOffsetOf: () => 0 });
  return buffer;
}

/** Decoded size by the text's length; -1 when no base64 has that length. */
function base64Bytes(text: string): number {
  const length = text.length;
  if ((length & 3) !== 0) return -1;
  if (length === 0) return 0;
  let bytes = (length >> 2) * 3;
  if (text.charCodeAt(length - 1) === 0x3d) bytes -= text.charCodeAt(length - 2) === 0x3d ? 2 : 1;
  return bytes;
}

/** Longer texts are cheaper to hand to the runtime. */
const LOOP_CHARS_MAX = 48;

function utf8Bytes(text: string): number {
  const length = text.length;
  if (length > LOOP_CHARS_MAX) return Buffer.byteLength(text);
  for (let index = 0; index < length; index++)
    if (text.charCodeAt(index) > 0x7f) return Buffer.byteLength(text);
  return length;
}

function writeText(buffer: Buffer, text: string, place: { at: number; bytes: number }): void {
  const length = text.length;
  if (length > LOOP_CHARS_MAX || length !== place.bytes) {
    buffer.write(text, place.at, place.bytes, 'utf8');
    return;
  }
  for (let index = 0; index < length; index++) buffer[place.at + index] = text.charCodeAt(index);
}
