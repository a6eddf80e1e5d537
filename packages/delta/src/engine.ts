import { DeltaError } from './errors.ts';
import type { PackedBlock, PackedTotals } from './log/packed-files.ts';
import type { ObjectStore } from './store/object-store.ts';
import type { StructType } from './schema/types.ts';

/**
 * Reads and writes Parquet. The library decides what is in a file and what the log says of it; an engine moves rows.
 *
 * Failures are `DeltaError`s: `invalid-data` when a row can't be cast to the schema, `not-null` when it breaks a NOT
 * NULL, `not-found` for a file that is gone, `no-space`, and `engine` otherwise.
 */
export interface Engine {
  /**
   * Writes the rows of a source as new Parquet files: none for no rows, otherwise at least one for each distinct
   * combination of partition values. On return the files are durable, and none was ever visible in part. After a
   * failure files may be left behind that nothing refers to.
   */
  writeParquet(request: WriteRequest): Promise<WrittenFile[]>;
  /**
   * The rows of one file, in its order, in the data model of JSON: columns by name, those that the file lacks as null,
   * others of the file left out. Meant for the log, not for data: longs beyond 2^53 lose their last digits.
   */
  readParquet(request: ReadRequest): Promise<Record<string, unknown>[]>;
  /**
   * A Parquet file of a checkpoint, in the form that takes the least memory; absent from engines that read no faster
   * than by {@link Engine.readParquet}. Undefined for a file that it has no such form for: then its rows are to be read.
   */
  readCheckpoint?(request: Omit<ReadRequest, 'schema'>): Promise<CheckpointRead | undefined>;
  /** Runs a task with a session of its own; absent from engines without SQL. */
  session?<Result>(task: (session: SqlSession) => Promise<Result>): Promise<Result>;
}

export interface CheckpointRead {
  /** All but adds and removes, in the data model of JSON; members that are null may be present. */
  readonly actions: readonly Record<string, unknown>[];
  readonly adds: readonly PackedBlock[];
  /** Of the adds. */
  readonly totals: PackedTotals;
  readonly removes: readonly PackedBlock[];
}

/**
 * One connection to DuckDB with the time zone UTC, for as long as a task runs; its temporary tables vanish with it. One
 * statement at a time. Failures are `DeltaError`s: `invalid-data` for values that can't be cast, `not-found` for a file
 * that is gone, `no-space`, and `engine` otherwise.
 */
export interface SqlSession {
  run(sql: string): Promise<void>;
  /** All rows, as JavaScript's values (BIGINT as bigint); for small results. */
  rows(sql: string): Promise<unknown[][]>;
  /** About how many rows a SELECT gives, without running it; 0 where that isn't known. */
  estimatedRows(sql: string): Promise<number>;
  /** The rows in order, a bounded number at once, for results of any size. */
  stream(sql: string): AsyncIterable<ColumnBatch>;
  /** Of a SELECT of pairs of BIGINT, a file's number and a position in that file: the positions by file. */
  positions(sql: string): Promise<ReadonlyMap<number, readonly PositionBlock[]>>;
  /** As {@link Engine.writeParquet}; a source of the kind `sql` sees the session's temporary tables. */
  writeParquet(request: WriteRequest): Promise<WrittenFile[]>;
  /**
   * Makes a source a temporary table with the schema's columns; members that are absent are NULL, and no rule of the
   * schema but its types is checked. Returns the table's quoted name.
   */
  load(source: RowSource, schema: StructType): Promise<string>;
  /** Makes the statement that runs fail soon, if one does. */
  interrupt(): void;
}

/** Positions from 65,536 × `block` on, less than that many: what each is beyond it, in no order, repeated or not. */
export interface PositionBlock {
  readonly block: number;
  readonly rests: Uint16Array;
}

/** Some rows of a result, column by column: `columns[i][row]` belongs to `names[i]`. */
export interface ColumnBatch {
  readonly names: readonly string[];
  readonly columns: readonly (readonly unknown[])[];
  readonly rows: number;
}

/** Runs a task with a session of the engine; throws `engine` if it has no SQL. */
export async function withSession<Result>(
  engine: Engine,
  task: (session: SqlSession) => Promise<Result>,
): Promise<Result> {
  if (engine.session === undefined) {
    const hint = 'Open the table with DuckDbEngine of @sluice/delta/duckdb.';
    throw new DeltaError({ code: 'engine', message: 'the operation needs an engine with SQL', hint });
  }
  return engine.session(task);
}

export interface WriteRequest {
  readonly store: ObjectStore;
  /** Of the source; the partition columns are part of it and are left out of the files. */
  readonly schema: StructType;
  readonly partitionColumns: readonly string[];
  readonly source: RowSource;
  /** Path, in the store, below which all of the files will be. */
  readonly directory: string;
  /** Path, in the store, of a new file for rows with these partition values; called once for each file. */
  readonly pathFor: (partitionValues: PartitionValues) => string;
  /**
   * The columns as the files have them: the schema's fields in their order, under other names at any depth and with the
   * ids `delta.columnMapping.id` of their metadata. Statistics go by these names, everything else by the schema's.
   * Default: the schema, without ids.
   */
  readonly fileSchema?: StructType;
  /** Expressions of DuckDB over the source's columns, by the column that they replace; before the checks. */
  readonly computed?: Readonly<Record<string, string>>;
  /** What must hold of each row; the first that is false for one fails the write with `constraint`. NULL passes. */
  readonly checks?: readonly RowCheck[];
  /** The bytes after which a file ends; for tables without partitions, and to about a row group. */
  readonly fileSizeBytes?: number;
  /** The rows after which a file, of each partition, ends. */
  readonly rowsPerFile?: number;
  /** About how many rows there are, where that is known; it decides nothing but how the work is shared out. */
  readonly rowsExpected?: number;
  /** Order of the rows: the text after ORDER BY, over the schema's columns. Default: as the source has them, or any. */
  readonly sortBy?: string;
}

export interface RowCheck {
  /** For the error's reader. */
  readonly name: string;
  /** A boolean expression of DuckDB over the schema's columns. */
  readonly sql: string;
}

/**
 * Rows to write. Members that the schema lacks are ignored, absent members are null.
 *
 * - `ndjson`: an absolute path of a file of JSON objects, one a line. Binary is base64; a decimal is exact as a string,
 *   as a number only up to 15 digits; dates and timestamps are ISO 8601, without an offset UTC.
 * - `rows`: the same values as JavaScript's, and besides bigint, Date, Uint8Array, Map, NaN and the infinities.
 * - `sql`: a SELECT of DuckDB whose columns, by name, are cast to the schema's types; only for engines with SQL.
 */
export type RowSource =
  | { readonly kind: 'ndjson'; readonly file: string; readonly rows?: number }
  | { readonly kind: 'rows'; readonly rows: readonly Record<string, unknown>[] }
  | { readonly kind: 'sql'; readonly sql: string };

/** By column; the text of the protocol's "Partition Value Serialization", null for NULL. */
export type PartitionValues = Readonly<Record<string, string | null>>;

export interface WrittenFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly rows: number;
  readonly partitionValues: PartitionValues;
  /** One for each leaf that the engine knows something of, in any order; leaves below arrays and maps left out. */
  readonly columns: readonly LeafStatistics[];
}

export interface LeafStatistics {
  /** Names from the top-level column down to the leaf. */
  readonly path: readonly string[];
  /** Rows in which the leaf is null, because it or a struct around it is. */
  readonly nullCount: number;
  /**
   * Bounds of the values that are not null, in the order that SQL compares them; absent where unknown. Text:
   * numbers as JSON (`Infinity`, `-Infinity` besides), dates `YYYY-MM-DD`, timestamps `YYYY-MM-DDTHH:MM:SS.ffffff` with
   * a `Z` unless zoneless, strings as they are.
   */
  readonly min?: string;
  readonly max?: string;
  /** Of floating-point leaves. Bounds don't cover NaN, so they are of no use when it is there. */
  readonly hasNan?: boolean;
}

export interface ReadRequest {
  readonly store: ObjectStore;
  readonly path: string;
  readonly schema: StructType;
}
