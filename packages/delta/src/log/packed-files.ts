/**
 * The adds, or the removes, of a checkpoint as text in few buffers, so that a million of them are neither a million
 * objects nor anything that a garbage collector looks at. Objects are made when asked for.
 *
 * Invariant: blocks never change; block by block, the n-th key, row and statistics are of the same file.
 */
import { DeltaError } from '../errors.ts';
import { recordCount } from '../stats/record-count.ts';
import type { AddFile, DeletionVectorDescriptor, RemoveFile } from './actions.ts';
import { ROW_SEPARATOR } from './file-block.ts';

export { ROW_SEPARATOR };
/** Between the fields of a row. */
export const FIELD_SEPARATOR = '\u0001';

/** Some files, as UTF-8. */
export interface PackedBlock {
  readonly count: number;
  /** The key of each file, as `fileKey` makes it. */
  readonly keys: Uint8Array;
  /**
   * The fields of each file, '' for those that are null. Of an add: size, modificationTime, dataChange (1 or 0),
   * baseRowId, defaultRowCommitVersion, and as JSON partitionValues, tags, deletionVector and clusteringProvider. Of a
   * remove: deletionTimestamp, dataChange, extendedFileMetadata, size, baseRowId, defaultRowCommitVersion, and as JSON
   * partitionValues and deletionVector.
   */
  readonly rows: Uint8Array;
  /** The statistics of each add, '' for none; empty for removes. */
  readonly stats: Uint8Array;
}

/** What all adds of some blocks come to. */
export interface PackedTotals {
  readonly sizeBytes: number;
  /** Records of the files that say how many they have, those that deletion vectors delete left out. */
  readonly rows: number;
  /** Files that don't say how many records they have. */
  readonly uncounted: number;
  /** Files with deletion vectors. */
  readonly vectors: number;
  /** Records that deletion vectors delete. */
  readonly deletedRows: number;
}

export const NO_TOTALS: PackedTotals = { sizeBytes: 0, rows: 0, uncounted: 0, vectors: 0, deletedRows: 0 };

export function addTotals(left: PackedTotals, right: PackedTotals): PackedTotals {
  return {
    sizeBytes: left.sizeBytes + right.sizeBytes,
    rows: left.rows + right.rows,
    uncounted: left.uncounted + right.uncounted,
    vectors: left.vectors + right.vectors,
    deletedRows: left.deletedRows + right.deletedRows,
  };
}

/** What one add comes to. */
export function totalsOf(add: AddFile): PackedTotals {
  const records = recordCount(add.stats);
  const deletedRows = add.deletionVector?.cardinality ?? 0;
  return {
    sizeBytes: add.size,
    rows: records === undefined ? 0 : records - deletedRows,
    uncounted: records === undefined ? 1 : 0,
    vectors: add.deletionVector ? 1 : 0,
    deletedRows,
  };
}

/** Files of up to this many are kept as objects once they were made. */
const KEPT_FILES_MAX = 200_000;

/** Makes the objects of files. */
interface Decoder<File> {
  decode(key: string, row: string, stats: string): File;
  /** Of an add, from the JSON in its row. */
  partitionValues(json: string): Readonly<Record<string, string | null>>;
}

/** A list of files, numbered from 0, that can be searched by key. */
export class PackedFiles<File extends AddFile | RemoveFile> {
  readonly count: number;
  /** Of the files in their order. */
  readonly blocks: readonly DecodedBlock<File>[];
  readonly #blocks: readonly Block[];
  #index: KeyIndex | undefined;

  constructor(blocks: readonly PackedBlock[], decoder: Decoder<File>) {
    let first = 0;
    this.#blocks = blocks.map((block) => {
      const numbered = { ...block, first };
      first += block.count;
      return numbered;
    });
    this.count = first;
    const keepsFiles = this.count <= KEPT_FILES_MAX;
    this.blocks = this.#blocks.map((block) => new DecodedBlock(block, decoder, { keepsFiles }));
  }

  /** The number of the file with a key; -1 if there is none. */
  find(key: string): number {
    this.indexSome(Infinity);
    return this.#index?.find(key) ?? -1;
  }

  /** Makes ready for {@link PackedFiles.find} as many as `limit` of the keys, or a few more; whether that was all. */
  indexSome(limit: number): boolean {
    this.#index ??= new KeyIndex(this.#blocks, this.count);
    return this.#index.grow(limit);
  }

  /** The file of a number below `count`. */
  file(number: number): File {
    const at = lastAtOrBefore(this.#blocks, number);
    const block = this.blocks[at];
    if (block === undefined || number >= this.count)
      throw new RangeError(`no file ${number} of ${this.count}`);
    return block.file(number - (this.#blocks[at]?.first ?? 0));
  }

  /** All in order, with their numbers. Files of long lists are new objects each time. */
  *files(): Generator<[number, File], void, undefined> {
    let number = 0;
    for (const block of this.blocks) {
      for (const file of block.files()) {
        yield [number, file];
        number += 1;
      }
    }
  }
}

/** A block with what makes objects of it; of adds, it is a `FileBlock`. */
export class DecodedBlock<File> {
  readonly #block: PackedBlock;
  readonly #decoder: Decoder<File>;
  readonly #keepsFiles: boolean;
  #kept: readonly File[] | undefined;
  #keyStarts: Uint32Array | undefined;
  #rowStarts: Uint32Array | undefined;
  #statsStarts: Uint32Array | undefined;

  constructor(block: PackedBlock, decoder: Decoder<File>, { keepsFiles }: { keepsFiles: boolean }) {
    this.#block = block;
    this.#decoder = decoder;
    this.#keepsFiles = keepsFiles;
  }

  get count(): number {
    return this.#block.count;
  }

  file(at: number): File {
    const kept = this.#kept?.[at];
    if (kept !== undefined) return kept;
    const { keys, rows, stats, count } = this.#block;
    this.#keyStarts ??= startsOf(keys, count);
    if (stats.length > 0) this.#statsStarts ??= startsOf(stats, count);
    return this.#decoder.decode(
      partOf(keys, this.#keyStarts, at),
      partOf(rows, this.#startsOfRows(), at),
      this.#statsStarts === undefined ? '' : partOf(stats, this.#statsStarts, at),
    );
  }

  /** All in order. */
  files(): readonly File[] {
    if (this.#kept !== undefined) return this.#kept;
    const { count, ...block } = this.#block;
    const keys = textOf(block.keys).split(ROW_SEPARATOR);
    const rows = textOf(block.rows).split(ROW_SEPARATOR);
    const stats = block.stats.length === 0 ? undefined : textOf(block.stats).split(ROW_SEPARATOR);
    for (const parts of [keys, rows, stats ?? keys]) if (parts.length !== count) throw malformed();
    const files = keys.map((key, at) => this.#decoder.decode(key, rows[at] ?? '', stats?.[at] ?? ''));
    if (this.#keepsFiles) this.#kept = files;
    return files;
  }

  statistics(): Uint8Array {
    return this.#block.stats;
  }

  partitionValues(): Readonly<Record<string, string | null>>[] {
    const { rows, count } = this.#block;
    const starts = this.#startsOfRows();
    let lastJson: string | undefined;
    let last: Readonly<Record<string, string | null>> = {};
    return Array.from({ length: count }, (_, at) => {
      const start = fieldStart(rows, starts[at] ?? 0, PARTITION_VALUES_FIELD);
      const json = textOf(rows.subarray(start, fieldStart(rows, start, 1) - 1));
      if (json !== lastJson) last = this.#decoder.partitionValues(json);
      lastJson = json;
      return last;
    });
  }

  #startsOfRows(): Uint32Array {
    return (this.#rowStarts ??= startsOf(this.#block.rows, this.#block.count));
  }
}

/** The place, in an add's row, of its partition values. */
const PARTITION_VALUES_FIELD = 5;

/** Where, so many fields after the one at a position, the next begins. */
function fieldStart(rows: Uint8Array, start: number, fields: number): number {
  let at = start;
  for (let left = fields; left > 0 && at < rows.length; at += 1) if (rows[at] === FIELD_END) left -= 1;
  return at;
}

function partOf(bytes: Uint8Array, starts: Uint32Array, at: number): string {
  return textOf(bytes.subarray(starts[at], (starts[at + 1] ?? 0) - 1));
}

interface Block extends PackedBlock {
  /** Number of the block's first file. */
  readonly first: number;
}

function lastAtOrBefore(blocks: readonly Block[], number: number): number {
  let [low, high] = [0, blocks.length];
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((blocks[middle]?.first ?? Infinity) <= number) low = middle;
    else high = middle;
  }
  return low;
}

/** Where each of so many parts of a block's text begins, and where one more would. */
function startsOf(bytes: Uint8Array, count: number): Uint32Array {
  const starts = new Uint32Array(count + 1);
  let start = 0;
  for (let at = 1; at <= count; at += 1) {
    start = endOf(bytes, start) + 1;
    starts[at] = start;
  }
  if (start !== bytes.length + 1) throw malformed();
  return starts;
}

function malformed(): DeltaError {
  const message = 'a path or statistics in a checkpoint hold characters that neither URIs nor JSON can';
  return new DeltaError({ code: 'corrupt-log', message });
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

const ROW_END = ROW_SEPARATOR.charCodeAt(0);
const FIELD_END = FIELD_SEPARATOR.charCodeAt(0);

/** From keys to numbers: a hash table with open addressing over the blocks' bytes. Of equal keys the last counts. */
class KeyIndex {
  readonly #blocks: readonly Block[];
  /** Offset, in its block, at which each key begins. */
  readonly #starts: Uint32Array;
  /** Of each key, so that few keys are compared: many have their ends in common. */
  readonly #hashes: Uint32Array;
  /** Numbers of files, plus one. */
  readonly #slots: Int32Array;
  #blocksAdded = 0;

  constructor(blocks: readonly Block[], count: number) {
    this.#blocks = blocks;
    this.#starts = new Uint32Array(count);
    this.#hashes = new Uint32Array(count);
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(Math.max(count, 1) * 2)));
  }

  /** Adds whole blocks until those are as many keys; whether all are there. */
  grow(limit: number): boolean {
    let added = 0;
    for (; added < limit; this.#blocksAdded += 1) {
      const block = this.#blocks[this.#blocksAdded];
      if (block === undefined) return true;
      this.#addBlock(block);
      added += block.count;
    }
    return this.#blocksAdded >= this.#blocks.length;
  }

  /** To be called once all are there. */
  find(key: string): number {
    const bytes = Buffer.from(key);
    const mask = this.#slots.length - 1;
    const hash = hashOf(bytes, 0, bytes.length);
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const number = (this.#slots[slot] ?? 0) - 1;
      if (number < 0 || (this.#hashes[number] === hash && this.#isKey(number, bytes))) return number;
    }
  }

  #addBlock({ keys, first, count }: Block): void {
    const mask = this.#slots.length - 1;
    let start = 0;
    for (let number = first; number < first + count; number += 1) {
      const end = endOf(keys, start);
      const hash = hashOf(keys, start, end);
      this.#starts[number] = start;
      this.#hashes[number] = hash;
      let slot = hash & mask;
      for (let other = this.#slots[slot] ?? 0; other !== 0; other = this.#slots[slot] ?? 0) {
        if (this.#hashes[other - 1] === hash && this.#isKey(other - 1, keys.subarray(start, end))) break;
        slot = (slot + 1) & mask;
      }
      this.#slots[slot] = number + 1;
      start = end + 1;
    }
  }

  #isKey(number: number, key: Uint8Array): boolean {
    const keys = this.#blocks[lastAtOrBefore(this.#blocks, number)]?.keys ?? key;
    const start = this.#starts[number] ?? 0;
    const end = start + key.length;
    if (end > keys.length || (end < keys.length && keys[end] !== ROW_END)) return false;
    // From the end: paths differ there.
    for (let at = key.length - 1; at >= 0; at -= 1) {
      if (key[at] !== keys[start + at]) return false;
    }
    return true;
  }
}

function endOf(keys: Uint8Array, start: number): number {
  const end = keys.indexOf(ROW_END, start);
  return end < 0 ? keys.length : end;
}

/** FNV-1a, its bits mixed once more since only the low ones are used. */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5;
  for (let at = start; at < end; at += 1) hash = Math.imul(hash ^ (bytes[at] ?? 0), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

export function packedAdds(blocks: readonly PackedBlock[]): PackedFiles<AddFile> {
  return new PackedFiles(blocks, new AddDecoder());
}

export function packedRemoves(blocks: readonly PackedBlock[]): PackedFiles<RemoveFile> {
  return new PackedFiles(blocks, { decode: decodeRemove, partitionValues: () => ({}) });
}

/** Distinct partition values whose objects are shared. */
const SHARED_VALUES_MAX = 10_000;

class AddDecoder {
  /** Files of a partition share their values. */
  readonly #values = new Map<string, Readonly<Record<string, string | null>>>();

  decode(key: string, row: string, stats: string): AddFile {
    const fields = row.split(FIELD_SEPARATOR);
    const [size = '', time = '', change, baseRowId = '', commitVersion = '', values = ''] = fields;
    const [tags = '', vector = '', provider = ''] = fields.slice(6);
    return {
      path: pathOf(key, vector !== ''),
      partitionValues: this.partitionValues(values),
      size: Number(size),
      modificationTime: Number(time),
      dataChange: change === '1',
      ...(stats === '' ? {} : { stats }),
      ...(tags === '' ? {} : { tags: JSON.parse(tags) as Record<string, string | null> }),
      ...(vector === '' ? {} : { deletionVector: vectorFromJson(vector) }),
      ...rowTracking(baseRowId, commitVersion),
      ...(provider === '' ? {} : { clusteringProvider: JSON.parse(provider) as string }),
    };
  }

  partitionValues(json: string): Readonly<Record<string, string | null>> {
    const found = this.#values.get(json);
    if (found !== undefined) return found;
    const values = (json === '' ? {} : JSON.parse(json)) as Record<string, string | null>;
    if (this.#values.size < SHARED_VALUES_MAX) this.#values.set(json, Object.freeze(values));
    return values;
  }
}

function decodeRemove(key: string, row: string): RemoveFile {
  const fields = row.split(FIELD_SEPARATOR);
  const [time = '', change, extended = '', size = '', baseRowId = '', commitVersion = ''] = fields;
  const [values = '', vector = ''] = fields.slice(6);
  return {
    path: pathOf(key, vector !== ''),
    ...(time === '' ? {} : { deletionTimestamp: Number(time) }),
    dataChange: change === '1',
    ...(extended === '' ? {} : { extendedFileMetadata: extended === '1' }),
    ...(values === '' ? {} : { partitionValues: JSON.parse(values) as Record<string, string | null> }),
    ...(size === '' ? {} : { size: Number(size) }),
    ...(vector === '' ? {} : { deletionVector: vectorFromJson(vector) }),
    ...rowTracking(baseRowId, commitVersion),
  };
}

function rowTracking(
  baseRowId: string,
  commitVersion: string,
): Pick<AddFile, 'baseRowId' | 'defaultRowCommitVersion'> {
  return {
    ...(baseRowId === '' ? {} : { baseRowId: Number(baseRowId) }),
    ...(commitVersion === '' ? {} : { defaultRowCommitVersion: Number(commitVersion) }),
  };
}

/** A key is the path, and after a line's end the vector's id, if there is one; that holds no line's end. */
function pathOf(key: string, hasVector: boolean): string {
  return hasVector ? key.slice(0, key.lastIndexOf('\n')) : key;
}

function vectorFromJson(json: string): DeletionVectorDescriptor {
  const { offset, ...vector } = JSON.parse(json) as DeletionVectorDescriptor;
  return offset === null || offset === undefined ? vector : { ...vector, offset };
}
