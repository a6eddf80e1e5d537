/** Writes a SELECT as Parquet files with their final names. */
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { dirname } from 'node:path';
import type { DuckDBConnection } from '@duckdb/node-api';
import type { PartitionValues, WriteRequest, WrittenFile } from '../engine.ts';
import { assert, DeltaError } from '../errors.ts';
import { quoteIdentifier, quoteText } from '../scan/quote.ts';
import { partitionConstant } from '../schema/partition-value.ts';
import type { StructField, StructType } from '../schema/types.ts';
import { dropHadoopChecksum } from '../store/hadoop-checksum.ts';
import { isLocal, movesFiles } from '../store/object-store.ts';
import { type CopiedFile, copiedFiles } from './copy-statistics.ts';
import { fieldIdsOption, underFileNames } from './file-columns.ts';
import {
  CHUNK_COLUMN,
  GROUP_COLUMN,
  normalisedSource,
  partitionText,
  selectGrouped,
  selectGroups,
} from './partition-sql.ts';

interface Copy {
  readonly request: WriteRequest;
  /** A SELECT of the schema's columns. */
  readonly source: string;
  /** A path that nothing has used yet, beside where the files will be if the store is local. */
  readonly landing: string;
}

/** Runs the COPY; the files have their names, durably, on return. What is left at `landing` is the caller's to remove. */
export async function copyToFiles(connection: DuckDBConnection, copy: Copy): Promise<WrittenFile[]> {
  const { partitionColumns, rowsPerFile, fileSizeBytes } = copy.request;
  if (partitionColumns.length > 0 || rowsPerFile !== undefined) return copyGrouped(connection, copy);
  return fileSizeBytes === undefined ? copyWhole(connection, copy) : copySized(connection, copy);
}

const COPY_OPTIONS = 'FORMAT parquet, COMPRESSION snappy, RETURN_STATS';

async function copyWhole(connection: DuckDBConnection, copy: Copy): Promise<WrittenFile[]> {
  const { request, landing } = copy;
  const shape = fileShape(request, request.schema.fields);
  const options = `${shape.options}${rowGroupOption(request)}`;
  const sql = `COPY (${shape.select(ordered(copy))}) TO ${quoteText(landing)} (${options})`;
  const [file] = copiedFiles(await connection.runAndReadAll(sql), shape.schema);
  if (file === undefined || file.rows === 0) return [];
  return [await publish(request, { ...file, path: landing }, {})];
}

/** Rows of a row group, as DuckDB has them, and the fewest that are worth one. */
const GROUP_ROWS = 122_880;
const GROUP_ROWS_MIN = 20_480;
const VECTOR_ROWS = 2_048;

/** One thread compresses a row group: a file of few rows has as many groups as there are threads. */
function rowGroupOption({ rowsExpected }: WriteRequest): string {
  if (rowsExpected === undefined) return '';
  const share = Math.ceil(rowsExpected / availableParallelism() / VECTOR_ROWS) * VECTOR_ROWS;
  return share >= GROUP_ROWS ? '' : `, ROW_GROUP_SIZE ${Math.max(share, GROUP_ROWS_MIN)}`;
}

/** One file after another, each of about the size that was asked for. */
async function copySized(connection: DuckDBConnection, copy: Copy): Promise<WrittenFile[]> {
  const { request, landing } = copy;
  const size = Math.max(1, Math.floor(request.fileSizeBytes ?? 1));
  const shape = fileShape(request, request.schema.fields);
  const options = `${shape.options}, FILE_SIZE_BYTES ${size}, FILENAME_PATTERN '{uuid}'`;
  const sql = `COPY (${shape.select(ordered(copy))}) TO ${quoteText(landing)} (${options})`;
  const files = copiedFiles(await connection.runAndReadAll(sql), shape.schema);
  return publishAll(
    request,
    files.filter((file) => file.rows > 0).map((file) => ({ file, values: {} })),
  );
}

/** Groups the rows by partition first, so that the files' names and the values' texts are ours and not DuckDB's. */
async function copyGrouped(connection: DuckDBConnection, copy: Copy): Promise<WrittenFile[]> {
  const { request, source, landing } = copy;
  const partition = request.schema.fields.filter((field) => request.partitionColumns.includes(field.name));
  const data = request.schema.fields.filter((field) => !request.partitionColumns.includes(field.name));
  const rows = `temp.${quoteIdentifier(`rows ${randomUUID()}`)}`;
  const groups = `temp.${quoteIdentifier(`groups ${randomUUID()}`)}`;
  try {
    await connection.run(`CREATE TEMPORARY TABLE ${rows} AS ${normalisedSource(source, partition)}`);
    await connection.run(`CREATE TEMPORARY TABLE ${groups} AS ${selectGroups(rows, partition)}`);
    const values = await partitionValues(connection, groups, partition);
    if (values.length === 0) return [];
    const { rowsPerFile, sortBy } = request;
    const keys = [GROUP_COLUMN, ...(rowsPerFile === undefined ? [] : [CHUNK_COLUMN])].map(quoteIdentifier);
    const grouped = selectGrouped({ rows, groups }, { data, partition, rowsPerFile, sortBy });
    const order = sortBy === undefined ? '' : ` ORDER BY ${keys.join(', ')}, ${sortBy}`;
    const shape = fileShape(request, data);
    const sql =
      `COPY (${shape.select(`${grouped}${order}`, keys)}) TO ${quoteText(landing)} ` +
      `(${shape.options}, PARTITION_BY (${keys.join(', ')}), FILENAME_PATTERN '{uuid}')`;
    const files = copiedFiles(await connection.runAndReadAll(sql), shape.schema);
    return await publishAll(
      request,
      files.map((file) => {
        const group = values[Number(file.partitionKeys[0])];
        assert(group !== undefined, 'every file belongs to a group of partition values');
        return { file, values: group };
      }),
    );
  } finally {
    await connection.run(`DROP TABLE IF EXISTS ${rows}`);
    await connection.run(`DROP TABLE IF EXISTS ${groups}`);
  }
}

/** How the files' columns are called, with which ids. */
function fileShape(
  { schema, fileSchema }: WriteRequest,
  data: readonly StructField[],
): { schema: StructType; options: string; select: (query: string, others?: readonly string[]) => string } {
  if (fileSchema === undefined) return { schema, options: COPY_OPTIONS, select: (query) => query };
  const fields = data.flatMap((field) => fileSchema.fields[schema.fields.indexOf(field)] ?? []);
  return {
    schema: fileSchema,
    options: COPY_OPTIONS + fieldIdsOption(fields),
    select: (query, others = []) => underFileNames(query, { data, schema, fileSchema, others }),
  };
}

function ordered({ source, request }: Copy): string {
  return request.sortBy === undefined ? source : `SELECT * FROM (${source}) ORDER BY ${request.sortBy}`;
}

async function publishAll(
  request: WriteRequest,
  files: readonly { file: CopiedFile; values: PartitionValues }[],
): Promise<WrittenFile[]> {
  const published: WrittenFile[] = [];
  try {
    for (const { file, values } of files) published.push(await publish(request, file, values));
    return published;
  } catch (error) {
    await Promise.allSettled(published.map((file) => request.store.delete(file.path)));
    throw error;
  }
}

async function partitionValues(
  connection: DuckDBConnection,
  groups: string,
  fields: readonly StructField[],
): Promise<PartitionValues[]> {
  const texts = fields.map((field) => partitionText(field.name, field.type));
  const sql = `SELECT ${[...texts, '0'].join(', ')} FROM ${groups} ORDER BY ${quoteIdentifier(GROUP_COLUMN)}`;
  const rows = (await connection.runAndReadAll(sql)).getRowsJS();
  return rows.map((row) =>
    Object.fromEntries(fields.map((field, at) => [field.name, checkedText(row[at], field)])),
  );
}

function checkedText(value: unknown, field: StructField): string | null {
  if (typeof value !== 'string') return null;
  try {
    partitionConstant(value, field.type);
    return value;
  } catch (cause) {
    const message = `"${value}" can't be a value of the partition column "${field.name}"`;
    throw new DeltaError({ code: 'invalid-data', message, cause });
  }
}

/** Gives a finished file its name, durably; a file that a crash leaves half-written is in no version. */
async function publish(
  request: WriteRequest,
  file: CopiedFile,
  partitionValues: PartitionValues,
): Promise<WrittenFile> {
  const { store } = request;
  const path = request.pathFor(partitionValues);
  if (isLocal(store)) {
    const target = store.localPath(path);
    await mkdir(dirname(target), { recursive: true });
    await dropHadoopChecksum(target);
    await rename(file.path, target);
    await store.syncFile(path).catch(async (error: unknown) => {
      await rm(target, { force: true });
      throw error;
    });
  } else if (movesFiles(store)) {
    await store.putFile(path, file.path);
  } else {
    await store.put(path, await readFile(file.path));
  }
  return { path, sizeBytes: file.sizeBytes, rows: file.rows, partitionValues, columns: file.columns };
}
