import { randomUUID } from 'node:crypto';
import {
  closeSync,
  existsSync,
  fdatasync,
  fsync,
  linkSync,
  openSync,
  readFileSync,
  type Stats,
  unlinkSync,
  writeSync,
} from 'node:fs';
import * as fs from 'node:fs/promises';
import { dirname, join, resolve, sep } from 'node:path';
import { promisify } from 'node:util';
import { DeltaError, messageOf } from '../errors.ts';
import { dropHadoopChecksum } from './hadoop-checksum.ts';
import type {
  ByteRange,
  ListedObject,
  ListOptions,
  LocalFiles,
  ObjectFacts,
  ObjectStore,
} from './object-store.ts';

/** Names that end so are unfinished: never listed, left behind by a crash, safe to remove. */
export const TEMPORARY_SUFFIX = '.tmp';
/** Files that a listing looks at in parallel. */
const STATS_IN_FLIGHT_MAX = 32;
/** Bytes of a file that is written without leaving the event loop. */
const SMALL_FILE_BYTES = 64 * 1024;
/** An empty part of a path, `.` or `..`; on Windows other separators too. */
const PART_TO_RESOLVE = sep === '/' ? /(?:^|\/)\.{0,2}(?:\/|$)/ : /^/;
/** Small files that are read before others have their turn. */
const READS_PER_TURN_MAX = 64;
/** Names that this library gives to unfinished files and directories, and DuckDB to what becomes such a file. */
const OWN_TEMPORARY_NAME = /^(tmp_)?\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\.tmp$/;

/**
 * Objects as files below one directory of a local disk. Several processes may share it; the file system must support
 * hard links.
 *
 * Invariant: an object's name appears only once its bytes are durable. A put writes a temporary file, syncs it, links
 * or renames it to its name and syncs the directory. (`O_EXCL` alone would show half-written commits.)
 */
export class LocalStore implements ObjectStore, LocalFiles {
  readonly #root: string;
  /** Directories known to be durable, so that only the first object in one pays for its ancestors. */
  readonly #syncedDirectories = new Set<string>();

  constructor(rootDir: string) {
    this.#root = resolve(rootDir);
  }

  localPath(path: string): string {
    // What has no part to resolve can't leave the directory: a scan of many files asks for each.
    if (!PART_TO_RESOLVE.test(path)) return this.#root + (this.#root.endsWith(sep) ? '' : sep) + path;
    const absolute = resolve(this.#root, path);
    if (absolute !== this.#root && !absolute.startsWith(this.#root === sep ? sep : this.#root + sep)) {
      throw new DeltaError({ code: 'io', message: `"${path}" leaves the store's directory`, retry: 'never' });
    }
    return absolute;
  }

  async read(path: string, range?: ByteRange): Promise<Uint8Array> {
    return this.#run('read', path, async () => {
      if (range === undefined) return fs.readFile(this.localPath(path));
      const file = await fs.open(this.localPath(path), 'r');
      try {
        const buffer = Buffer.alloc(range.length);
        let filled = 0;
        while (filled < range.length) {
          const { bytesRead } = await file.read(buffer, filled, range.length - filled, range.offset + filled);
          if (bytesRead === 0) break;
          filled += bytesRead;
        }
        return buffer.subarray(0, filled);
      } finally {
        await file.close();
      }
    });
  }

  async head(path: string): Promise<ObjectFacts | undefined> {
    return this.#run('look up', path, async () => {
      const stats = await fs.stat(this.localPath(path)).catch(absentAsUndefined);
      return stats?.isFile() === true ? factsOf(stats) : undefined;
    });
  }

  async putIfAbsent(path: string, bytes: Uint8Array): Promise<'created' | 'exists'> {
    return this.#run('create', path, async () => {
      const target = this.localPath(path);
      const temporary = await this.#writeTemporary(target, bytes);
      let outcome: 'created' | 'exists' = 'created';
      try {
        linkSync(temporary, target);
      } catch (error) {
        if (errnoOf(error) !== 'EEXIST') throw error;
        outcome = 'exists';
      } finally {
        unlinkIfThere(temporary);
      }
      // Also for the loser, who will build on the winner's bytes, or find that they were its own.
      await syncDirectory(dirname(target));
      return outcome;
    });
  }

  async put(path: string, bytes: Uint8Array): Promise<void> {
    await this.#run('write', path, async () => {
      const target = this.localPath(path);
      const temporary = await this.#writeTemporary(target, bytes);
      try {
        await dropHadoopChecksum(target);
        await fs.rename(temporary, target);
      } catch (error) {
        await fs.rm(temporary, { force: true });
        throw error;
      }
      await syncDirectory(dirname(target));
    });
  }

  /** Synchronous reads, a few at a time: for small files several times as fast as asynchronous ones. */
  async readMany(paths: readonly string[]): Promise<(Uint8Array | undefined)[]> {
    const contents: (Uint8Array | undefined)[] = [];
    for (const [at, path] of paths.entries()) {
      if (at > 0 && at % READS_PER_TURN_MAX === 0) await new Promise((resolve) => setImmediate(resolve));
      try {
        contents.push(readFileSync(this.localPath(path)));
      } catch (error) {
        if (errnoOf(error) !== 'ENOENT') throw storeError('read', path, error);
        contents.push(undefined);
      }
    }
    return contents;
  }

  /**
   * Removes what writers that crashed left unfinished below a path ('' for the whole store), if it was last modified
   * more than `olderThanMs` before `nowMs`; a day is a good bound. Gives the number of files and directories removed.
   */
  async sweepTemporaryFiles(sweep: {
    directory?: string;
    olderThanMs: number;
    nowMs: number;
  }): Promise<number> {
    const { directory = '', olderThanMs, nowMs } = sweep;
    return this.#run('sweep', directory, async () => {
      const root = this.localPath(directory);
      const entries = await fs.readdir(root, { withFileTypes: true }).catch(absentAsUndefined);
      let removed = 0;
      for (const entry of entries ?? []) {
        const path = join(root, entry.name);
        if (OWN_TEMPORARY_NAME.test(entry.name)) {
          const stats = await fs.stat(path).catch(absentAsUndefined);
          if (stats === undefined || nowMs - stats.mtimeMs <= olderThanMs) continue;
          await fs.rm(path, { recursive: true, force: true });
          removed += 1;
        } else if (entry.isDirectory()) {
          const inside = directory === '' ? entry.name : `${directory}/${entry.name}`;
          removed += await this.sweepTemporaryFiles({ ...sweep, directory: inside });
        }
      }
      return removed;
    });
  }

  async *list(prefix: string, options: ListOptions = {}): AsyncIterable<ListedObject> {
    const startAfter = options.startAfter ?? '';
    const paths: string[] = [];
    await this.#collect(prefix.slice(0, prefix.lastIndexOf('/') + 1), { prefix, startAfter, paths });
    paths.sort();
    if (options.namesOnly === true) {
      for (const path of paths) yield { path, sizeBytes: 0, modifiedMs: 0 };
      return;
    }
    for (let at = 0; at < paths.length; at += STATS_IN_FLIGHT_MAX) {
      const batch = paths.slice(at, at + STATS_IN_FLIGHT_MAX);
      const facts = await Promise.all(batch.map((path) => this.head(path)));
      for (const [index, path] of batch.entries()) {
        const found = facts[index];
        if (found !== undefined) yield { path, ...found };
      }
    }
  }

  async delete(path: string): Promise<void> {
    await this.#run('delete', path, async () => {
      const target = this.localPath(path);
      await fs.rm(target, { force: true });
      await dropHadoopChecksum(target);
    });
  }

  async syncFile(path: string): Promise<void> {
    await this.#run('sync', path, async () => {
      const target = this.localPath(path);
      await this.#makeDirectory(dirname(target));
      const file = await fs.open(target, 'r+');
      try {
        await Promise.all([file.datasync(), syncDirectory(dirname(target))]);
      } finally {
        await file.close();
      }
    });
  }

  async #collect(
    directory: string,
    wanted: { prefix: string; startAfter: string; paths: string[] },
  ): Promise<void> {
    const entries = await this.#run('list', directory, () =>
      fs.readdir(this.localPath(directory), { withFileTypes: true }).catch(absentAsUndefined),
    );
    for (const entry of entries ?? []) {
      const path = directory + entry.name;
      if (entry.name.endsWith(TEMPORARY_SUFFIX)) continue;
      if (entry.isDirectory()) {
        const inside = `${path}/`;
        if (inside.startsWith(wanted.prefix) || wanted.prefix.startsWith(inside)) {
          await this.#collect(inside, wanted);
        }
      } else if (path.startsWith(wanted.prefix) && path > wanted.startAfter) {
        wanted.paths.push(path);
      }
    }
  }

  async #writeTemporary(target: string, bytes: Uint8Array): Promise<string> {
    await this.#makeDirectory(dirname(target));
    const temporary = join(dirname(target), `.${randomUUID()}${TEMPORARY_SUFFIX}`);
    if (bytes.length <= SMALL_FILE_BYTES) {
      await writeSmall(temporary, bytes);
      return temporary;
    }
    const file = await fs.open(temporary, 'wx');
    try {
      await file.writeFile(bytes);
      await file.datasync();
    } catch (error) {
      await fs.rm(temporary, { force: true });
      throw error;
    } finally {
      await file.close();
    }
    return temporary;
  }

  /** Creates the directory; its entry and those of its ancestors within the store are durable on return. */
  async #makeDirectory(directory: string): Promise<void> {
    // Also of a known directory: it may have been removed meanwhile.
    if (this.#syncedDirectories.has(directory) && existsSync(directory)) return;
    await fs.mkdir(directory, { recursive: true });
    for (
      let at = directory;
      at.startsWith(this.#root) && !this.#syncedDirectories.has(at);
      at = dirname(at)
    ) {
      const parent = dirname(at);
      await syncDirectory(parent);
      this.#syncedDirectories.add(at);
      if (parent === at) break;
    }
  }

  async #run<Result>(verb: string, path: string, action: () => Promise<Result>): Promise<Result> {
    try {
      return await action();
    } catch (error) {
      if (error instanceof DeltaError) throw error;
      throw storeError(verb, path, error);
    }
  }
}

const datasync = promisify(fdatasync);
const sync = promisify(fsync);

/**
 * A new small file, durable on return. What waits for the disk alone leaves the event loop to others: a call that goes
 * through the thread pool takes several times as long as one that only touches the file system's memory.
 */
async function writeSmall(path: string, bytes: Uint8Array): Promise<void> {
  const file = openSync(path, 'wx');
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
    await datasync(file);
  } catch (error) {
    unlinkIfThere(path);
    throw error;
  } finally {
    closeSync(file);
  }
}

function unlinkIfThere(path: string): void {
  try {
    unlinkSync(path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
}

function storeError(verb: string, path: string, cause: unknown): DeltaError {
  const errno = errnoOf(cause);
  if (errno === 'ENOENT') {
    return new DeltaError({ code: 'not-found', message: `"${path}" does not exist`, cause });
  }
  const message = `can't ${verb} "${path}": ${messageOf(cause)}`;
  if (errno === 'ENOSPC' || errno === 'EDQUOT') {
    return new DeltaError({ code: 'no-space', message, hint: 'Free space, then try again.', cause });
  }
  return new DeltaError({ code: 'io', message, cause });
}

function factsOf(stats: Stats): ObjectFacts {
  return { sizeBytes: stats.size, modifiedMs: Math.floor(stats.mtimeMs) };
}

function errnoOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function absentAsUndefined(error: unknown): undefined {
  const errno = errnoOf(error);
  if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined;
  throw error;
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = openSync(directory, 'r');
  try {
    await sync(handle);
  } finally {
    closeSync(handle);
  }
}
