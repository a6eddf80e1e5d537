import type { Action, AddFile } from '../log/actions.ts';
import { removeOf } from '../maintenance/remove-of.ts';
import type { TableContext } from '../table-context.ts';
import { candidateFiles, filesByPartition, isOverPartitions, TARGET_ALIAS } from './candidates.ts';
import { type CheckedExpression, checkCondition } from './expression.ts';
import { deleteMetrics } from './metrics.ts';
import { emptyRelation } from './relations.ts';
import {
  type AppliedChanges,
  applyRowChanges,
  carriedColumns,
  carriesRows,
  type ChangeCounts,
} from './row-changes.ts';
import {
  type Attempt,
  type Change,
  type RowOperationOptions,
  type RowOperationResult,
  runRowOperation,
} from './row-operation.ts';
import { liveRows } from './touched-files.ts';

export interface DeleteOptions extends RowOperationOptions {
  /** A condition of DuckDB's SQL over the table's columns, also as `target.column`; default: every row. */
  readonly where?: string | undefined;
}

export interface DeleteFacts {
  readonly rowsDeleted: number;
  readonly filesRemoved: number;
  readonly filesAdded: number;
  readonly vectorsAdded: number;
}

export type DeleteResult = RowOperationResult<DeleteFacts>;

/**
 * Deletes the rows for which a condition is true; those for which it is NULL stay. Durable and visible on return. A
 * condition over partition columns alone, and none at all, remove files without reading them. Throws
 * `invalid-expression` for a condition that can't be used, and as `runRowOperation` does.
 */
export async function deleteRows(context: TableContext, options: DeleteOptions = {}): Promise<DeleteResult> {
  return runRowOperation<DeleteFacts>(context, {
    name: 'the delete',
    removesRows: true,
    options,
    attempt: (attempt) => attemptDelete(attempt, options),
  });
}

async function attemptDelete(attempt: Attempt, { where }: DeleteOptions): Promise<Change<DeleteFacts>> {
  const startMs = attempt.context.now();
  const found = await rowsToDelete(attempt, where);
  const { counts } = found;
  return {
    actions: found.actions,
    reads: { kind: 'rows', mayMatch: found.mayMatch },
    operation: 'DELETE',
    parameters: { predicate: where === undefined ? [] : [where] },
    metrics: deleteMetrics(counts, attempt.context.now() - startMs),
    facts: {
      rowsDeleted: counts.rowsDeleted,
      filesRemoved: counts.filesRemoved,
      filesAdded: counts.filesAdded,
      vectorsAdded: counts.vectorsAdded,
    },
  };
}

/** Deletes in the session's terms: the actions, and which files others may not add meanwhile. */
export async function rowsToDelete(
  attempt: Attempt,
  where: string | undefined,
  inserted?: string,
): Promise<AppliedChanges & { mayMatch: (file: AddFile) => boolean }> {
  const { session, state } = attempt;
  if (where === undefined) {
    const removed = await wholeFiles(attempt, [...state.files.files()], inserted);
    return { ...removed, mayMatch: () => true };
  }
  const from = emptyRelation(state.schema, TARGET_ALIAS);
  const condition = await checkCondition(session, where, { from, what: 'the condition' });
  const { files, mayMatch } = await candidateFiles(attempt, where);
  if (isOverPartitions(condition, state)) {
    return { ...(await wholeFiles(attempt, await filesByPartition(attempt, condition), inserted)), mayMatch };
  }
  attempt.report(
    'match',
    files.length,
    files.reduce((sum, file) => sum + file.size, 0),
  );
  const hits = await findHits(attempt, files, condition);
  const carried = carriesRows(attempt);
  const applied = await applyRowChanges(attempt, { files, schema: state.schema, hits, carried, inserted });
  return { ...applied, mayMatch };
}

async function findHits(
  attempt: Attempt,
  files: readonly AddFile[],
  condition: CheckedExpression,
): Promise<string | undefined> {
  if (files.length === 0) return undefined;
  const { session, state } = attempt;
  const scan = await attempt.scan(files);
  const carried = carriedColumns(attempt, { schema: state.schema, alias: TARGET_ALIAS });
  await session.run(
    `CREATE OR REPLACE TEMPORARY TABLE "_sluice_hits" AS SELECT "_sluice_file" AS "_sluice_f", "_sluice_row" AS "_sluice_r", ` +
      `1 AS "_sluice_clause", false AS "_sluice_updates"${carried} ` +
      `FROM (${scan}) AS "${TARGET_ALIAS}" WHERE ${condition.sql}`,
  );
  return '"_sluice_hits"';
}

/** Removes files as they are; rows to insert are written beside. */
async function wholeFiles(
  attempt: Attempt,
  files: readonly AddFile[],
  inserted: string | undefined,
): Promise<AppliedChanges> {
  const nowMs = attempt.context.now();
  const rows = (await liveRows(attempt, files)).reduce((sum, count) => sum + count, 0);
  const added = await applyRowChanges(attempt, {
    files: [],
    schema: attempt.state.schema,
    carried: false,
    inserted,
  });
  const counts: ChangeCounts = {
    ...added.counts,
    rowsDeleted: rows,
    filesRemoved: files.length,
    bytesRemoved: files.reduce((sum, file) => sum + file.size, 0),
    vectorsRemoved: files.filter((file) => file.deletionVector).length,
  };
  const removes = files.map((file): Action => ({ remove: removeOf(file, { dataChange: true, nowMs }) }));
  return { actions: [...removes, ...added.actions], counts };
}
