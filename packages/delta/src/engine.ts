import type { ObjectStore } from './store/object-store.ts';
import type { StructType } from './schema/types.ts';

/**
 * Reads and writes Parquet. The library decides what is in a file and what the log says of it; an engine moves rows.
 *
 * Failures are `DeltaError`s: `invalid-data` when a row can't be cast to the schema, `not-null` when it breaks a NOT
 * NULL, `no-space`, and `engine` otherwise.
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
}

/**
 * Rows to write. Members that the schema lacks are ignored, absent members are null.
 *
 * - `ndjson`: an absolute path of a file of JSON objects, one a line. Binary is base64; a decimal is exact as a string,
 *   as a number only up to 15 digits; dates and timestamps are ISO 8601, without an offset UTC.
 * - `rows`: the same values as JavaScript's, and besides bigint, Date, Uint8Array, Map, NaN and the infinities.
 */
export type RowSource =
  | { readonly kind: 'ndjson'; readonly file: string; readonly rows?: number }
  | { readonly kind: 'rows'; readonly rows: readonly Record<string, unknown>[] };

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
