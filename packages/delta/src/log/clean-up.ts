/**
 * Removes what no version within the log's retention needs (protocol: "Metadata Cleanup").
 *
 * Invariants: a checkpoint that was just read whole, its commit and everything after it stay; files go from the oldest
 * version to the newest, so that a clean-up that ends half way leaves a log that begins later.
 */
import { DeltaError, isDeltaError } from '../errors.ts';
import { enableExpiredLogCleanup, logRetentionMs } from '../properties/table-properties.ts';
import { newestCommitAt } from '../snapshot/commit-times.ts';
import type { TableIo } from '../snapshot/load.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { joinPath } from '../store/object-store.ts';
import { readCheckpoint, readSidecars, sidecarPath } from './checkpoint.ts';
import { type CheckpointFiles, listLog, type LogListing } from './log-listing.ts';
import { LOG_DIRECTORY, SIDECARS_DIRECTORY } from './log-paths.ts';

/** A sidecar younger than this may be of a checkpoint that is being written. */
const SIDECAR_AGE_MIN_MS = 24 * 60 * 60 * 1000;
/** Files that are deleted at once, in any order. */
const DELETES_MAX = 1000;

export interface CleanUpOptions {
  /** The age from which on commits may go; default: what the table retains. */
  readonly olderThanMs?: number;
}

/**
 * Deletes commits, checkpoints, compactions, checksums and sidecars that are expired and that no version within the
 * retention needs. Deletes nothing where the table forbids it or no checkpoint is old enough. Throws
 * `unsupported-feature` for tables with checkpointProtection.
 */
export async function cleanUpLog(
  context: { readonly io: TableIo; readonly now: () => number; refresh(): Promise<TableState> },
  options: CleanUpOptions = {},
): Promise<{ deleted: number }> {
  const { io } = context;
  const { metadata, protocol } = await context.refresh();
  if ((protocol.writerFeatures ?? []).includes('checkpointProtection')) {
    throw new DeltaError({
      code: 'unsupported-feature',
      message: `this library can't clean up the table's log: it needs the table feature checkpointProtection`,
    });
  }
  if (!enableExpiredLogCleanup(metadata.configuration)) return { deleted: 0 };
  const { olderThanMs = logRetentionMs(metadata.configuration) } = options;
  if (!(olderThanMs >= 0)) {
    throw new DeltaError({ code: 'invalid-data', message: `commits can't be older than ${olderThanMs} ms` });
  }
  const nowMs = context.now();
  const listing = await listLog(io.store, { root: io.root });
  const oldestKept = await newestCommitAt(io, { commits: listing.commits, metadata }, nowMs - olderThanMs);
  if (oldestKept.kind !== 'found') return { deleted: 0 };
  const cut = await newestReadable(io, listing, oldestKept.version);
  if (cut === undefined) return { deleted: 0 };
  const expired = expiredFiles(listing, cut.version);
  await deleteAll(io, expired);
  const kept = listing.checkpoints.filter(({ version }) => version >= cut.version);
  const sidecars = await unusedSidecars(io, kept, nowMs);
  await deleteAll(io, sidecars);
  return { deleted: expired.length + sidecars.length };
}

/** The newest checkpoint up to a version that can be read as a whole. */
async function newestReadable(
  io: TableIo,
  { checkpoints, commits }: LogListing,
  version: number,
): Promise<CheckpointFiles | undefined> {
  for (const checkpoint of checkpoints.filter((candidate) => candidate.version <= version).reverse()) {
    // Without its commit its time would be lost.
    if (!commits.some((commit) => commit.version === checkpoint.version)) continue;
    try {
      await readCheckpoint(io, checkpoint);
      return checkpoint;
    } catch (error) {
      const isDamaged =
        isDeltaError(error, 'engine') ||
        isDeltaError(error, 'corrupt-log') ||
        isDeltaError(error, 'not-found');
      if (!isDamaged) throw error;
    }
  }
  return undefined;
}

/** Paths of what is before a version, oldest first. */
function expiredFiles(listing: LogListing, version: number): string[] {
  const checkpoints = listing.checkpoints.flatMap((checkpoint) =>
    checkpoint.paths.map((path) => ({ version: checkpoint.version, path })),
  );
  const before = [...listing.commits, ...checkpoints, ...listing.checksums, ...listing.strayParts].filter(
    (file) => file.version < version,
  );
  const compactions = listing.compactions
    .filter(({ from }) => from <= version)
    .map(({ from, path }) => ({ version: from, path }));
  return [...before, ...compactions].toSorted((a, b) => a.version - b.version).map(({ path }) => path);
}

/** Sidecars that no checkpoint refers to, and that none in the making may. */
async function unusedSidecars(
  io: TableIo,
  checkpoints: readonly CheckpointFiles[],
  nowMs: number,
): Promise<string[]> {
  const directory = `${joinPath(io.root, LOG_DIRECTORY, SIDECARS_DIRECTORY)}/`;
  const old: string[] = [];
  for await (const { path, modifiedMs } of io.store.list(directory)) {
    if (modifiedMs < nowMs - SIDECAR_AGE_MIN_MS) old.push(path);
  }
  if (old.length === 0) return [];
  const used = new Set<string>();
  // A checkpoint that can't be read may refer to any of them: then its error ends the clean-up.
  for (const checkpoint of checkpoints) {
    for (const sidecar of await readSidecars(io, checkpoint)) used.add(sidecarPath(io.root, sidecar));
  }
  return old.filter((path) => !used.has(path));
}

async function deleteAll({ store }: TableIo, paths: readonly string[]): Promise<void> {
  for (let at = 0; at < paths.length; at += DELETES_MAX) {
    const batch = paths.slice(at, at + DELETES_MAX);
    if (store.deleteMany !== undefined) await store.deleteMany(batch);
    else for (const path of batch) await store.delete(path);
  }
}
