/** The clauses of a merge, checked and as SQL. */
import { quoteIdentifier } from '../scan/quote.ts';
import { duckDbType } from '../schema/duckdb-types.ts';
import type { StructType } from '../schema/types.ts';
import { type Assignments, checkAssignments } from './assignments.ts';
import { insertAssignments, updateAssignments } from './derived-columns.ts';
import { type CheckedExpression, checkCondition } from './expression.ts';
import { updatesFromSource } from './merge-from-source.ts';
import type { MergeClause, MergeRequest, MergeValues } from './merge-request.ts';
import { allAssignments } from './merge-schema.ts';
import type { MergeSource, SourceRows } from './merge-source.ts';
import { emptyRelation, packed, unchangedValue } from './relations.ts';
import type { TableState } from '../snapshot/table-state.ts';
import type { Attempt } from './row-operation.ts';

export interface CompiledClause {
  /** From 1, over the clauses of all kinds. */
  readonly number: number;
  readonly kind: MergeClause['kind'];
  readonly condition: string;
  readonly isUnconditional: boolean;
  /** Of a clause that writes a row. */
  readonly values?: Assignments;
}

/** A merge once its expressions are known to fit. */
export interface CompiledMerge {
  readonly source: MergeSource;
  readonly sourceAlias: string;
  readonly targetAlias: string;
  readonly on: CheckedExpression;
  /** That the table is to have. */
  readonly schema: StructType;
  readonly matched: readonly CompiledClause[];
  readonly inserts: readonly CompiledClause[];
  readonly bySource: readonly CompiledClause[];
  /** Whether updated rows are made of the source's values alone. */
  readonly updatesFromSource: boolean;
}

/** A merge whose source was read. */
export interface MergePlan extends CompiledMerge {
  readonly sourceRows: SourceRows;
}

/** Throws `invalid-expression`, and `unsupported-type` for a type that the table can't be given. */
export async function compileMerge(
  attempt: Attempt,
  request: MergeRequest,
  { source, schema }: { source: MergeSource; schema: StructType },
): Promise<CompiledMerge> {
  const { session, state } = attempt;
  const { sourceAlias = 'source', targetAlias = 'target' } = request;
  const target = emptyRelation(state.schema, targetAlias);
  const origin = `${source.empty} AS ${quoteIdentifier(sourceAlias)}`;
  const scopes: Record<MergeClause['kind'], string> = {
    'matched-update': `${target}, ${origin}`,
    'matched-delete': `${target}, ${origin}`,
    insert: origin,
    'by-source-update': target,
    'by-source-delete': target,
  };
  const on = await checkCondition(session, request.on, {
    from: scopes['matched-update'],
    what: "the merge's condition",
  });
  const same = { from: state.schema, alias: targetAlias };
  const compiled: CompiledClause[] = [];
  for (const [at, clause] of request.clauses.entries()) {
    const what = `the clause ${at + 1} (${clause.kind}) of the merge`;
    const from = scopes[clause.kind];
    const condition =
      clause.condition === undefined
        ? undefined
        : await checkCondition(session, clause.condition, { from, what: `the condition of ${what}` });
    const given = valuesOf(clause);
    const isInsert = clause.kind === 'insert';
    const values =
      given === undefined
        ? undefined
        : given === 'all'
          ? allAssignments({
              schema,
              source,
              sourceAlias,
              before: isInsert ? undefined : (field) => `(${unchangedValue(field, same)})`,
              isPartial: request.schemaEvolution === true,
              what,
            })
          : await checkAssignments(session, given, {
              from,
              schema,
              before: isInsert ? undefined : (field) => `(${unchangedValue(field, same)})`,
              what,
            });
    compiled.push({
      number: at + 1,
      kind: clause.kind,
      condition: condition?.sql ?? 'true',
      isUnconditional: condition === undefined,
      ...(values === undefined ? {} : { values: completed(values, { isInsert, state, schema, what }) }),
    });
  }
  const ofKind = (prefix: string): CompiledClause[] => compiled.filter(({ kind }) => kind.startsWith(prefix));
  const plan = {
    source,
    sourceAlias,
    targetAlias,
    on,
    schema,
    matched: ofKind('matched'),
    inserts: ofKind('insert'),
    bySource: ofKind('by-source'),
  };
  return { ...plan, updatesFromSource: await updatesFromSource(attempt, plan) };
}

function completed(
  values: Assignments,
  clause: { isInsert: boolean; state: TableState; schema: StructType; what: string },
): Assignments {
  return clause.isInsert
    ? insertAssignments(values, clause)
    : updateAssignments(values, clause.schema, clause.what);
}

function valuesOf(clause: MergeClause): MergeValues | undefined {
  if (clause.kind === 'insert') return clause.values;
  return 'set' in clause ? clause.set : undefined;
}

/** The number of the first clause whose condition is true, 0 for none. */
export function clauseNumber(clauses: readonly CompiledClause[]): string {
  const branches = clauses.map(({ condition, number }) => `WHEN ${condition} THEN ${number}`);
  return branches.length === 0 ? '0' : `CASE ${branches.join(' ')} ELSE 0 END`;
}

/** The numbers of the clauses that update. */
export function updatingNumbers({ matched, bySource }: MergePlan): number[] {
  return [...matched, ...bySource].filter(({ values }) => values !== undefined).map(({ number }) => number);
}

/** An updated row as a struct, by the clause in `_sluice_clause`; NULL for other rows. */
export function updatedStruct(
  clauses: readonly CompiledClause[],
  { schema, targetAlias }: MergePlan,
  from: StructType,
): string {
  const branches = clauses.flatMap(({ number, values }) => {
    if (values === undefined) return [];
    const row = packed(
      schema,
      (field) => values.get(field.name) ?? unchangedValue(field, { from, alias: targetAlias }),
    );
    return [`WHEN ${number} THEN ${row}`];
  });
  const type = duckDbType(schema);
  return branches.length === 0
    ? `CAST(NULL AS ${type})`
    : `CAST(CASE "_sluice_clause" ${branches.join(' ')} END AS ${type})`;
}

/** An updated row's columns by the clause of its `hit`, for those that some clause sets. */
export function updatedColumns(plan: MergePlan, from: StructType): Map<string, string> {
  const updating = [...plan.matched, ...plan.bySource].filter(({ values }) => values !== undefined);
  const columns = new Map<string, string>();
  for (const field of plan.schema.fields) {
    if (!updating.some(({ values }) => values?.has(field.name) === true)) continue;
    const same = unchangedValue(field, { from, alias: plan.targetAlias });
    const branches = updating.map(
      ({ number, values }) => `WHEN ${number} THEN ${values?.get(field.name) ?? same}`,
    );
    columns.set(field.name, `CASE "hit"."_sluice_clause" ${branches.join(' ')} END`);
  }
  return columns;
}

/** The rows to insert, from the source's rows in `from`, which has the source's alias. */
export function insertedRows({ inserts, schema }: CompiledMerge, from: string): string {
  const columns = schema.fields.map(({ name, type }) => {
    const values = inserts.map((clause) => clause.values?.get(name) ?? `CAST(NULL AS ${duckDbType(type)})`);
    const branches = inserts.map(({ condition }, at) => `WHEN ${condition} THEN ${values[at]}`);
    const [only] = values;
    return `${inserts.length === 1 ? only : `CASE ${branches.join(' ')} END`} AS ${quoteIdentifier(name)}`;
  });
  const some = inserts.map(({ condition }) => condition).join(' OR ');
  return `SELECT ${columns.join(', ')} FROM ${from} WHERE ${some}`;
}
