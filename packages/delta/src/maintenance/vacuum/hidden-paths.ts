/** The directory of files that readers of the change feed look at; hidden from others by its name. */
const CHANGE_DATA_DIRECTORY = '_change_data';

/**
 * Whether a vacuum leaves an object alone because of its name: one of its parts begins with `_` or `.`, and is neither
 * the directory of change data nor that of a partition (Delta: `isHiddenDirectory`).
 *
 * @param path relative to the table's root
 * @param partitionColumns all names that directories may go by
 */
export function isHiddenPath(path: string, partitionColumns: readonly string[]): boolean {
  return path.split('/').some((part) => {
    if (!part.startsWith('_') && !part.startsWith('.')) return false;
    if (part === CHANGE_DATA_DIRECTORY) return false;
    return !partitionColumns.some((column) => part.startsWith(`${column}=`));
  });
}
