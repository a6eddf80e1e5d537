/**
 * Delta Lake for TypeScript over two seams: an {@link ObjectStore} that keeps bytes and an {@link Engine} that reads
 * and writes Parquet (DuckDB's is in `@sluice/delta/duckdb`).
 */
export {
  type AppendOptions,
  type AppendResult,
  type CreateOptions,
  DeltaTable,
  type MetadataResult,
  type OpenOptions,
} from './table.ts';
export {
  AssertionFailure,
  DeltaError,
  type DeltaErrorCode,
  type DeltaErrorOptions,
  isDeltaError,
  type Retry,
} from './errors.ts';
export type {
  Engine,
  LeafStatistics,
  PartitionValues,
  ReadRequest,
  RowSource,
  WriteRequest,
  WrittenFile,
} from './engine.ts';
export {
  type ByteRange,
  isLocal,
  joinPath,
  type ListedObject,
  type LocalFiles,
  type ObjectFacts,
  type ObjectStore,
} from './store/object-store.ts';
export { LocalStore } from './store/local-store.ts';
export type { AddFile, MetadataAction, ProtocolAction } from './log/actions.ts';
export type { Scan, ScanOptions, Snapshot } from './snapshot/snapshot.ts';
export type { CommitSummary } from './snapshot/history.ts';
export { STUB_FILE } from './scan/stub.ts';
export { quoteIdentifier, quoteText } from './scan/quote.ts';
export {
  type ArrayType,
  type DataType,
  decimalOf,
  type DecimalName,
  field,
  type MapType,
  type PrimitiveName,
  type PrimitiveType,
  sameType,
  struct,
  type StructField,
  type StructType,
} from './schema/types.ts';
export { schemaFromJson, schemaToJson } from './schema/json.ts';
export { deltaTypeFromDuckDb, duckDbType } from './schema/duckdb-types.ts';
export { timestampMicros, timestampText } from './schema/timestamp-text.ts';
export {
  and,
  type ColumnPath,
  compare,
  type ComparisonOperator,
  isIn,
  isNotNull,
  isNull,
  type Literal,
  not,
  or,
  type Predicate,
  unknown,
} from './skip/predicate.ts';
export { rowToNdjson } from './write/ndjson.ts';
