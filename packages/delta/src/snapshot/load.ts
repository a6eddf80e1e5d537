/** Rebuilds states from the log: from scratch, or from the state of an earlier version. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Engine } from '../engine.ts';
import { DeltaError, isDeltaError } from '../errors.ts';
import { readCheckpoint } from '../log/checkpoint.ts';
import { decodeCommit, decodeSlices, SLICE_BYTES } from '../log/commit-file.ts';
import { readLastCheckpoint } from '../log/last-checkpoint.ts';
import {
  type CommitFile,
  type CompactionFile,
  isEmptyListing,
  listLog,
  type LogListing,
  type LogSegment,
  newestVersion,
  segmentsFor,
  withoutCompactions,
} from '../log/log-listing.ts';
import { commitName, LOG_DIRECTORY } from '../log/log-paths.ts';
import { joinPath, type ObjectStore } from '../store/object-store.ts';
import { newestCommitAt, ownTimestampsFrom, readCommitInfo } from './commit-times.ts';
import { timeText } from '../schema/timestamp-text.ts';
import { applyIncrement, StateBuilder, type TableState } from './table-state.ts';

export interface TableIo {
  readonly store: ObjectStore;
  readonly engine: Engine;
  /** Path of the table in the store. */
  readonly root: string;
}

/** Commits that are read at once, where the store has no faster way. */
const READS_IN_FLIGHT_MAX = 16;
/** Commits that are read at once, where the store reads many in one call. */
const READ_MANY_MAX = 256;
/** Keys of files that are looked through before other work gets its turn. */
const KEYS_PER_TURN = 16_384;
/** Files that are added to a state before other work gets its turn. */
const ADDS_PER_TURN = 20_000;

/**
 * The state at a version, by default the newest. Throws `not-a-table` when there is no log, `version-not-found`,
 * `log-gap`, `corrupt-log`, and the errors of {@link applyIncrement}.
 */
export async function loadState(io: TableIo, version?: number): Promise<TableState> {
  const hint = await readLastCheckpoint(io.store, io.root);
  if (hint !== undefined && (version === undefined || version >= hint.version)) {
    const listing = await listLog(io.store, { root: io.root, fromVersion: hint.version, namesOnly: true });
    // A hint to a checkpoint that is gone or in part is worth nothing.
    if (listing.checkpoints.some((checkpoint) => checkpoint.version >= hint.version)) {
      const state = await loadFromHint(io, listing, version);
      if (state !== undefined) return state;
    }
  }
  const listing = await wholeLog(io, { namesOnly: true });
  return firstReadable(io, listing, segmentsFor(listing, version));
}

/** Undefined where the whole log may know better. */
async function loadFromHint(
  io: TableIo,
  listing: LogListing,
  version: number | undefined,
): Promise<TableState | undefined> {
  try {
    return await firstReadable(io, listing, segmentsFor(listing, version));
  } catch (error) {
    if (isDamage(error) || isDeltaError(error, 'log-gap') || isDeltaError(error, 'version-not-found')) {
      return undefined;
    }
    throw error;
  }
}

/** The whole listing; throws `not-a-table` when there is nothing. */
export async function wholeLog(io: TableIo, options: { namesOnly?: boolean } = {}): Promise<LogListing> {
  const listing = await listLog(io.store, { root: io.root, ...options });
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
    await index(state.files);
    await index(state.tombstones);
    state = applyIncrement(state, next);
  }
  if (state !== from) return state;
  // Nothing new, or a clean-up removed it: then a checkpoint beyond it is known.
  const hint = await readLastCheckpoint(io.store, io.root);
  return hint !== undefined && hint.version > state.version ? loadState(io) : state;
}

/**
 * The version that was the newest at a time; throws `version-not-found` when the log doesn't reach back that far.
 * `newest` is the newest state, if it is known.
 */
export async function versionAt(io: TableIo, timestampMs: number, newest?: TableState): Promise<number> {
  const { metadata } = newest ?? (await loadState(io));
  const own = ownTimestampsFrom(metadata);
  // Without a commit that goes by its file's time, names are enough.
  const listing = await wholeLog(io, { namesOnly: own !== undefined && own.timestampMs === undefined });
  if (listing.commits.length === 0) return newestVersion(listing);
  const found = await newestCommitAt(io, { commits: listing.commits, metadata }, timestampMs);
  if (found.kind === 'found') return found.version;
  throw new DeltaError({
    code: 'version-not-found',
    message:
      `no version is as old as ${timeText(timestampMs)}` +
      (found.oldest === undefined
        ? ''
        : `; the oldest left, ${found.oldest.version}, is of ${timeText(found.oldest.timestampMs)}`),
  });
}

/** Whether another way to rebuild the version may do better. */
function isDamage(error: unknown): boolean {
  return (
    isDeltaError(error, 'engine') || isDeltaError(error, 'corrupt-log') || isDeltaError(error, 'not-found')
  );
}

/** Damaged checkpoints and compactions are no loss while others, or the commits, lead to the same version. */
async function firstReadable(
  io: TableIo,
  listing: LogListing,
  segments: readonly LogSegment[],
): Promise<TableState> {
  let failure: unknown;
  for (const segment of segments) {
    const plain = withoutCompactions(listing, segment);
    for (const way of plain === undefined ? [segment] : [segment, plain]) {
      const outcome = await loadSegment(io, way);
      if (outcome.kind === 'loaded') return outcome.state;
      failure = outcome.failure;
      // Every other way leads through the same commits.
      if (outcome.kind === 'damaged-commit') throw goneAsGap(failure);
    }
  }
  throw goneAsGap(failure);
}

function goneAsGap(failure: unknown): unknown {
  if (!isDeltaError(failure, 'not-found')) return failure;
  return new DeltaError({
    code: 'log-gap',
    message: `a file of the log went missing while it was read: ${failure.message}`,
    retry: 'same',
    cause: failure,
  });
}

type SegmentOutcome =
  | { readonly kind: 'loaded'; readonly state: TableState }
  | { readonly kind: 'damaged' | 'damaged-commit'; readonly failure: unknown };

/** Throws what is no damage. */
async function loadSegment(io: TableIo, segment: LogSegment): Promise<SegmentOutcome> {
  const { version, checkpoint, changes } = segment;
  let kind: 'damaged' | 'damaged-commit' = 'damaged';
  try {
    const content = checkpoint === undefined ? undefined : await readCheckpoint(io, checkpoint);
    const builder = new StateBuilder(content?.files);
    if (content !== undefined) await takeAll(builder, [content.actions], version);
    if (changes.length > 0) await index(builder);
    kind = changes.some((change) => 'to' in change) ? 'damaged' : 'damaged-commit';
    await replay(io, builder, changes);
    kind = 'damaged';
    const last = changes.at(-1);
    if (last === undefined || 'to' in last) {
      // Checkpoints and compactions lack what a commit says of itself.
      const commitInfo = await readCommitInfo(io, version).catch(() => undefined);
      if (commitInfo !== undefined) builder.take([{ commitInfo }], version);
    }
    const commit = await io.store.head(commitPath(io, version));
    const state = builder.build(version, commit?.modifiedMs ?? checkpoint?.modifiedMs ?? 0);
    return { kind: 'loaded', state };
  } catch (failure) {
    if (isDamage(failure)) return { kind, failure };
    throw failure;
  }
}

/** Reads changes and applies them, in turns that leave the event loop to others. */
async function replay(
  io: TableIo,
  builder: StateBuilder,
  changes: readonly (CommitFile | CompactionFile)[],
): Promise<void> {
  const last = changes.at(-1);
  const batchMax = io.store.readMany === undefined ? READS_IN_FLIGHT_MAX : READ_MANY_MAX;
  let bytesInTurn = 0;
  for (let at = 0; at < changes.length; at += batchMax) {
    const batch = changes.slice(at, at + batchMax);
    const contents = await readMany(io.store, batch);
    for (const [index, change] of batch.entries()) {
      const bytes = contents[index] ?? new Uint8Array();
      // Of all commits only the last one's information is wanted.
      const slices = decodeSlices(bytes, change.path, { skipCommitInfo: change !== last });
      // No commits come to nothing, but a writer that crashed may leave nothing.
      if ('to' in change && bytes.length === 0) throw emptyCompaction(change);
      bytesInTurn += bytes.length;
      if (bytes.length <= SLICE_BYTES) {
        for (const actions of slices) builder.take(actions, versionOf(change));
        builder.settle();
      } else {
        await takeAll(builder, slices, versionOf(change));
      }
      if (bytesInTurn < SLICE_BYTES) continue;
      bytesInTurn = 0;
      await nextTurn();
    }
    if (io.store.readMany !== undefined) await nextTurn();
  }
}

/** Looks through the keys of a checkpoint's files, which changes are looked up in, in turns. */
async function index(files: { indexSome(limit: number): boolean }): Promise<void> {
  while (!files.indexSome(KEYS_PER_TURN)) await nextTurn();
}

function emptyCompaction({ path }: CompactionFile): DeltaError {
  return new DeltaError({ code: 'corrupt-log', message: `${path}: the file is empty` });
}

async function takeAll(
  builder: StateBuilder,
  slices: Iterable<Parameters<StateBuilder['take']>[0]>,
  version: number,
): Promise<void> {
  let isFirst = true;
  for (const actions of slices) {
    if (!isFirst) await nextTurn();
    isFirst = false;
    builder.take(actions, version);
  }
  while (!builder.settle(ADDS_PER_TURN)) await nextTurn();
}

function versionOf(change: CommitFile | CompactionFile): number {
  return 'to' in change ? change.to : change.version;
}

async function readMany(
  store: ObjectStore,
  files: readonly { readonly path: string }[],
): Promise<Uint8Array[]> {
  if (store.readMany === undefined) return Promise.all(files.map(({ path }) => store.read(path)));
  const contents = await store.readMany(files.map(({ path }) => path));
  return files.map(({ path }, index) => {
    const bytes = contents[index];
    if (bytes === undefined) {
      throw new DeltaError({ code: 'not-found', message: `"${path}" does not exist` });
    }
    return bytes;
  });
}

/** In the way that is the fastest for a small file; some stores reject where one is absent, others give undefined. */
async function readSmall(store: ObjectStore, path: string): Promise<Uint8Array | undefined> {
  return store.readMany === undefined ? store.read(path) : (await store.readMany([path]))[0];
}

/** The actions of one commit; undefined if there is no such version. */
export async function loadCommit(
  io: TableIo,
  version: number,
): Promise<{ version: number; timestampMs: number; actions: ReturnType<typeof decodeCommit> } | undefined> {
  const path = commitPath(io, version);
  try {
    const bytes = await readSmall(io.store, path);
    if (bytes === undefined) return undefined;
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
