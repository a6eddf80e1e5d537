import type { AddFile } from '../log/actions.ts';
import type { TableContext } from '../table-context.ts';
import { type Assignments, checkAssignments } from './assignments.ts';
import { candidateFiles, TARGET_ALIAS } from './candidates.ts';
import { updateAssignments } from './derived-columns.ts';
import { checkCondition } from './expression.ts';
import { updateMetrics } from './metrics.ts';
import { emptyRelation, packed, unchangedValue } from './relations.ts';
import { applyRowChanges, carriedColumns, carriesRows } from './row-changes.ts';
import {
  type Attempt,
  type Change,
  type RowOperationOptions,
  type RowOperationResult,
  runRowOperation,
} from './row-operation.ts';

export interface UpdateOptions extends RowOperationOptions {
  /**
   * Expressions of DuckDB's SQL over the row as it was, by the column to set, or by the path of a struct's member with
   * dots. Values are cast to the column's type.
   */
  readonly set: Readonly<Record<string, string>>;
  /** A condition over the table's columns, also as `target.column`; default: every row. */
  readonly where?: string | undefined;
}

export interface UpdateFacts {
  readonly rowsUpdated: number;
  readonly filesRemoved: number;
  readonly filesAdded: number;
  readonly vectorsAdded: number;
}

export type UpdateResult = RowOperationResult<UpdateFacts>;

/**
 * Changes the rows for which a condition is true; those for which it is NULL stay as they are. Durable and visible on
 * return. Throws `invalid-expression` for expressions that can't be used, `invalid-data` for values that can't be cast,
 * `constraint` and `not-null` for rows that the table forbids, and as `runRowOperation` does.
 */
export async function updateRows(context: TableContext, options: UpdateOptions): Promise<UpdateResult> {
  return runRowOperation<UpdateFacts>(context, {
    name: 'the update',
    removesRows: true,
    options,
    attempt: (attempt) => attemptUpdate(attempt, options),
  });
}

async function attemptUpdate(attempt: Attempt, { set, where }: UpdateOptions): Promise<Change<UpdateFacts>> {
  const { session, state, context } = attempt;
  const startMs = context.now();
  const from = emptyRelation(state.schema, TARGET_ALIAS);
  const same = { from: state.schema, alias: TARGET_ALIAS };
  const given = await checkAssignments(session, set, {
    from,
    schema: state.schema,
    before: (field) => `(${unchangedValue(field, same)})`,
    what: 'the update',
  });
  const values = updateAssignments(given, state.schema, 'the update');
  const condition =
    where === undefined ? undefined : await checkCondition(session, where, { from, what: 'the condition' });
  const { files, mayMatch } =
    where === undefined
      ? { files: [...state.files.files()], mayMatch: () => true }
      : await candidateFiles(attempt, where);
  attempt.report(
    'match',
    files.length,
    files.reduce((sum, file) => sum + file.size, 0),
  );
  const hits = await findHits(attempt, { files, values, condition: condition?.sql ?? 'true' });
  const { actions, counts } = await applyRowChanges(attempt, {
    files,
    schema: state.schema,
    hits,
    carried: carriesRows(attempt),
    updated: { values, join: '' },
  });
  return {
    actions,
    reads: { kind: 'rows', mayMatch },
    operation: 'UPDATE',
    parameters: { predicate: where === undefined ? [] : [where] },
    metrics: updateMetrics(counts, context.now() - startMs),
    facts: {
      rowsUpdated: counts.rowsUpdated,
      filesRemoved: counts.filesRemoved,
      filesAdded: counts.filesAdded,
      vectorsAdded: counts.vectorsAdded,
    },
  };
}

async function findHits(
  attempt: Attempt,
  search: { files: readonly AddFile[]; values: Assignments; condition: string },
): Promise<string | undefined> {
  const { session, state } = attempt;
  const { files, values, condition } = search;
  if (files.length === 0) return undefined;
  const scan = await attempt.scan(files);
  const same = { from: state.schema, alias: TARGET_ALIAS };
  const newRow = carriesRows(attempt)
    ? packed(state.schema, (field) => values.get(field.name) ?? unchangedValue(field, same))
    : undefined;
  const carried = carriedColumns(attempt, { schema: state.schema, alias: TARGET_ALIAS, newRow });
  await session.run(
    `CREATE OR REPLACE TEMPORARY TABLE "_sluice_hits" AS SELECT "_sluice_file" AS "_sluice_f", "_sluice_row" AS "_sluice_r", ` +
      `1 AS "_sluice_clause", true AS "_sluice_updates"${carried} ` +
      `FROM (${scan}) AS "${TARGET_ALIAS}" WHERE ${condition}`,
  );
  return '"_sluice_hits"';
}
