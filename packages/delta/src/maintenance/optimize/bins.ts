/**
 * Which files an OPTIMIZE rewrites together. Pure: decides from the log alone.
 *
 * Files of a bin have the same partition values. Bins are filled in the order in which the log added the files, so that
 * rows that came together stay together and the statistics of new files stay narrow.
 */
import type { AddFile } from '../../log/actions.ts';
import { recordCount } from '../../stats/record-count.ts';

/** Files that are rewritten by one statement. */
export interface Bin {
  /** By the names that the log uses. */
  readonly partitionValues: Readonly<Record<string, string | null>>;
  readonly files: readonly AddFile[];
  readonly bytes: number;
}

export interface CompactionPolicy {
  /** The files of a bin sum up to at most this, unless it is one file alone. */
  readonly targetFileSizeBytes: number;
  /** Files below it are rewritten if there are others to join. */
  readonly minFileSizeBytes: number;
  /** Files with a greater part of their rows deleted are rewritten even alone. */
  readonly deletedRowsRatioMax: number;
}

/** Part of a file's rows that may be deleted before an OPTIMIZE rewrites it (Delta: `optimize.maxDeletedRowsRatio`). */
export const DELETED_ROWS_RATIO_MAX = 0.05;
/** Files that one statement names: its text stays within megabytes. */
export const BIN_FILES_MAX = 5_000;
/**
 * Bytes that one sort takes in: what is beyond it is clustered apart. (Delta's target for a cube of clustered files.)
 */
export const CLUSTER_BYTES_MAX = 150 * 2 ** 30;
/** Bytes below which a cube of clustered files is clustered again with the rows that came since (Delta's default). */
export const CUBE_BYTES_MIN = 100 * 2 ** 30;

/** Tags of clustered files, as Delta's own writers set them. */
export const CUBE_ID_TAG = 'ZCUBE_ID';
export const CUBE_COLUMNS_TAG = 'ZCUBE_ZORDER_BY';
export const CUBE_CURVE_TAG = 'ZCUBE_ZORDER_CURVE';
/** The implementation whose tags these are; files of another one are left as they are. */
export const CLUSTERING_PROVIDER = 'liquid';

/** Bins of small files and of files with many deleted rows; none has a single file that would come out as it is. */
export function compactionBins(files: Iterable<AddFile>, policy: CompactionPolicy): Bin[] {
  const needsPurge = (file: AddFile): boolean => deletedRatio(file) > policy.deletedRowsRatioMax;
  const candidates = filter(files, (file) => file.size < policy.minFileSizeBytes || needsPurge(file));
  return filled(candidates, policy.targetFileSizeBytes).filter(
    ({ files: [first, second] }) => second !== undefined || (first !== undefined && needsPurge(first)),
  );
}

/** Bins of all files with deleted rows, to be rewritten without them (REORG … APPLY (PURGE)). */
export function purgeBins(files: Iterable<AddFile>, targetFileSizeBytes: number): Bin[] {
  const hasVector = (file: AddFile): boolean =>
    file.deletionVector !== undefined && file.deletionVector !== null;
  return filled(filter(files, hasVector), targetFileSizeBytes);
}

/** All files of each partition, to be sorted together. */
export function sortBins(files: Iterable<AddFile>): Bin[] {
  return filled(files, CLUSTER_BYTES_MAX);
}

/**
 * What an OPTIMIZE of a table clustered by these columns sorts: files that are not clustered yet together with cubes
 * that are still small; nothing when all that would be is one cube. `full` takes every file.
 */
export function clusteringBins(
  files: Iterable<AddFile>,
  options: { readonly columns: readonly string[]; readonly full: boolean },
): Bin[] {
  if (options.full) return sortBins(files);
  const cubeBytes = new Map<string, number>();
  const cubes = new Map<AddFile, string>();
  const fresh: AddFile[] = [];
  for (const file of files) {
    const cube = cubeOf(file, options.columns);
    if (cube === 'foreign') continue;
    if (cube === undefined) fresh.push(file);
    else {
      cubes.set(file, cube);
      cubeBytes.set(cube, (cubeBytes.get(cube) ?? 0) + file.size);
    }
  }
  const small = [...cubes].filter(([, cube]) => (cubeBytes.get(cube) ?? 0) < CUBE_BYTES_MIN);
  const smallCubes = new Set(small.map(([, cube]) => cube));
  if (fresh.length === 0 && smallCubes.size <= 1) return [];
  return filled([...fresh, ...small.map(([file]) => file)], CLUSTER_BYTES_MAX);
}

/** The part of a file's rows that are deleted; 1 when it has a deletion vector but does not say how many rows. */
export function deletedRatio(file: AddFile): number {
  const { deletionVector } = file;
  if (deletionVector === undefined || deletionVector === null) return 0;
  const rows = recordCount(file.stats);
  return rows === undefined || rows === 0 ? 1 : deletionVector.cardinality / rows;
}

/** Identifies a combination of partition values; '' and null are the same. */
export function partitionKey(values: Readonly<Record<string, string | null>>): string {
  const entries = Object.entries(values).map(([name, value]) => [name, value === '' ? null : value] as const);
  return JSON.stringify(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Fills bins of each partition one after another; a file that is greater than the size has one of its own. */
function filled(files: Iterable<AddFile>, sizeBytesMax: number): Bin[] {
  const bins: Bin[] = [];
  const open = new Map<string, { files: AddFile[]; bytes: number }>();
  const close = (bin: { files: AddFile[]; bytes: number }): void => {
    bins.push({ partitionValues: bin.files[0]?.partitionValues ?? {}, files: bin.files, bytes: bin.bytes });
  };
  for (const file of files) {
    const key = partitionKey(file.partitionValues);
    const bin = open.get(key);
    if (bin !== undefined && bin.bytes + file.size <= sizeBytesMax && bin.files.length < BIN_FILES_MAX) {
      bin.files.push(file);
      bin.bytes += file.size;
      continue;
    }
    if (bin !== undefined) close(bin);
    open.set(key, { files: [file], bytes: file.size });
  }
  for (const bin of open.values()) close(bin);
  return bins;
}

/** The cube that a file is in; `foreign` when it was clustered otherwise, undefined when it never was. */
function cubeOf(file: AddFile, columns: readonly string[]): string | undefined {
  const provider = file.clusteringProvider;
  const id = file.tags?.[CUBE_ID_TAG];
  if (provider !== undefined && provider !== null && provider !== CLUSTERING_PROVIDER) return 'foreign';
  if (provider === undefined || provider === null || id === undefined || id === null) return undefined;
  return file.tags?.[CUBE_COLUMNS_TAG] === JSON.stringify(columns) ? id : 'foreign';
}

function* filter(files: Iterable<AddFile>, test: (file: AddFile) => boolean): Generator<AddFile> {
  for (const file of files) if (test(file)) yield file;
}
