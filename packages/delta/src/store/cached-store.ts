/**
 * A store whose immutable objects are kept on a local disk, up to a bound.
 *
 * Which ones: names with a UUID in them (data files, deletion vectors, checkpoints and sidecars of the v2 kind) never
 * get other bytes and are used without a question. Other data files and classic checkpoints are used if the store still
 * shows the same size, time and tag. Commits are read from the store each time, unless `trustLogNames` says otherwise:
 * a table may be dropped and made anew at its place, and asking whether a small object is the same costs what reading
 * it costs. `_last_checkpoint`, and files of the log that are not known, are never kept.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { DeltaError, isDeltaError } from '../errors.ts';
import {
  type CacheCounts,
  type CacheItem,
  DiskCache,
  type DiskCacheOptions,
  type Lease,
} from './disk-cache.ts';
import {
  type ByteRange,
  type DownloadOptions,
  type FileTransfer,
  type ListedObject,
  type ListOptions,
  type Localised,
  type Localiser,
  movesFiles,
  type ObjectFacts,
  type ObjectStore,
} from './object-store.ts';

export interface CachedStoreOptions extends DiskCacheOptions {
  /** The tables of the store are never dropped and made anew at the same place: files of the log are kept, too. */
  readonly trustLogNames?: boolean;
}

/** Share of the cache that one object may fill when it is read as bytes; a larger one is read past the cache. */
const READ_SHARE_MAX = 0.25;
/** Objects whose facts are asked for at once. */
const LOOK_UPS_IN_FLIGHT_MAX = 32;

type Keeping = 'trusted' | 'validated' | 'never';

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i;
const LOG_DIRECTORY = /(^|\/)_delta_log\//;
const CHECKPOINT = /^\d{20}\.checkpoint(\.\d{10}\.\d{10})?\.parquet$/;
const COMMIT = /^\d{20}(\.\d{20}\.compacted)?\.json$/;

/** How long a copy of the object may be used. */
export function keepingOf(path: string, options: { trustLogNames: boolean }): Keeping {
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (UUID.test(name) && !name.endsWith('.json')) return 'trusted';
  if (!LOG_DIRECTORY.test(path)) return 'validated';
  if (UUID.test(name)) return 'trusted';
  if (CHECKPOINT.test(name)) return options.trustLogNames ? 'trusted' : 'validated';
  return COMMIT.test(name) && options.trustLogNames ? 'trusted' : 'never';
}

/** Writes go to the store alone. One process at a time may use a cache's directory. */
export class CachedStore implements ObjectStore, Localiser, FileTransfer {
  readonly #inner: ObjectStore;
  readonly #cache: DiskCache;
  readonly #trustLogNames: boolean;
  readonly #readBytesMax: number;

  private constructor(inner: ObjectStore, cache: DiskCache, options: CachedStoreOptions) {
    this.#inner = inner;
    this.#cache = cache;
    this.#trustLogNames = options.trustLogNames ?? false;
    this.#readBytesMax = options.sizeBytesMax * READ_SHARE_MAX;
  }

  /** Takes over what an earlier process kept in the directory. Throws `io`. */
  static async open(inner: ObjectStore, options: CachedStoreOptions): Promise<CachedStore> {
    return new CachedStore(inner, await DiskCache.open(options), options);
  }

  get counts(): CacheCounts {
    return this.#cache.counts;
  }

  async localise(
    objects: readonly { readonly path: string; readonly sizeBytes: number }[],
    signal?: AbortSignal,
  ): Promise<Localised> {
    const items: CacheItem[] = [];
    for (let at = 0; at < objects.length; at += LOOK_UPS_IN_FLIGHT_MAX) {
      const batch = objects.slice(at, at + LOOK_UPS_IN_FLIGHT_MAX).map(async ({ path, sizeBytes }) => {
        const version = await this.#versionOf(path);
        return this.#itemOf(path, { sizeBytes, version });
      });
      items.push(...(await Promise.all(batch)));
    }
    const lease = await this.#cache.acquire(items, signal);
    const files = new Map(objects.map(({ path }, at) => [path, lease.files[at] ?? '']));
    return {
      localPath(path) {
        const file = files.get(path);
        if (file !== undefined) return file;
        throw new DeltaError({ code: 'io', message: `"${path}" was not made local`, retry: 'never' });
      },
      release() {
        files.clear();
        lease.release();
      },
    };
  }

  async read(path: string, range?: ByteRange): Promise<Uint8Array> {
    const keeping = keepingOf(path, { trustLogNames: this.#trustLogNames });
    if (keeping === 'never') return this.#inner.read(path, range);
    const lease = await this.#leaseForReading(path, { keeping, isWhole: range === undefined });
    if (lease === undefined) return this.#inner.read(path, range);
    try {
      const bytes = await readFile(lease.files[0] ?? '');
      return range === undefined ? bytes : bytes.subarray(range.offset, range.offset + range.length);
    } finally {
      lease.release();
    }
  }

  head(path: string): Promise<ObjectFacts | undefined> {
    return this.#inner.head(path);
  }

  putIfAbsent(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    return this.#inner.putIfAbsent(path, bytes);
  }

  async put(path: string, bytes: Uint8Array): Promise<void> {
    await this.#inner.put(path, bytes);
    await this.#cache.drop(path);
  }

  async putFile(path: string, file: string): Promise<void> {
    if (movesFiles(this.#inner)) await this.#inner.putFile(path, file);
    else await this.#inner.put(path, await readFile(file));
    await this.#cache.drop(path);
  }

  async download(path: string, file: string, options: DownloadOptions = {}): Promise<ObjectFacts> {
    const { signal } = options;
    if (movesFiles(this.#inner)) return this.#inner.download(path, file, options);
    const bytes = await this.#inner.read(path);
    await writeFile(file, bytes, { flag: 'wx', ...(signal === undefined ? {} : { signal }) });
    return { modifiedMs: 0, ...(await this.#inner.head(path)), sizeBytes: bytes.length };
  }

  list(prefix: string, options?: ListOptions): AsyncIterable<ListedObject> {
    return this.#inner.list(prefix, options);
  }

  async delete(path: string): Promise<void> {
    await this.#inner.delete(path);
    await this.#cache.drop(path);
  }

  async deleteMany(paths: readonly string[]): Promise<void> {
    if (this.#inner.deleteMany === undefined) {
      for (const path of paths) await this.#inner.delete(path);
    } else {
      await this.#inner.deleteMany(paths);
    }
    for (const path of paths) await this.#cache.drop(path);
  }

  /** A pinned copy to read from; undefined if the store is to be read itself. */
  async #leaseForReading(
    path: string,
    { keeping, isWhole }: { keeping: Keeping; isWhole: boolean },
  ): Promise<Lease | undefined> {
    if (keeping === 'trusted') {
      const sizeBytes = this.#cache.sizeOf({ path, version: '' });
      if (sizeBytes !== undefined) {
        const lease = await this.#cache.find({ path, version: '', sizeBytes });
        if (lease !== undefined) return lease;
      }
    }
    // A part of an object is no reason to fetch the whole.
    if (!isWhole) return undefined;
    const facts = await this.#inner.head(path);
    if (facts === undefined || facts.sizeBytes > this.#readBytesMax) return undefined;
    const version = keeping === 'trusted' ? '' : versionOf(facts);
    const item = this.#itemOf(path, { sizeBytes: facts.sizeBytes, version });
    return this.#cache.acquire([item]).catch((error: unknown) => {
      // The cache is full, or the object was replaced meanwhile: the store still knows.
      if (isDeltaError(error, 'no-space') || isDeltaError(error, 'corrupt-log')) return undefined;
      throw error;
    });
  }

  async #versionOf(path: string): Promise<string> {
    // Whoever wants an object local has read in the log that it is immutable; only its name may be used again.
    if (keepingOf(path, { trustLogNames: this.#trustLogNames }) === 'trusted') return '';
    const facts = await this.#inner.head(path);
    if (facts === undefined) {
      throw new DeltaError({ code: 'not-found', message: `"${path}" does not exist` });
    }
    return versionOf(facts);
  }

  #itemOf(path: string, of: { sizeBytes: number; version: string }): CacheItem {
    return {
      path,
      ...of,
      fill: async (file, signal) => {
        const facts = await this.download(path, file, { signal });
        if (of.version === '' || of.version === versionOf(facts)) return;
        throw new DeltaError({ code: 'io', message: `"${path}" was replaced while it was read` });
      },
    };
  }
}

function versionOf({ sizeBytes, modifiedMs, etag }: ObjectFacts): string {
  return `${sizeBytes} ${modifiedMs} ${etag ?? ''}`;
}
