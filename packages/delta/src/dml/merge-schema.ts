/** The schema that a merge leaves, and the values that `all` stands for. */
import { quoteIdentifier } from '../scan/quote.ts';
import { duckDbType } from '../schema/duckdb-types.ts';
import type { DataType, StructField, StructType } from '../schema/types.ts';
import { field } from '../schema/types.ts';
import { deltaTypeFromDuckDb } from '../schema/duckdb-types.ts';
import type { Assignments } from './assignments.ts';
import { invalid } from './expression.ts';
import type { MergeRequest, MergeValues } from './merge-request.ts';
import type { MergeSource } from './merge-source.ts';
import { fieldNamed } from './relations.ts';

/** The table's schema with what the source adds to it; the same object if that is nothing. */
export function mergedSchema(schema: StructType, source: MergeSource, request: MergeRequest): StructType {
  if (request.schemaEvolution !== true) return schema;
  const used = usedNames(request);
  const columns = source.columns.filter(({ name }) => used === 'all' || used.has(name.toLowerCase()));
  return withFields(
    schema,
    columns.map((column) => field(column.name, column.type ?? deltaTypeFromDuckDb(column.sqlType))),
  );
}

/** Names of columns that clauses assign, in lower case. */
function usedNames({ clauses }: MergeRequest): 'all' | ReadonlySet<string> {
  const names = new Set<string>();
  for (const clause of clauses) {
    const values: MergeValues | undefined =
      clause.kind === 'insert' ? clause.values : clause.kind === 'matched-update' ? clause.set : undefined;
    if (values === 'all') return 'all';
    for (const name of Object.keys(values ?? {})) names.add(name.toLowerCase());
  }
  return names;
}

/** Appends the fields that a struct lacks, and within structs that both have the members that one lacks. */
function withFields(schema: StructType, fields: readonly StructField[]): StructType {
  let changed = false;
  const merged = schema.fields.map((own) => {
    const other = fields.find(({ name }) => name.toLowerCase() === own.name.toLowerCase());
    if (other === undefined) return own;
    const type = withMembers(own.type, other.type);
    if (type === own.type) return own;
    changed = true;
    return { ...own, type };
  });
  const added = fields.filter(({ name }) => fieldNamed(schema, name) === undefined);
  if (!changed && added.length === 0) return schema;
  return { type: 'struct', fields: [...merged, ...added.map(({ name, type }) => field(name, type))] };
}

function withMembers(own: DataType, other: DataType): DataType {
  if (typeof own === 'string' || typeof other === 'string') return own;
  if (own.type === 'struct' && other.type === 'struct') return withFields(own, other.fields);
  if (own.type === 'array' && other.type === 'array') {
    const elementType = withMembers(own.elementType, other.elementType);
    return elementType === own.elementType ? own : { ...own, elementType };
  }
  if (own.type === 'map' && other.type === 'map') {
    const valueType = withMembers(own.valueType, other.valueType);
    return valueType === own.valueType ? own : { ...own, valueType };
  }
  return own;
}

export interface AllScope {
  /** That the table is to have. */
  readonly schema: StructType;
  readonly source: MergeSource;
  readonly sourceAlias: string;
  /** The row's value of a column before; undefined where a row is inserted. */
  readonly before: ((field: StructField) => string) | undefined;
  /** Whether columns may be missing from the source: a row keeps its value there, a new row has NULL. */
  readonly isPartial: boolean;
  readonly what: string;
}

/** Every column from the source's of the same name. Throws `invalid-expression` for columns that the source lacks. */
export function allAssignments(scope: AllScope): Assignments {
  const assignments = new Map<string, string>();
  for (const column of scope.schema.fields) {
    const from = scope.source.columns.find(({ name }) => name.toLowerCase() === column.name.toLowerCase());
    if (from === undefined) {
      if (scope.isPartial || isDerived(column)) continue;
      throw invalid(scope.what, `the source lacks the column "${column.name}", which 'all' takes from it`);
    }
    const expression = `${quoteIdentifier(scope.sourceAlias)}.${quoteIdentifier(from.name)}`;
    const value = valueOf(
      { expression, type: from.type, name: column.name },
      { type: column.type, before: scope.before?.(column) },
      scope,
    );
    assignments.set(column.name, value);
  }
  return assignments;
}

/** Computed by the table itself when it isn't given. */
function isDerived({ metadata }: StructField): boolean {
  return ['delta.generationExpression', 'delta.identity.start', 'CURRENT_DEFAULT'].some(
    (key) => metadata[key] !== undefined && metadata[key] !== null,
  );
}

/** A value of the source in the table's type; structs member by member, since each may lack some of the other's. */
function valueOf(
  from: { expression: string; type: DataType | undefined; name: string },
  to: { type: DataType; before: string | undefined },
  scope: AllScope,
): string {
  const { expression, type: source, name } = from;
  const { type: target, before } = to;
  if (!isStruct(source) || !isStruct(target)) return `CAST(${expression} AS ${duckDbType(target)})`;
  const extra = source.fields.find((member) => fieldNamed(target, member.name) === undefined);
  if (extra !== undefined) {
    throw invalid(scope.what, `the table lacks the member "${name}.${extra.name}" of the source`);
  }
  const members = target.fields.map((member) => {
    const quoted = quoteIdentifier(member.name);
    const own = fieldNamed(source, member.name);
    const memberBefore = before === undefined ? undefined : `${before}.${quoted}`;
    const path = `${name}.${member.name}`;
    if (own === undefined && !scope.isPartial) {
      throw invalid(scope.what, `the source lacks the member "${path}", which 'all' takes from it`);
    }
    const value =
      own === undefined
        ? (memberBefore ?? `CAST(NULL AS ${duckDbType(member.type)})`)
        : valueOf(
            { expression: `${expression}.${quoteIdentifier(own.name)}`, type: own.type, name: path },
            { type: member.type, before: memberBefore },
            scope,
          );
    return `${quoted} := ${value}`;
  });
  return `CASE WHEN ${expression} IS NOT NULL THEN struct_pack(${members.join(', ')}) END`;
}

function isStruct(type: DataType | undefined): type is StructType {
  return typeof type === 'object' && type.type === 'struct';
}
