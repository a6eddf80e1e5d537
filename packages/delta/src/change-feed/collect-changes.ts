/** Reads the commits of a range, and finds in which files their changes are (protocol: "Add CDC File"). */
import { readDeletionVectors, RowSet } from '../deletion-vectors/index.ts';
import { DeltaError } from '../errors.ts';
import {
  type Action,
  type AddFile,
  type DeletionVectorDescriptor,
  type MetadataAction,
  type RemoveFile,
} from '../log/actions.ts';
import { enableChangeDataFeed } from '../properties/table-properties.ts';
import { schemaFromJson } from '../schema/json.ts';
import { loadCommit, type TableIo } from '../snapshot/load.ts';
import type { TableState } from '../snapshot/table-state.ts';
import type { TableContext } from '../table-context.ts';
import { type CommitClock, commitGone } from './commit-clock.ts';
import { incompatibility } from './compatible-schema.ts';
import { assertVectorsThere } from './files-there.ts';
import type { VersionRange } from './range.ts';
import { RemovedFiles } from './removed-files.ts';

/** Commits that are read at once. */
const READS_IN_FLIGHT_MAX = 16;

/** A file of which every row, those of its deletion vector left out, changed in one version. */
export interface ChangedFile {
  readonly file: AddFile;
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
}

/** A file of which some rows changed in one version: its deletion vector was replaced. */
export interface ChangedRows extends ChangedFile {
  /** Without a deletion vector. */
  readonly file: AddFile;
  readonly change: 'insert' | 'delete';
  readonly rows: RowSet;
}

export interface CollectedChanges {
  readonly inserted: ChangedFile[];
  readonly deleted: ChangedFile[];
  /** Files of the table's columns and one more, which tells of each row what happened. */
  readonly recorded: ChangedFile[];
  readonly revectored: ChangedRows[];
}

/**
 * The changes of a range that is not empty, by the schema of its last version, `end`. Throws `changes-unavailable` if
 * the feed was not enabled in some version or the schema changed so that older rows don't fit, `version-not-found` for
 * commits that are gone, and `corrupt-log` for damaged deletion vectors.
 */
export async function collectChanges(
  context: Pick<TableContext, 'io' | 'stateAt'>,
  range: VersionRange & { readonly end: TableState },
  options: { readonly clock: CommitClock; readonly stopIfAborted: () => void },
): Promise<CollectedChanges> {
  const start = range.from === range.to ? range.end : await context.stateAt(range.from);
  assertFits(start.metadata, range.from, range.end);
  const changes: CollectedChanges = { inserted: [], deleted: [], recorded: [], revectored: [] };
  const removed = new RemovedFiles(context, range);
  for await (const { version, actions } of commitsOf(context.io, range)) {
    options.stopIfAborted();
    for (const { metaData } of actions) {
      if (metaData && version > range.from) assertFits(metaData, version, range.end);
    }
    const timestampMs = await options.clock.timeOf(version, actions);
    await collectCommit({ version, timestampMs, actions }, { io: context.io, removed, changes });
  }
  return changes;
}

async function* commitsOf(
  io: TableIo,
  range: VersionRange,
): AsyncGenerator<{ version: number; actions: readonly Action[] }, void, undefined> {
  for (let first = range.from; first <= range.to; first += READS_IN_FLIGHT_MAX) {
    const count = Math.min(READS_IN_FLIGHT_MAX, range.to - first + 1);
    const versions = Array.from({ length: count }, (_, at) => first + at);
    const commits = await Promise.all(versions.map((version) => loadCommit(io, version)));
    for (const [at, commit] of commits.entries()) {
      if (commit === undefined) throw commitGone(first + at);
      yield commit;
    }
  }
}

function assertFits(metadata: MetadataAction, version: number, end: TableState): void {
  const configuration = metadata.configuration ?? {};
  if (!enableChangeDataFeed(configuration)) {
    throw new DeltaError({
      code: 'changes-unavailable',
      message: `the change feed was not enabled in version ${version}, so its changes were not recorded`,
      hint: 'Begin at a version after the one that set delta.enableChangeDataFeed to true.',
    });
  }
  const schema = schemaFromJson(metadata.schemaString);
  const shape = { schema, metadata: { configuration, partitionColumns: metadata.partitionColumns ?? [] } };
  const reason = incompatibility(shape, end);
  if (reason === undefined) return;
  throw new DeltaError({
    code: 'changes-unavailable',
    message: `the changes of version ${version} don't fit the schema of version ${end.version}: ${reason}`,
    hint: 'Read the changes before and after the change of the schema apart.',
  });
}

interface Commit {
  readonly version: number;
  /** Milliseconds since 1970. */
  readonly timestampMs: number;
  readonly actions: readonly Action[];
}

interface Collector {
  readonly io: TableIo;
  readonly removed: RemovedFiles;
  readonly changes: CollectedChanges;
}

async function collectCommit(commit: Commit, collector: Collector): Promise<void> {
  const { version, timestampMs, actions } = commit;
  const { removed, changes } = collector;
  const at = { version, timestampMs };
  const adds = actions.flatMap(({ add }) => add ?? []);
  removed.learn(adds);
  const recorded = actions.flatMap(({ cdc }) => cdc ?? []);
  if (recorded.length > 0) {
    for (const cdc of recorded) {
      changes.recorded.push({ file: { ...cdc, modificationTime: timestampMs }, ...at });
    }
    return;
  }
  if (changedNoRow(actions)) return;
  const removes = new Map(
    actions
      .flatMap(({ remove }) => remove ?? [])
      .filter((remove) => remove.dataChange)
      .map((remove) => [remove.path, remove]),
  );
  const replaced: ReplacedVector[] = [];
  for (const add of adds) {
    if (!add.dataChange) continue;
    const remove = removes.get(add.path);
    removes.delete(add.path);
    if (remove === undefined) changes.inserted.push({ file: add, ...at });
    else replaced.push({ add, remove });
  }
  for (const remove of removes.values()) {
    changes.deleted.push({ file: await removed.describe(remove), ...at });
  }
  for (const rows of await differences(collector.io, replaced, version)) {
    changes.revectored.push({ ...rows, ...at });
  }
}

/** A MERGE that found nothing to do may still rewrite files; its own figures tell (Delta: "CDCReader"). */
function changedNoRow(actions: readonly Action[]): boolean {
  const info = actions.find(({ commitInfo }) => commitInfo)?.commitInfo;
  if (info?.operation !== 'MERGE') return false;
  return ['numTargetRowsInserted', 'numTargetRowsUpdated', 'numTargetRowsDeleted'].every(
    (metric) => info.operationMetrics?.[metric] === '0',
  );
}

/** The same file before and after a commit; the vectors differ. */
interface ReplacedVector {
  readonly add: AddFile;
  readonly remove: RemoveFile;
}

/** The rows by which the vectors differ: newly marked ones were deleted, those no longer marked are back. */
async function differences(
  io: TableIo,
  replaced: readonly ReplacedVector[],
  version: number,
): Promise<Omit<ChangedRows, 'version' | 'timestampMs'>[]> {
  const descriptors = replaced
    .flatMap(({ add, remove }) => [add.deletionVector, remove.deletionVector])
    .filter((descriptor) => descriptor !== undefined && descriptor !== null);
  await assertVectorsThere(io, descriptors, version);
  const sets = await readDeletionVectors(io, descriptors);
  const byDescriptor = new Map(descriptors.map((descriptor, at) => [descriptor, sets[at]]));
  const rowsOf = (descriptor: DeletionVectorDescriptor | null | undefined): RowSet =>
    (descriptor ? byDescriptor.get(descriptor) : undefined) ?? RowSet.EMPTY;
  return replaced.flatMap(({ add, remove }) => {
    const { deletionVector, ...file } = add;
    const [before, after] = [rowsOf(remove.deletionVector), rowsOf(deletionVector)];
    const sides = [
      { change: 'delete', rows: difference(after, before) },
      { change: 'insert', rows: difference(before, after) },
    ] as const;
    return sides.filter(({ rows }) => rows.size > 0).map((side) => ({ file, ...side }));
  });
}

function difference(from: RowSet, without: RowSet): RowSet {
  if (without.size === 0) return from;
  return RowSet.fromPositions(from.positions().filter((position) => !without.has(position)));
}
