/** What a SET list makes of a row. */
import type { SqlSession } from '../engine.ts';
import { quoteIdentifier } from '../scan/quote.ts';
import { duckDbType } from '../schema/duckdb-types.ts';
import type { DataType, StructField, StructType } from '../schema/types.ts';
import { checkExpression, invalid, typeOfExpression } from './expression.ts';
import { fieldNamed } from './relations.ts';

/** SQL of each column's new value, in the column's type, by the schema's spelling; others keep theirs. */
export type Assignments = ReadonlyMap<string, string>;

export interface AssignmentScope {
  /** The text after FROM that the expressions are bound to. */
  readonly from: string;
  /** That the columns are of. */
  readonly schema: StructType;
  /** A row's value of a column before, in parentheses; undefined where a row is made from nothing. */
  readonly before: ((field: StructField) => string) | undefined;
  /** For the reader of errors, such as `the update`. */
  readonly what: string;
}

/** A value for a column, or for some members of the struct in it. */
interface Node {
  sql?: string;
  readonly members: Map<string, Node>;
}

/**
 * Checks a SET list: columns by name, without regard to case, or members of structs by a path with dots. Throws
 * `invalid-expression` for names that the schema lacks, columns set twice, and expressions that don't fit.
 */
export async function checkAssignments(
  session: SqlSession,
  set: Readonly<Record<string, string>>,
  scope: AssignmentScope,
): Promise<Assignments> {
  const { schema, from, what } = scope;
  const roots = new Map<string, Node>();
  for (const [name, text] of Object.entries(set)) {
    const path = resolvePath(schema, name, what);
    const label = `the value of "${name}" in ${what}`;
    const expression = await checkExpression(session, text, label);
    const type = duckDbType(path.at(-1)?.type ?? 'string');
    const sql = `CAST(${expression.sql} AS ${type})`;
    await typeOfExpression(session, { sql }, { from, what: label });
    place(roots, path, { sql, what, name });
  }
  if (roots.size === 0) throw invalid(what, 'it sets no column');
  const assignments = new Map<string, string>();
  for (const field of schema.fields) {
    const node = roots.get(field.name);
    if (node === undefined) continue;
    assignments.set(field.name, valueOf(node, field.type, scope.before?.(field)));
  }
  return assignments;
}

function resolvePath(schema: StructType, name: string, what: string): StructField[] {
  const whole = fieldNamed(schema, name);
  if (whole !== undefined) return [whole];
  const path: StructField[] = [];
  let type: DataType = schema;
  for (const part of name.split('.')) {
    const field: StructField | undefined =
      typeof type !== 'string' && type.type === 'struct' ? fieldNamed(type, part) : undefined;
    if (field === undefined) throw invalid(what, `the table has no column "${name}"`);
    path.push(field);
    type = field.type;
  }
  return path;
}

function place(
  roots: Map<string, Node>,
  path: readonly StructField[],
  value: { sql: string; what: string; name: string },
): void {
  let siblings = roots;
  for (const [depth, { name }] of path.entries()) {
    const node: Node = siblings.get(name) ?? { members: new Map<string, Node>() };
    siblings.set(name, node);
    const isLast = depth === path.length - 1;
    if (node.sql !== undefined || (isLast && node.members.size > 0)) {
      throw invalid(value.what, `it sets "${value.name}" twice`);
    }
    if (isLast) node.sql = value.sql;
    siblings = node.members;
  }
}

/** A struct with some members replaced; one that was NULL comes to be, with NULL in the others. */
function valueOf(node: Node, type: DataType, before: string | undefined): string {
  if (node.sql !== undefined || typeof type === 'string' || type.type !== 'struct') return node.sql ?? 'NULL';
  const members = type.fields.map((field) => {
    const name = quoteIdentifier(field.name);
    const inner = node.members.get(field.name);
    const innerBefore = before === undefined ? undefined : `${before}.${name}`;
    const value =
      inner === undefined
        ? (innerBefore ?? `CAST(NULL AS ${duckDbType(field.type)})`)
        : valueOf(inner, field.type, innerBefore);
    return `${name} := ${value}`;
  });
  return `struct_pack(${members.join(', ')})`;
}
