/**
 * Sealed segments: immutable, found by binary search over summaries that are loaded when they are needed. An index
 * that is missing or broken is made anew from its segment, which alone is the truth.
 */
import { assert } from '../../../base/assert.ts';
import type { Logger } from '../../../ports/observe.ts';
import type { Disk, DiskFile } from '../../../ports/disk.ts';
import { damaged } from '../errors.ts';
import type { StreamsLimits } from '../limits.ts';
import { BoundedCache } from './bounded-cache.ts';
import { readPiece } from './cold-read.ts';
import type { Piece } from './piece.ts';
import {
  createWhole,
  indexName,
  readHeader,
  readWindow,
  scanSegment,
  segmentName,
  UNFINISHED,
} from './segment-file.ts';
import {
  encodeIndex,
  entriesBytes,
  parseEntries,
  Summary,
  SUMMARY_HEADER_BYTES,
  type EntryColumns,
} from './segment-index.ts';

export interface SealedSegment {
  readonly number: number;
  /** The index, until its file is durable. */
  image: Buffer | undefined;
  salt: number | undefined;
  /** When retention could next remove it, under the policies of this generation. */
  recheck: { readonly generation: number; readonly atMs: number } | undefined;
}

/** Where a shard's records go on. */
export interface Found {
  readonly segment: SealedSegment;
  /** The shard's first offset in the segment; beyond the one asked for when that is in no segment any more. */
  readonly start: number;
  /** Undefined when `start` is beyond the offset. */
  readonly columns: EntryColumns | undefined;
}

const CACHE_ENTRY_OVERHEAD_BYTES = 256;

export class SealedSegments {
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #limits: StreamsLimits;
  readonly #logger: Logger;
  readonly #list: SealedSegment[] = [];
  readonly #summaries: BoundedCache<number, Summary>;
  readonly #entries: BoundedCache<string, EntryColumns>;
  readonly #rebuilding = new Map<number, Promise<Buffer>>();
  #removals = 0;

  constructor(options: {
    disk: Disk;
    directory: string;
    limits: StreamsLimits;
    logger: Logger;
    numbers: readonly number[];
  }) {
    this.#disk = options.disk;
    this.#directory = options.directory;
    this.#limits = options.limits;
    this.#logger = options.logger;
    this.#summaries = new BoundedCache(options.limits.indexCacheBytesMax / 2);
    this.#entries = new BoundedCache(options.limits.indexCacheBytesMax / 2);
    for (const number of options.numbers)
      this.#list.push({ number, image: undefined, salt: undefined, recheck: undefined });
  }

  /** Rises when a segment is removed: what was found before may be gone. */
  get removals(): number {
    return this.#removals;
  }

  get list(): readonly SealedSegment[] {
    return this.#list;
  }

  /** Takes over a segment that was just sealed; its index is served from memory until `writeIndex` is done. */
  add(number: number, seal: { image: Buffer; salt: number }): SealedSegment {
    assert(number > (this.#list.at(-1)?.number ?? 0), 'segments are sealed in order');
    const segment: SealedSegment = { number, image: seal.image, salt: seal.salt, recheck: undefined };
    this.#list.push(segment);
    return segment;
  }

  async writeIndex(segment: SealedSegment): Promise<void> {
    const { image } = segment;
    if (image === undefined) return;
    await this.#save(segment.number, image);
    segment.image = undefined;
  }

  /** Never rejects: without its file an index is made again when it is needed. */
  async #save(number: number, image: Buffer): Promise<void> {
    try {
      const file = await createWhole(
        this.#disk,
        { directory: this.#directory, name: indexName(number) },
        image,
      );
      await file.close();
      this.#logger.info({ segment: number }, 'the index of a segment was written');
    } catch (error) {
      this.#logger.warn({ segment: number, error }, 'the index of a segment was not written');
    }
  }

  async summary(segment: SealedSegment): Promise<Summary> {
    const cached = this.#summaries.get(segment.number);
    if (cached) return cached;
    const summary = await this.#load(segment);
    this.#summaries.set(segment.number, summary, summary.memoryBytes + CACHE_ENTRY_OVERHEAD_BYTES);
    return summary;
  }

  /** The first segment whose records of the shard reach beyond `offset`; undefined when none does. */
  async findOffset(uid: number, offset: number): Promise<Found | undefined> {
    const at = await this.#search(
      async (segment) => ((await this.summary(segment)).row(uid)?.end ?? 0) > offset,
    );
    const segment = this.#list[at];
    if (segment === undefined) return undefined;
    const start = (await this.summary(segment)).row(uid)?.start ?? 0;
    return { segment, start, columns: start > offset ? undefined : await this.entries(segment, uid) };
  }

  /** First offset of the shard that arrived at `timestampMs` or later; undefined when none of a sealed segment did. */
  async findArrival(uid: number, timestampMs: number): Promise<number | undefined> {
    const at = await this.#search(
      async (segment) => (await this.summary(segment)).lastArrivalMs >= timestampMs,
    );
    const segment = this.#list[at];
    if (segment === undefined) return undefined;
    const row = (await this.summary(segment)).row(uid);
    if (row === undefined) return 0;
    const columns =
      row.entries > 0 && row.lastArrivalMs >= timestampMs ? await this.entries(segment, uid) : undefined;
    return columns === undefined ? row.end : columns.firstOffsets[columns.findArrival(timestampMs)];
  }

  async entries(segment: SealedSegment, uid: number): Promise<EntryColumns | undefined> {
    const key = `${segment.number}/${uid}`;
    const cached = this.#entries.get(key);
    if (cached) return cached;
    const row = (await this.summary(segment)).row(uid);
    if (row === undefined || row.entries === 0) return undefined;
    const columns = await this.#loadEntries(segment, uid);
    this.#entries.set(key, columns, entriesBytes(row) + CACHE_ENTRY_OVERHEAD_BYTES);
    return columns;
  }

  async readPiece(segment: SealedSegment, position: number): Promise<Piece> {
    const file = await this.#disk.open(this.#path(segmentName(segment.number)));
    try {
      segment.salt ??= (await this.#header(file, segment.number)).header.salt;
      const { segmentBytes } = await this.summary(segment);
      return await readPiece(file, {
        segment: segment.number,
        salt: segment.salt,
        end: segmentBytes,
        position,
        limits: this.#limits,
      });
    } finally {
      await file.close();
    }
  }

  /** Removes files; readers that are inside them find out by their next read. */
  async remove(segments: readonly SealedSegment[]): Promise<void> {
    for (const segment of segments) {
      const at = this.#list.indexOf(segment);
      if (at !== -1) this.#list.splice(at, 1);
      this.#removals++;
      this.#summaries.delete(segment.number);
      await this.#disk.remove(this.#path(segmentName(segment.number)));
      await this.#disk.remove(this.#path(indexName(segment.number)));
    }
    await this.#disk.syncDirectory(this.#directory);
  }

  /** First position in the list for which `test` holds; it must hold for all after it. */
  async #search(test: (segment: SealedSegment) => Promise<boolean>): Promise<number> {
    const list = [...this.#list];
    let low = 0;
    let high = list.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (await test(list[middle]!)) high = middle;
      else low = middle + 1;
    }
    // Retention may have removed segments meanwhile.
    const found =
      low === list.length ? -1 : this.#list.findIndex((segment) => segment.number >= list[low]!.number);
    return found === -1 ? this.#list.length : found;
  }

  async #load(segment: SealedSegment): Promise<Summary> {
    const image = segment.image ?? (await this.#readSummary(segment.number));
    const summary = image && Summary.parse(image, segment.number);
    if (summary) return summary;
    const rebuilt = Summary.parse(await this.#rebuild(segment.number), segment.number);
    assert(rebuilt, 'an index that was just made must be one');
    return rebuilt;
  }

  async #readSummary(number: number): Promise<Buffer | undefined> {
    return this.#withIndex(number, async (file) => {
      const header = await readWindow(file, 0, SUMMARY_HEADER_BYTES);
      const sizeBytes = Summary.sizeBytes(header);
      return sizeBytes === undefined || sizeBytes > (await file.size())
        ? undefined
        : readWindow(file, 0, sizeBytes);
    });
  }

  async #loadEntries(segment: SealedSegment, uid: number): Promise<EntryColumns> {
    const row = (await this.summary(segment)).row(uid);
    assert(row, 'the shard is in the segment');
    const bytes =
      segment.image?.subarray(row.entriesAt, row.entriesAt + entriesBytes(row)) ??
      (await this.#withIndex(segment.number, (file) => readWindow(file, row.entriesAt, entriesBytes(row))));
    const columns = bytes && parseEntries(bytes, row);
    if (columns) return columns;
    const image = await this.#rebuild(segment.number);
    const summary = Summary.parse(image, segment.number);
    const again = summary?.row(uid);
    assert(summary && again, 'an index that was just made must have its shards');
    this.#summaries.set(segment.number, summary, summary.memoryBytes + CACHE_ENTRY_OVERHEAD_BYTES);
    const rebuilt = parseEntries(
      image.subarray(again.entriesAt, again.entriesAt + entriesBytes(again)),
      again,
    );
    assert(rebuilt, 'an index that was just made must have its entries');
    return rebuilt;
  }

  async #withIndex<Result>(
    number: number,
    work: (file: DiskFile) => Promise<Result>,
  ): Promise<Result | undefined> {
    const names = await this.#disk.list(this.#directory);
    if (!names.includes(indexName(number))) return undefined;
    const file = await this.#disk.open(this.#path(indexName(number)));
    try {
      return await work(file);
    } finally {
      await file.close();
    }
  }

  #rebuild(number: number): Promise<Buffer> {
    let running = this.#rebuilding.get(number);
    if (running === undefined) {
      running = this.#rebuildNow(number).finally(() => this.#rebuilding.delete(number));
      this.#rebuilding.set(number, running);
    }
    return running;
  }

  async #rebuildNow(number: number): Promise<Buffer> {
    const file = await this.#disk.open(this.#path(segmentName(number)));
    try {
      const { header, sizeBytes } = await this.#header(file, number);
      const scanned = await scanSegment(file, {
        header,
        headerBytes: sizeBytes,
        batchBytesMax: this.#limits.batchBytesMax,
      });
      if (scanned.stop !== undefined)
        throw damaged(`${segmentName(number)} at byte ${scanned.end}`, scanned.stop);
      const image = encodeIndex({ ...header, ...scanned, segmentBytes: scanned.end });
      await this.#save(number, image);
      return image;
    } finally {
      await file.close();
    }
  }

  async #header(file: DiskFile, number: number) {
    const found = await readHeader(file, number);
    if (found === undefined) throw damaged(segmentName(number), 'its header is not that of a segment');
    return found;
  }

  #path(name: string): string {
    assert(!name.endsWith(UNFINISHED), 'unfinished files are no segments');
    return `${this.#directory}/${name}`;
  }
}
