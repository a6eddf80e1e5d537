import { DeltaError } from '../errors.ts';
import type { TableState } from '../snapshot/table-state.ts';
import type { TableContext } from '../table-context.ts';
import type { Conflict } from './conflicts.ts';

/** Times that one operation is made anew from a fresh state. */
export const OPERATION_ATTEMPTS_MAX = 50;

/** What an attempt ends with when other writers got in its way; nothing was committed. */
export interface ConflictOutcome {
  readonly kind: 'conflict';
  readonly reason: Conflict;
  readonly version: number;
}

/**
 * Makes an operation from the newest state, and again from the then newest as often as it ends in a conflict. Throws
 * `conflict`, naming the last reason, when the attempts are used up, at once for `txn`, and what an attempt throws.
 */
export async function retryOnConflict<Result extends { readonly kind: string }>(
  context: Pick<TableContext, 'refresh'>,
  attempt: (state: TableState) => Promise<Result | ConflictOutcome>,
): Promise<Exclude<Result, ConflictOutcome>> {
  let last: ConflictOutcome | undefined;
  for (let count = 1; count <= OPERATION_ATTEMPTS_MAX; count += 1) {
    const outcome = await attempt(await context.refresh());
    if (!isConflict(outcome)) return outcome as Exclude<Result, ConflictOutcome>;
    last = outcome;
    if (outcome.reason === 'txn') break;
  }
  throw conflictError(last as ConflictOutcome);
}

export function conflictError({ reason, version }: ConflictOutcome): DeltaError {
  return new DeltaError({
    code: 'conflict',
    message: `version ${version} of another writer is in the way: ${EXPLANATIONS[reason]}`,
    hint: HINTS[reason] ?? 'Nothing was committed; try again when fewer writers change the same rows.',
  });
}

const HINTS: Readonly<Partial<Record<Conflict, string>>> = {
  protocol: 'Nothing was committed; see whether the rows still fit the table, and try again.',
  metadata: 'Nothing was committed; see whether the rows still fit the table, and try again.',
  txn: 'Nothing was committed; see which versions of the application the table has recorded.',
};

const EXPLANATIONS: Readonly<Record<Conflict, string>> = {
  protocol: 'it changed the protocol',
  metadata: 'it changed the schema or the properties',
  domain: 'it changed the same domain metadata',
  txn: 'it recorded a version of the same application',
  'concurrent-append': 'it added rows that the operation would have had to read',
  'concurrent-delete-read': 'it removed files that the operation read',
  'concurrent-delete-delete': 'it removed files that the operation removes',
};

function isConflict(outcome: { readonly kind: string }): outcome is ConflictOutcome {
  return outcome.kind === 'conflict';
}
