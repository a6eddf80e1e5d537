import { DeltaError } from '../errors.ts';
import type { Action } from '../log/actions.ts';
import type { TableContext } from '../table-context.ts';
import { putCommit } from '../transaction/commit.ts';
import { describeCommit } from '../transaction/commit-info.ts';
import { stampedActions } from '../transaction/in-commit-timestamp.ts';

/** Commits version 0; durable on return. Throws `exists` when there is one, and the errors of `putCommit`. */
export async function commitFirstVersion(
  context: Pick<TableContext, 'io' | 'now' | 'uuid'>,
  actions: readonly Action[],
  description: {
    readonly operation: string;
    readonly operationParameters: Readonly<Record<string, unknown>>;
    readonly operationMetrics: Readonly<Record<string, number>>;
  },
): Promise<void> {
  const nowMs = context.now();
  const commitInfo = describeCommit({
    ...description,
    isBlindAppend: false,
    timestampMs: nowMs,
    txnId: context.uuid(),
  });
  const stamped = stampedActions([{ commitInfo }, ...actions], {
    state: undefined,
    version: 0,
    previousMs: 0,
    nowMs,
  });
  const outcome = await putCommit(context.io, { version: 0, txnId: commitInfo.txnId, actions: stamped });
  if (outcome.kind === 'committed') return;
  throw new DeltaError({
    code: 'exists',
    message: `there is a Delta table at "${context.io.root}" already`,
  });
}
