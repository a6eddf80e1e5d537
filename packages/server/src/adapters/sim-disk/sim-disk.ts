/**
 * A disk in memory that fails as the fault model of the Disk port allows: a power loss drops, tears or keeps what was
 * not synced, directory entries included; a failed sync leaves bytes that are readable, counted as clean and lost by
 * the next power loss. All of it follows from the seed.
 */
import { PlatformError } from '../../base/errors.ts';
import type { Disk, DiskErrorCode, DiskFile } from '../../ports/disk.ts';
import type { SeededRandom } from '../sim/index.ts';

/** Unsynced writes are lost or kept by pages, as a real disk writes them. */
const PAGE_BYTES = 512;

export interface SimDiskOptions {
  readonly random: SeededRandom;
  /** Called before each operation; a simulation resolves it when the operation is due. */
  readonly gate?: (operation: string) => Promise<void>;
  /** Bytes that all files take at most. */
  readonly capacityBytes?: number;
}

interface Inode {
  /** As readers see it. */
  content: Buffer;
  /** What survives a power loss for certain. */
  durable: Buffer;
  /** Pages that were written, or cut, since they were last made durable. */
  readonly dirty: Set<number>;
  /** Pages that a failed sync left readable and not durable; no later sync writes them. */
  readonly lied: Set<number>;
}

export class SimDisk {
  readonly #random: SeededRandom;
  readonly #gate: (operation: string) => Promise<void>;
  capacityBytes: number;
  /** The next syncs fail, this many. */
  failSyncs = 0;
  #entries = new Map<string, Inode>();
  #durableEntries = new Map<string, Inode>();
  /** Handles of a process that ended do nothing any more. */
  #life = 0;

  constructor(options: SimDiskOptions) {
    this.#random = options.random;
    this.#gate = options.gate ?? (() => Promise.resolve());
    this.capacityBytes = options.capacityBytes ?? Infinity;
  }

  /** The process ends at once; what it wrote stays in the system's cache. */
  killProcess(): void {
    this.#life++;
  }

  /** The machine loses power: only what is durable is sure to be found again. */
  losePower(): void {
    this.#life++;
    const entries = new Map<string, Inode>();
    const paths = new Set([...this.#entries.keys(), ...this.#durableEntries.keys()]);
    const crashed = new Map<Inode, Inode>();
    for (const path of [...paths].sort()) {
      const now = this.#entries.get(path);
      const before = this.#durableEntries.get(path);
      const kept = now === before || this.#random.chance(0.5) ? now : before;
      if (kept === undefined) continue;
      let after = crashed.get(kept);
      if (after === undefined) crashed.set(kept, (after = this.#crashed(kept)));
      entries.set(path, after);
    }
    this.#entries = entries;
    this.#durableEntries = new Map(entries);
  }

  /** Of all files. */
  usedBytes(): number {
    let sum = 0;
    for (const inode of new Set(this.#entries.values())) sum += inode.content.length;
    return sum;
  }

  /** For tests: changes bytes as a failing medium does. */
  corrupt(path: string, position: number, change: (byte: number) => number): void {
    const inode = this.#entries.get(path);
    if (inode === undefined) throw new Error(`no file ${path}`);
    inode.content = Buffer.from(inode.content);
    inode.content[position] = change(inode.content[position]!);
    inode.durable = Buffer.from(inode.content);
  }

  paths(): string[] {
    return [...this.#entries.keys()].sort();
  }

  contentOf(path: string): Buffer | undefined {
    return this.#entries.get(path)?.content;
  }

  /** The disk as a process sees it that starts now; it does nothing any more once that process has ended. */
  attach(): Disk {
    const life = this.#life;
    const pass = (operation: string) => this.#pass(operation, life);
    return {
      open: async (path, options) => {
        await pass(`open ${path}`);
        return this.#file(this.#inode(path, options?.create ?? false), path, pass);
      },
      list: async (directory) => {
        await pass(`list ${directory}`);
        return this.paths()
          .filter((path) => isInside(directory, path))
          .map((path) => path.slice(directory.length + 1));
      },
      makeDirectory: (path) => pass(`make ${path}`),
      rename: async (from, to) => {
        await pass(`rename ${from}`);
        const inode = this.#inode(from, false);
        this.#entries.delete(from);
        this.#entries.set(to, inode);
      },
      remove: async (path) => {
        await pass(`remove ${path}`);
        this.#entries.delete(path);
      },
      syncDirectory: async (path) => {
        await pass(`sync-directory ${path}`);
        for (const found of this.#durableEntries.keys())
          if (isInside(path, found)) this.#durableEntries.delete(found);
        for (const [found, inode] of this.#entries)
          if (isInside(path, found)) this.#durableEntries.set(found, inode);
      },
    };
  }

  #inode(path: string, create: boolean): Inode {
    const known = this.#entries.get(path);
    if (known !== undefined && create) throw diskError('exists', path);
    if (known !== undefined) return known;
    if (!create) throw diskError('not-found', path);
    const inode = {
      content: Buffer.alloc(0),
      durable: Buffer.alloc(0),
      dirty: new Set<number>(),
      lied: new Set<number>(),
    };
    this.#entries.set(path, inode);
    return inode;
  }

  #file(inode: Inode, path: string, pass: (operation: string) => Promise<void>): DiskFile {
    return {
      size: async () => {
        await pass(`size ${path}`);
        return inode.content.length;
      },
      write: async (buffers, position) => {
        const bytes = Buffer.concat(buffers);
        await pass(`write ${path} ${position}+${bytes.length}`);
        this.#write(inode, path, { bytes, position });
      },
      sync: async () => {
        // Only what was written before the call is promised.
        const pages = new Set(inode.dirty);
        await pass(`sync ${path}`);
        this.#sync(inode, path, pages);
      },
      read: async (target, position) => {
        await pass(`read ${path} ${position}+${target.length}`);
        return inode.content.copy(target, 0, position, position + target.length);
      },
      truncate: async (sizeBytes) => {
        await pass(`truncate ${path} ${sizeBytes}`);
        this.#resize(inode, sizeBytes);
      },
      close: () => pass(`close ${path}`),
    };
  }

  #write(inode: Inode, path: string, { bytes, position }: { bytes: Buffer; position: number }): void {
    const growth = Math.max(0, position + bytes.length - inode.content.length);
    const room = this.capacityBytes - this.usedBytes();
    if (growth <= room) return this.#put(inode, bytes, position);
    // A full disk takes a part.
    const part = Math.max(0, bytes.length - growth + Math.max(0, Math.floor(room)));
    this.#put(inode, bytes.subarray(0, part), position);
    throw diskError('no-space', path);
  }

  #put(inode: Inode, bytes: Buffer, position: number): void {
    if (bytes.length === 0) return;
    const content = Buffer.alloc(Math.max(inode.content.length, position + bytes.length));
    inode.content.copy(content);
    bytes.copy(content, position);
    inode.content = content;
    touch(inode, position, position + bytes.length);
  }

  #resize(inode: Inode, sizeBytes: number): void {
    const before = inode.content.length;
    const content = Buffer.alloc(sizeBytes);
    inode.content.copy(content);
    inode.content = content;
    touch(inode, Math.min(before, sizeBytes), Math.max(before, sizeBytes));
  }

  #sync(inode: Inode, path: string, pages: ReadonlySet<number>): void {
    if (this.failSyncs > 0) {
      this.failSyncs--;
      for (const page of pages) {
        if (this.#random.chance(0.5)) makeDurable(inode, page);
        else inode.lied.add(page);
        inode.dirty.delete(page);
      }
      throw diskError('io', path);
    }
    for (const page of pages) {
      makeDurable(inode, page);
      inode.dirty.delete(page);
    }
    const clean = inode.dirty.size === 0 && inode.lied.size === 0;
    if (clean) inode.durable = Buffer.from(inode.content);
  }

  #crashed(inode: Inode): Inode {
    const size = this.#random.chance(0.5) ? inode.content.length : inode.durable.length;
    const content = Buffer.alloc(size);
    inode.durable.copy(content);
    const kept = this.#random.fraction();
    for (const page of [...inode.dirty].sort((a, b) => a - b)) {
      if (!this.#random.chance(kept)) continue;
      const start = page * PAGE_BYTES;
      // A page may be torn within.
      const end = this.#random.chance(0.1) ? start + this.#random.below(PAGE_BYTES) : start + PAGE_BYTES;
      // Beyond the content nothing was written: the file was cut there.
      if (start < Math.min(size, inode.content.length))
        inode.content.copy(content, start, start, Math.min(end, size));
    }
    return { content, durable: Buffer.from(content), dirty: new Set(), lied: new Set() };
  }

  /** What a dead process had under way, or begins, neither happens nor returns. */
  async #pass(operation: string, life: number): Promise<void> {
    if (life === this.#life) await this.#gate(operation);
    if (life !== this.#life) await new Promise(() => {});
  }
}

function isInside(directory: string, path: string): boolean {
  return path.startsWith(`${directory}/`) && !path.includes('/', directory.length + 1);
}

function touch(inode: Inode, start: number, end: number): void {
  for (let page = Math.floor(start / PAGE_BYTES); page * PAGE_BYTES < end; page++) {
    inode.dirty.add(page);
    inode.lied.delete(page);
  }
  // A size that changed is written with the page where the file ends.
  inode.dirty.add(Math.floor(Math.max(0, inode.content.length - 1) / PAGE_BYTES));
}

function makeDurable(inode: Inode, page: number): void {
  const start = page * PAGE_BYTES;
  const end = Math.min(start + PAGE_BYTES, inode.content.length);
  const size = Math.max(end, Math.min(inode.durable.length, inode.content.length));
  const durable = Buffer.alloc(size);
  inode.durable.copy(durable);
  if (start < end) inode.content.copy(durable, start, start, end);
  inode.durable = durable;
}

function diskError(code: DiskErrorCode, path: string): PlatformError<DiskErrorCode> {
  return new PlatformError({ code, message: `${path}: ${code}` });
}
