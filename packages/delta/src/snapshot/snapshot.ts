import { DeltaError } from '../errors.ts';
import type { AddFile, MetadataAction, ProtocolAction } from '../log/actions.ts';
import type { StructType } from '../schema/types.ts';
import { prepareFiles, preparedSql } from '../scan/scan-files.ts';
import { stubScanSql } from '../scan/scan-sql.ts';
import { STUB_FILE } from '../scan/stub.ts';
import type { Predicate } from '../skip/predicate.ts';
import { tableColumns } from '../skip/file-facts.ts';
import { fileTest } from '../skip/prune.ts';
import { recordCount } from '../stats/record-count.ts';
import type { TableIo } from './load.ts';
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
  /** The files to read, and how. Throws `corrupt-log` for a deletion vector that is damaged. */
  scan(options?: ScanOptions): Promise<Scan>;
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
  /**
   * Lets go of the files that a remote store copied to this machine for the scan; call it once the SQL is no longer run.
   * Nothing to do for a local store. Idempotent.
   */
  readonly release: () => void;
}

export function createSnapshot(state: TableState, io: TableIo): Snapshot {
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
    scan: (options) => scan(state, io, options),
  };
}

async function scan(state: TableState, io: TableIo, options: ScanOptions = {}): Promise<Scan> {
  const { schema } = state;
  const test = options.predicate === undefined ? undefined : fileTest(options.predicate, tableColumns(state));
  const files: AddFile[] = [];
  let bytes = 0;
  for (const file of state.files.files()) {
    if (isEmptied(file) || (test !== undefined && !test(file))) continue;
    files.push(file);
    bytes += file.size;
  }
  const prepared = await prepareFiles({ io }, state, files);
  return {
    files,
    filesSkipped: state.files.count - files.length,
    bytes,
    release: prepared.release,
    // Built when asked for: a list of many files is a long text.
    get sql() {
      if (schema.fields.length === 0) throw withoutColumns();
      return preparedSql(prepared);
    },
    get stubSql() {
      if (schema.fields.length === 0) throw withoutColumns();
      return stubScanSql(options.stubFile ?? STUB_FILE, schema);
    },
  };
}

/** Whether every row of the file is deleted. */
function isEmptied({ deletionVector, stats }: AddFile): boolean {
  return (
    deletionVector !== undefined &&
    deletionVector !== null &&
    deletionVector.cardinality === recordCount(stats)
  );
}

function withoutColumns(): DeltaError {
  return new DeltaError({
    code: 'invalid-schema',
    message: 'the table has no columns, so there is nothing to scan',
  });
}
