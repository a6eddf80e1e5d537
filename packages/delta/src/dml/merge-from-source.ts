/**
 * Updates that take every column from the source, as `set: 'all'` does: the rows that they make need nothing of the
 * table, so that the hits of a merge only say which rows of the source they are.
 */
import { quoteIdentifier } from '../scan/quote.ts';
import { duckDbType } from '../schema/duckdb-types.ts';
import { tracksChanges } from './change-files.ts';
import type { CompiledClause, CompiledMerge, MergePlan } from './merge-clauses.ts';
import type { Attempt } from './row-operation.ts';

const HIT = '"_sluice_hit"';

/** Whether all updates of a merge are such, and nobody is told of the rows as they were. */
export async function updatesFromSource(
  attempt: Attempt,
  plan: Omit<CompiledMerge, 'updatesFromSource'>,
): Promise<boolean> {
  const updating = updatingClauses(plan);
  const isWhole = updating.every(({ values }) => plan.schema.fields.every(({ name }) => values?.has(name)));
  // A struct that is called as the table is would be meant once the table is out of sight.
  const alias = plan.targetAlias.toLowerCase();
  const isHidden = plan.source.columns.some(({ name }) => name.toLowerCase() === alias);
  const isTarget = plan.bySource.some(({ values }) => values !== undefined);
  if (updating.length === 0 || !isWhole || isHidden || isTarget || tracksChanges(attempt.state)) return false;
  const values = updating.flatMap((clause) => [...(clause.values?.values() ?? [])]);
  const from = `${plan.source.empty} AS ${quoteIdentifier(plan.sourceAlias)}`;
  try {
    await attempt.session.rows(`DESCRIBE SELECT ${values.join(', ')} FROM ${from}`);
    return true;
  } catch {
    // They are known to bind once the table is in sight.
    return false;
  }
}

/** A SELECT of the schema's columns of the updated rows of such a merge. */
export function rowsFromSource(plan: MergePlan, hits: string): string {
  const updating = updatingClauses(plan);
  const columns = plan.schema.fields.map(({ name, type }) => {
    const branches = updating.map(({ number, values }) => `WHEN ${number} THEN ${values?.get(name)}`);
    const [only, ...others] = updating;
    const value =
      others.length === 0
        ? only?.values?.get(name)
        : `CASE ${HIT}."_sluice_clause" ${branches.join(' ')} END`;
    return `CAST(${value} AS ${duckDbType(type)}) AS ${quoteIdentifier(name)}`;
  });
  const source = quoteIdentifier(plan.sourceAlias);
  return (
    `SELECT ${columns.join(', ')} FROM ${hits} AS ${HIT} JOIN ${plan.sourceRows.relation} AS ${source} ` +
    `ON ${source}."_sluice_s" = ${HIT}."_sluice_s" WHERE ${HIT}."_sluice_updates"`
  );
}

function updatingClauses({ matched }: Pick<CompiledMerge, 'matched'>): CompiledClause[] {
  return matched.filter(({ values }) => values !== undefined);
}
