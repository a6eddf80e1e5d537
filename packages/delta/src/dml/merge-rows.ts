import { schemaChange } from '../alter/schema-change.ts';
import type { AddFile } from '../log/actions.ts';
import type { TableContext } from '../table-context.ts';
import { quoteIdentifier } from '../scan/quote.ts';
import { compileMerge, type MergePlan, updatedColumns } from './merge-clauses.ts';
import { rowsFromSource } from './merge-from-source.ts';
import { carriesMerged, findMergeRows, type MergeFiles, type MergeRows } from './merge-match.ts';
import { matchTests } from './merge-prune.ts';
import { assertValidRequest, type MergeFacts, type MergeRequest, type MergeResult } from './merge-request.ts';
import { mergedSchema } from './merge-schema.ts';
import { loadMergeSource } from './merge-source.ts';
import { type MergeCounts, mergeMetrics } from './metrics.ts';
import { applyRowChanges } from './row-changes.ts';
import { type Attempt, type Change, runRowOperation } from './row-operation.ts';

/**
 * Merges a source into the table: rows that match are updated or deleted, rows of the source that match none are
 * inserted, rows of the table that match none are updated or deleted, as the clauses say. Durable and visible on return.
 *
 * A row of the table that more than one row of the source would update or delete throws `duplicate-match`, unless the
 * only clause for matches is a delete without a condition. Throws `invalid-expression` for what can't be used,
 * `invalid-data` for values that can't be cast, `constraint` and `not-null` for rows that the table forbids, and as
 * `runRowOperation` does.
 */
export async function mergeRows(context: TableContext, request: MergeRequest): Promise<MergeResult> {
  assertValidRequest(request);
  return runRowOperation<MergeFacts>(context, {
    name: 'the merge',
    removesRows: request.clauses.some(({ kind }) => kind !== 'insert'),
    options: request,
    attempt: (attempt) => attemptMerge(attempt, request),
  });
}

async function attemptMerge(attempt: Attempt, request: MergeRequest): Promise<Change<MergeFacts>> {
  const { state, context } = attempt;
  const startMs = context.now();
  const source = await loadMergeSource(attempt, { source: request.source, schema: request.schema });
  const merged = mergedSchema(state.schema, source, request);
  const change = merged === state.schema ? undefined : schemaChange(state, merged, { uuid: context.uuid });
  const schema = change?.schema ?? state.schema;
  const plan = await compileMerge(attempt, request, { source, schema });
  const { files, mayMatch } = await filesOf(attempt, plan);
  attempt.report(
    'match',
    files.all.length,
    files.all.reduce((sum, file) => sum + file.size, 0),
  );
  const rows = await findMergeRows(attempt, plan, files);
  const alias = quoteIdentifier(plan.sourceAlias);
  const { actions, counts } = await applyRowChanges(attempt, {
    files: files.all,
    schema,
    metadata: change?.metadata,
    ...rows,
    sourceRows: source.rows,
    carried: carriesMerged(attempt, plan),
    ...(plan.updatesFromSource && rows.hits !== undefined
      ? { updatedRows: rowsFromSource(plan, rows.hits) }
      : {}),
    targetAlias: plan.targetAlias,
    updated: {
      values: updatedColumns(plan, state.schema),
      join: `LEFT JOIN ${source.relation} AS ${alias} ON ${alias}."_sluice_s" = "hit"."_sluice_s"`,
    },
  });
  const byKind = await countByKind(attempt, plan, rows);
  const protocol = change?.actions.filter((action) => action.protocol) ?? [];
  return {
    actions: actions.length === 0 ? [] : [...protocol, ...actions],
    reads: { kind: 'rows', mayMatch },
    operation: 'MERGE',
    parameters: parametersOf(request),
    metrics: mergeMetrics(counts, { ...byKind, sourceRows: source.rows }, context.now() - startMs),
    facts: {
      rowsInserted: counts.rowsInserted,
      rowsUpdated: counts.rowsUpdated,
      rowsDeleted: counts.rowsDeleted,
      sourceRows: source.rows,
      filesRemoved: counts.filesRemoved,
      filesAdded: counts.filesAdded,
      vectorsAdded: counts.vectorsAdded,
    },
  };
}

/** Rows that no row of the source matches may be in any file; the others only where the source's keys are. */
async function filesOf(
  attempt: Attempt,
  plan: MergePlan,
): Promise<{ files: MergeFiles; mayMatch: (file: AddFile) => boolean }> {
  const tests = await matchTests(attempt, plan);
  if (plan.bySource.length === 0) {
    const candidates = [...attempt.state.files.matching(tests)].flat();
    return { files: { all: candidates, candidates: candidates.length }, mayMatch: tests.file };
  }
  const candidates: AddFile[] = [];
  const others: AddFile[] = [];
  for (const file of attempt.state.files.files()) (tests.file(file) ? candidates : others).push(file);
  return {
    files: { all: [...candidates, ...others], candidates: candidates.length },
    mayMatch: () => true,
  };
}

async function countByKind(
  attempt: Attempt,
  plan: MergePlan,
  { hits }: MergeRows,
): Promise<Omit<MergeCounts, 'sourceRows'>> {
  const counts = {
    matchedUpdated: 0,
    matchedDeleted: 0,
    notMatchedBySourceUpdated: 0,
    notMatchedBySourceDeleted: 0,
  };
  if (hits === undefined) return counts;
  const rows = await attempt.session.rows(`SELECT "_sluice_clause", count(*) FROM ${hits} GROUP BY 1`);
  for (const [number, count] of rows) {
    const clause = [...plan.matched, ...plan.bySource].find((each) => each.number === Number(number));
    if (clause?.kind === 'matched-update') counts.matchedUpdated += Number(count);
    if (clause?.kind === 'matched-delete') counts.matchedDeleted += Number(count);
    if (clause?.kind === 'by-source-update') counts.notMatchedBySourceUpdated += Number(count);
    if (clause?.kind === 'by-source-delete') counts.notMatchedBySourceDeleted += Number(count);
  }
  return counts;
}

/** As Spark records a merge (DeltaOperations.scala, `Merge`). */
function parametersOf({ on, clauses }: MergeRequest): Record<string, unknown> {
  const predicates = (prefix: string): { predicate?: string; actionType: string }[] =>
    clauses
      .filter(({ kind }) => kind.startsWith(prefix))
      .map(({ kind, condition }) => ({
        ...(condition === undefined ? {} : { predicate: condition }),
        actionType: kind.endsWith('update') ? 'update' : kind.endsWith('delete') ? 'delete' : 'insert',
      }));
  return {
    predicate: [on],
    matchedPredicates: predicates('matched'),
    notMatchedPredicates: predicates('insert'),
    notMatchedBySourcePredicates: predicates('by-source'),
  };
}
