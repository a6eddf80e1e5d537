import type { Action } from '../log/actions.ts';
import { assertWritable } from '../protocol/features.ts';
import type { TableState } from '../snapshot/table-state.ts';
import type { TableContext } from '../table-context.ts';
import type { ReadSet } from '../transaction/conflicts.ts';
import { retryOnConflict } from '../transaction/retry-on-conflict.ts';

export type AlterResult =
  /** Durable and visible. */
  | { readonly kind: 'committed'; readonly version: number }
  /** The table is as asked for already. */
  | { readonly kind: 'unchanged'; readonly version: number };

export interface PlannedChange {
  /** As shown in the history, in Spark's words. */
  readonly operation: string;
  readonly operationParameters: Readonly<Record<string, unknown>>;
  /** None where the table is as asked for. */
  readonly actions: readonly Action[];
  /** Default: nothing, since a change of metadata goes with the rows of any append. */
  readonly reads?: ReadSet;
}

/**
 * Commits what `plan` makes of the newest state, made anew each time that another writer gets in its way. Throws
 * `unsupported-feature` for a table that can't be written, `conflict`, `contention`, `outcome-unknown`, and what the
 * plan throws.
 */
export async function commitChange(
  context: TableContext,
  plan: (state: TableState) => PlannedChange | Promise<PlannedChange>,
): Promise<AlterResult> {
  return retryOnConflict(context, async (state) => {
    assertWritable(state);
    const { operation, operationParameters, actions, reads } = await plan(state);
    if (actions.length === 0) return { kind: 'unchanged', version: state.version } as const;
    return context.commit({
      state,
      reads: reads ?? { kind: 'nothing' },
      operation,
      operationParameters,
      actions,
    });
  });
}
