/** Log compaction (protocol: "Log Compaction Files"): many commits in one file, so that a reader opens fewer. */
import { DeltaError } from '../errors.ts';
import { joinPath, type ObjectStore } from '../store/object-store.ts';
import { decodeCommit, encodeCommit } from './commit-file.ts';
import { commitName, compactionName, LOG_DIRECTORY } from './log-paths.ts';
import { ReconciledActions } from './reconciled-actions.ts';

/** Versions that one compaction may cover. */
const COMPACTED_VERSIONS_MAX = 10_000;

export interface LogCompaction {
  /** Path in the store. */
  readonly path: string;
  /** False where the file was there already. */
  readonly isNew: boolean;
  readonly sizeBytes: number;
}

/**
 * Writes what the commits from `from` to `to`, both inclusive, come to as one file; durable on return. The commits stay.
 * Throws `invalid-data` for a range of fewer than two versions or more than {@link COMPACTED_VERSIONS_MAX}, `log-gap`
 * when one of the commits is absent, and `corrupt-log`.
 */
export async function writeLogCompaction(
  { io }: { readonly io: { readonly store: ObjectStore; readonly root: string } },
  range: { readonly from: number; readonly to: number },
): Promise<LogCompaction> {
  const { from, to } = range;
  const isRange = Number.isSafeInteger(from) && Number.isSafeInteger(to) && from >= 0 && to > from;
  if (!isRange || to - from >= COMPACTED_VERSIONS_MAX) {
    throw new DeltaError({
      code: 'invalid-data',
      message: `versions ${from} to ${to} can't be compacted: expected from 2 to ${COMPACTED_VERSIONS_MAX} versions`,
    });
  }
  const reconciled = new ReconciledActions();
  for (let version = from; version <= to; version += 1) {
    const path = joinPath(io.root, LOG_DIRECTORY, commitName(version));
    const bytes = await io.store.read(path).catch((cause: unknown) => {
      if (!(cause instanceof DeltaError) || cause.code !== 'not-found') throw cause;
      const message = `the commit of version ${version} is missing from the log, so it can't be compacted`;
      throw new DeltaError({ code: 'log-gap', message, cause });
    });
    reconciled.take(decodeCommit(bytes, path));
  }
  const path = joinPath(io.root, LOG_DIRECTORY, compactionName(range));
  const bytes = encodeCommit(reconciled.actions());
  const outcome = await io.store.putIfAbsent(path, bytes);
  return { path, isNew: outcome === 'created', sizeBytes: bytes.length };
}
