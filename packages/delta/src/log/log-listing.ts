/** What is in a log, and which of its files a version is rebuilt from. */
import { DeltaError } from '../errors.ts';
import { joinPath, type ObjectStore } from '../store/object-store.ts';
import { LOG_DIRECTORY, parseLogFileName, versionPrefix } from './log-paths.ts';

export interface CommitFile {
  readonly version: number;
  readonly path: string;
  readonly modifiedMs: number;
}

/** A classic checkpoint of which every part is there. */
export interface CheckpointFiles {
  readonly version: number;
  /** In the order of the parts. */
  readonly paths: readonly string[];
  readonly modifiedMs: number;
}

export interface LogListing {
  /** Ascending by version. */
  readonly commits: readonly CommitFile[];
  /** Ascending by version; of equal versions the one with the fewest parts last. */
  readonly checkpoints: readonly CheckpointFiles[];
  /** Versions with a checkpoint of the v2 kind, which this library can't read. */
  readonly v2Checkpoints: readonly number[];
}

/** The files that rebuild one version: a checkpoint, or the beginning, and every commit after it. */
export interface LogSegment {
  readonly version: number;
  readonly checkpoint: CheckpointFiles | undefined;
  readonly commits: readonly CommitFile[];
}

/** Lists the log's files of versions from `fromVersion` (inclusive). */
export async function listLog(
  store: ObjectStore,
  options: { root: string; fromVersion?: number },
): Promise<LogListing> {
  const prefix = `${joinPath(options.root, LOG_DIRECTORY)}/`;
  const fromVersion = options.fromVersion ?? 0;
  // Every name of that version continues the prefix, and so sorts after it.
  const startAfter = fromVersion === 0 ? {} : { startAfter: prefix + versionPrefix(fromVersion) };
  const commits: CommitFile[] = [];
  const parts = new Map<string, { version: number; parts: number; paths: string[]; modifiedMs: number }>();
  const v2Checkpoints: number[] = [];
  for await (const { path, modifiedMs } of store.list(prefix, startAfter)) {
    const file = parseLogFileName(path.slice(prefix.length));
    if (file.kind === 'commit') commits.push({ version: file.version, path, modifiedMs });
    if (file.kind === 'v2-checkpoint') v2Checkpoints.push(file.version);
    if (file.kind === 'checkpoint') {
      const key = `${file.version}/${file.parts}`;
      const found = parts.get(key) ?? { version: file.version, parts: file.parts, paths: [], modifiedMs: 0 };
      found.paths.push(path);
      found.modifiedMs = Math.max(found.modifiedMs, modifiedMs);
      parts.set(key, found);
    }
  }
  const checkpoints = [...parts.values()]
    .filter((found) => found.paths.length === found.parts)
    .sort((a, b) => a.version - b.version || b.parts - a.parts);
  return { commits, checkpoints, v2Checkpoints };
}

/** Whether the listing holds nothing that a table could be rebuilt from. */
export function isEmptyListing(listing: LogListing): boolean {
  return listing.commits.length + listing.checkpoints.length + listing.v2Checkpoints.length === 0;
}

/** The newest version that the listing knows; -1 if none. */
export function newestVersion(listing: LogListing): number {
  return Math.max(
    -1,
    listing.commits.at(-1)?.version ?? -1,
    listing.checkpoints.at(-1)?.version ?? -1,
    ...listing.v2Checkpoints,
  );
}

/**
 * The ways to rebuild `version` (default: the newest), best first: from its newest checkpoint, older ones after it in
 * case that one is damaged, and from the first commit. Throws `version-not-found` beyond the newest version or before
 * the oldest one left, `log-gap` when a commit in between is missing, and `unsupported-feature` when only a v2
 * checkpoint could help.
 */
export function segmentsFor(listing: LogListing, version?: number): LogSegment[] {
  const newest = newestVersion(listing);
  const target = version ?? newest;
  if (target > newest || target < 0) {
    throw new DeltaError({
      code: 'version-not-found',
      message: `version ${target} does not exist; the newest is ${newest}`,
    });
  }
  const starts: (CheckpointFiles | undefined)[] = [
    ...listing.checkpoints.filter((checkpoint) => checkpoint.version <= target).reverse(),
    undefined,
  ];
  const segments: LogSegment[] = [];
  let firstGap: number | undefined;
  for (const checkpoint of starts) {
    const from = (checkpoint?.version ?? -1) + 1;
    const commits = listing.commits.filter((commit) => commit.version >= from && commit.version <= target);
    const gap = firstMissing(commits, { from, target });
    if (gap === undefined) segments.push({ version: target, checkpoint, commits });
    else firstGap ??= gap;
  }
  if (segments.length === 0) throw missingCommit(listing, { target, gap: firstGap ?? 0 });
  return segments;
}

function firstMissing(
  commits: readonly CommitFile[],
  range: { from: number; target: number },
): number | undefined {
  for (let at = 0; at <= range.target - range.from; at += 1) {
    if (commits[at]?.version !== range.from + at) return range.from + at;
  }
  return undefined;
}

function missingCommit(listing: LogListing, wanted: { target: number; gap: number }): DeltaError {
  if (listing.v2Checkpoints.some((version) => version <= wanted.target)) {
    return new DeltaError({
      code: 'unsupported-feature',
      message: `this library can't read the table: it needs the table feature v2Checkpoint`,
    });
  }
  const oldestCheckpoint = listing.checkpoints[0]?.version;
  if (oldestCheckpoint !== undefined && wanted.target < oldestCheckpoint) {
    return new DeltaError({
      code: 'version-not-found',
      message: `version ${wanted.target} is gone: the log has been cleaned up to version ${oldestCheckpoint}`,
    });
  }
  return new DeltaError({
    code: 'log-gap',
    message: `the commit of version ${wanted.gap} is missing from the log, which version ${wanted.target} needs`,
    hint: 'Restore the missing file of the log; reading on would show wrong rows.',
  });
}
