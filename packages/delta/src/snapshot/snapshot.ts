import type { AddFile, MetadataAction, ProtocolAction } from '../log/actions.ts';
import { DeltaError } from '../errors.ts';
import type { StructType } from '../schema/types.ts';
import { scanSql, type ScanSource, stubScanSql } from '../scan/scan-sql.ts';
import { STUB_FILE } from '../scan/stub.ts';
import type { Predicate } from '../skip/predicate.ts';
import { fileTest } from '../skip/prune.ts';
import type { ObjectStore } from '../store/object-store.ts';
import type { TableState } from './table-state.ts';

/** A table at one version; never changes. Its files stay readable until a vacuum elsewhere removes them. */
export interface Snapshot {
  readonly version: number;
  /** When the version was committed, in milliseconds since 1970. */
  readonly timestampMs: number;
  readonly schema: StructType;
  readonly partitionColumns: readonly string[];
  readonly properties: Readonly<Record<string, string>>;
  readonly protocol: ProtocolAction;
  readonly metadata: MetadataAction;
  readonly fileCount: number;
  readonly sizeBytes: number;
  /** Undefined while a file has no statistics. */
  readonly rowCount: number | undefined;
  /** In the order in which the log added them. */
  files(): Iterable<AddFile>;
  /** The version that an application last recorded; undefined if it never did. */
  txnVersion(appId: string): number | undefined;
  txns(): ReadonlyMap<string, number>;
  /** The files to read, and how. */
  scan(options?: ScanOptions): Scan;
}

export interface ScanOptions {
  /** Leaves out files that can't hold a matching row; the query must still filter. */
  readonly predicate?: Predicate;
  /** Absolute path of a Parquet file without rows for `stubSql`; default: `STUB_FILE`. */
  readonly stubFile?: string;
}

export interface Scan {
  readonly files: readonly AddFile[];
  readonly filesSkipped: number;
  /** Of the files; what a query reads of them is mostly less. */
  readonly bytes: number;
  /**
   * A SELECT that any DuckDB connection can run: all columns in schema order with the table's types, partition values
   * as constants, columns that a file lacks NULL. The connection's `TimeZone` must be UTC where files hold timestamps
   * without a zone (INT96).
   */
  readonly sql: string;
  /** The same columns, without rows: for planning a query to learn its filters. */
  readonly stubSql: string;
}

export function createSnapshot(state: TableState, io: { store: ObjectStore; root: string }): Snapshot {
  const source: ScanSource = {
    store: io.store,
    root: io.root,
    schema: state.schema,
    partitionColumns: state.metadata.partitionColumns,
  };
  return {
    version: state.version,
    timestampMs: state.timestampMs,
    schema: state.schema,
    partitionColumns: state.metadata.partitionColumns,
    properties: state.metadata.configuration,
    protocol: state.protocol,
    metadata: state.metadata,
    fileCount: state.files.count,
    sizeBytes: state.files.sizeBytes,
    rowCount: state.files.rowCount,
    files: () => state.files.files(),
    txnVersion: (appId) => state.txns.get(appId)?.version,
    txns: () => new Map([...state.txns].map(([appId, txn]) => [appId, txn.version])),
    scan: (options) => scan(state, source, options),
  };
}

function scan(state: TableState, source: ScanSource, options: ScanOptions = {}): Scan {
  const test = options.predicate === undefined ? undefined : fileTest(options.predicate, source);
  const files: AddFile[] = [];
  let bytes = 0;
  for (const file of state.files.files()) {
    if (test !== undefined && !test(file)) continue;
    if (file.deletionVector) throw unlistedVector(file);
    files.push(file);
    bytes += file.size;
  }
  return {
    files,
    filesSkipped: state.files.count - files.length,
    bytes,
    // Built when asked for: a list of many files is a long text.
    get sql() {
      if (source.schema.fields.length === 0) throw withoutColumns();
      return scanSql(files, source);
    },
    get stubSql() {
      if (source.schema.fields.length === 0) throw withoutColumns();
      return stubScanSql(options.stubFile ?? STUB_FILE, source.schema);
    },
  };
}

/** Reading on would bring deleted rows back. */
function unlistedVector(file: AddFile): DeltaError {
  return new DeltaError({
    code: 'corrupt-log',
    message: `the file "${file.path}" has a deletion vector, but the table's protocol does not list deletionVectors`,
  });
}

function withoutColumns(): DeltaError {
  return new DeltaError({
    code: 'invalid-schema',
    message: 'the table has no columns, so there is nothing to scan',
  });
}
