/**
 * Deletion vectors in the log and in files (protocol: "Deletion Vectors", "Deletion Vector File Storage Format"): which
 * rows of a data file are deleted.
 */
import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { DeltaError, messageOf } from '../errors.ts';
import type { DeletionVectorDescriptor } from '../log/actions.ts';
import { locateFileOf, staysBelow } from '../log/file-path.ts';
import type { TableIo } from '../snapshot/load.ts';
import { joinPath } from '../store/object-store.ts';
import { decodeRowSet, encodeRowSet, RoaringFormatError } from './roaring-format.ts';
import type { RowSet } from './row-set.ts';
import { vectorCacheOf } from './vector-cache.ts';
import { z85Decode, z85Encode } from './z85.ts';

/** Bytes after which a file of vectors ends. */
export const VECTOR_FILE_BYTES = 2 * 1024 * 1024;
/** Bytes of neighbouring vectors of one file that are read at once, those between them included. */
const READ_AT_ONCE_BYTES_MAX = 4 * 1024 * 1024;
/** Files of vectors that are read at once. */
const READS_AT_ONCE_MAX = 16;

const FORMAT_VERSION = 1;
/** Of the size before and the checksum after a vector. */
const FRAME_BYTES = 8;
const UUID_CHARACTERS = 20;

/** The rows that a descriptor names. Throws `corrupt-log` naming the vector's file and what is wrong with it. */
export async function readDeletionVector(io: TableIo, descriptor: DeletionVectorDescriptor): Promise<RowSet> {
  const [set] = await readDeletionVectors(io, [descriptor]);
  return set as RowSet;
}

/** As {@link readDeletionVector}, in the descriptors' order, with as few reads as there can be. */
export async function readDeletionVectors(
  io: TableIo,
  descriptors: readonly DeletionVectorDescriptor[],
): Promise<RowSet[]> {
  const cache = vectorCacheOf(io.store);
  const found = new Map<DeletionVectorDescriptor, RowSet>();
  const reads = new Map<string, DeletionVectorDescriptor[]>();
  for (const descriptor of descriptors) {
    if (descriptor.storageType === 'i') {
      found.set(descriptor, inlineRows(descriptor));
      continue;
    }
    const known = cache.get(cacheKey(io, descriptor));
    // A descriptor that says otherwise is held against the file, as one that is met for the first time.
    if (known?.size === descriptor.cardinality) found.set(descriptor, known);
    else {
      const path = JSON.stringify(placeOf(io, descriptor));
      reads.set(path, [...(reads.get(path) ?? []), descriptor]);
    }
  }
  const batches = [...reads.values()].flatMap(batchesOf);
  await eachAtOnce(batches, async (batch) => {
    for (const [descriptor, set] of await readBatch(io, batch)) {
      cache.set(cacheKey(io, descriptor), set);
      found.set(descriptor, set);
    }
  });
  return descriptors.map((descriptor) => found.get(descriptor) as RowSet);
}

/**
 * Stores row sets, none of them empty, and describes them in their order, packed into as few files as
 * {@link VECTOR_FILE_BYTES} allows. None is kept in the log itself, however small: Spark's VACUUM fails for a table with
 * such a vector. The files are durable on return; nothing refers to them until a commit does. `uuid` gives canonical
 * texts of UUIDs.
 */
export async function writeDeletionVectors(
  io: TableIo,
  sets: readonly RowSet[],
  uuid: () => string,
): Promise<DeletionVectorDescriptor[]> {
  const described: DeletionVectorDescriptor[] = [];
  let file = new VectorFile(uuid());
  const finished: VectorFile[] = [];
  for (const set of sets) {
    const data = encodeRowSet(set);
    if (file.sizeBytes + data.length > VECTOR_FILE_BYTES && !file.isEmpty) {
      finished.push(file);
      file = new VectorFile(uuid());
    }
    described.push(file.add(data, set.size));
  }
  if (!file.isEmpty) finished.push(file);
  for (const each of finished) await io.store.put(joinPath(io.root, each.name), each.bytes());
  return described;
}

/** The store's path of the file that a vector is in; undefined for one that is in the log or outside of the table. */
export function deletionVectorPath(io: TableIo, descriptor: DeletionVectorDescriptor): string | undefined {
  if (descriptor.storageType === 'i') return undefined;
  const place = placeOf(io, descriptor);
  return place.kind === 'store' ? place.path : undefined;
}

class VectorFile {
  readonly name: string;
  readonly #encodedUuid: string;
  readonly #parts: Uint8Array[] = [Uint8Array.of(FORMAT_VERSION)];
  sizeBytes = 1;

  constructor(uuid: string) {
    this.name = fileName(uuid);
    const bytes = Buffer.from(uuid.replaceAll('-', ''), 'hex');
    if (bytes.length !== 16)
      throw new DeltaError({ code: 'io', message: `"${uuid}" is no UUID to name a file by` });
    this.#encodedUuid = z85Encode(bytes);
  }

  get isEmpty(): boolean {
    return this.#parts.length === 1;
  }

  add(data: Uint8Array, cardinality: number): DeletionVectorDescriptor {
    const [size, checksum] = [Buffer.alloc(4), Buffer.alloc(4)];
    size.writeUInt32BE(data.length);
    checksum.writeUInt32BE(crc32(data));
    const offset = this.sizeBytes;
    this.#parts.push(size, data, checksum);
    this.sizeBytes += data.length + FRAME_BYTES;
    const pathOrInlineDv = this.#encodedUuid;
    return { storageType: 'u', pathOrInlineDv, offset, sizeInBytes: data.length, cardinality };
  }

  bytes(): Uint8Array {
    return Buffer.concat(this.#parts);
  }
}

function inlineRows(descriptor: DeletionVectorDescriptor): RowSet {
  const bytes = z85Decode(descriptor.pathOrInlineDv);
  if (bytes === undefined) throw damaged(descriptor, 'its text is not Z85');
  if (descriptor.sizeInBytes > bytes.length || bytes.length - descriptor.sizeInBytes > 3) {
    throw damaged(descriptor, `it has ${bytes.length} bytes, but the log says ${descriptor.sizeInBytes}`);
  }
  return decoded(descriptor, bytes.subarray(0, descriptor.sizeInBytes));
}

type Place =
  | { readonly kind: 'store'; readonly path: string }
  | { readonly kind: 'local'; readonly path: string };

function placeOf(io: TableIo, descriptor: DeletionVectorDescriptor): Place {
  const { storageType, pathOrInlineDv } = descriptor;
  if (storageType === 'p') {
    const location = locateFileOf(io.store, pathOrInlineDv);
    return location.kind === 'local' ? location : { kind: 'store', path: joinPath(io.root, location.path) };
  }
  if (storageType !== 'u') throw damaged(descriptor, `its storage type "${storageType}" is unknown`);
  const at = pathOrInlineDv.length - UUID_CHARACTERS;
  const bytes = at < 0 ? undefined : z85Decode(pathOrInlineDv.slice(at));
  if (bytes === undefined) throw damaged(descriptor, 'its name holds no UUID');
  if (!staysBelow(pathOrInlineDv.slice(0, at))) throw damaged(descriptor, 'it is outside of the table');
  const hex = Buffer.from(bytes).toString('hex');
  const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return { kind: 'store', path: joinPath(io.root, pathOrInlineDv.slice(0, at), fileName(uuid)) };
}

function fileName(uuid: string): string {
  return `deletion_vector_${uuid}.bin`;
}

function cacheKey(io: TableIo, { storageType, pathOrInlineDv, offset }: DeletionVectorDescriptor): string {
  return JSON.stringify([io.root, storageType, pathOrInlineDv, offset ?? 0]);
}

/** Neighbours of one file, so near to one another that one read for all is the cheapest. */
function batchesOf(descriptors: readonly DeletionVectorDescriptor[]): DeletionVectorDescriptor[][] {
  const batches: DeletionVectorDescriptor[][] = [];
  for (const descriptor of descriptors.toSorted((a, b) => (a.offset ?? 0) - (b.offset ?? 0))) {
    const batch = batches.at(-1);
    const from = batch?.[0]?.offset ?? 0;
    if (batch !== undefined && endOf(descriptor) - from <= READ_AT_ONCE_BYTES_MAX) batch.push(descriptor);
    else batches.push([descriptor]);
  }
  return batches;
}

function endOf({ offset, sizeInBytes }: DeletionVectorDescriptor): number {
  return (offset ?? 0) + sizeInBytes + FRAME_BYTES;
}

async function readBatch(
  io: TableIo,
  batch: readonly DeletionVectorDescriptor[],
): Promise<[DeletionVectorDescriptor, RowSet][]> {
  const first = batch[0] as DeletionVectorDescriptor;
  const start = first.offset ?? 0;
  // Near the file's beginning the version comes along.
  const from = start <= FRAME_BYTES ? 0 : start;
  const length = Math.max(...batch.map(endOf)) - from;
  const bytes = await readRange(io, first, { offset: from, length });
  if (from === 0 && bytes[0] !== FORMAT_VERSION && start > 0) {
    throw damaged(
      first,
      `its file has the format version ${bytes[0]}, and ${FORMAT_VERSION} is the only one known`,
    );
  }
  return batch.map((descriptor) => [
    descriptor,
    framedRows(descriptor, bytes.subarray((descriptor.offset ?? 0) - from, endOf(descriptor) - from)),
  ]);
}

function framedRows(descriptor: DeletionVectorDescriptor, framed: Uint8Array): RowSet {
  const { sizeInBytes } = descriptor;
  if (framed.length < sizeInBytes + FRAME_BYTES) throw damaged(descriptor, 'its file ends within it');
  const frame = new DataView(framed.buffer, framed.byteOffset, framed.byteLength);
  const size = frame.getUint32(0);
  if (size !== sizeInBytes)
    throw damaged(descriptor, `it has ${size} bytes, but the log says ${sizeInBytes}`);
  const data = framed.subarray(4, 4 + sizeInBytes);
  if (crc32(data) !== frame.getUint32(4 + sizeInBytes)) throw damaged(descriptor, 'its checksum is wrong');
  return decoded(descriptor, data);
}

function decoded(descriptor: DeletionVectorDescriptor, data: Uint8Array): RowSet {
  try {
    const set = decodeRowSet(data);
    if (set.size === descriptor.cardinality) return set;
    throw damaged(descriptor, `it has ${set.size} rows, but the log says ${descriptor.cardinality}`);
  } catch (error) {
    if (error instanceof RoaringFormatError) throw damaged(descriptor, error.message, error);
    throw error;
  }
}

async function readRange(
  io: TableIo,
  descriptor: DeletionVectorDescriptor,
  range: { offset: number; length: number },
): Promise<Uint8Array> {
  const place = placeOf(io, descriptor);
  try {
    return place.kind === 'store'
      ? await io.store.read(place.path, range)
      : await readLocal(place.path, range);
  } catch (cause) {
    const isAbsent =
      (cause instanceof DeltaError && cause.code === 'not-found') ||
      (cause as { code?: unknown }).code === 'ENOENT';
    if (isAbsent) throw damaged(descriptor, `its file "${place.path}" is missing`, cause);
    if (cause instanceof DeltaError) throw cause;
    throw new DeltaError({ code: 'io', message: `can't read "${place.path}": ${messageOf(cause)}`, cause });
  }
}

async function readLocal(path: string, range: { offset: number; length: number }): Promise<Uint8Array> {
  const handle = await open(path, 'r');
  try {
    const bytes = new Uint8Array(range.length);
    const { bytesRead } = await handle.read(bytes, 0, range.length, range.offset);
    return bytes.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

async function eachAtOnce<Item>(items: readonly Item[], task: (item: Item) => Promise<void>): Promise<void> {
  const queue = items.values();
  const worker = async (): Promise<void> => {
    for (const item of queue) await task(item);
  };
  await Promise.all(Array.from({ length: Math.min(READS_AT_ONCE_MAX, items.length) }, worker));
}

function damaged(descriptor: DeletionVectorDescriptor, why: string, cause?: unknown): DeltaError {
  const { storageType, pathOrInlineDv, offset } = descriptor;
  const name = `${storageType}${pathOrInlineDv}${offset === undefined || offset === null ? '' : `@${offset}`}`;
  const message = `the deletion vector "${nameOf(descriptor) ?? name}" can't be used: ${why}`;
  return new DeltaError({ code: 'corrupt-log', message, cause });
}

/** The file's name and the vector's place in it, as people find it; undefined where the descriptor holds none. */
function nameOf({ storageType, pathOrInlineDv, offset }: DeletionVectorDescriptor): string | undefined {
  if (storageType === 'p') return `${pathOrInlineDv} at ${offset ?? 0}`;
  const bytes = storageType === 'u' ? z85Decode(pathOrInlineDv.slice(-UUID_CHARACTERS)) : undefined;
  if (bytes === undefined || bytes.length !== 16) return undefined;
  const hex = Buffer.from(bytes).toString('hex');
  const uuid = hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return `${joinPath(pathOrInlineDv.slice(0, -UUID_CHARACTERS), fileName(uuid))} at ${offset ?? 0}`;
}
