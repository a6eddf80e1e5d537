import { schemaChange } from '../alter/schema-change.ts';
import type { AddFile } from '../log/actions.ts';
import type { TableContext } from '../table-context.ts';
import { quoteIdentifier } from '../scan/quote.ts';
import { type CompiledClause, compileMerge, type MergePlan, updatedColumns } from './merge-clauses.ts';
import { rowsFromSource } from './merge-from-source.ts';
import { carriesMerged, findMergeRows, type MergeFiles, type MergeRows } from './merge-match.ts';
import { matchTests } from './merge-prune.ts';
import { assertValidRequest, type MergeFacts, type MergeRequest, type MergeResult } from './merge-request.ts';
import { mergedSchema } from './merge-schema.ts';
import { openMergeSource } from './merge-source.ts';
import { isUpsert, replacedRows, writeUpsert, type WrittenUpsert } from './merge-upsert.ts';
import { type MergeCounts, mergeMetrics } from './metrics.ts';
import { applyRowChanges, type RowChanges } from './row-changes.ts';
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
  const source = await openMergeSource(attempt, { source: request.source, schema: request.schema });
  const merged = mergedSchema(state.schema, source, request);
  const change = merged === state.schema ? undefined : schemaChange(state, merged, { uuid: context.uuid });
  const schema = change?.schema ?? state.schema;
  const compiled = await compileMerge(attempt, request, { source, schema });
  const upsert =
    change === undefined && isUpsert(attempt, compiled, request)
      ? await writeUpsert(attempt, compiled)
      : undefined;
  const plan = { ...compiled, sourceRows: upsert?.rows ?? (await source.load()) };
  const { files, mayMatch } = await filesOf(attempt, plan);
  attempt.report(
    'match',
    files.all.length,
    files.all.reduce((sum, file) => sum + file.size, 0),
  );
  const rows: MergeRows =
    upsert === undefined
      ? await findMergeRows(attempt, plan, files)
      : { hits: await replacedRows(attempt, plan, files.all), mayRepeat: true };
  const alias = quoteIdentifier(plan.sourceAlias);
  const { actions, counts } = await applyRowChanges(attempt, {
    files: files.all,
    schema,
    metadata: change?.metadata,
    ...rows,
    written: upsert?.data,
    sourceRows: plan.sourceRows.count,
    carried: carriesMerged(attempt, plan),
    updatedRows: updatedRows(plan, rows.hits, upsert),
    targetAlias: plan.targetAlias,
    updated: {
      values: updatedColumns(plan, state.schema),
      join: `LEFT JOIN ${plan.sourceRows.relation} AS ${alias} ON ${alias}."_sluice_s" = "hit"."_sluice_s"`,
    },
  });
  const byKind = countByKind(plan, counts.affectedByClause);
  const protocol = change?.actions.filter((action) => action.protocol) ?? [];
  return {
    actions: actions.length === 0 ? [] : [...protocol, ...actions],
    reads: { kind: 'rows', mayMatch },
    operation: 'MERGE',
    parameters: parametersOf(request),
    metrics: mergeMetrics(counts, { ...byKind, sourceRows: plan.sourceRows.count }, context.now() - startMs),
    facts: {
      rowsInserted: counts.rowsInserted,
      rowsUpdated: counts.rowsUpdated,
      rowsDeleted: counts.rowsDeleted,
      sourceRows: plan.sourceRows.count,
      filesRemoved: counts.filesRemoved,
      filesAdded: counts.filesAdded,
      vectorsAdded: counts.vectorsAdded,
    },
  };
}

/** The rows that updates make and no file holds yet, where the hits don't carry them. */
function updatedRows(
  plan: MergePlan,
  hits: string | undefined,
  upsert: WrittenUpsert | undefined,
): RowChanges['updatedRows'] {
  if (hits === undefined || !plan.updatesFromSource) return undefined;
  return async () => (upsert === undefined ? rowsFromSource(plan, hits) : upsert.repeatedRows(hits));
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

function countByKind(
  plan: MergePlan,
  affected: ReadonlyMap<number, number>,
): Omit<MergeCounts, 'sourceRows'> {
  const rowsOf = (kind: CompiledClause['kind']): number =>
    [...plan.matched, ...plan.bySource]
      .filter((clause) => clause.kind === kind)
      .reduce((sum, { number }) => sum + (affected.get(number) ?? 0), 0);
  return {
    matchedUpdated: rowsOf('matched-update'),
    matchedDeleted: rowsOf('matched-delete'),
    notMatchedBySourceUpdated: rowsOf('by-source-update'),
    notMatchedBySourceDeleted: rowsOf('by-source-delete'),
  };
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
