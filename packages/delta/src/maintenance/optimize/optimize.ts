import { withSession } from '../../engine.ts';
import { DeltaError } from '../../errors.ts';
import type { AddFile } from '../../log/actions.ts';
import { assertWritable } from '../../protocol/features.ts';
import { targetFileSizeBytes } from '../../properties/table-properties.ts';
import type { TableState } from '../../snapshot/table-state.ts';
import type { TableContext } from '../../table-context.ts';
import type { LongWork } from '../long-work.ts';
import { filesWhere } from '../partition-filter.ts';
import {
  type Bin,
  clusteringBins,
  compactionBins,
  DELETED_ROWS_RATIO_MAX,
  purgeBins,
  sortBins,
} from './bins.ts';
import { clusteredBy } from './clustering.ts';
import { curveColumns } from './curve.ts';
import type { Layout } from './rewrite-bin.ts';
import { type RewritePlan, rewriteTable } from './rewrite-table.ts';
import type { RewriteResult } from './rewrite-totals.ts';

export interface OptimizeOptions extends LongWork {
  /** A condition of DuckDB over partition columns alone: only partitions for which it is true are looked at. */
  readonly where?: string;
  /** Default: the table's `delta.targetFileSize`, else by the table's size (see {@link defaultTargetBytes}). */
  readonly targetFileSizeBytes?: number;
  /** Files below it are joined with others; default: the target. */
  readonly minFileSizeBytes?: number;
  /** Rewrites whole partitions with their rows along a Z-order curve through these columns. */
  readonly zOrderBy?: readonly string[];
  /** Of a clustered table: clusters everything, not only what came since. */
  readonly full?: boolean;
  /** Rewrites files with deleted rows, and only those, however few the rows are (REORG … APPLY (PURGE)). */
  readonly purge?: boolean;
}

const MIB = 2 ** 20;
const TIB = 2 ** 40;
/** Size of files of a table of up to {@link SMALL_TABLE_BYTES}; it grows with the table to {@link TARGET_BYTES_MAX}. */
export const TARGET_BYTES_MIN = 256 * MIB;
export const TARGET_BYTES_MAX = 1024 * MIB;
const SMALL_TABLE_BYTES = 2.56 * TIB;
const LARGE_TABLE_BYTES = 10 * TIB;

/**
 * Joins small files into larger ones and drops deleted rows for good, partition by partition; or sorts the rows of
 * partitions along a curve through `zOrderBy`, or through the columns by which the table is clustered. The table's rows
 * stay exactly what they are: rows that others append meanwhile are no conflict, and where others change files that are
 * being rewritten, those are left to the next optimize (`binsLost`). Readers of the change feed see nothing of it.
 *
 * Commits as it goes: an abort or a failure leaves what was committed before. Phase of the progress: `rewrite` (bins).
 * Throws `invalid-expression` for a condition that needs more than partition columns, `invalid-schema` for columns that
 * can't be ordered by, `invalid-data` for options that don't go together, `unsupported-feature`, `aborted`, `no-space`,
 * `engine`, `io`, `contention`.
 */
export async function optimize(context: TableContext, options: OptimizeOptions = {}): Promise<RewriteResult> {
  return rewriteTable(context, (state) => planOptimize(context, state, options), options);
}

async function planOptimize(
  context: TableContext,
  state: TableState,
  options: OptimizeOptions,
): Promise<RewritePlan> {
  assertWritable(state);
  const clustering = clusteredBy(state).map((path) => path.join('.'));
  assertConsistent(options, clustering);
  const target = sizeOption('targetFileSizeBytes', options.targetFileSizeBytes) ?? targetBytes(state);
  const minimum = sizeOption('minFileSizeBytes', options.minFileSizeBytes) ?? target;
  const files = await candidates(context, state, options.where);
  const { zOrderBy = [], purge = false, full = false } = options;
  const predicate = options.where === undefined ? [] : [options.where];
  const plan = (bins: Bin[], layout: Layout, parameters: Record<string, unknown>): RewritePlan => ({
    bins,
    layout,
    targetFileSizeBytes: target,
    operation: purge ? 'REORG' : 'OPTIMIZE',
    parameters: { predicate, ...parameters },
  });
  if (purge) return plan(purgeBins(files, target), { kind: 'plain' }, { applyPurge: true });
  const table = { schema: state.schema, partitionColumns: state.metadata.partitionColumns };
  if (zOrderBy.length > 0) {
    const columns = curveColumns(zOrderBy, table);
    return plan(sortBins(files), { kind: 'curve', columns, isClustering: false }, { zOrderBy, auto: false });
  }
  if (clustering.length > 0) {
    const columns = curveColumns(clustering, table);
    const bins = clusteringBins(files, { columns: clustering, full });
    const parameters = { zOrderBy: [], auto: false, clusterBy: clustering, isFull: full };
    return plan(bins, { kind: 'curve', columns, isClustering: true }, parameters);
  }
  const bins = compactionBins(files, {
    targetFileSizeBytes: target,
    minFileSizeBytes: minimum,
    deletedRowsRatioMax: DELETED_ROWS_RATIO_MAX,
  });
  return plan(bins, { kind: 'plain' }, { zOrderBy: [], auto: false });
}

/** The size that new files of a table should have. */
export function targetBytes(state: Pick<TableState, 'metadata' | 'files'>): number {
  return targetFileSizeBytes(state.metadata.configuration) ?? defaultTargetBytes(state.files.sizeBytes);
}

/** 256 MiB up to tables of 2.56 TiB, from there in a straight line to 1 GiB for those of 10 TiB and more. */
export function defaultTargetBytes(tableBytes: number): number {
  const part = (tableBytes - SMALL_TABLE_BYTES) / (LARGE_TABLE_BYTES - SMALL_TABLE_BYTES);
  const clamped = Math.min(1, Math.max(0, part));
  return Math.round(TARGET_BYTES_MIN + clamped * (TARGET_BYTES_MAX - TARGET_BYTES_MIN));
}

async function candidates(
  context: TableContext,
  state: TableState,
  where: string | undefined,
): Promise<Iterable<AddFile>> {
  if (where === undefined) return state.files.files();
  return withSession(context.io.engine, (session) => filesWhere(session, state, where));
}

function assertConsistent(options: OptimizeOptions, clustering: readonly string[]): void {
  const { zOrderBy = [], purge = false, full = false, where } = options;
  const refuse = (message: string): never => {
    throw new DeltaError({ code: 'invalid-data', message });
  };
  if (purge && (zOrderBy.length > 0 || full)) refuse('a purge neither orders rows nor clusters them');
  if (clustering.length > 0 && zOrderBy.length > 0) {
    refuse(`the table is clustered by ${clustering.join(', ')}, so zOrderBy can't be used`);
  }
  if (clustering.length > 0 && where !== undefined && !purge) {
    refuse('the table is clustered, so there are no partitions to choose from');
  }
  if (full && clustering.length === 0)
    refuse('`full` is for clustered tables, and this one is not clustered');
}

function sizeOption(name: string, value: number | undefined): number | undefined {
  if (value === undefined || (Number.isFinite(value) && value > 0)) return value;
  throw new DeltaError({ code: 'invalid-data', message: `${name} can't be ${value}` });
}
