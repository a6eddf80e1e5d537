/**
 * Whether a blind append, or a change of metadata that reads no rows, may still be committed after a version that it
 * did not see (protocol: "Conflict Detection"; Delta's order of checks).
 */
import type { Action, TxnAction } from '../log/actions.ts';

export type Conflict = 'protocol' | 'metadata' | 'txn';

/** The first conflict with the actions of a commit that came between; undefined if there is none. */
export function conflictWith(winner: readonly Action[], txns: readonly TxnAction[]): Conflict | undefined {
  if (winner.some((action) => action.protocol)) return 'protocol';
  if (winner.some((action) => action.metaData)) return 'metadata';
  const appIds = new Set(txns.map((txn) => txn.appId));
  return winner.some((action) => action.txn && appIds.has(action.txn.appId)) ? 'txn' : undefined;
}

/** How far the applications' versions of an append are recorded already. */
export function recordedTxns(
  txns: readonly TxnAction[],
  versionOf: (appId: string) => number | undefined,
): 'none' | 'some' | 'all' {
  const recorded = txns.filter((txn) => (versionOf(txn.appId) ?? -Infinity) >= txn.version).length;
  if (recorded === 0) return 'none';
  return recorded === txns.length ? 'all' : 'some';
}
