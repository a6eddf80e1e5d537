/**
 * Files of immutable content in one directory, up to a bound: filled once, kept while someone uses them, and otherwise
 * given up, the least recently used first.
 *
 * Invariants: a file under its final name is complete and durable; the sizes of all files, those being filled included,
 * stay within the bound; a pinned file is never removed; one content is filled by one task at a time. A crash leaves
 * complete files, which the next start takes over, and unfinished ones, which it removes.
 *
 * The directory belongs to one cache of one process at a time.
 */
import { createHash, randomUUID } from 'node:crypto';
import * as fs from 'node:fs/promises';
import { join } from 'node:path';
import { assert, DeltaError, messageOf } from '../errors.ts';

export interface DiskCacheOptions {
  /** Absolute; created if it is absent. */
  readonly directory: string;
  readonly sizeBytesMax: number;
  /** Files filled at once; default 8. */
  readonly fillsInFlightMax?: number;
  /** Bound of the wait for space that others have pinned; default 60,000. */
  readonly waitMsMax?: number;
  /** Milliseconds since 1970; default `Date.now`. Orders files by their use over restarts. */
  readonly now?: () => number;
}

export interface CacheItem {
  /** What is cached, for messages and for {@link DiskCache.drop}. */
  readonly path: string;
  /** Tells contents of the same path apart; '' where a path has one content for ever. */
  readonly version: string;
  readonly sizeBytes: number;
  /** Writes the content to a new file; the signal is aborted when no one waits for it any more. */
  readonly fill: (file: string, signal: AbortSignal) => Promise<void>;
}

/** Pinned files: they stay until `release`, which may be called more than once. */
export interface Lease {
  /** Absolute paths, in the order of the items. */
  readonly files: readonly string[];
  release(): void;
}

export interface CacheCounts {
  readonly sizeBytes: number;
  readonly pinnedBytes: number;
  readonly files: number;
  readonly hits: number;
  readonly fills: number;
  readonly evictions: number;
}

interface Entry {
  readonly name: string;
  readonly sizeBytes: number;
  pins: number;
  isReady: boolean;
  /** Its content is out of date: it goes with its last pin. */
  isDropped: boolean;
  filling: { readonly done: Promise<void>; readonly controller: AbortController } | undefined;
}

interface Waiter {
  readonly isAdmitted: () => boolean;
  readonly admit: () => void;
}

const NAME = /^[0-9a-f]{32}-[0-9a-f]{16}-(\d+)$/;
const TEMPORARY_SUFFIX = '.tmp';
const FILLS_IN_FLIGHT_MAX = 8;
const WAIT_MS_MAX = 60_000;

export class DiskCache {
  readonly #directory: string;
  readonly #sizeBytesMax: number;
  readonly #waitMsMax: number;
  readonly #now: () => number;
  /** Least recently used first. */
  readonly #entries = new Map<string, Entry>();
  /** Removals under way, so that a new file of the same name is not taken for the old one. */
  readonly #removals = new Map<string, Promise<void>>();
  readonly #waiters: Waiter[] = [];
  readonly #fillSlots: { free: number; readonly queue: (() => void)[] };
  readonly #counts = { hits: 0, fills: 0, evictions: 0 };
  #sizeBytes = 0;
  #pinnedBytes = 0;

  private constructor(options: DiskCacheOptions) {
    this.#directory = options.directory;
    this.#sizeBytesMax = options.sizeBytesMax;
    this.#waitMsMax = options.waitMsMax ?? WAIT_MS_MAX;
    this.#now = options.now ?? Date.now;
    this.#fillSlots = { free: options.fillsInFlightMax ?? FILLS_IN_FLIGHT_MAX, queue: [] };
  }

  /** Takes over the complete files of an earlier process, and removes what it left unfinished. Throws `io`. */
  static async open(options: DiskCacheOptions): Promise<DiskCache> {
    const cache = new DiskCache(options);
    try {
      await cache.#restore();
    } catch (cause) {
      const message = `can't use "${options.directory}" as a cache: ${messageOf(cause)}`;
      throw new DeltaError({ code: 'io', message, cause });
    }
    return cache;
  }

  get counts(): CacheCounts {
    const { hits, fills, evictions } = this.#counts;
    const sizes = { sizeBytes: this.#sizeBytes, pinnedBytes: this.#pinnedBytes };
    return { ...sizes, files: this.#entries.size, hits, fills, evictions };
  }

  /**
   * Pins the items' files, filling those that are absent. All are pinned at once, when there is space for all, so that
   * callers who wait hold nothing. Throws `no-space` when the items exceed the bound, or others have pinned too much for
   * too long; `corrupt-log` when a content has another size; what `fill` throws; and the signal's reason.
   */
  async acquire(items: readonly CacheItem[], signal?: AbortSignal): Promise<Lease> {
    signal?.throwIfAborted();
    const byName = new Map(items.map((item) => [nameOf(item), item]));
    const neededBytes = [...byName.values()].reduce((sum, item) => sum + item.sizeBytes, 0);
    if (neededBytes > this.#sizeBytesMax) throw this.#tooLarge(neededBytes);
    const entries = await this.#pinTogether(byName, signal);
    const lease = this.#leaseOf(entries, items);
    try {
      await this.#evict();
      const ready = Promise.all(entries.map((entry) => this.#ready(entry, byName.get(entry.name))));
      await untilAborted(ready, signal);
      return lease;
    } catch (error) {
      lease.release();
      throw error;
    }
  }

  /** Pins the file of an item if it is complete; nothing is fetched. */
  async find(item: Pick<CacheItem, 'path' | 'version' | 'sizeBytes'>): Promise<Lease | undefined> {
    const name = nameOf(item);
    if (this.#entries.get(name)?.isReady !== true) return undefined;
    const entry = this.#pin(name, item.sizeBytes);
    const lease = this.#leaseOf([entry], [item]);
    if (await this.#isIntact(entry)) {
      this.#counts.hits += 1;
      return lease;
    }
    lease.release();
    return undefined;
  }

  /** The size of the complete file of a path and version, if there is one. */
  sizeOf(item: Pick<CacheItem, 'path' | 'version'>): number | undefined {
    const start = startOf(item);
    for (const entry of this.#entries.values()) {
      if (entry.isReady && entry.name.startsWith(start)) return entry.sizeBytes;
    }
    return undefined;
  }

  /** Forgets all contents of a path; those that are pinned go when they are released. */
  async drop(path: string): Promise<void> {
    const start = `${hashOf(path, 32)}-`;
    for (const entry of this.#entries.values()) {
      if (!entry.name.startsWith(start)) continue;
      entry.isReady = false;
      entry.isDropped = true;
      if (entry.pins === 0) this.#forget(entry);
    }
    await Promise.all(this.#removals.values());
  }

  async #restore(): Promise<void> {
    await fs.mkdir(this.#directory, { recursive: true });
    const found: { name: string; sizeBytes: number; usedMs: number }[] = [];
    for (const name of await fs.readdir(this.#directory)) {
      const file = join(this.#directory, name);
      if (name.endsWith(TEMPORARY_SUFFIX)) await fs.rm(file, { force: true });
      const sizeBytes = Number(NAME.exec(name)?.[1] ?? Number.NaN);
      if (Number.isNaN(sizeBytes)) continue;
      const stats = await fs.stat(file);
      if (stats.size === sizeBytes) found.push({ name, sizeBytes, usedMs: stats.mtimeMs });
      else await fs.rm(file, { force: true });
    }
    found.sort((a, b) => a.usedMs - b.usedMs);
    for (const { name, sizeBytes } of found) {
      this.#entries.set(name, {
        name,
        sizeBytes,
        pins: 0,
        isReady: true,
        isDropped: false,
        filling: undefined,
      });
      this.#sizeBytes += sizeBytes;
    }
    await this.#evict();
  }

  /** Pins the items in the order of the calls, each call's together, at the moment when there is space for them. */
  async #pinTogether(
    items: ReadonlyMap<string, CacheItem>,
    signal: AbortSignal | undefined,
  ): Promise<Entry[]> {
    const { promise, resolve, reject } = Promise.withResolvers<Entry[]>();
    const waiter: Waiter = {
      isAdmitted: () => this.#pinnedBytes + this.#unpinnedBytesOf(items) <= this.#sizeBytesMax,
      admit: () => resolve([...items].map(([name, item]) => this.#pin(name, item.sizeBytes))),
    };
    this.#waiters.push(waiter);
    this.#admitWaiters();
    const fail = (error: unknown): void => {
      const at = this.#waiters.indexOf(waiter);
      if (at < 0) return;
      this.#waiters.splice(at, 1);
      reject(error);
      this.#admitWaiters();
    };
    const timer = setTimeout(() => fail(this.#pinnedByOthers()), this.#waitMsMax);
    const onAbort = (): void => fail(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    }
  }

  #unpinnedBytesOf(items: ReadonlyMap<string, CacheItem>): number {
    let bytes = 0;
    for (const [name, item] of items) {
      if ((this.#entries.get(name)?.pins ?? 0) === 0) bytes += item.sizeBytes;
    }
    return bytes;
  }

  #admitWaiters(): void {
    for (let [first] = this.#waiters; first?.isAdmitted() === true; [first] = this.#waiters) {
      this.#waiters.shift();
      first.admit();
    }
  }

  #pin(name: string, sizeBytes: number): Entry {
    let entry = this.#entries.get(name);
    if (entry === undefined) {
      entry = { name, sizeBytes, pins: 0, isReady: false, isDropped: false, filling: undefined };
      this.#sizeBytes += sizeBytes;
    } else {
      this.#entries.delete(name);
    }
    this.#entries.set(name, entry);
    if (entry.pins === 0) this.#pinnedBytes += sizeBytes;
    entry.pins += 1;
    return entry;
  }

  #leaseOf(
    entries: readonly Entry[],
    items: readonly Pick<CacheItem, 'path' | 'version' | 'sizeBytes'>[],
  ): Lease {
    let isReleased = false;
    return {
      files: items.map((item) => this.#fileOf(nameOf(item))),
      release: () => {
        if (isReleased) return;
        isReleased = true;
        for (const entry of entries) this.#unpin(entry);
        this.#admitWaiters();
      },
    };
  }

  #unpin(entry: Entry): void {
    entry.pins -= 1;
    assert(entry.pins >= 0, 'a file is released as often as it is pinned');
    if (entry.pins > 0) return;
    this.#pinnedBytes -= entry.sizeBytes;
    if (entry.isReady) return;
    entry.filling?.controller.abort(new Error('no one waits for it any more'));
    this.#forget(entry);
  }

  #forget(entry: Entry): void {
    if (this.#entries.get(entry.name) !== entry) return;
    this.#entries.delete(entry.name);
    this.#sizeBytes -= entry.sizeBytes;
    const removal = Promise.allSettled([entry.filling?.done, this.#removals.get(entry.name)])
      .then(() => fs.rm(this.#fileOf(entry.name), { force: true }))
      // A file that can't be removed is found again, or counted again, at the next start.
      .catch(() => undefined)
      .finally(() => {
        if (this.#removals.get(entry.name) === removal) this.#removals.delete(entry.name);
      });
    this.#removals.set(entry.name, removal);
  }

  /** The disk holds no more than the bound on return, what is about to be filled included. */
  async #evict(): Promise<void> {
    for (const entry of this.#entries.values()) {
      if (this.#sizeBytes <= this.#sizeBytesMax) break;
      if (entry.pins > 0) continue;
      this.#counts.evictions += 1;
      this.#forget(entry);
    }
    await Promise.all(this.#removals.values());
  }

  async #ready(entry: Entry, item: CacheItem | undefined): Promise<void> {
    assert(item !== undefined, 'every entry belongs to an item');
    if (entry.isReady && (await this.#isIntact(entry))) {
      this.#counts.hits += 1;
      return;
    }
    entry.filling ??= this.#startFilling(entry, item);
    await entry.filling.done;
  }

  #startFilling(entry: Entry, item: CacheItem): NonNullable<Entry['filling']> {
    const controller = new AbortController();
    const done = this.#fill(entry, item, controller.signal).finally(() => {
      entry.filling = undefined;
    });
    // Whoever waits hears of a failure; no one may be left.
    done.catch(() => undefined);
    return { done, controller };
  }

  async #fill(entry: Entry, item: CacheItem, signal: AbortSignal): Promise<void> {
    await this.#fillSlot();
    const temporary = join(this.#directory, `${randomUUID()}${TEMPORARY_SUFFIX}`);
    try {
      signal.throwIfAborted();
      this.#counts.fills += 1;
      await item.fill(temporary, signal);
      const sizeBytes = await syncedSize(temporary);
      if (sizeBytes !== item.sizeBytes) {
        const message = `"${item.path}" has ${sizeBytes} bytes; the log says ${item.sizeBytes}`;
        throw new DeltaError({ code: 'corrupt-log', message });
      }
      await fs.rename(temporary, this.#fileOf(entry.name));
      entry.isReady = !entry.isDropped;
    } catch (error) {
      await fs.rm(temporary, { force: true });
      throw diskError(item.path, error);
    } finally {
      this.#fillSlots.free += 1;
      this.#fillSlots.queue.shift()?.();
    }
  }

  async #fillSlot(): Promise<void> {
    while (this.#fillSlots.free === 0) {
      await new Promise<void>((resolve) => this.#fillSlots.queue.push(resolve));
    }
    this.#fillSlots.free -= 1;
  }

  /** Whether the file is still there in its size: someone may have cleared the directory. Marks it as used. */
  async #isIntact(entry: Entry): Promise<boolean> {
    const file = this.#fileOf(entry.name);
    try {
      const usedSeconds = this.#now() / 1000;
      await fs.utimes(file, usedSeconds, usedSeconds);
      if ((await fs.stat(file)).size === entry.sizeBytes) return true;
    } catch {
      // As good as absent.
    }
    entry.isReady = false;
    return false;
  }

  #fileOf(name: string): string {
    return join(this.#directory, name);
  }

  #tooLarge(neededBytes: number): DeltaError {
    const message = `${neededBytes} bytes are needed at once in a cache of ${this.#sizeBytesMax} bytes`;
    return new DeltaError({ code: 'no-space', message, retry: 'never', hint: 'Give the cache more space.' });
  }

  #pinnedByOthers(): DeltaError {
    const message = `${this.#pinnedBytes} of the cache's ${this.#sizeBytesMax} bytes are in use by other readers`;
    return new DeltaError({ code: 'no-space', message, hint: 'Try again, or give the cache more space.' });
  }
}

function nameOf(item: Pick<CacheItem, 'path' | 'version' | 'sizeBytes'>): string {
  return `${startOf(item)}${item.sizeBytes}`;
}

function startOf({ path, version }: Pick<CacheItem, 'path' | 'version'>): string {
  return `${hashOf(path, 32)}-${hashOf(version, 16)}-`;
}

function hashOf(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length);
}

async function syncedSize(file: string): Promise<number> {
  const handle = await fs.open(file, 'r+');
  try {
    await handle.datasync();
    return (await handle.stat()).size;
  } finally {
    await handle.close();
  }
}

function diskError(path: string, error: unknown): unknown {
  if (error instanceof DeltaError || !(error instanceof Error) || !('code' in error)) return error;
  if (error.code !== 'ENOSPC' && error.code !== 'EDQUOT') return error;
  const message = `can't keep "${path}" in the cache: no space is left on its disk`;
  return new DeltaError({ code: 'no-space', message, hint: 'Free space, then try again.', cause: error });
}

async function untilAborted<Result>(
  promise: Promise<Result>,
  signal: AbortSignal | undefined,
): Promise<Result> {
  if (signal === undefined) return promise;
  const aborted = Promise.withResolvers<never>();
  const onAbort = (): void => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
