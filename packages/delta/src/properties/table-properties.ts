/**
 * What the properties of a table say, typed. A value that a foreign writer got wrong counts as absent, in each of
 * these.
 */
import { isTrue } from './documented.ts';
import { columnPaths, intervalMs, sizeBytes, wholeNumber } from './text-values.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** Commits between two checkpoints. */
export const CHECKPOINT_INTERVAL_DEFAULT = 10;
/** How long a removed file's tombstone stays in checkpoints, and the file on disk. */
export const TOMBSTONE_RETENTION_MS_DEFAULT = 7 * DAY_MS;
/** How long commits stay readable one by one. */
export const LOG_RETENTION_MS_DEFAULT = 30 * DAY_MS;
/** Leaf columns, from the first, that get statistics. */
export const INDEXED_COLUMNS_DEFAULT = 32;
/** Characters of a random directory name. */
export const RANDOM_PREFIX_LENGTH_DEFAULT = 2;

type Configuration = Readonly<Record<string, string>>;

/** Whether rows may only be added: nothing is updated or deleted. */
export function appendOnly(configuration: Configuration): boolean {
  return isTrue(configuration['delta.appendOnly']);
}

export function checkpointInterval(configuration: Configuration): number {
  return wholeNumber(configuration['delta.checkpointInterval'], 1) ?? CHECKPOINT_INTERVAL_DEFAULT;
}

/** The form of the checkpoints to write. */
export function checkpointPolicy(configuration: Configuration): 'classic' | 'v2' {
  return configuration['delta.checkpointPolicy'] === 'v2' ? 'v2' : 'classic';
}

/** Whether checkpoints hold statistics as JSON text. */
export function checkpointStatsAsJson(configuration: Configuration): boolean {
  return configuration['delta.checkpoint.writeStatsAsJson']?.toLowerCase() !== 'false';
}

/** Whether checkpoints hold statistics and partition values as columns of their own types besides. */
export function writeStatsAsStruct(configuration: Configuration): boolean {
  return isTrue(configuration['delta.checkpoint.writeStatsAsStruct']);
}

/** How columns are found in data files. */
export function columnMappingMode(configuration: Configuration): 'none' | 'name' | 'id' {
  // Spark keeps it as it was spelt.
  const mode = configuration['delta.columnMapping.mode']?.toLowerCase();
  return mode === 'name' || mode === 'id' ? mode : 'none';
}

/** The largest column id that was ever given; 0 before the first. */
export function columnMappingMaxId(configuration: Configuration): number {
  return wholeNumber(configuration['delta.columnMapping.maxColumnId'], 0) ?? 0;
}

/** Leaf columns with statistics; -1 means all. {@link dataSkippingStatsColumns} comes before it. */
export function indexedColumns(configuration: Configuration): number {
  return wholeNumber(configuration['delta.dataSkippingNumIndexedCols'], -1) ?? INDEXED_COLUMNS_DEFAULT;
}

/**
 * Paths of the columns that get statistics, each with all leaves below it, compared without regard to case; undefined
 * where the count of {@link indexedColumns} decides.
 */
export function dataSkippingStatsColumns(configuration: Configuration): string[][] | undefined {
  const text = configuration['delta.dataSkippingStatsColumns'];
  return text === undefined ? undefined : columnPaths(text);
}

/** How long a removed file stays, in milliseconds. */
export function tombstoneRetentionMs(configuration: Configuration): number {
  return interval(configuration['delta.deletedFileRetentionDuration']) ?? TOMBSTONE_RETENTION_MS_DEFAULT;
}

/** How long commits stay in the log, in milliseconds. */
export function logRetentionMs(configuration: Configuration): number {
  return interval(configuration['delta.logRetentionDuration']) ?? LOG_RETENTION_MS_DEFAULT;
}

/** Whether expired commits and checkpoints are removed from the log. */
export function enableExpiredLogCleanup(configuration: Configuration): boolean {
  return configuration['delta.enableExpiredLogCleanup']?.toLowerCase() !== 'false';
}

export function enableChangeDataFeed(configuration: Configuration): boolean {
  return isTrue(configuration['delta.enableChangeDataFeed']);
}

/** Whether deletes may write deletion vectors; files that have some are read either way. */
export function enableDeletionVectors(configuration: Configuration): boolean {
  return isTrue(configuration['delta.enableDeletionVectors']);
}

export function enableInCommitTimestamps(configuration: Configuration): boolean {
  return isTrue(configuration['delta.enableInCommitTimestamps']);
}

/** Whether columns may be changed to wider types. */
export function enableTypeWidening(configuration: Configuration): boolean {
  return isTrue(configuration['delta.enableTypeWidening']);
}

/** What a transaction that reads is checked against. */
export function isolationLevel(configuration: Configuration): 'Serializable' | 'WriteSerializable' {
  return configuration['delta.isolationLevel'] === 'WriteSerializable' ? 'WriteSerializable' : 'Serializable';
}

/** Bytes that a data file should have; undefined where the table doesn't say. */
export function targetFileSizeBytes(configuration: Configuration): number | undefined {
  const text = configuration['delta.targetFileSize'];
  return text === undefined ? undefined : sizeBytes(text);
}

/** Characters of the random directory that takes the place of partition directories; undefined where none does. */
export function randomFilePrefixLength(configuration: Configuration): number | undefined {
  if (!isTrue(configuration['delta.randomizeFilePrefixes'])) return undefined;
  return wholeNumber(configuration['delta.randomPrefixLength'], 1) ?? RANDOM_PREFIX_LENGTH_DEFAULT;
}

function interval(text: string | undefined): number | undefined {
  return text === undefined ? undefined : intervalMs(text);
}
