/** Segment files: their names, their header and the scan that recovery and rebuilt indexes share. */
import { crc32 } from 'node:zlib';
import { isDiskError } from '../errors.ts';
import { arrivalMsOf, checkBatch, durableToOf, sectionCountOf, sectionOf } from '../core/batch-reader.ts';
import { ALIGNMENT_BYTES, AT as BATCH_AT, BATCH_MAGIC } from '../core/batch-format.ts';
import type { Disk, DiskFile } from '../../../ports/disk.ts';
import { EntryColumns } from './segment-index.ts';

const NAME_DIGITS = 10;
/** A file that is being made; renamed once it is whole and synced, removed by a start that finds it. */
export const UNFINISHED = '.new';

export const segmentName = (number: number): string => `${String(number).padStart(NAME_DIGITS, '0')}.seg`;
export const indexName = (number: number): string => `${String(number).padStart(NAME_DIGITS, '0')}.idx`;

/** The number in a file's name; undefined when it is not a segment's or not of that kind. */
export function numberOf(name: string, kind: 'seg' | 'idx'): number | undefined {
  const match = new RegExp(`^(\\d{${NAME_DIGITS}})\\.${kind}$`).exec(name);
  return match ? Number(match[1]) : undefined;
}

/** "SLS1" */
const SEGMENT_MAGIC = 0x31534c53;
const SEGMENT_FORMAT = 1;
const AT = {
  magic: 0,
  crc: 4,
  length: 8,
  format: 12,
  number: 16,
  salt: 24,
  startArrival: 32,
  shards: 40,
} as const;
const FIXED_BYTES = 48;
const SHARD_BYTES = 16;

export interface SegmentHeader {
  readonly number: number;
  /** In every batch of the segment, so that bytes a client made up are not taken for a batch. */
  readonly salt: number;
  readonly startArrivalMs: number;
  /** Next offset of each live shard. */
  readonly startOffsets: ReadonlyMap<number, number>;
}

export function encodeHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.from(new ArrayBuffer(FIXED_BYTES + header.startOffsets.size * SHARD_BYTES));
  bytes.writeUInt32LE(SEGMENT_MAGIC, AT.magic);
  bytes.writeUInt32LE(bytes.length, AT.length);
  bytes.writeUInt32LE(SEGMENT_FORMAT, AT.format);
  bytes.writeDoubleLE(header.number, AT.number);
  bytes.writeDoubleLE(header.salt, AT.salt);
  bytes.writeDoubleLE(header.startArrivalMs, AT.startArrival);
  bytes.writeDoubleLE(header.startOffsets.size, AT.shards);
  let at = FIXED_BYTES;
  for (const [uid, next] of header.startOffsets) {
    bytes.writeDoubleLE(uid, at);
    bytes.writeDoubleLE(next, at + 8);
    at += SHARD_BYTES;
  }
  bytes.writeUInt32LE(crc32(bytes.subarray(AT.length)), AT.crc);
  return bytes;
}

/** The header and its size; undefined when it isn't one of the segment. */
export async function readHeader(
  file: DiskFile,
  number: number,
): Promise<{ header: SegmentHeader; sizeBytes: number } | undefined> {
  const fixed = Buffer.from(new ArrayBuffer(FIXED_BYTES));
  if ((await file.read(fixed, 0)) < FIXED_BYTES || fixed.readUInt32LE(AT.magic) !== SEGMENT_MAGIC)
    return undefined;
  const sizeBytes = fixed.readUInt32LE(AT.length);
  if (sizeBytes < FIXED_BYTES || sizeBytes > (await file.size())) return undefined;
  const bytes = Buffer.from(new ArrayBuffer(sizeBytes));
  if (
    (await file.read(bytes, 0)) < sizeBytes ||
    crc32(bytes.subarray(AT.length)) !== bytes.readUInt32LE(AT.crc)
  )
    return undefined;
  const shards = bytes.readDoubleLE(AT.shards);
  if (bytes.readUInt32LE(AT.format) !== SEGMENT_FORMAT || sizeBytes !== FIXED_BYTES + shards * SHARD_BYTES)
    return undefined;
  if (bytes.readDoubleLE(AT.number) !== number) return undefined;
  const startOffsets = new Map<number, number>();
  for (let at = FIXED_BYTES; at < sizeBytes; at += SHARD_BYTES)
    startOffsets.set(bytes.readDoubleLE(at), bytes.readDoubleLE(at + 8));
  const salt = bytes.readDoubleLE(AT.salt);
  return {
    header: { number, salt, startArrivalMs: bytes.readDoubleLE(AT.startArrival), startOffsets },
    sizeBytes,
  };
}

/** Writes a file that is there whole after a crash or not at all, and gives it open. */
export async function createWhole(
  disk: Disk,
  place: { readonly directory: string; readonly name: string },
  bytes: Buffer,
): Promise<DiskFile> {
  const path = `${place.directory}/${place.name}`;
  await disk.remove(path + UNFINISHED);
  const file = await disk.open(path + UNFINISHED, { create: true });
  try {
    await file.write([bytes], 0);
    await file.sync();
    await disk.rename(path + UNFINISHED, path);
    await disk.syncDirectory(place.directory);
    return file;
  } catch (error) {
    await file.close();
    if (isDiskError(error, 'no-space')) await disk.remove(path + UNFINISHED);
    throw error;
  }
}

/** What a scan found of a segment's valid batches. */
export interface Scanned {
  readonly columns: ReadonlyMap<number, EntryColumns>;
  readonly endOffsets: ReadonlyMap<number, number>;
  /** End of the last valid batch. */
  readonly end: number;
  readonly sizeBytes: number;
  /** As the last valid batch states it: all before was durable when it was written. */
  readonly durableTo: number;
  readonly lastArrivalMs: number;
  /** Why the bytes from `end` on are no batch; undefined at the end of the file. */
  readonly stop?: string;
}

/** Bytes read at a time; a larger batch is read whole. */
const WINDOW_BYTES = 4 * 2 ** 20;

/** Reads batches from the header's end until the file's end or the first that is not valid. */
export async function scanSegment(
  file: DiskFile,
  segment: { readonly header: SegmentHeader; readonly headerBytes: number; readonly batchBytesMax: number },
): Promise<Scanned> {
  const { header, batchBytesMax } = segment;
  const sizeBytes = await file.size();
  const columns = new Map<number, EntryColumns>();
  const endOffsets = new Map(header.startOffsets);
  let durableTo = segment.headerBytes;
  let lastArrivalMs = header.startArrivalMs;
  let position = segment.headerBytes;
  let stop: string | undefined;
  let windowBytes = WINDOW_BYTES;
  while (position < sizeBytes && stop === undefined) {
    const wanted = Math.min(windowBytes, sizeBytes - position);
    const window = await readWindow(file, position, wanted);
    let at = 0;
    for (;;) {
      const checked = checkBatch(window, at, {
        position: position + at,
        salt: header.salt,
        bytesMax: batchBytesMax,
      });
      if (checked.kind === 'invalid') stop = checked.reason;
      if (checked.kind === 'short') {
        windowBytes = Math.max(WINDOW_BYTES, checked.bytes);
        if (position + at + checked.bytes > sizeBytes || window.length < wanted)
          stop = 'the file ends inside it';
      }
      if (checked.kind !== 'valid') break;
      const batch = window.subarray(at, at + checked.bytes);
      if (!continues(batch, endOffsets, lastArrivalMs)) {
        stop = 'its offsets do not continue those before';
        break;
      }
      addBatch(batch, position + at, { columns, endOffsets });
      durableTo = durableToOf(batch);
      lastArrivalMs = arrivalMsOf(batch);
      at += checked.bytes;
      if (position + at === sizeBytes) break;
    }
    position += at;
  }
  const found = { columns, endOffsets, end: position, sizeBytes, durableTo, lastArrivalMs };
  return position < sizeBytes && stop !== undefined ? { ...found, stop } : found;
}

/** A batch left over from a group that was given up can be whole and still not belong after the batch before it. */
function continues(batch: Buffer, endOffsets: ReadonlyMap<number, number>, lastArrivalMs: number): boolean {
  for (let index = 0, count = sectionCountOf(batch); index < count; index++) {
    const { uid, firstOffset } = sectionOf(batch, index);
    if (firstOffset !== (endOffsets.get(uid) ?? 0)) return false;
  }
  return arrivalMsOf(batch) >= lastArrivalMs;
}

function addBatch(
  batch: Buffer,
  position: number,
  to: { readonly columns: Map<number, EntryColumns>; readonly endOffsets: Map<number, number> },
): void {
  const arrivalMs = arrivalMsOf(batch);
  for (let index = 0, count = sectionCountOf(batch); index < count; index++) {
    const section = sectionOf(batch, index);
    let columns = to.columns.get(section.uid);
    if (columns === undefined) to.columns.set(section.uid, (columns = new EntryColumns()));
    columns.push({ firstOffset: section.firstOffset, arrivalMs, position, section: index });
    to.endOffsets.set(section.uid, section.firstOffset + section.count);
  }
}

/**
 * Whether a valid batch after `from` was written when the bytes at `from` were already durable: what is wrong there is
 * then damage and not a torn tail. Gives that batch's position.
 */
export async function findWitness(
  file: DiskFile,
  segment: { readonly header: SegmentHeader; readonly from: number; readonly batchBytesMax: number },
): Promise<number | undefined> {
  const sizeBytes = await file.size();
  const magic = Buffer.alloc(4);
  magic.writeUInt32LE(BATCH_MAGIC, BATCH_AT.magic);
  // Windows overlap by one alignment unit, so that no start is cut in two.
  for (let start = segment.from; start < sizeBytes; start += WINDOW_BYTES) {
    const window = await readWindow(file, start, Math.min(WINDOW_BYTES + ALIGNMENT_BYTES, sizeBytes - start));
    for (let at = window.indexOf(magic); at !== -1; at = window.indexOf(magic, at + 1)) {
      const position = start + at;
      if (position % ALIGNMENT_BYTES !== 0) continue;
      const batch = await batchAt(file, position, {
        salt: segment.header.salt,
        bytesMax: segment.batchBytesMax,
        sizeBytes,
      });
      if (batch !== undefined && durableToOf(batch) > segment.from) return position;
    }
  }
  return undefined;
}

async function batchAt(
  file: DiskFile,
  position: number,
  expected: { salt: number; bytesMax: number; sizeBytes: number },
): Promise<Buffer | undefined> {
  let bytes = Math.min(64, expected.sizeBytes - position);
  for (;;) {
    const window = await readWindow(file, position, bytes);
    const checked = checkBatch(window, 0, { position, salt: expected.salt, bytesMax: expected.bytesMax });
    if (checked.kind === 'valid') return window.subarray(0, checked.bytes);
    if (checked.kind === 'invalid' || position + checked.bytes > expected.sizeBytes || window.length < bytes)
      return undefined;
    bytes = checked.bytes;
  }
}

export async function readWindow(file: DiskFile, position: number, bytes: number): Promise<Buffer> {
  const window = Buffer.from(new ArrayBuffer(bytes));
  const read = await file.read(window, position);
  return window.subarray(0, read);
}
