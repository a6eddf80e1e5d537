/**
 * Whether a transaction may still be committed after a version that it did not see.
 *
 * The checks are those of Delta's own ConflictChecker, in its order: protocol, metadata, domain, application's txn, files
 * added that it would have read, files removed that it read, files that both removed. A blind append conflicts with no
 * data; a transaction that moves rows without changing them conflicts only where its own files went away.
 */
import { type Action, type AddFile, fileKey } from '../log/actions.ts';

export type Conflict =
  | 'protocol'
  | 'metadata'
  | 'domain'
  | 'txn'
  | 'concurrent-append'
  | 'concurrent-delete-read'
  | 'concurrent-delete-delete';

/** What a transaction read of the state that it was made against. */
export type ReadSet =
  /** Nothing: a blind append, or a change of metadata. */
  | { readonly kind: 'nothing' }
  /** Every row of the files that may match; of the whole table where that is always true. */
  | { readonly kind: 'rows'; readonly mayMatch: (file: AddFile) => boolean }
  /** These files, by their keys, whatever else is in the table. */
  | { readonly kind: 'files'; readonly keys: ReadonlySet<string> };

/**
 * `Serializable`: as if the transactions had run in the order of their versions. `WriteSerializable`: rows of blind
 * appends in between may be left unseen, as if those had come later.
 */
export type IsolationLevel = 'Serializable' | 'WriteSerializable';

export interface ConflictSubject {
  readonly reads: ReadSet;
  readonly actions: readonly Action[];
  readonly appIds: ReadonlySet<string>;
  readonly isolation: IsolationLevel;
}

/** The first conflict with the actions of a commit that came between; undefined if there is none. */
export function conflictWith(winner: readonly Action[], subject: ConflictSubject): Conflict | undefined {
  if (winner.some((action) => action.protocol)) return 'protocol';
  if (winner.some((action) => action.metaData)) return 'metadata';
  const domains = domainsOf(subject.actions);
  if (winner.some((action) => action.domainMetadata && domains.has(action.domainMetadata.domain))) {
    return 'domain';
  }
  if (winner.some((action) => action.txn && subject.appIds.has(action.txn.appId))) return 'txn';
  return dataConflict(winner, subject);
}

function dataConflict(winner: readonly Action[], subject: ConflictSubject): Conflict | undefined {
  if (sawTooLittle(winner, subject)) return 'concurrent-append';
  const removed = winner.flatMap(({ remove }) => (remove ? [remove] : []));
  if (removed.length === 0) return undefined;
  const { reads } = subject;
  const ownRemoves = new Set(subject.actions.flatMap(({ remove }) => (remove ? [remove.path] : [])));
  for (const remove of removed) {
    // Without its statistics a removed file can't be ruled out, except by what the log says of its partition.
    const wasRead =
      reads.kind === 'files'
        ? reads.keys.has(fileKey(remove))
        : reads.kind === 'rows' && reads.mayMatch(asAdd(remove));
    if (wasRead) return 'concurrent-delete-read';
    if (ownRemoves.has(remove.path)) return 'concurrent-delete-delete';
  }
  return undefined;
}

/** Whether the winner added rows that the transaction would have had to read. */
function sawTooLittle(winner: readonly Action[], { reads, actions, isolation }: ConflictSubject): boolean {
  if (reads.kind !== 'rows' || !changesData(actions)) return false;
  const isBlind = winner.some((action) => action.commitInfo?.isBlindAppend === true);
  const changesMetadata = actions.some((action) => action.metaData);
  if (isBlind && isolation === 'WriteSerializable' && !changesMetadata) return false;
  return winner.some(({ add }) => add?.dataChange === true && reads.mayMatch(add));
}

function changesData(actions: readonly Action[]): boolean {
  const files = actions.filter((action) => action.add ?? action.remove);
  return files.length === 0 || files.some(({ add, remove }) => (add ?? remove)?.dataChange === true);
}

function asAdd(remove: NonNullable<Action['remove']>): AddFile {
  const { path, size, partitionValues, dataChange } = remove;
  return { path, size: size ?? 0, partitionValues: partitionValues ?? {}, modificationTime: 0, dataChange };
}

function domainsOf(actions: readonly Action[]): ReadonlySet<string> {
  return new Set(actions.flatMap(({ domainMetadata }) => (domainMetadata ? [domainMetadata.domain] : [])));
}

/** How far the applications' versions of an append are recorded already. */
export function recordedTxns(
  txns: readonly { readonly appId: string; readonly version: number }[],
  versionOf: (appId: string) => number | undefined,
): 'none' | 'some' | 'all' {
  const recorded = txns.filter((txn) => (versionOf(txn.appId) ?? -Infinity) >= txn.version).length;
  if (recorded === 0) return 'none';
  return recorded === txns.length ? 'all' : 'some';
}
