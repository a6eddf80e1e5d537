import type { PlatformError } from '../base/errors.ts';

/**
 * Files that the log keeps on a local disk.
 *
 * Fault model: bytes written but not synced may be lost, torn or kept, in any order, by a crash; a directory entry is
 * durable only after `syncDirectory`; a failed sync leaves the file's durable content unknown, and the file must not
 * be written again by the same process.
 */
export interface Disk {
  /** Opens a file for reading and writing; creates it when `create` is set, and then fails if it is there. */
  open(path: string, options?: { create?: boolean }): Promise<DiskFile>;
  /** Names (not paths) of the files in a directory, in lexicographic order; empty when the directory is absent. */
  list(directory: string): Promise<string[]>;
  makeDirectory(path: string): Promise<void>;
  /** Atomic; replaces `to`. Durable after `syncDirectory`. */
  rename(from: string, to: string): Promise<void>;
  /** Absent is fine. */
  remove(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
}

export interface DiskFile {
  /** Bytes; the caller's last write counts, synced or not. */
  size(): Promise<number>;
  /** Writes the buffers one after another from `position`; they must not change until it resolves. All or an error. */
  write(buffers: readonly Uint8Array[], position: number): Promise<void>;
  /** Resolves when all bytes written before the call survive a crash (fdatasync). */
  sync(): Promise<void>;
  /** Fills `target` from `position`; resolves with the bytes read, fewer only at the end of the file. */
  read(target: Uint8Array, position: number): Promise<number>;
  truncate(sizeBytes: number): Promise<void>;
  close(): Promise<void>;
}

/** Codes of the errors that a disk rejects with; other errors are `io`. */
export type DiskErrorCode = 'no-space' | 'not-found' | 'exists' | 'io';
export type DiskError = PlatformError<DiskErrorCode>;
