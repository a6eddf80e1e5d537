import { DatabaseSync } from 'node:sqlite';

/** Held until released or the process ends, however it ends: the operating system drops it with the process. */
export interface ProcessLock {
  release(): void;
}

/**
 * Takes the exclusive lock on a file, or gives undefined when another process has it.
 * Node has no flock; SQLite's exclusive transaction holds the operating system's own file lock.
 */
export function takeProcessLock(file: string): ProcessLock | undefined {
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw error;
  }
  return { release: () => database.close() };
}

const SQLITE_BUSY = 5;

function isBusy(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === SQLITE_BUSY;
}
