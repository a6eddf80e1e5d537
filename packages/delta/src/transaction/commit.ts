/**
 * Puts one commit into the log.
 *
 * Invariants: a version is written once; a commit whose reply was lost is found again by its own id, never taken for
 * granted and never written twice.
 */
import { DeltaError, isDeltaError } from '../errors.ts';
import type { Action } from '../log/actions.ts';
import { assertReadableActions, encodeCommit } from '../log/commit-file.ts';
import { commitPath, loadCommit, type TableIo } from '../snapshot/load.ts';

/** Times that one version is put when the store won't say whether it was. */
export const PUT_ATTEMPTS_MAX = 5;

export type PutOutcome =
  | { readonly kind: 'committed' }
  /** Another writer has the version. */
  | { readonly kind: 'lost'; readonly winner: readonly Action[] };

/**
 * Commits the actions, which hold a commitInfo with this `txnId`, as a version. Throws `outcome-unknown` when the store
 * keeps failing without the version being there: it may still appear, so the files that it names must be kept. Throws
 * `no-space` when the store is full, and `invalid-data` for actions that no reader would take; then nothing was committed.
 */
export async function putCommit(
  io: TableIo,
  commit: { version: number; txnId: string; actions: readonly Action[] },
): Promise<PutOutcome> {
  const path = commitPath(io, commit.version);
  assertReadableActions(commit.actions);
  const bytes = encodeCommit(commit.actions);
  let failure: unknown;
  let mayAppear = false;
  for (let attempt = 1; attempt <= PUT_ATTEMPTS_MAX; attempt += 1) {
    try {
      if ((await io.store.putIfAbsent(path, bytes)) === 'created') return { kind: 'committed' };
    } catch (error) {
      failure = error;
      mayAppear ||= !isDeltaError(error, 'no-space');
    }
    const outcome = await readBack(io, commit);
    if (outcome.kind === 'found') return outcome.result;
    // A full store did nothing, and says so; of an earlier put whose reply was lost it says nothing.
    if (isDeltaError(failure, 'no-space') && !mayAppear) throw failure;
    failure = outcome.failure ?? failure;
  }
  throw new DeltaError({
    code: 'outcome-unknown',
    message: `version ${commit.version} may or may not have been committed: ${failureText(failure)}`,
    hint: 'Read the table again; an append with a txn can be repeated safely.',
    cause: failure,
  });
}

/** Looks at who has the version. */
async function readBack(
  io: TableIo,
  commit: { version: number; txnId: string },
): Promise<{ kind: 'found'; result: PutOutcome } | { kind: 'absent'; failure?: unknown }> {
  try {
    const found = await loadCommit(io, commit.version);
    if (found === undefined) return { kind: 'absent' };
    const isOurs = found.actions.some((action) => action.commitInfo?.txnId === commit.txnId);
    return {
      kind: 'found',
      result: isOurs ? { kind: 'committed' } : { kind: 'lost', winner: found.actions },
    };
  } catch (failure) {
    if (failure instanceof DeltaError && failure.code === 'corrupt-log') throw failure;
    return { kind: 'absent', failure };
  }
}

function failureText(failure: unknown): string {
  return failure instanceof Error ? failure.message : 'the store neither created nor showed it';
}
