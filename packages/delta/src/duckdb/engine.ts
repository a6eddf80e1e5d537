import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import type {
  Engine,
  PartitionValues,
  ReadRequest,
  RowSource,
  WriteRequest,
  WrittenFile,
} from '../engine.ts';
import { assert, DeltaError, messageOf } from '../errors.ts';
import { quoteIdentifier, quoteText } from '../scan/quote.ts';
import { readParquetSql } from '../scan/read-parquet-sql.ts';
import { partitionConstant } from '../schema/partition-value.ts';
import type { StructField } from '../schema/types.ts';
import { TEMPORARY_SUFFIX } from '../store/local-store.ts';
import { isLocal, type ObjectStore } from '../store/object-store.ts';
import { rowToNdjson } from '../write/ndjson.ts';
import { ConnectionPool } from './connection-pool.ts';
import { type CopiedFile, copiedFiles } from './copy-statistics.ts';
import {
  GROUP_COLUMN,
  normalisedSource,
  partitionText,
  selectGrouped,
  selectGroups,
} from './partition-sql.ts';
import { ScratchDirectory } from './scratch-directory.ts';
import { NOT_NULL_MARKER, selectNdjson } from './source-sql.ts';

export interface DuckDbEngineOptions {
  /** DuckDB's worker threads; default: one for each core. */
  readonly threads?: number;
  /** As DuckDB's `memory_limit`, such as `512MB`; default: 80 % of the machine's memory. */
  readonly memoryLimit?: string;
}

/** Rows of a `rows` source that are turned into text at once. */
const ROWS_PER_CHUNK = 1000;

/**
 * The engine over an embedded DuckDB of its own. Files of a local store are written in its place; those of other
 * stores go through a temporary directory. DuckDB works on libuv's thread pool: a process that runs many of these at
 * once should raise `UV_THREADPOOL_SIZE`.
 */
export class DuckDbEngine implements Engine {
  readonly #pool: ConnectionPool;
  readonly #scratch = new ScratchDirectory();

  private constructor(instance: DuckDBInstance) {
    this.#pool = new ConnectionPool(instance);
  }

  static async create(options: DuckDbEngineOptions = {}): Promise<DuckDbEngine> {
    const settings: Record<string, string> = {};
    if (options.threads !== undefined) settings.threads = String(options.threads);
    if (options.memoryLimit !== undefined) settings.memory_limit = options.memoryLimit;
    return new DuckDbEngine(await DuckDBInstance.create(':memory:', settings));
  }

  /** Frees the database and the temporary files; calls must have ended. */
  async close(): Promise<void> {
    this.#pool.close();
    await this.#scratch.remove();
  }

  async writeParquet(request: WriteRequest): Promise<WrittenFile[]> {
    return this.#withNdjson(request.source, (file) =>
      this.#pool.use(async (connection) => {
        const source = selectNdjson(file, request.schema);
        const landing = await this.#landingPath(request);
        try {
          return request.partitionColumns.length === 0
            ? await copyWhole(connection, { request, source, landing })
            : await copyPartitioned(connection, { request, source, landing });
        } catch (error) {
          throw engineError(error, 'write');
        } finally {
          await rm(landing, { recursive: true, force: true });
        }
      }),
    );
  }

  async readParquet(request: ReadRequest): Promise<Record<string, unknown>[]> {
    return this.#withLocalCopy(request.store, request.path, (file) =>
      this.#pool.use(async (connection) => {
        const members = request.schema.fields.map(({ name }) => {
          const quoted = quoteIdentifier(name);
          return `${quoted} := ${quoted}`;
        });
        const from = readParquetSql([file], request.schema.fields);
        try {
          const sql = `SELECT CAST(to_json(struct_pack(${members.join(', ')})) AS VARCHAR) FROM ${from}`;
          const [rows = []] = (await connection.runAndReadAll(sql)).getColumnsJS();
          return rows.map((row) => {
            assert(typeof row === 'string', 'to_json gives text');
            return JSON.parse(row) as Record<string, unknown>;
          });
        } catch (error) {
          throw engineError(error, `read "${request.path}"`);
        }
      }),
    );
  }

  /** Where a COPY writes before its files get their names: beside them, so that a rename moves them. */
  async #landingPath({ store, directory }: WriteRequest): Promise<string> {
    if (!isLocal(store)) return this.#scratch.newPath(TEMPORARY_SUFFIX);
    const parent = store.localPath(directory);
    await mkdir(parent, { recursive: true });
    return join(parent, `.${randomUUID()}${TEMPORARY_SUFFIX}`);
  }

  async #withNdjson<Result>(source: RowSource, task: (file: string) => Promise<Result>): Promise<Result> {
    if (source.kind === 'ndjson') {
      await stat(source.file).catch((cause: unknown) => {
        throw new DeltaError({
          code: 'not-found',
          message: `the source "${source.file}" can't be read`,
          cause,
        });
      });
      return task(source.file);
    }
    const file = await this.#scratch.newPath('.ndjson');
    try {
      await pipeline(Readable.from(chunksOf(source.rows)), createWriteStream(file));
      return await task(file);
    } finally {
      await rm(file, { force: true });
    }
  }

  async #withLocalCopy<Result>(
    store: ObjectStore,
    path: string,
    task: (file: string) => Promise<Result>,
  ): Promise<Result> {
    if (isLocal(store)) return task(store.localPath(path));
    const file = await this.#scratch.newPath('.parquet');
    try {
      await writeFile(file, await store.read(path));
      return await task(file);
    } finally {
      await rm(file, { force: true });
    }
  }
}

interface Copy {
  readonly request: WriteRequest;
  /** A SELECT of the schema's columns. */
  readonly source: string;
  readonly landing: string;
}

const COPY_OPTIONS = 'FORMAT parquet, COMPRESSION snappy, RETURN_STATS';

async function copyWhole(connection: DuckDBConnection, copy: Copy): Promise<WrittenFile[]> {
  const { request, source, landing } = copy;
  const sql = `COPY (${source}) TO ${quoteText(landing)} (${COPY_OPTIONS})`;
  const [file] = copiedFiles(await connection.runAndReadAll(sql), request.schema);
  if (file === undefined || file.rows === 0) return [];
  return [await publish(request, { ...file, path: landing }, {})];
}

/** Groups the rows by partition first, so that the files' names and the values' texts are ours and not DuckDB's. */
async function copyPartitioned(connection: DuckDBConnection, copy: Copy): Promise<WrittenFile[]> {
  const { request, source, landing } = copy;
  const partition = request.schema.fields.filter((field) => request.partitionColumns.includes(field.name));
  const data = request.schema.fields.filter((field) => !request.partitionColumns.includes(field.name));
  const rows = `temp.${quoteIdentifier(`rows ${randomUUID()}`)}`;
  const published: WrittenFile[] = [];
  const groups = `temp.${quoteIdentifier(`groups ${randomUUID()}`)}`;
  try {
    await connection.run(`CREATE TEMPORARY TABLE ${rows} AS ${normalisedSource(source, partition)}`);
    await connection.run(`CREATE TEMPORARY TABLE ${groups} AS ${selectGroups(rows, partition)}`);
    const values = await partitionValues(connection, groups, partition);
    if (values.length === 0) return [];
    const sql =
      `COPY (${selectGrouped({ rows, groups }, { data, partition })}) TO ${quoteText(landing)} ` +
      `(${COPY_OPTIONS}, PARTITION_BY (${quoteIdentifier(GROUP_COLUMN)}), FILENAME_PATTERN '{uuid}')`;
    for (const file of copiedFiles(await connection.runAndReadAll(sql), request.schema)) {
      const value = values[Number(file.partitionKeys[0])];
      assert(value !== undefined, 'every file belongs to a group of partition values');
      published.push(await publish(request, file, value));
    }
    return published;
  } catch (error) {
    await Promise.allSettled(published.map((file) => request.store.delete(file.path)));
    throw error;
  } finally {
    await connection.run(`DROP TABLE IF EXISTS ${rows}`);
    await connection.run(`DROP TABLE IF EXISTS ${groups}`);
  }
}

async function partitionValues(
  connection: DuckDBConnection,
  groups: string,
  fields: readonly StructField[],
): Promise<PartitionValues[]> {
  const texts = fields.map((field) => partitionText(field.name, field.type));
  const sql = `SELECT ${texts.join(', ')} FROM ${groups} ORDER BY ${quoteIdentifier(GROUP_COLUMN)}`;
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

/** Gives a finished file its name, durably. */
async function publish(
  request: WriteRequest,
  file: CopiedFile,
  partitionValues: PartitionValues,
): Promise<WrittenFile> {
  const { store } = request;
  const path = request.pathFor(partitionValues);
  if (isLocal(store)) {
    const handle = await open(file.path, 'r+');
    try {
      await handle.datasync();
    } finally {
      await handle.close();
    }
    const target = store.localPath(path);
    await mkdir(dirname(target), { recursive: true });
    await rename(file.path, target);
    await store.syncFile(path);
  } else {
    await store.put(path, await readFile(file.path));
  }
  return { path, sizeBytes: file.sizeBytes, rows: file.rows, partitionValues, columns: file.columns };
}

function* chunksOf(rows: readonly Record<string, unknown>[]): Generator<string> {
  for (let at = 0; at < rows.length; at += ROWS_PER_CHUNK) {
    yield rows
      .slice(at, at + ROWS_PER_CHUNK)
      .map(rowToNdjson)
      .join('');
  }
}

function engineError(error: unknown, verb: string): unknown {
  if (error instanceof DeltaError) return error;
  const text = messageOf(error);
  const marker = text.indexOf(NOT_NULL_MARKER);
  if (marker >= 0) {
    const column = text.slice(marker + NOT_NULL_MARKER.length).split('\n', 1)[0] ?? '';
    const message = `a row has NULL in the column "${column}", or within it, where the schema forbids it`;
    return new DeltaError({ code: 'not-null', message, cause: error });
  }
  if (/No space left|ENOSPC|Disk quota/i.test(text)) {
    const hint = 'Free space, then try again.';
    return new DeltaError({
      code: 'no-space',
      message: `can't ${verb}: no space is left`,
      hint,
      cause: error,
    });
  }
  const isData = verb === 'write' && /^(Invalid Input|Conversion|Out of Range) Error/.test(text);
  const message = `DuckDB can't ${verb}: ${text}`;
  return new DeltaError({ code: isData ? 'invalid-data' : 'engine', message, cause: error });
}
