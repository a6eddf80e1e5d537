import type { RowSource } from '../engine.ts';
import { isDeltaError } from '../errors.ts';
import type { Action } from '../log/actions.ts';
import { type SchemaChange, schemaChange } from '../alter/schema-change.ts';
import { assertWritable } from '../protocol/features.ts';
import { enableTypeWidening } from '../properties/table-properties.ts';
import { mergeSchemas, withColumns } from '../schema/evolution.ts';
import type { StructField, StructType } from '../schema/types.ts';
import type { TableState } from '../snapshot/table-state.ts';
import type { TableContext } from '../table-context.ts';
import { recordedTxns } from '../transaction/conflicts.ts';
import {
  conflictError,
  type ConflictOutcome,
  OPERATION_ATTEMPTS_MAX,
} from '../transaction/retry-on-conflict.ts';
import { type DataFiles, writeDataFiles } from './data-files.ts';
import { movedHighWaterMarks } from './identity.ts';
import { hasRules, writeRules } from './prepare.ts';
import { providedColumns, withMissingColumns } from './provided-columns.ts';

export interface AppendOptions {
  readonly source: RowSource;
  /** What the append is known by: each application's version, which must rise from append to append. */
  readonly txns?: readonly { readonly appId: string; readonly version: number }[];
  /** Columns to add in the same commit, as by `DeltaTable.addColumns`. */
  readonly addColumns?: readonly StructField[];
  /**
   * The schema of the source: the table gets in the same commit what it lacks of it, at any depth, and wider types where
   * `delta.enableTypeWidening` is set and no rule reads columns; see `mergeSchemas`.
   */
  readonly mergeSchema?: StructType;
  /**
   * The columns that the source provides: the others get their defaults, or the values that the table generates.
   * Default: for `rows` those that any row has; otherwise all, so that what a row lacks is NULL.
   */
  readonly columns?: readonly string[];
  /** As shown in the history; default `WRITE`. */
  readonly operation?: string;
  readonly operationParameters?: Readonly<Record<string, unknown>>;
  readonly userMetadata?: string;
}

export type AppendResult =
  /** Durable and visible; `bytes` of the new files. */
  | {
      readonly kind: 'committed';
      readonly version: number;
      readonly rows: number;
      readonly files: number;
      readonly bytes: number;
    }
  /** Every txn is recorded at its version or a later one; nothing was written. `version` is the table's newest. */
  | { readonly kind: 'already-committed'; readonly version: number };

/** As `DeltaTable.append` promises. */
export async function appendRows(context: TableContext, options: AppendOptions): Promise<AppendResult> {
  for (let attempt = 1; ; attempt += 1) {
    const { result, hasIdentity } = await appendOnce(context, options);
    // Others took the same identity values: a later state has the next ones.
    if (result.kind !== 'conflict') return result;
    const isRetried = hasIdentity && result.reason === 'metadata';
    if (!isRetried || attempt >= OPERATION_ATTEMPTS_MAX) throw conflictError(result);
  }
}

async function appendOnce(
  context: TableContext,
  options: AppendOptions,
): Promise<{ result: AppendResult | ConflictOutcome; hasIdentity: boolean }> {
  const txns = options.txns ?? [];
  const state = await context.refresh();
  if (txns.length > 0) {
    const recorded = recordedTxns(txns, (appId) => state.txns.get(appId)?.version);
    const { version } = state;
    if (recorded === 'all') return { result: { kind: 'already-committed', version }, hasIdentity: false };
    if (recorded === 'some')
      return { result: { kind: 'conflict', reason: 'txn', version }, hasIdentity: false };
  }
  assertWritable(state);
  const change = evolved(state, options, context.uuid);
  const data = await writeRows(context, { state, change, options });
  const moved = movedHighWaterMarks(change, data.rows);
  const outcome = await commitAppend(context, {
    state,
    options,
    data,
    actions: moved === undefined ? change.actions : withMetadata(change.actions, moved.metadata),
  });
  if (outcome.kind === 'committed') {
    const { rows, bytes, adds } = data;
    const { version } = outcome;
    return { result: { kind: 'committed', version, rows, files: adds.length, bytes }, hasIdentity: false };
  }
  await discardFiles(context, data.paths);
  if (outcome.reason !== 'txn') return { result: outcome, hasIdentity: moved !== undefined };
  const newest = await context.refresh();
  const isRecorded = recordedTxns(txns, (appId) => newest.txns.get(appId)?.version) === 'all';
  const result: AppendResult | ConflictOutcome = isRecorded
    ? { kind: 'already-committed', version: newest.version }
    : outcome;
  return { result, hasIdentity: false };
}

async function writeRows(
  context: TableContext,
  { state, change, options }: { state: TableState; change: SchemaChange; options: AppendOptions },
): Promise<DataFiles> {
  const { schema, metadata } = change;
  const columns = providedColumns(options, schema);
  return writeDataFiles(context.io, {
    schema,
    partitionColumns: metadata.partitionColumns,
    configuration: metadata.configuration,
    domains: state.domains,
    rules: writeRules({ schema, metadata }, columns === undefined ? {} : { columns }),
    source: withMissingColumns(options.source, { schema, columns }),
    nowMs: context.now(),
    uuid: context.uuid,
  });
}

function withMetadata(actions: readonly Action[], metaData: Action['metaData']): Action[] {
  return [...actions.filter((action) => !action.metaData), { metaData: metaData ?? null }];
}

/** Removes files that no commit names; what can't be removed is left to a vacuum. */
export async function discardFiles(context: TableContext, paths: readonly string[]): Promise<void> {
  await Promise.allSettled(paths.map((path) => context.io.store.delete(path)));
}

/** Discards the files of a commit that failed, unless the commit may still come to light, since it names them. */
export async function discardAfterFailure(
  context: TableContext,
  { error, paths }: { error: unknown; paths: readonly string[] },
): Promise<void> {
  if (isDeltaError(error, 'no-space') || isDeltaError(error, 'contention'))
    await discardFiles(context, paths);
}

async function commitAppend(
  context: TableContext,
  append: { state: TableState; options: AppendOptions; data: DataFiles; actions: readonly Action[] },
): ReturnType<TableContext['commit']> {
  const { state, options, data } = append;
  try {
    return await context.commit({
      state,
      reads: { kind: 'nothing' },
      operation: options.operation ?? 'WRITE',
      operationParameters: {
        mode: 'Append',
        partitionBy: state.metadata.partitionColumns,
        ...options.operationParameters,
      },
      operationMetrics: {
        numFiles: data.adds.length,
        numOutputRows: data.rows,
        numOutputBytes: data.bytes,
      },
      userMetadata: options.userMetadata,
      txns: options.txns ?? [],
      actions: [...append.actions, ...data.adds.map((add): Action => ({ add }))],
    });
  } catch (error) {
    await discardAfterFailure(context, { error, paths: data.paths });
    throw error;
  }
}

/** The change that gives a table the columns of an append which it lacks; no actions if it has them all. */
function evolved(state: TableState, options: AppendOptions, uuid: () => string): SchemaChange {
  let schema = withColumns(state.schema, options.addColumns ?? []);
  if (options.mergeSchema !== undefined) {
    const isWidening = enableTypeWidening(state.metadata.configuration) && !hasRules(writeRules(state));
    schema = mergeSchemas(schema, options.mergeSchema, { isWidening });
  }
  if (schema === state.schema) return { schema, metadata: state.metadata, actions: [] };
  return schemaChange(state, schema, { uuid });
}
