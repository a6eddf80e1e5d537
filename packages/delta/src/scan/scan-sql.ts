/** Builds the SELECT that reads a list of files as rows of a table. */
import { locateFile } from '../log/file-path.ts';
import type { AddFile } from '../log/actions.ts';
import { duckDbType } from '../schema/duckdb-types.ts';
import { partitionConstant } from '../schema/partition-value.ts';
import type { StructField, StructType } from '../schema/types.ts';
import { isLocal, joinPath, type ObjectStore } from '../store/object-store.ts';
import { quoteIdentifier } from './quote.ts';
import { readParquetSql } from './read-parquet-sql.ts';

export interface ScanSource {
  readonly store: ObjectStore;
  readonly root: string;
  readonly schema: StructType;
  readonly partitionColumns: readonly string[];
}

/**
 * Combinations of partition values that are read by a branch of a UNION each, where DuckDB sees plain constants;
 * beyond that, one scan looks each file's values up in a list, which costs a quarter more but doesn't grow.
 */
const UNION_BRANCHES_MAX = 16;

/** A SELECT of all columns in schema order, with the table's types; no rows if there are no files. */
export function scanSql(files: readonly AddFile[], source: ScanSource): string {
  if (files.length === 0) return `${selectNulls(source.schema)} LIMIT 0`;
  const dataFields = source.schema.fields.filter(({ name }) => !source.partitionColumns.includes(name));
  if (source.partitionColumns.length === 0)
    return `SELECT ${plainColumns(dataFields)} FROM ${read(files, source)}`;
  const groups = groupByPartition(files, source);
  if (groups.length <= UNION_BRANCHES_MAX) {
    return groups.map((group) => selectGroup(group, source)).join(' UNION ALL ');
  }
  return selectByFileIndex(files, source);
}

/** Reads a Parquet file without rows or columns as if it were the table: a plan over it keeps the query's filters. */
export function stubScanSql(stubFile: string, schema: StructType): string {
  return `SELECT ${plainColumns(schema.fields)} FROM ${readParquetSql([stubFile], schema.fields)}`;
}

function selectNulls(schema: StructType): string {
  const columns = schema.fields.map(
    ({ name, type }) => `CAST(NULL AS ${duckDbType(type)}) AS ${quoteIdentifier(name)}`,
  );
  return `SELECT ${columns.join(', ')}`;
}

function selectGroup(files: readonly [AddFile, ...AddFile[]], source: ScanSource): string {
  const columns = source.schema.fields.map((field) => {
    const name = quoteIdentifier(field.name);
    if (!source.partitionColumns.includes(field.name)) return name;
    return `${partitionConstant(files[0].partitionValues[field.name], field.type)} AS ${name}`;
  });
  return `SELECT ${columns.join(', ')} FROM ${read(files, source)}`;
}

function selectByFileIndex(files: readonly AddFile[], source: ScanSource): string {
  const columns = source.schema.fields.map((field) => {
    const name = quoteIdentifier(field.name);
    if (!source.partitionColumns.includes(field.name)) return name;
    const constants = files.map((file) => partitionConstant(file.partitionValues[field.name], field.type));
    return `[${constants.join(', ')}][CAST(file_index AS BIGINT) + 1] AS ${name}`;
  });
  return `SELECT ${columns.join(', ')} FROM ${read(files, source)}`;
}

function groupByPartition(files: readonly AddFile[], source: ScanSource): [AddFile, ...AddFile[]][] {
  const groups = new Map<string, [AddFile, ...AddFile[]]>();
  for (const file of files) {
    const key = JSON.stringify(source.partitionColumns.map((name) => file.partitionValues[name] ?? null));
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [file]);
    else group.push(file);
  }
  return [...groups.values()];
}

function read(files: readonly AddFile[], source: ScanSource): string {
  const dataFields = source.schema.fields.filter(({ name }) => !source.partitionColumns.includes(name));
  return readParquetSql(
    files.map((file) => filePath(file, source)),
    dataFields,
  );
}

function filePath(file: AddFile, { store, root }: ScanSource): string {
  const location = locateFile(file.path);
  if (location.kind === 'local') return location.path;
  const path = joinPath(root, location.path);
  return isLocal(store) ? store.localPath(path) : path;
}

function plainColumns(fields: readonly StructField[]): string {
  return fields.map(({ name }) => quoteIdentifier(name)).join(', ');
}
