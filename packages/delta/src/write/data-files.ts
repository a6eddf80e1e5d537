/** Writes rows as data files, and describes them as the log will. */
import type { PartitionValues, RowSource, WrittenFile } from '../engine.ts';
import type { AddFile } from '../log/actions.ts';
import { encodeFilePath, hiveEscape } from '../log/file-path.ts';
import { indexedColumns } from '../properties/table-properties.ts';
import type { StructType } from '../schema/types.ts';
import type { TableIo } from '../snapshot/load.ts';
import { fileStatistics } from '../stats/file-statistics.ts';
import { joinPath } from '../store/object-store.ts';

export interface DataFiles {
  readonly adds: readonly AddFile[];
  readonly rows: number;
  readonly bytes: number;
  /** Paths in the store, for removing what never got committed. */
  readonly paths: readonly string[];
}

export interface DataFilesRequest {
  readonly schema: StructType;
  readonly partitionColumns: readonly string[];
  readonly configuration: Readonly<Record<string, string>>;
  readonly source: RowSource;
  readonly nowMs: number;
  readonly uuid: () => string;
}

/** The files are durable on return; the table does not have them until a commit names them. */
export async function writeDataFiles(io: TableIo, request: DataFilesRequest): Promise<DataFiles> {
  const { schema, partitionColumns } = request;
  const written = await io.engine.writeParquet({
    store: io.store,
    schema,
    partitionColumns,
    source: request.source,
    directory: io.root,
    pathFor: (values) => joinPath(io.root, dataFilePath(values, { partitionColumns, id: request.uuid() })),
  });
  const statistics = { schema, partitionColumns, indexed: indexedColumns(request.configuration) };
  return {
    adds: written.map((file) => ({
      path: encodeFilePath(file.path.slice(io.root === '' ? 0 : io.root.length + 1)),
      partitionValues: orderedValues(file, partitionColumns),
      size: file.sizeBytes,
      modificationTime: request.nowMs,
      dataChange: true,
      stats: fileStatistics(file, statistics),
    })),
    rows: written.reduce((sum, file) => sum + file.rows, 0),
    bytes: written.reduce((sum, file) => sum + file.sizeBytes, 0),
    paths: written.map((file) => file.path),
  };
}

/** Bytes that most file systems allow in a name. */
const DIRECTORY_NAME_BYTES_MAX = 200;
const HIVE_NULL = '__HIVE_DEFAULT_PARTITION__';

/**
 * A new file's path below the table's root. Directories show the partition values to people, as Hive's do; readers take
 * the values from the log, so that one too long to name a directory is left out.
 */
function dataFilePath(
  values: PartitionValues,
  { partitionColumns, id }: { partitionColumns: readonly string[]; id: string },
): string {
  const directories = partitionColumns
    .map((column) => {
      const value = values[column];
      return `${hiveEscape(column)}=${value === null || value === undefined ? HIVE_NULL : hiveEscape(value)}`;
    })
    .filter((name) => name.length <= DIRECTORY_NAME_BYTES_MAX);
  return joinPath(...directories, `part-${id}.parquet`);
}

function orderedValues(file: WrittenFile, partitionColumns: readonly string[]): PartitionValues {
  return Object.fromEntries(partitionColumns.map((column) => [column, file.partitionValues[column] ?? null]));
}
