/**
 * The frame of every operation that changes rows: the newest state, a session of the engine, files that are cleaned up
 * unless a commit may name them, and the loop over conflicts.
 *
 * Invariants:
 * - R1 an operation is one commit or none; an error other than `outcome-unknown` means that nothing was committed.
 * - R2 when other writers change what an operation read, it is made anew from the state that they left.
 * - R3 an operation that changes nothing commits nothing, unless it has txns to record.
 */
import { type SqlSession, withSession } from '../engine.ts';
import { DeltaError } from '../errors.ts';
import type { Action, AddFile } from '../log/actions.ts';
import { interruptible, type Progress, throwIfAborted } from '../maintenance/long-work.ts';
import { appendOnly } from '../properties/table-properties.ts';
import { assertWritable } from '../protocol/features.ts';
import { scanFiles } from '../scan/scan-files.ts';
import type { TableState } from '../snapshot/table-state.ts';
import type { TableContext } from '../table-context.ts';
import { type ReadSet, recordedTxns } from '../transaction/conflicts.ts';
import { type ConflictOutcome, retryOnConflict } from '../transaction/retry-on-conflict.ts';
import type { TransactionOutcome } from '../transaction/transaction.ts';
import { discardAfterFailure, discardFiles } from '../write/append.ts';
import { assertNoOwnColumns } from './relations.ts';

export interface RowOperationOptions {
  /** Kept with the commit, as the history shows it. */
  readonly userMetadata?: string | undefined;
  /** What the operation is known by: if all of them are recorded already, nothing happens. */
  readonly txns?: readonly { readonly appId: string; readonly version: number }[] | undefined;
  /** Ends the operation with `aborted`, up to its commit. */
  readonly signal?: AbortSignal | undefined;
  /** Told of the phases `match` (files to look through), `write` (files to change) and `commit` (actions). */
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** What an operation ended with; `Facts` are its counts. */
export type RowOperationResult<Facts extends object> =
  /** Durable and visible. */
  | ({ readonly kind: 'committed'; readonly version: number } & Facts)
  /** No row was affected; nothing was committed. */
  | { readonly kind: 'unchanged'; readonly version: number }
  /** Every txn was recorded before; nothing was looked at. */
  | { readonly kind: 'already-committed'; readonly version: number };

/** One try, from one state. */
export interface Attempt {
  readonly context: TableContext;
  readonly session: SqlSession;
  readonly state: TableState;
  /** Paths in the store of files that only the commit will make part of the table. */
  readonly newPaths: string[];
  /** A SELECT of the rows of some files with `_sluice_file` and `_sluice_row`, as `scanFiles` gives it. */
  scan(files: readonly AddFile[]): Promise<string>;
  /** Throws `aborted` once the caller wants no more. */
  report(phase: 'match' | 'write' | 'commit', files: number, bytes: number): void;
}

/** What an attempt would commit. */
export interface Change<Facts extends object> {
  readonly actions: readonly Action[];
  readonly reads: ReadSet;
  /** As in the history of Spark's tables. */
  readonly operation: string;
  readonly parameters: Readonly<Record<string, unknown>>;
  readonly metrics: Readonly<Record<string, number>>;
  readonly facts: Facts;
}

export interface RowOperation<Facts extends object> {
  /** For the reader of errors, such as `the delete`. */
  readonly name: string;
  /** Whether it may remove rows, which a table can forbid. */
  readonly removesRows: boolean;
  readonly options: RowOperationOptions;
  attempt(attempt: Attempt): Promise<Change<Facts>>;
}

/**
 * Makes an operation and commits it. Throws what the attempt throws, `unsupported-feature` for tables that can't be
 * written, `invalid-property` for a change of an append-only table, `conflict`, `contention`, `aborted`, and the errors
 * of the store.
 */
export async function runRowOperation<Facts extends object>(
  context: TableContext,
  operation: RowOperation<Facts>,
): Promise<RowOperationResult<Facts>> {
  const { txns = [] } = operation.options;
  return retryOnConflict<RowOperationResult<Facts>>(context, async (state) => {
    const recorded = recordedTxns(txns, (appId) => state.txns.get(appId)?.version);
    if (recorded === 'all') return { kind: 'already-committed', version: state.version };
    if (recorded === 'some') return { kind: 'conflict', reason: 'txn', version: state.version };
    assertWritable(state);
    assertNoOwnColumns(state.schema);
    if (operation.removesRows) assertNotAppendOnly(state, operation.name);
    throwIfAborted(operation.options.signal, operation.name);
    const made = await makeOnce(context, state, operation);
    if (made.kind !== 'conflict' || made.reason !== 'txn') return made;
    // Whoever came first may have been this very operation, sent twice.
    const newest = await context.refresh();
    const isRecorded = recordedTxns(txns, (appId) => newest.txns.get(appId)?.version) === 'all';
    return isRecorded ? { kind: 'already-committed', version: newest.version } : made;
  });
}

async function makeOnce<Facts extends object>(
  context: TableContext,
  state: TableState,
  operation: RowOperation<Facts>,
): Promise<RowOperationResult<Facts> | ConflictOutcome> {
  const { signal, txns = [] } = operation.options;
  const newPaths: string[] = [];
  const releases: (() => void)[] = [];
  const scan = (files: readonly AddFile[]): Promise<string> =>
    scanFiles(context, state, files, { rowIds: true, onRelease: (release) => releases.push(release) });
  let change: Change<Facts>;
  try {
    change = await withSession(context.io.engine, (session) =>
      interruptible(session, { signal, what: operation.name }, () =>
        operation.attempt({ context, session, state, newPaths, scan, report: reporter(operation) }),
      ),
    );
    reporter(operation)('commit', change.actions.length, 0);
  } catch (error) {
    await discardFiles(context, newPaths);
    throw error;
  } finally {
    for (const release of releases) release();
  }
  if (change.actions.length === 0 && txns.length === 0) return { kind: 'unchanged', version: state.version };
  const outcome = await commit(context, { state, change, newPaths, options: operation.options });
  if (outcome.kind === 'committed') return { ...outcome, ...change.facts };
  await discardFiles(context, newPaths);
  return outcome;
}

async function commit<Facts extends object>(
  context: TableContext,
  made: {
    state: TableState;
    change: Change<Facts>;
    newPaths: readonly string[];
    options: RowOperationOptions;
  },
): Promise<TransactionOutcome> {
  const { state, change, newPaths, options } = made;
  try {
    return await context.commit({
      state,
      reads: change.reads,
      operation: change.operation,
      operationParameters: change.parameters,
      operationMetrics: change.metrics,
      userMetadata: options.userMetadata,
      txns: options.txns ?? [],
      actions: change.actions,
    });
  } catch (error) {
    await discardAfterFailure(context, { error, paths: newPaths });
    throw error;
  }
}

function reporter<Facts extends object>(operation: RowOperation<Facts>): Attempt['report'] {
  const { signal, onProgress } = operation.options;
  return (phase, files, bytes) => {
    onProgress?.({ phase, done: 0, total: files, bytes });
    throwIfAborted(signal, operation.name);
  };
}

function assertNotAppendOnly(state: TableState, name: string): void {
  if (!appendOnly(state.metadata.configuration)) return;
  throw new DeltaError({
    code: 'invalid-property',
    message: `${name} is refused: the table's property delta.appendOnly is true, so rows can only be added`,
    hint: 'Set delta.appendOnly to false first.',
  });
}
