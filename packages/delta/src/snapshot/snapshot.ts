import * as shapes from '../arguments/operations.ts';
import { assertShape } from '../arguments/shape.ts';
import type { ColumnBatch } from '../engine.ts';
import type { AddFile, MetadataAction, ProtocolAction } from '../log/actions.ts';
import { readBatches, readRows, toSql } from '../reading/read.ts';
import type { Row, RowOptions, SelectOptions } from '../reading/select.ts';
import type { StructType } from '../schema/types.ts';
import type { TableIo } from './load.ts';
import { type Scan, type ScanOptions, scanState } from './scan.ts';
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
  /**
   * Rows as objects, as {@link DeltaTable.rows} gives them, of this very version: the log is not read again, so a clean-up
   * of it takes nothing away. Throws as there, but for what finds the version.
   */
  rows(options?: RowOptions): AsyncGenerator<Row, void, undefined>;
  /** As `rows`, a bounded number of rows at once, column by column. */
  batches(options?: RowOptions): AsyncGenerator<ColumnBatch, void, undefined>;
  /** A SELECT of this version for any DuckDB connection, as {@link DeltaTable.toSql} gives it. */
  toSql(options?: SelectOptions): Promise<string>;
  /** The files to read, and how. Throws `corrupt-log` for a deletion vector that is damaged. */
  scan(options?: ScanOptions): Promise<Scan>;
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
    async *rows(options = {}) {
      assertShape(options, shapes.SNAPSHOT_ROWS, 'rows');
      yield* readRows({ io }, state, options);
    },
    async *batches(options = {}) {
      assertShape(options, shapes.SNAPSHOT_ROWS, 'batches');
      yield* readBatches({ io }, state, options);
    },
    async toSql(options = {}) {
      assertShape(options, shapes.SNAPSHOT_SELECT, 'toSql');
      return toSql({ io }, state, options);
    },
    scan: (options) => scanState(state, io, options),
  };
}
