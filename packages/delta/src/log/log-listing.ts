/** What is in a log, and which of its files a version is rebuilt from. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { DeltaError } from '../errors.ts';
import { joinPath, type ObjectStore } from '../store/object-store.ts';
import { LOG_DIRECTORY, parseLogFileName, versionPrefix } from './log-paths.ts';

export interface CommitFile {
  readonly version: number;
  readonly path: string;
  /** Milliseconds since 1970; 0 where the listing was of names alone. */
  readonly modifiedMs: number;
}

/** The commits of a range of versions, both inclusive, reconciled into one file. */
export interface CompactionFile {
  readonly from: number;
  readonly to: number;
  readonly path: string;
}

/** A checkpoint of which every file in the log's own directory is there; its sidecars are not looked at. */
export interface CheckpointFiles {
  readonly version: number;
  /** `parts` of more than one; `v2` is named by a UUID. A `classic` one may follow either specification. */
  readonly kind: 'classic' | 'parts' | 'v2';
  readonly format: 'parquet' | 'json';
  /** In the order of the parts. */
  readonly paths: readonly string[];
  /** Milliseconds since 1970; 0 where the listing was of names alone. */
  readonly modifiedMs: number;
}

export interface LogListing {
  /** Ascending by version. */
  readonly commits: readonly CommitFile[];
  /** Ascending by version; of equal versions the one to prefer last. */
  readonly checkpoints: readonly CheckpointFiles[];
  /** Ascending by `from`; of equal ones the longest last. */
  readonly compactions: readonly CompactionFile[];
  /** Version checksums. */
  readonly checksums: readonly { readonly version: number; readonly path: string }[];
  /** Parts of checkpoints that lack others. */
  readonly strayParts: readonly { readonly version: number; readonly path: string }[];
}

/** The files that rebuild one version: a checkpoint, or the beginning, and every change after it, in order. */
export interface LogSegment {
  readonly version: number;
  readonly checkpoint: CheckpointFiles | undefined;
  readonly changes: readonly (CommitFile | CompactionFile)[];
}

export interface ListLogOptions {
  readonly root: string;
  /** Inclusive; default 0. */
  readonly fromVersion?: number;
  /** Spares the look at each file: every `modifiedMs` may be 0. */
  readonly namesOnly?: boolean;
}

/** Names that are looked at before other work gets its turn. */
const NAMES_PER_TURN = 10_000;
/** After every name that begins with a version; what is listed from there on is no part of the log proper. */
const AFTER_VERSIONS = ':';

/** Lists the log's files of versions from `fromVersion`. */
export async function listLog(store: ObjectStore, options: ListLogOptions): Promise<LogListing> {
  const prefix = `${joinPath(options.root, LOG_DIRECTORY)}/`;
  const { fromVersion = 0, namesOnly = false } = options;
  // Every name of that version continues the prefix, and so sorts after it.
  const startAfter = fromVersion === 0 ? {} : { startAfter: prefix + versionPrefix(fromVersion) };
  const listing = new ListingBuilder();
  let listed = 0;
  for await (const object of store.list(prefix, { ...startAfter, namesOnly })) {
    const name = object.path.slice(prefix.length);
    if (name >= AFTER_VERSIONS) break;
    listing.add(name, object);
    listed += 1;
    if (listed % NAMES_PER_TURN === 0) await nextTurn();
  }
  return listing.build();
}

class ListingBuilder {
  readonly #commits: CommitFile[] = [];
  readonly #checkpoints: CheckpointFiles[] = [];
  readonly #compactions: CompactionFile[] = [];
  readonly #checksums: { version: number; path: string }[] = [];
  readonly #parts = new Map<
    string,
    { version: number; parts: number; found: Map<number, string>; modifiedMs: number }
  >();

  add(name: string, { path, modifiedMs }: { path: string; modifiedMs: number }): void {
    const file = parseLogFileName(name);
    if (file.kind === 'commit') {
      this.#commits.push({ version: file.version, path, modifiedMs });
    } else if (file.kind === 'v2-checkpoint') {
      const { version, format } = file;
      this.#checkpoints.push({ version, kind: 'v2', format, paths: [path], modifiedMs });
    } else if (file.kind === 'compaction') {
      this.#compactions.push({ from: file.from, to: file.to, path });
    } else if (file.kind === 'checksum') {
      this.#checksums.push({ version: file.version, path });
    } else if (file.kind === 'checkpoint') {
      const { version, part, parts } = file;
      const key = `${version}/${parts}`;
      const group = this.#parts.get(key) ?? { version, parts, found: new Map(), modifiedMs: 0 };
      group.found.set(part, path);
      group.modifiedMs = Math.max(group.modifiedMs, modifiedMs);
      this.#parts.set(key, group);
    }
  }

  build(): LogListing {
    const strayParts: { version: number; path: string }[] = [];
    for (const { version, parts, found, modifiedMs } of this.#parts.values()) {
      if (found.size === parts) {
        const paths = [...found].toSorted(([a], [b]) => a - b).map(([, path]) => path);
        const kind = parts === 1 ? 'classic' : 'parts';
        this.#checkpoints.push({ version, kind, format: 'parquet', paths, modifiedMs });
      } else {
        for (const path of found.values()) strayParts.push({ version, path });
      }
    }
    return {
      commits: this.#commits,
      checkpoints: this.#checkpoints.sort((a, b) => a.version - b.version || preference(a) - preference(b)),
      compactions: this.#compactions.sort((a, b) => a.from - b.from || a.to - b.to),
      checksums: this.#checksums,
      strayParts,
    };
  }
}

/** Fewer files first to read, and Parquet before JSON. */
function preference(checkpoint: CheckpointFiles): number {
  if (checkpoint.kind === 'parts') return 0;
  if (checkpoint.kind === 'classic') return 2;
  return checkpoint.format === 'json' ? 1 : 3;
}

/** Whether the listing holds nothing that a table could be rebuilt from. */
export function isEmptyListing(listing: LogListing): boolean {
  return listing.commits.length + listing.checkpoints.length === 0;
}

/** The newest version that the listing knows; -1 if none. */
export function newestVersion(listing: LogListing): number {
  return Math.max(-1, listing.commits.at(-1)?.version ?? -1, listing.checkpoints.at(-1)?.version ?? -1);
}

/**
 * The ways to rebuild `version` (default: the newest), best first: from its newest checkpoint, older ones after it in
 * case that one is damaged, and from the first commit. Throws `version-not-found` beyond the newest version or before
 * the oldest one left, and `log-gap` when a commit in between is missing.
 */
export function segmentsFor(listing: LogListing, version?: number): LogSegment[] {
  const newest = newestVersion(listing);
  const target = version ?? newest;
  if (!(target >= 0 && target <= newest)) {
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
    const found = changesFor(listing, { from: (checkpoint?.version ?? -1) + 1, target });
    if (typeof found === 'number') firstGap ??= found;
    else segments.push({ version: target, checkpoint, changes: found });
  }
  if (segments.length === 0) throw missingCommit(listing, { target, gap: firstGap ?? 0 });
  return segments;
}

/** The segment with each commit by itself; undefined where one is missing or none of it is compacted. */
export function withoutCompactions(listing: LogListing, segment: LogSegment): LogSegment | undefined {
  if (!segment.changes.some((change) => 'to' in change)) return undefined;
  const from = (segment.checkpoint?.version ?? -1) + 1;
  const changes = changesFor({ ...listing, compactions: [] }, { from, target: segment.version });
  return typeof changes === 'number' ? undefined : { ...segment, changes };
}

/** Commits, and compactions in the place of those that they cover; or the first version that nothing covers. */
function changesFor(
  { commits, compactions }: Pick<LogListing, 'commits' | 'compactions'>,
  range: { from: number; target: number },
): (CommitFile | CompactionFile)[] | number {
  const longest = new Map<number, CompactionFile>();
  for (const compaction of compactions) {
    if (compaction.to <= range.target) longest.set(compaction.from, compaction);
  }
  const changes: (CommitFile | CompactionFile)[] = [];
  let at = firstFrom(commits, range.from);
  for (let version = range.from; version <= range.target;) {
    const compaction = longest.get(version);
    if (compaction !== undefined) {
      changes.push(compaction);
      version = compaction.to + 1;
      at = firstFrom(commits, version);
      continue;
    }
    const commit = commits[at];
    if (commit?.version !== version) return version;
    changes.push(commit);
    version += 1;
    at += 1;
  }
  return changes;
}

/** Index of the first commit from a version on. */
function firstFrom(commits: readonly CommitFile[], version: number): number {
  let [low, high] = [0, commits.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((commits[middle]?.version ?? Infinity) < version) low = middle + 1;
    else high = middle;
  }
  return low;
}

function missingCommit(listing: LogListing, wanted: { target: number; gap: number }): DeltaError {
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
