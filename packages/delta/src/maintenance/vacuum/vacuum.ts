/**
 * Deletes files that no version needs any more.
 *
 * Invariants:
 * - V1 no file is deleted that the newest version, a version within the retention, or a pinned one names.
 * - V2 no file younger than the retention is deleted: it may be of a writer that has not committed yet.
 * - V3 nothing is deleted from a table that needs a feature which this library lacks: it may keep files in ways unknown.
 * - V4 nothing is deleted outside of the table's root, nor whose name is hidden (see {@link isHiddenPath}).
 *
 * Memory: the paths that are kept, and a bounded number of those to delete.
 */
import { DeltaError } from '../../errors.ts';
import { tombstoneRetentionMs } from '../../properties/table-properties.ts';
import { assertReadable, assertWritable } from '../../protocol/features.ts';
import type { TableState } from '../../snapshot/table-state.ts';
import { isLocal } from '../../store/object-store.ts';
import type { TableContext } from '../../table-context.ts';
import { retryOnConflict } from '../../transaction/retry-on-conflict.ts';
import { forEachBounded, type LongWork, throwIfAborted } from '../long-work.ts';
import { partitionNames } from '../partition-names.ts';
import { isHiddenPath } from './hidden-paths.ts';
import { removeLeftovers } from './local-leftovers.ts';
import { References } from './references.ts';

export interface VacuumOptions extends LongWork {
  /** Files that only older versions need go; default: the table's `delta.deletedFileRetentionDuration`. */
  readonly retentionMs?: number;
  /** Deletes and commits nothing; the result says what would be deleted. */
  readonly dryRun?: boolean;
  /**
   * Whether a retention below the table's own is refused (default). Without it a short retention can take files from
   * running readers, and from writers that have not committed yet.
   */
  readonly retentionCheck?: boolean;
  /** Versions whose files stay, besides those that readers of this process have pinned. */
  readonly pinnedVersions?: readonly number[];
}

export interface VacuumResult {
  /** Deleted, or to be deleted. */
  readonly files: number;
  readonly bytes: number;
  /** Paths in the store, the first {@link PATHS_SHOWN_MAX} of them. */
  readonly paths: readonly string[];
  /** Removed because they had been empty; on local disks only. */
  readonly directories: number;
  /** Files that only versions replaced before it need were up for deletion; milliseconds since 1970. */
  readonly cutoffMs: number;
  /** The version of the commit `VACUUM END`; undefined for a dry run. */
  readonly version: number | undefined;
}

/** Paths that a result lists. */
export const PATHS_SHOWN_MAX = 1_000;
/** Paths to delete that are held in memory; beyond it the table is listed in parts. */
const CANDIDATES_MAX = 100_000;
/** Files that are deleted between two looks at the log. */
const DELETE_BATCH = 1_000;
const DELETES_IN_FLIGHT_MAX = 16;

interface Candidate {
  readonly path: string;
  readonly sizeBytes: number;
}

/**
 * Deletes data files, deletion vectors and change data that no version within the retention and no pinned version
 * names, and puts `VACUUM START` and `VACUUM END` into the history. What was deleted stays so after an abort or a
 * failure, which the history then tells as `FAILED`; another vacuum goes on.
 *
 * Phases of the progress: `list`, `delete`. Throws `constraint` for a retention that the check refuses,
 * `unsupported-feature`, `version-not-found` for a pinned version that the log no longer has, `aborted`, `io`.
 */
export async function vacuum(context: TableContext, options: VacuumOptions = {}): Promise<VacuumResult> {
  const state = await context.refresh();
  assertReadable(state);
  assertWritable(state);
  const retention = retentionOf(state, options);
  const nowMs = context.now();
  const cutoffMs = nowMs - retention.usedMs;
  const { pinnedVersions = [], dryRun = false } = options;
  const references = await References.collect(context, state, { cutoffMs, pinnedVersions });
  const run: Run = { context, options, references, cutoffMs, partitionColumns: partitionNames(state) };
  const found = await survey(run);
  const result = { files: found.files, bytes: found.bytes, paths: found.shown, cutoffMs };
  if (dryRun) return { ...result, directories: 0, version: undefined };
  await commitMark(context, 'VACUUM START', {
    parameters: {
      retentionCheckEnabled: options.retentionCheck ?? true,
      defaultRetentionMillis: retention.tableMs,
      ...(options.retentionMs === undefined ? {} : { specifiedRetentionMillis: options.retentionMs }),
    },
    metrics: { numFilesToDelete: found.files, sizeOfDataToDelete: found.bytes },
  });
  let deleted: Deleted;
  let directories = 0;
  try {
    if (isLocal(context.io.store)) {
      const root = context.io.store.localPath(context.io.root);
      const names = { cutoffMs, nowMs, partitionColumns: run.partitionColumns };
      // Before files go, so that only directories which nobody has used for long do.
      directories = (await removeLeftovers(root, names)).directories;
    }
    deleted = await deleteAll(run, found);
  } catch (error) {
    await commitMark(context, 'VACUUM END', { parameters: { status: 'FAILED' } }).catch((failure: unknown) =>
      context.warn({ what: 'vacuum end', error: failure }),
    );
    throw error;
  }
  const version = await commitMark(context, 'VACUUM END', {
    parameters: { status: 'COMPLETED' },
    metrics: { numDeletedFiles: deleted.files, numVacuumedDirectories: found.directories },
  });
  return { ...result, files: deleted.files, bytes: deleted.bytes, directories, version };
}

interface Run {
  readonly context: TableContext;
  readonly options: VacuumOptions;
  readonly references: References;
  readonly cutoffMs: number;
  readonly partitionColumns: readonly string[];
}

interface Deleted {
  readonly files: number;
  readonly bytes: number;
}

interface Survey extends Deleted {
  readonly shown: readonly string[];
  /** That hold files, the root included. */
  readonly directories: number;
  /** The first of them, in order; all, unless `next` says from where on there are more. */
  readonly candidates: readonly Candidate[];
  readonly next: string | undefined;
}

function retentionOf(state: TableState, options: VacuumOptions): { usedMs: number; tableMs: number } {
  const tableMs = tombstoneRetentionMs(state.metadata.configuration);
  const { retentionMs, retentionCheck = true } = options;
  if (retentionMs === undefined) return { usedMs: tableMs, tableMs };
  if (!Number.isFinite(retentionMs) || retentionMs < 0) {
    throw new DeltaError({
      code: 'invalid-data',
      message: `the retention of a vacuum can't be ${retentionMs} ms`,
    });
  }
  if (retentionCheck && retentionMs < tableMs) {
    throw new DeltaError({
      code: 'constraint',
      message: `a vacuum with a retention of ${retentionMs} ms would take files that the table promises to keep for ${tableMs} ms`,
      hint: 'Use a longer retention, or set retentionCheck to false when nothing reads or writes the table.',
    });
  }
  return { usedMs: retentionMs, tableMs };
}

/** Goes through the whole listing once: counts everything, keeps the first candidates. */
async function survey(run: Run): Promise<Survey> {
  const candidates: Candidate[] = [];
  const directories = new Set<string>(['']);
  let next: string | undefined;
  let files = 0;
  let bytes = 0;
  for await (const candidate of candidatesOf(run, undefined, (directory) => directories.add(directory))) {
    files += 1;
    bytes += candidate.sizeBytes;
    if (candidates.length < CANDIDATES_MAX) candidates.push(candidate);
    else next ??= candidates.at(-1)?.path;
    if (files % DELETE_BATCH === 0) {
      run.options.onProgress?.({ phase: 'list', done: files, total: files, bytes });
      throwIfAborted(run.options.signal, 'the vacuum');
    }
  }
  throwIfAborted(run.options.signal, 'the vacuum');
  run.options.onProgress?.({ phase: 'list', done: files, total: files, bytes });
  const shown = candidates.slice(0, PATHS_SHOWN_MAX).map(({ path }) => path);
  return { files, bytes, shown, directories: directories.size, candidates, next };
}

async function* candidatesOf(
  { context, references, cutoffMs, partitionColumns }: Run,
  startAfter: string | undefined,
  onDirectory?: (path: string) => void,
): AsyncGenerator<Candidate, void, undefined> {
  const { store, root } = context.io;
  const prefix = root === '' ? '' : `${root}/`;
  let lastDirectory = '';
  for await (const object of store.list(prefix, startAfter === undefined ? {} : { startAfter })) {
    const relative = object.path.slice(prefix.length);
    if (isHiddenPath(relative, partitionColumns)) continue;
    const directory = relative.slice(0, Math.max(0, relative.lastIndexOf('/')));
    if (directory !== lastDirectory) onDirectory?.((lastDirectory = directory));
    if (object.modifiedMs >= cutoffMs || references.has(object.path)) continue;
    yield { path: object.path, sizeBytes: object.sizeBytes };
  }
}

async function deleteAll(run: Run, found: Survey): Promise<Deleted> {
  let files = 0;
  let bytes = 0;
  const remove = async (batch: readonly Candidate[]): Promise<void> => {
    throwIfAborted(run.options.signal, 'the vacuum');
    await run.references.refresh();
    const doomed = batch.filter(({ path }) => !run.references.has(path));
    await deletePaths(
      run.context,
      doomed.map(({ path }) => path),
    );
    files += doomed.length;
    bytes += doomed.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    run.options.onProgress?.({ phase: 'delete', done: files, total: Math.max(found.files, files), bytes });
  };
  for (let at = 0; at < found.candidates.length; at += DELETE_BATCH) {
    await remove(found.candidates.slice(at, at + DELETE_BATCH));
  }
  if (found.next === undefined) return { files, bytes };
  let batch: Candidate[] = [];
  for await (const candidate of candidatesOf(run, found.next)) {
    batch.push(candidate);
    if (batch.length < DELETE_BATCH) continue;
    await remove(batch);
    batch = [];
  }
  if (batch.length > 0) await remove(batch);
  return { files, bytes };
}

async function deletePaths({ io }: TableContext, paths: readonly string[]): Promise<void> {
  if (io.store.deleteMany !== undefined) {
    await io.store.deleteMany(paths);
    return;
  }
  await forEachBounded(paths, DELETES_IN_FLIGHT_MAX, (path) => io.store.delete(path));
}

/** A commit that changes nothing but the history. */
async function commitMark(
  context: TableContext,
  operation: 'VACUUM START' | 'VACUUM END',
  mark: {
    readonly parameters: Readonly<Record<string, unknown>>;
    readonly metrics?: Readonly<Record<string, number>>;
  },
): Promise<number> {
  const outcome = await retryOnConflict(context, async (state) => {
    assertWritable(state);
    return context.commit({
      state,
      reads: { kind: 'nothing' },
      operation,
      operationParameters: mark.parameters,
      operationMetrics: mark.metrics,
      actions: [],
    });
  });
  return outcome.version;
}
