/** Rebuilds states from the log: from scratch, or from the state of an earlier version. */
import type { Engine } from '../engine.ts';
import { DeltaError, isDeltaError } from '../errors.ts';
import { readCheckpoint } from '../log/checkpoint.ts';
import { decodeCommit } from '../log/commit-file.ts';
import { readLastCheckpoint } from '../log/last-checkpoint.ts';
import {
  type CommitFile,
  isEmptyListing,
  listLog,
  type LogListing,
  type LogSegment,
  newestVersion,
  segmentsFor,
} from '../log/log-listing.ts';
import { commitName, LOG_DIRECTORY } from '../log/log-paths.ts';
import { joinPath, type ObjectStore } from '../store/object-store.ts';
import { applyIncrement, type TableState } from './table-state.ts';

export interface TableIo {
  readonly store: ObjectStore;
  readonly engine: Engine;
  /** Path of the table in the store. */
  readonly root: string;
}

/** Commits that are read at once. */
const READS_IN_FLIGHT_MAX = 16;

/**
 * The state at a version, by default the newest. Throws `not-a-table` when there is no log, `version-not-found`,
 * `log-gap` and the errors of {@link applyIncrement}.
 */
export async function loadState(io: TableIo, version?: number): Promise<TableState> {
  const hint = await readLastCheckpoint(io.store, io.root);
  if (hint !== undefined && (version === undefined || version >= hint.version)) {
    const listing = await listLog(io.store, { root: io.root, fromVersion: hint.version });
    // A hint to a checkpoint that is gone or in part is worth nothing.
    if (listing.checkpoints.some((checkpoint) => checkpoint.version >= hint.version)) {
      const state = await firstReadable(io, segmentsFor(listing, version), { isPartial: true });
      if (state !== undefined) return state;
    }
  }
  const listing = await wholeLog(io);
  const state = await firstReadable(io, segmentsFor(listing, version), { isPartial: false });
  if (state === undefined)
    throw new DeltaError({ code: 'corrupt-log', message: 'no checkpoint is readable' });
  return state;
}

/** The whole listing; throws `not-a-table` when there is nothing. */
export async function wholeLog(io: TableIo): Promise<LogListing> {
  const listing = await listLog(io.store, { root: io.root });
  if (isEmptyListing(listing)) {
    throw new DeltaError({
      code: 'not-a-table',
      message: `there is no Delta table at "${io.root}": its ${LOG_DIRECTORY} is absent or empty`,
    });
  }
  return listing;
}

/** The newest state, given an earlier one: reads only the commits after it. */
export async function refreshState(io: TableIo, from: TableState): Promise<TableState> {
  let state = from;
  for (;;) {
    const next = await loadCommit(io, state.version + 1);
    if (next === undefined) break;
    state = applyIncrement(state, next);
  }
  if (state !== from) return state;
  // The next commit may be absent because a clean-up removed it: then a checkpoint beyond it is known.
  const hint = await readLastCheckpoint(io.store, io.root);
  return hint !== undefined && hint.version > state.version ? loadState(io) : state;
}

/** The version that was the newest at a time; throws `version-not-found` when the log doesn't reach back that far. */
export async function versionAt(io: TableIo, timestampMs: number): Promise<number> {
  const listing = await wholeLog(io);
  const times = commitTimes(listing.commits);
  const [oldest] = times;
  if (oldest === undefined) return newestVersion(listing);
  if (timestampMs < oldest.timestampMs) {
    throw new DeltaError({
      code: 'version-not-found',
      message:
        `no version is as old as ${new Date(timestampMs).toISOString()}; ` +
        `the oldest left, ${oldest.version}, is of ${new Date(oldest.timestampMs).toISOString()}`,
    });
  }
  return times.findLast((time) => time.timestampMs <= timestampMs)?.version ?? oldest.version;
}

/** Times of commits, made to rise strictly with the version: clocks may step back between two commits. */
export function commitTimes(commits: readonly CommitFile[]): { version: number; timestampMs: number }[] {
  let previousMs = -Infinity;
  return commits.map(({ version, modifiedMs }) => {
    previousMs = Math.max(modifiedMs, previousMs + 1);
    return { version, timestampMs: previousMs };
  });
}

async function firstReadable(
  io: TableIo,
  segments: readonly LogSegment[],
  options: { isPartial: boolean },
): Promise<TableState | undefined> {
  for (const [at, segment] of segments.entries()) {
    try {
      return await loadSegment(io, segment);
    } catch (error) {
      // A damaged checkpoint is no loss while an older one, or the beginning, leads to the same version.
      const isDamaged = isDeltaError(error, 'engine') || isDeltaError(error, 'corrupt-log');
      const hasAlternative = at + 1 < segments.length || options.isPartial;
      if (!isDamaged || !hasAlternative || segment.checkpoint === undefined) throw error;
    }
  }
  return undefined;
}

async function loadSegment(io: TableIo, segment: LogSegment): Promise<TableState> {
  let state: TableState | undefined;
  if (segment.checkpoint !== undefined) {
    const { version, modifiedMs } = segment.checkpoint;
    const commit = await io.store.head(commitPath(io, version));
    const actions = await readCheckpoint(io, segment.checkpoint);
    state = applyIncrement(undefined, { version, timestampMs: commit?.modifiedMs ?? modifiedMs, actions });
  }
  for (let at = 0; at < segment.commits.length; at += READS_IN_FLIGHT_MAX) {
    const batch = segment.commits.slice(at, at + READS_IN_FLIGHT_MAX);
    const contents = await Promise.all(batch.map((commit) => io.store.read(commit.path)));
    for (const [index, commit] of batch.entries()) {
      const actions = decodeCommit(contents[index] ?? new Uint8Array(), commit.path);
      state = applyIncrement(state, { version: commit.version, timestampMs: commit.modifiedMs, actions });
    }
  }
  if (state === undefined) throw new DeltaError({ code: 'corrupt-log', message: 'the log is empty' });
  return state;
}

/** The actions of one commit; undefined if there is no such version. */
export async function loadCommit(
  io: TableIo,
  version: number,
): Promise<{ version: number; timestampMs: number; actions: ReturnType<typeof decodeCommit> } | undefined> {
  const path = commitPath(io, version);
  try {
    const bytes = await io.store.read(path);
    const facts = await io.store.head(path);
    return { version, timestampMs: facts?.modifiedMs ?? 0, actions: decodeCommit(bytes, path) };
  } catch (error) {
    if (isDeltaError(error, 'not-found')) return undefined;
    throw error;
  }
}

export function commitPath(io: Pick<TableIo, 'root'>, version: number): string {
  return joinPath(io.root, LOG_DIRECTORY, commitName(version));
}
