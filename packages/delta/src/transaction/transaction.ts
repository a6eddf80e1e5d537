/** The optimistic loop: commit after the newest version, and go on after each one that others put in between. */
import { DeltaError } from '../errors.ts';
import type { Action, TxnAction } from '../log/actions.ts';
import type { TableIo } from '../snapshot/load.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { putCommit } from './commit.ts';
import { describeCommit } from './commit-info.ts';
import { type Conflict, conflictWith, type IsolationLevel, type ReadSet } from './conflicts.ts';
import { stampedActions } from './in-commit-timestamp.ts';

/** Versions that one transaction tries for before it gives up. */
export const COMMIT_ATTEMPTS_MAX = 1000;

export type TransactionOutcome =
  | { readonly kind: 'committed'; readonly version: number }
  /** Nothing was committed; `version` is the one that conflicts. */
  | { readonly kind: 'conflict'; readonly reason: Conflict; readonly version: number };

export interface Transaction {
  /** The state that the actions were made against. */
  readonly state: TableState;
  readonly reads: ReadSet;
  /** As shown in the history, in Spark's words: `WRITE`, `DELETE`, `MERGE`, `OPTIMIZE` … */
  readonly operation: string;
  readonly operationParameters?: Readonly<Record<string, unknown>> | undefined;
  readonly operationMetrics?: Readonly<Record<string, number>> | undefined;
  readonly userMetadata?: string | undefined;
  /** The actions `txn` of the commit. */
  readonly txns?: readonly { readonly appId: string; readonly version: number }[];
  /** The rest: add, remove, cdc, metaData, protocol, domainMetadata. */
  readonly actions: readonly Action[];
}

/** Throws `contention` when others win every attempt, and the errors of {@link putCommit}. */
export async function commitTransaction(
  io: TableIo,
  transaction: Transaction,
  world: { now: () => number; uuid: () => string },
): Promise<TransactionOutcome> {
  const { state, reads, actions, txns = [] } = transaction;
  const txnId = world.uuid();
  const nowMs = world.now();
  const txnActions = txns.map(({ appId, version }): Action => {
    const txn: TxnAction = { appId, version, lastUpdated: nowMs };
    return { txn };
  });
  const subject = {
    reads,
    actions,
    appIds: new Set(txns.map((txn) => txn.appId)),
    isolation: isolationLevel(state),
  };
  const commitInfo = describeCommit({
    operation: transaction.operation,
    operationParameters: transaction.operationParameters ?? {},
    ...(transaction.operationMetrics === undefined ? {} : { operationMetrics: transaction.operationMetrics }),
    userMetadata: transaction.userMetadata,
    isBlindAppend: isBlindAppend(transaction),
    readVersion: state.version,
    isolation: subject.isolation,
    timestampMs: nowMs,
    txnId,
  });
  let previousMs = state.timestampMs;
  for (let attempt = 1; attempt <= COMMIT_ATTEMPTS_MAX; attempt += 1) {
    const version = state.version + attempt;
    const stamped = stampedActions([{ commitInfo }, ...txnActions, ...actions], {
      state,
      version,
      previousMs,
      nowMs: world.now(),
    });
    const outcome = await putCommit(io, { version, txnId, actions: stamped });
    if (outcome.kind === 'committed') return { kind: 'committed', version };
    const reason = conflictWith(outcome.winner, subject);
    if (reason !== undefined) return { kind: 'conflict', reason, version };
    const winner = outcome.winner.find((action) => action.commitInfo)?.commitInfo;
    previousMs = Math.max(previousMs, winner?.inCommitTimestamp ?? previousMs);
  }
  throw new DeltaError({
    code: 'contention',
    message: `other writers committed ${COMMIT_ATTEMPTS_MAX} versions before this one could be`,
    hint: 'Try again; fewer writers with larger batches get further.',
  });
}

/** Whether it only adds files, and read none to find out which (protocol: "Commit Provenance Information"). */
function isBlindAppend({ reads, actions }: Transaction): boolean {
  return (
    reads.kind === 'nothing' &&
    actions.some((action) => action.add) &&
    actions.every((action) => !action.remove && action.add?.dataChange !== false)
  );
}

function isolationLevel(state: TableState): IsolationLevel {
  const level = state.metadata.configuration['delta.isolationLevel'];
  return level === 'WriteSerializable' ? 'WriteSerializable' : 'Serializable';
}
