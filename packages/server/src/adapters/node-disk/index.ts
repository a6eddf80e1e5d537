/**
 * The local disk through Node. Waiting operations run on libuv's pool, which DuckDB's queries share: the process must
 * set `UV_THREADPOOL_SIZE` so that a sync doesn't queue behind them.
 */
import {
  close,
  constants,
  fdatasync,
  fstat,
  fsync,
  ftruncate,
  mkdir,
  open,
  read,
  readdir,
  rename,
  unlink,
  writevSync,
} from 'node:fs';
import { promisify } from 'node:util';
import { PlatformError } from '../../base/errors.ts';
import type { Disk, DiskErrorCode, DiskFile } from '../../ports/disk.ts';

/** POSIX's IOV_MAX on Linux: more buffers than this in one call are refused. */
const BUFFERS_PER_WRITE_MAX = 1024;

const openFile = promisify(open);
const closeFile = promisify(close);
const fileStatus = promisify(fstat);
const truncateFile = promisify(ftruncate);
const syncAll = promisify(fsync);
const names = promisify(readdir) as (path: string) => Promise<string[]>;
const makeDirectories = promisify(mkdir) as (path: string, options: { recursive: true }) => Promise<unknown>;

export function createNodeDisk(): Disk {
  return {
    async open(path, options) {
      const flags = options?.create
        ? constants.O_RDWR | constants.O_CREAT | constants.O_EXCL
        : constants.O_RDWR;
      return file(await named(path, openFile(path, flags, 0o600)), path);
    },
    async list(directory) {
      try {
        const found = await named(directory, names(directory));
        return found.sort();
      } catch (error) {
        if (error instanceof PlatformError && error.code === 'not-found') return [];
        throw error;
      }
    },
    async makeDirectory(path) {
      await named(path, makeDirectories(path, { recursive: true }));
    },
    async rename(from, to) {
      await named(from, promisify(rename)(from, to));
    },
    async remove(path) {
      try {
        await named(path, promisify(unlink)(path));
      } catch (error) {
        if (!(error instanceof PlatformError && error.code === 'not-found')) throw error;
      }
    },
    async syncDirectory(path) {
      const descriptor = await named(path, openFile(path, constants.O_RDONLY));
      try {
        await named(path, syncAll(descriptor));
      } finally {
        await closeFile(descriptor);
      }
    },
  };
}

function file(descriptor: number, path: string): DiskFile {
  return {
    async size() {
      return (await named(path, fileStatus(descriptor))).size;
    },
    // Into the page cache on this thread: copying the bytes costs less than a round trip through the pool, which the
    // sync after it pays once.
    async write(buffers, position) {
      try {
        writeAll(descriptor, buffers, position);
      } catch (error) {
        throw diskError(path, error);
      }
    },
    sync() {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      fdatasync(descriptor, (error) => (error ? reject(diskError(path, error)) : resolve()));
      return promise;
    },
    read(target, position) {
      return named(path, readAll(descriptor, target, position));
    },
    async truncate(sizeBytes) {
      await named(path, truncateFile(descriptor, sizeBytes));
    },
    async close() {
      await named(path, closeFile(descriptor));
    },
  };
}

function writeAll(descriptor: number, buffers: readonly Uint8Array[], position: number): void {
  let at = position;
  for (let first = 0; first < buffers.length; first += BUFFERS_PER_WRITE_MAX) {
    let rest = buffers.slice(first, first + BUFFERS_PER_WRITE_MAX);
    while (rest.length > 0) {
      let written = writevSync(descriptor, rest, at);
      at += written;
      let whole = 0;
      while (whole < rest.length && written >= rest[whole]!.length) written -= rest[whole++]!.length;
      rest = rest.slice(whole);
      if (written > 0) rest[0] = rest[0]!.subarray(written);
    }
  }
}

function readAll(descriptor: number, target: Uint8Array, position: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  let filled = 0;
  const step = (): void => {
    read(descriptor, target, filled, target.length - filled, position + filled, (error, count) => {
      if (error) return reject(error);
      filled += count;
      if (count === 0 || filled === target.length) return resolve(filled);
      step();
    });
  };
  if (target.length === 0) resolve(0);
  else step();
  return promise;
}

const CODES: Readonly<Record<string, DiskErrorCode>> = {
  ENOSPC: 'no-space',
  EDQUOT: 'no-space',
  ENOENT: 'not-found',
  EEXIST: 'exists',
};

async function named<Result>(path: string, work: Promise<Result>): Promise<Result> {
  try {
    return await work;
  } catch (error) {
    throw diskError(path, error);
  }
}

function diskError(path: string, cause: unknown): PlatformError<DiskErrorCode> {
  const system = (cause as NodeJS.ErrnoException).code ?? '';
  return new PlatformError({
    code: CODES[system] ?? 'io',
    message: `${path}: ${(cause as Error).message}`,
    cause,
  });
}
