/**
 * When versions were committed: by the log's own timestamps where the table has them, otherwise by when the commits'
 * files were modified (protocol: "In-Commit Timestamps", "Recommendations for Readers").
 */
import { DeltaError, isDeltaError } from '../errors.ts';
import type { CommitInfo, MetadataAction } from '../log/actions.ts';
import { decodeCommit } from '../log/commit-file.ts';
import type { CommitFile } from '../log/log-listing.ts';
import { commitName, LOG_DIRECTORY } from '../log/log-paths.ts';
import { enableInCommitTimestamps } from '../properties/table-properties.ts';
import { joinPath, type ObjectStore } from '../store/object-store.ts';

export interface CommitTime {
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
}

/** Bytes of a commit that its commitInfo, its first line, is looked for in before the whole is read. */
const COMMIT_INFO_BYTES = 16 * 1024;

/** Times of commits' files, made to rise strictly with the version: clocks may step back between two commits. */
export function commitTimes(commits: readonly CommitFile[]): CommitTime[] {
  let previousMs = -Infinity;
  return commits.map(({ version, modifiedMs }) => {
    previousMs = Math.max(modifiedMs, previousMs + 1);
    return { version, timestampMs: previousMs };
  });
}

/**
 * From which version on, and which time, commits have timestamps of their own; undefined if they have none. The time is
 * undefined where every commit has one.
 */
export function ownTimestampsFrom(
  metadata: MetadataAction,
): { version: number; timestampMs: number | undefined } | undefined {
  const { configuration } = metadata;
  if (!enableInCommitTimestamps(configuration)) return undefined;
  const version = whole(configuration['delta.inCommitTimestampEnablementVersion']);
  const timestampMs = whole(configuration['delta.inCommitTimestampEnablementTimestamp']);
  return version === undefined || timestampMs === undefined
    ? { version: 0, timestampMs: undefined }
    : { version, timestampMs };
}

function whole(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

/**
 * The newest of these commits that is not younger than a time; `oldest` is given when all are. Reads a commit only where
 * it has a timestamp of its own, and of those few.
 */
export async function newestCommitAt(
  io: { store: ObjectStore; root: string },
  log: { commits: readonly CommitFile[]; metadata: MetadataAction },
  timestampMs: number,
): Promise<{ kind: 'found'; version: number } | { kind: 'too-early'; oldest: CommitTime | undefined }> {
  const own = ownTimestampsFrom(log.metadata);
  const splitAt = own === undefined ? Infinity : own.version;
  const withOwn = log.commits.filter(({ version }) => version >= splitAt);
  const byFile = commitTimes(log.commits.filter(({ version }) => version < splitAt));
  if (own !== undefined && timestampMs >= (own.timestampMs ?? -Infinity)) {
    const found = await lastOwnAtOrBefore(io, withOwn, timestampMs);
    if (found !== undefined) return { kind: 'found', version: found };
  }
  const found = byFile.findLast((time) => time.timestampMs <= timestampMs);
  if (found !== undefined) return { kind: 'found', version: found.version };
  const [first] = withOwn;
  const oldest =
    byFile[0] ??
    (first === undefined
      ? undefined
      : { version: first.version, timestampMs: await ownTimestamp(io, first.version) });
  return { kind: 'too-early', oldest };
}

/** By bisection: the timestamps rise with the version. */
async function lastOwnAtOrBefore(
  io: { store: ObjectStore; root: string },
  commits: readonly CommitFile[],
  timestampMs: number,
): Promise<number | undefined> {
  let [low, high] = [0, commits.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const commit = commits[middle];
    if (commit !== undefined && (await ownTimestamp(io, commit.version)) <= timestampMs) low = middle + 1;
    else high = middle;
  }
  return commits[low - 1]?.version;
}

async function ownTimestamp(io: { store: ObjectStore; root: string }, version: number): Promise<number> {
  const info = await readCommitInfo(io, version);
  if (typeof info?.inCommitTimestamp === 'number') return info.inCommitTimestamp;
  throw new DeltaError({
    code: 'corrupt-log',
    message: `the commit of version ${version} has no inCommitTimestamp, which the table demands`,
  });
}

/** The commitInfo of a version; undefined if it has none, or is gone. */
export async function readCommitInfo(
  io: { store: ObjectStore; root: string },
  version: number,
): Promise<CommitInfo | undefined> {
  const path = joinPath(io.root, LOG_DIRECTORY, commitName(version));
  try {
    const start = await io.store.read(path, { offset: 0, length: COMMIT_INFO_BYTES });
    const lineEnd = start.indexOf(10);
    const isFirstLine = lineEnd >= 0 && Buffer.from(start.subarray(0, 13)).toString() === '{"commitInfo"';
    const bytes = isFirstLine ? start.subarray(0, lineEnd) : await io.store.read(path);
    return decodeCommit(bytes, path).find((action) => action.commitInfo)?.commitInfo ?? undefined;
  } catch (error) {
    if (isDeltaError(error, 'not-found')) return undefined;
    throw error;
  }
}
