/** What only directories of a disk accumulate: empty ones, and temporary files of writers that died. */
import type { Dirent } from 'node:fs';
import { readdir, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { DeltaError, messageOf } from '../../errors.ts';
import { TEMPORARY_SUFFIX } from '../../store/local-store.ts';
import { isHiddenPath } from './hidden-paths.ts';

/** Age from which a temporary file is taken for a dead writer's, whatever the retention: no write takes that long. */
const TEMPORARY_AGE_MS_MIN = 24 * 60 * 60 * 1000;

export interface Leftovers {
  readonly directories: number;
  readonly temporaries: number;
}

/**
 * Removes directories below the root that were empty before, and last changed before the cutoff: one that a vacuum has
 * just emptied goes with the next, so that no writer who is about to use it loses it. Throws `io`.
 */
export async function removeLeftovers(
  root: string,
  options: {
    readonly cutoffMs: number;
    readonly nowMs: number;
    readonly partitionColumns: readonly string[];
  },
): Promise<Leftovers> {
  const temporaryCutoffMs = Math.min(options.cutoffMs, options.nowMs - TEMPORARY_AGE_MS_MIN);
  const counts = { directories: 0, temporaries: 0 };
  const visit = async (relative: string): Promise<void> => {
    const entries = await entriesOf(join(root, relative));
    for (const entry of entries) {
      const path = relative === '' ? entry.name : `${relative}/${entry.name}`;
      const absolute = join(root, path);
      if (entry.name.endsWith(TEMPORARY_SUFFIX) && entry.name.startsWith('.')) {
        if (await isOlder(absolute, temporaryCutoffMs)) {
          await rm(absolute, { recursive: true, force: true });
          counts.temporaries += 1;
        }
      } else if (entry.isDirectory() && !isHiddenPath(path, options.partitionColumns)) {
        await visit(path);
      }
    }
    if (entries.length > 0 || relative === '' || !(await isOlder(join(root, relative), options.cutoffMs)))
      return;
    if (await removedEmpty(join(root, relative))) counts.directories += 1;
  };
  try {
    await visit('');
  } catch (cause) {
    if (cause instanceof DeltaError) throw cause;
    throw new DeltaError({
      code: 'io',
      message: `can't tidy the directories of "${root}": ${messageOf(cause)}`,
      cause,
    });
  }
  return counts;
}

async function entriesOf(directory: string): Promise<Dirent[]> {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (error) {
    if (isErrno(error, ['ENOENT', 'ENOTDIR'])) return [];
    throw error;
  }
}

async function isOlder(path: string, cutoffMs: number): Promise<boolean> {
  try {
    return (await stat(path)).mtimeMs < cutoffMs;
  } catch (error) {
    if (isErrno(error, ['ENOENT'])) return false;
    throw error;
  }
}

async function removedEmpty(directory: string): Promise<boolean> {
  try {
    await rmdir(directory);
    return true;
  } catch (error) {
    // A writer has put something into it meanwhile.
    if (isErrno(error, ['ENOTEMPTY', 'EEXIST', 'ENOENT'])) return false;
    throw error;
  }
}

function isErrno(error: unknown, codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}
