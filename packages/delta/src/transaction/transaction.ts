/** The optimistic loop: commit after the newest version, and go on after each one that others put in between. */
import { DeltaError } from '../errors.ts';
import type { Action, CommitInfo, TxnAction } from '../log/actions.ts';
import type { TableIo } from '../snapshot/load.ts';
import { putCommit } from './commit.ts';
import { type Conflict, conflictWith } from './conflicts.ts';

/** Versions that one transaction tries for before it gives up. */
export const COMMIT_ATTEMPTS_MAX = 1000;

export type TransactionOutcome =
  | { readonly kind: 'committed'; readonly version: number }
  /** Nothing was committed; `version` is the one that conflicts. */
  | { readonly kind: 'conflict'; readonly reason: Conflict; readonly version: number };

export interface Transaction {
  /** The version that the actions were made against. */
  readonly readVersion: number;
  readonly commitInfo: CommitInfo & { readonly txnId: string };
  readonly txns: readonly TxnAction[];
  /** The rest of the actions. */
  readonly actions: readonly Action[];
}

/** Throws `contention` when others win every attempt, and the errors of {@link putCommit}. */
export async function commitTransaction(io: TableIo, transaction: Transaction): Promise<TransactionOutcome> {
  const { commitInfo, txns } = transaction;
  const actions: Action[] = [{ commitInfo }, ...txns.map((txn): Action => ({ txn })), ...transaction.actions];
  for (let attempt = 1; attempt <= COMMIT_ATTEMPTS_MAX; attempt += 1) {
    const version = transaction.readVersion + attempt;
    const outcome = await putCommit(io, { version, txnId: commitInfo.txnId, actions });
    if (outcome.kind === 'committed') return { kind: 'committed', version };
    const reason = conflictWith(outcome.winner, txns);
    if (reason !== undefined) return { kind: 'conflict', reason, version };
  }
  throw new DeltaError({
    code: 'contention',
    message: `other writers committed ${COMMIT_ATTEMPTS_MAX} versions before this one could be`,
    hint: 'Try again; fewer writers with larger batches get further.',
  });
}
