/** Builds the SELECT that reads a list of files as rows of a table. */
import type { RowSet } from '../deletion-vectors/index.ts';
import { assert } from '../errors.ts';
import type { AddFile } from '../log/actions.ts';
import { duckDbType } from '../schema/duckdb-types.ts';
import { partitionConstant } from '../schema/partition-value.ts';
import type { StructType } from '../schema/types.ts';
import { type DeletionForm, deletionForm, fromWithoutRows } from './deleted-rows-sql.ts';
import { inOurCalendar } from './legacy-calendar.ts';
import { logicalValue } from './logical-value.ts';
import { recordCount } from '../stats/record-count.ts';
import { quoteIdentifier } from './quote.ts';
import { type ReadColumn, readColumnsSql, readParquetSql } from './read-parquet-sql.ts';
import type { ScanColumn } from './scan-columns.ts';

/** A file with all that its rows depend on. */
export interface ScanFile {
  readonly add: AddFile;
  /** Absolute path on this machine. */
  readonly path: string;
  /** Undefined where none is. */
  readonly deleted: RowSet | undefined;
  /** How it has the table's columns; files that have them alike share the list. */
  readonly columns: readonly ScanColumn[];
}

/** What `rowIds` calls the file's index and the row's position in it. */
export const FILE_COLUMN = '_sluice_file';
export const ROW_COLUMN = '_sluice_row';

/**
 * Combinations of partition values that are read by a branch of a UNION each, where DuckDB sees plain constants;
 * beyond that, one scan looks each file's values up in a list, which costs a quarter more but doesn't grow.
 */
const UNION_BRANCHES_MAX = 16;

/** A SELECT of the columns in their order, under their names and with their types; no rows if there are no files. */
export function scanSql(
  files: readonly ScanFile[],
  columns: readonly ScanColumn[],
  options: { readonly rowIds?: boolean } = {},
): string {
  const rowIds = options.rowIds === true;
  if (files.length === 0) return selectNothing(columns, rowIds);
  const partition = columns.filter((column) => column.kind === 'partition');
  const groups = groupBy([...files.keys()], (at) =>
    partition.length === 0
      ? ''
      : JSON.stringify(partition.map(({ key }) => files[at]?.add.partitionValues[key] ?? null)),
  );
  const isConstant = groups.length <= UNION_BRANCHES_MAX;
  const branches = isConstant ? groups : [[...files.keys()]];
  const selects = branches
    .flatMap((branch) =>
      wholeFirst(
        groupBy(branch, (at) => formOf(files[at]) ?? 'whole'),
        files,
      ),
    )
    .flatMap((branch) => groupBy(branch, (at) => files[at]?.columns))
    .map((branch) => {
      const own = branch.map((at) => files[at] as ScanFile);
      return selectBranch(
        { at: branch, files: own },
        { columns: own[0]?.columns ?? columns, rowIds, isConstant },
      );
    });
  return selects.length === 1 ? `SELECT ${selects[0]}` : unionOf(selects, columns, rowIds);
}

/**
 * Where a query needs no column, as to count rows, DuckDB takes the first one of a UNION: a constant, so that no column
 * of a file is read for it.
 */
function unionOf(selects: readonly string[], columns: readonly ScanColumn[], rowIds: boolean): string {
  const names = [...(rowIds ? [FILE_COLUMN, ROW_COLUMN] : []), ...columns.map(({ name }) => name)];
  const union = selects.map((select) => `SELECT true AS "_sluice_any", ${select}`).join(' UNION ALL ');
  return `SELECT ${names.map(quoteIdentifier).join(', ')} FROM (${union})`;
}

/** Reads a Parquet file without rows or columns as if it were the table: a plan over it keeps the query's filters. */
export function stubScanSql(stubFile: string, schema: StructType): string {
  const names = schema.fields.map(({ name }) => quoteIdentifier(name));
  return `SELECT ${names.join(', ')} FROM ${readParquetSql([stubFile], schema.fields)}`;
}

/** Whole files are read while the tables of deleted rows are built. */
function wholeFirst(branches: readonly number[][], files: readonly ScanFile[]): number[][] {
  const isWhole = (branch: readonly number[]): boolean => formOf(files[branch[0] ?? -1]) === undefined;
  return [...branches.filter(isWhole), ...branches.filter((branch) => !isWhole(branch))];
}

function formOf(file: ScanFile | undefined): DeletionForm | undefined {
  return file?.deleted === undefined ? undefined : deletionForm(file.deleted);
}

function selectNothing(columns: readonly ScanColumn[], rowIds: boolean): string {
  const ids = rowIds
    ? [FILE_COLUMN, ROW_COLUMN].map((name) => `CAST(NULL AS BIGINT) AS ${quoteIdentifier(name)}`)
    : [];
  const nulls = columns.map(
    ({ name, type }) => `CAST(NULL AS ${duckDbType(type)}) AS ${quoteIdentifier(name)}`,
  );
  return `SELECT ${[...ids, ...nulls].join(', ')} LIMIT 0`;
}

/** Some of the files, with their places among all of them. */
interface Branch {
  readonly at: readonly number[];
  readonly files: readonly ScanFile[];
}

/** What follows SELECT. */
function selectBranch(
  branch: Branch,
  options: { columns: readonly ScanColumn[]; rowIds: boolean; isConstant: boolean },
): string {
  const { columns, rowIds, isConstant } = options;
  const { files } = branch;
  const read: ReadColumn[] = [];
  const selected = columns.map((column) => {
    if (column.kind === 'partition') {
      return `${partitionValue(files, column, isConstant)} AS ${quoteIdentifier(column.name)}`;
    }
    // A name that no table's column can hide, nor hide a virtual column of DuckDB's.
    const name = `_sluice_${read.length}`;
    read.push({ key: column.key, name, type: column.fileType });
    const own = column.isWidened ? unfiltered(`f.${name}`) : `f.${name}`;
    const value = column.isLegacy === true ? inOurCalendar(own, column.type) : own;
    return `${logicalValue(value, { from: column.fileType, to: column.type })} AS ${quoteIdentifier(column.name)}`;
  });
  if (read.length === 0) read.push({ key: '_sluice_none', name: '_sluice_none', type: 'boolean' });
  const paths = files.map(({ path }) => path);
  const source = readColumnsSql(paths, read, { rows: estimatedRows(files) });
  const ids = rowIds
    ? [`${originalIndex(branch.at)} AS "${FILE_COLUMN}"`, `f.file_row_number AS "${ROW_COLUMN}"`]
    : [];
  return `${[...ids, ...selected].join(', ')} FROM ${fromOf(source, files)}`;
}

/**
 * The same value, of which DuckDB makes no filter of the scan. It would cast the filter's constants to the type that a
 * file has: 2.4 to 2, where a column of whole numbers became one of doubles, and the 2 in the file would be equal to it.
 */
function unfiltered(column: string): string {
  return `CASE WHEN f.file_row_number >= 0 THEN ${column} END`;
}

function fromOf(source: string, files: readonly ScanFile[]): string {
  const form = formOf(files[0]);
  if (form === undefined) return `${source} AS f`;
  const deleted = files.map((file) => {
    assert(file.deleted !== undefined, 'a branch has files of one form');
    return file.deleted;
  });
  return fromWithoutRows(source, deleted, form);
}

function partitionValue(
  files: readonly ScanFile[],
  column: ScanColumn & { kind: 'partition' },
  isConstant: boolean,
): string {
  const constantOf = (file: ScanFile | undefined): string =>
    partitionConstant(file?.add.partitionValues[column.key], column.type);
  if (isConstant) return constantOf(files[0]);
  return `[${files.map(constantOf).join(', ')}][CAST(f.file_index AS BIGINT) + 1]`;
}

/** The index, among all files, of the one that a row is in. */
function originalIndex(at: readonly number[]): string {
  const first = at[0] ?? 0;
  const isRange = at.every((index, place) => index === first + place);
  if (isRange) return `CAST(f.file_index AS BIGINT) + ${first}`;
  return `CAST([${at.join(', ')}] AS BIGINT[])[CAST(f.file_index AS BIGINT) + 1]`;
}

/** In the order in which the groups first come. */
function groupBy(items: readonly number[], keyOf: (item: number) => unknown): number[][] {
  const groups = new Map<unknown, number[]>();
  // Items of one group mostly follow one another.
  let lastKey: unknown;
  let last: number[] | undefined;
  for (const item of items) {
    const key = keyOf(item);
    if (last === undefined || key !== lastKey) {
      last = groups.get(key) ?? [];
      if (last.length === 0) groups.set(key, last);
      lastKey = key;
    }
    last.push(item);
  }
  return [...groups.values()];
}

/** Bytes that a row of a file without statistics is taken to have. */
const ROW_BYTES_ESTIMATE = 64;

/** At least one, since DuckDB takes a relation without rows out of the plan. */
function estimatedRows(files: readonly ScanFile[]): number {
  const rows = files.reduce(
    (sum, { add }) => sum + (recordCount(add.stats) ?? Math.ceil(add.size / ROW_BYTES_ESTIMATE)),
    0,
  );
  return Math.max(1, rows);
}
