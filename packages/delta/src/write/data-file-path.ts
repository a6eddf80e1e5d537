/** Names of new data files. */
import { createHash } from 'node:crypto';
import type { PartitionValues } from '../engine.ts';
import { hiveEscape } from '../log/file-path.ts';
import { joinPath } from '../store/object-store.ts';

/** Bytes that most file systems allow in a name. */
const DIRECTORY_NAME_BYTES_MAX = 200;
const HIVE_NULL = '__HIVE_DEFAULT_PARTITION__';

/**
 * A new file's path below the table's root. Directories show the partition values to people, as Hive's do; readers take
 * the values from the log, so that one too long to name a directory is left out. With `randomPrefixLength` a directory
 * of that many letters and digits stands in their place, which spreads a table over the key space of an object store.
 */
export function dataFilePath(
  values: PartitionValues,
  file: { partitionColumns: readonly string[]; id: string; randomPrefixLength?: number | undefined },
): string {
  const name = `part-${file.id}.parquet`;
  if (file.randomPrefixLength !== undefined) {
    // Of the name, which is unique, so that one source of randomness is enough.
    const digest = BigInt(`0x${createHash('sha256').update(file.id).digest('hex')}`).toString(36);
    return joinPath(digest.slice(-file.randomPrefixLength), name);
  }
  const directories = file.partitionColumns
    .map((column) => {
      const value = values[column];
      return `${hiveEscape(column)}=${value === null || value === undefined ? HIVE_NULL : hiveEscape(value)}`;
    })
    .filter((directory) => directory.length <= DIRECTORY_NAME_BYTES_MAX);
  return joinPath(...directories, name);
}
