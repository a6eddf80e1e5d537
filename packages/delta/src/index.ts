/**
 * Delta Lake for TypeScript over two seams: an {@link ObjectStore} that keeps bytes and an {@link Engine} that reads
 * and writes Parquet (DuckDB's is in `@sluice/delta/duckdb`).
 */
export { DeltaTable, type VersionChoice } from './table.ts';
export type { TableAlterations } from './table-alterations.ts';
export type { OpenOptions, Warning } from './table-context.ts';
export type { CreateOptions } from './write/create-table.ts';
export type { AppendOptions, AppendResult } from './write/append.ts';
export type {
  DeleteFacts,
  DeleteOptions,
  DeleteResult,
  MergeBuilder,
  MergeCondition,
  MergeFacts,
  MergeResult,
  MergeTarget,
  MergeValues,
  OverwriteFacts,
  OverwriteMode,
  OverwriteOptions,
  OverwriteResult,
  RowOperationOptions,
  RowOperationResult,
  UpdateFacts,
  UpdateOptions,
  UpdateResult,
} from './dml/index.ts';
export type { AlterResult, ColumnPosition, NewColumn } from './alter/index.ts';
export type { ColumnChange as ColumnAlteration, ColumnPath as AlteredColumn } from './alter/index.ts';
export type { IsolationLevel } from './transaction/conflicts.ts';
export {
  AssertionFailure,
  DeltaError,
  type DeltaErrorCode,
  type DeltaErrorOptions,
  isDeltaError,
  type Retry,
} from './errors.ts';
export type {
  ColumnBatch,
  Engine,
  LeafStatistics,
  PartitionValues,
  ReadRequest,
  RowCheck,
  RowSource,
  PositionBlock,
  SqlSession,
  WriteRequest,
  WrittenFile,
} from './engine.ts';
export {
  type ByteRange,
  type DownloadOptions,
  type FileTransfer,
  isLocal,
  isLocaliser,
  joinPath,
  type ListedObject,
  type ListOptions,
  type LocalFiles,
  type Localised,
  type Localiser,
  movesFiles,
  type ObjectFacts,
  type ObjectStore,
} from './store/object-store.ts';
export { CachedStore, type CachedStoreOptions } from './store/cached-store.ts';
export type { CacheCounts, DiskCacheOptions } from './store/disk-cache.ts';
export { LocalStore } from './store/local-store.ts';
export type { AddFile, DeletionVectorDescriptor, MetadataAction, ProtocolAction } from './log/actions.ts';
export type { Scan, ScanOptions } from './snapshot/scan.ts';
export type { Snapshot } from './snapshot/snapshot.ts';
export type { CommitSummary } from './snapshot/history.ts';
export type { ChangeBound, ChangeRange } from './change-feed/range.ts';
export type { ChangeOptions, ChangeRowOptions, ChangeScan } from './change-feed/read-changes.ts';
export type { TimestampForm } from './reading/js-values.ts';
export type { Row, RowOptions, SelectOptions } from './reading/select.ts';
export type { TableDetail, TableStatistics } from './detail/detail.ts';
export { type DiffSummary, type FilesSummary, summariseDiff } from './detail/diff-summary.ts';
export type { ColumnChange, DiffOptions, VersionDiff } from './maintenance/diff.ts';
export type { FsckOptions, FsckResult } from './maintenance/fsck/fsck.ts';
export type { Finding } from './maintenance/fsck/findings.ts';
export type { LongWork, Progress } from './maintenance/long-work.ts';
export type { AutoCompactionPolicy } from './maintenance/auto-compaction.ts';
export type { CloneOptions, CloneResult } from './maintenance/clone.ts';
export type { ConvertOptions } from './maintenance/convert/convert.ts';
export type { OptimizeOptions } from './maintenance/optimize/optimize.ts';
export type { RewriteResult } from './maintenance/optimize/rewrite-totals.ts';
export type { RestoreOptions, RestoreResult } from './maintenance/restore.ts';
export type { VacuumOptions, VacuumResult } from './maintenance/vacuum/vacuum.ts';
export type { CleanUpOptions } from './log/clean-up.ts';
export type { LogCompaction } from './log/compaction.ts';
export { STUB_FILE } from './scan/stub.ts';
export { quoteIdentifier, quoteText } from './scan/quote.ts';
export {
  type ArrayType,
  type DataType,
  decimalOf,
  type DecimalName,
  field,
  type FieldOptions,
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
