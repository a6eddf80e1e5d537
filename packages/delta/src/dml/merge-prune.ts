/**
 * Which files of the table a source can match, told from the merge's condition: its equalities between a column of the
 * table and a value of the source, by what the source holds, and its parts over the table alone.
 */
import type { SqlSession } from '../engine.ts';
import { quoteIdentifier, quoteText } from '../scan/quote.ts';
import { deltaTypeFromDuckDb } from '../schema/duckdb-types.ts';
import { canonicalTimestamp } from '../schema/timestamp-text.ts';
import type { DataType } from '../schema/types.ts';
import { decimalOf } from '../schema/types.ts';
import {
  and,
  type ColumnPath,
  compare,
  isIn,
  type Literal,
  type Predicate,
  unknown,
} from '../skip/predicate.ts';
import { tableColumns } from '../skip/file-facts.ts';
import { filesTest } from '../skip/prune.ts';
import { wherePredicate } from '../skip/where.ts';
import type { FileSetTests } from '../snapshot/file-set.ts';
import { type ExpressionTree, walk } from './expression.ts';
import type { CompiledMerge, MergePlan } from './merge-clauses.ts';
import type { SourceColumn } from './merge-source.ts';
import { fieldNamed } from './relations.ts';
import type { Attempt } from './row-operation.ts';

/** Distinct values of a key up to which each is looked for; beyond it, all between the least and the greatest. */
export const KEY_VALUES_MAX = 200;

/** One in as many rows of the source is looked at to see whether its distinct values are worth counting. */
const SAMPLE_SHARE = 16;

/** Tests that are false only for files that hold no row which matches one of the source. */
export async function matchTests(attempt: Attempt, plan: MergePlan): Promise<FileSetTests> {
  const { session, state } = attempt;
  const parts: Predicate[] = [];
  for (const conjunct of conjuncts(plan.on.tree)) {
    const sides = sidesOf(conjunct, plan, attempt);
    if (sides === 'target') {
      const sql = await sqlOf(session, conjunct);
      parts.push(await wherePredicate(session, state, sql, { alias: plan.targetAlias }));
    }
    if (sides === 'both') parts.push(await keyPredicate(session, conjunct, plan, attempt));
  }
  return filesTest(and(...parts), tableColumns(state));
}

function conjuncts(tree: ExpressionTree): ExpressionTree[] {
  if (tree.type !== 'CONJUNCTION_AND') return [tree];
  return (tree['children'] as ExpressionTree[]).flatMap(conjuncts);
}

/** A column that a condition refers to. */
interface Reference {
  readonly side: 'source' | 'target';
  /** Without the alias: the column, then members. */
  readonly path: ColumnPath;
}

/** Undefined for what can't be told, such as a lambda's parameter. */
export function resolve(
  names: readonly string[],
  plan: CompiledMerge,
  attempt: Attempt,
): Reference | undefined {
  const [first = '', ...members] = names;
  const lower = first.toLowerCase();
  const isIn = {
    target: fieldNamed(attempt.state.schema, first) !== undefined,
    source: sourceColumn(first, plan) !== undefined,
  };
  const aliases = { target: plan.targetAlias.toLowerCase(), source: plan.sourceAlias.toLowerCase() };
  if (members.length > 0 && !isIn.target && !isIn.source) {
    if (lower === aliases.target) return { side: 'target', path: members };
    if (lower === aliases.source) return { side: 'source', path: members };
  }
  if (lower === aliases.target || lower === aliases.source) return undefined;
  if (isIn.target === isIn.source) return undefined;
  return { side: isIn.target ? 'target' : 'source', path: names };
}

export function sourceColumn(name: string, { source }: CompiledMerge): SourceColumn | undefined {
  const lower = name.toLowerCase();
  return source.columns.find((column) => column.name.toLowerCase() === lower);
}

function sidesOf(
  tree: ExpressionTree,
  plan: MergePlan,
  attempt: Attempt,
): 'source' | 'target' | 'both' | 'unknown' {
  const found = new Set<string | undefined>();
  walk(tree, (node) => {
    if (node.class === 'LAMBDA') found.add(undefined);
    if (node.class === 'COLUMN_REF')
      found.add(resolve(node['column_names'] as string[], plan, attempt)?.side);
  });
  if (found.has(undefined)) return 'unknown';
  if (found.size === 2) return 'both';
  return found.has('target') ? 'target' : found.has('source') ? 'source' : 'unknown';
}

/** Of `column = value` or `value = column`, where the value is of the source: what the source's values allow. */
async function keyPredicate(
  session: SqlSession,
  tree: ExpressionTree,
  plan: MergePlan,
  attempt: Attempt,
): Promise<Predicate> {
  if (tree.type !== 'COMPARE_EQUAL') return unknown();
  const [left, right] = [tree['left'] as ExpressionTree, tree['right'] as ExpressionTree];
  const isTarget = (side: ExpressionTree): boolean =>
    side.class === 'COLUMN_REF' && sidesOf(side, plan, attempt) === 'target';
  const [column, value] = isTarget(left) ? [left, right] : isTarget(right) ? [right, left] : [];
  if (column === undefined || value === undefined || sidesOf(value, plan, attempt) !== 'source')
    return unknown();
  const referred = (tree: ExpressionTree): ColumnPath =>
    resolve(tree['column_names'] as string[], plan, attempt)?.path ?? [];
  const [name = '', ...members] = value.class === 'COLUMN_REF' ? referred(value) : [];
  const own = members.length === 0 ? sourceColumn(name, plan) : undefined;
  const sql =
    own === undefined
      ? await sqlOf(session, value)
      : `${quoteIdentifier(plan.sourceAlias)}.${quoteIdentifier(own.name)}`;
  return valuesPredicate(session, referred(column), { sql, sqlType: own?.sqlType, plan });
}

async function valuesPredicate(
  session: SqlSession,
  path: ColumnPath,
  { sql, sqlType, plan }: { sql: string; sqlType: string | undefined; plan: MergePlan },
): Promise<Predicate> {
  const from = `${plan.sourceRows.relation} AS ${quoteIdentifier(plan.sourceAlias)}`;
  let type: DataType;
  try {
    type = deltaTypeFromDuckDb(sqlType ?? (await typeOf(session, sql, from)));
  } catch {
    return unknown();
  }
  const text = literalText(type);
  if (text === undefined) return unknown();
  const literal = (value: unknown): Literal | undefined =>
    typeof value === 'string' ? literalOf(value, type) : undefined;
  const values = `(SELECT (${sql}) AS "v", "_sluice_s" FROM ${from})`;
  const [facts] = await session.rows(
    `SELECT count("v"), ${text('min("v")')}, ${text('max("v")')}, ` +
      `approx_count_distinct("v") FILTER (WHERE "_sluice_s" % ${SAMPLE_SHARE} = 0) FROM ${values}`,
  );
  const [count, least, greatest, distinct] = facts ?? [];
  // An equality with NULL is never true.
  if (Number(count) === 0) return isIn(path, []);
  if (Number(distinct) <= KEY_VALUES_MAX * 2) {
    const rows = await session.rows(
      `SELECT DISTINCT ${text('"v"')} FROM ${values} WHERE "v" IS NOT NULL LIMIT ${KEY_VALUES_MAX + 1}`,
    );
    const literals = rows.map(([value]) => literal(value));
    if (rows.length <= KEY_VALUES_MAX && literals.every((each) => each !== undefined))
      return isIn(path, literals);
  }
  const [low, high] = [literal(least), literal(greatest)];
  return and(
    low === undefined ? unknown() : compare(path, '>=', low),
    high === undefined ? unknown() : compare(path, '<=', high),
  );
}

async function typeOf(session: SqlSession, sql: string, from: string): Promise<string> {
  const [described] = await session.rows(`DESCRIBE SELECT (${sql}) AS "v" FROM ${from}`);
  return String(described?.[1]);
}

/** How a value of the type is written as text that {@link literalOf} reads; undefined for types not looked at. */
function literalText(type: DataType): ((value: string) => string) | undefined {
  if (typeof type !== 'string' || ['float', 'double', 'boolean', 'binary'].includes(type)) return undefined;
  if (type === 'timestamp' || type === 'timestamp_ntz') {
    return (value) => `strftime(${value}, '%Y-%m-%d %H:%M:%S.%f')`;
  }
  return (value) => `CAST(${value} AS VARCHAR)`;
}

function literalOf(value: string, type: DataType): Literal | undefined {
  if (decimalOf(type) !== undefined) return { type: 'decimal', value };
  switch (type) {
    case 'byte':
    case 'short':
    case 'integer':
    case 'long':
      return { type: 'integer', value: BigInt(value) };
    case 'string':
      return { type: 'string', value };
    case 'date':
      return /^\d{4}-\d{2}-\d{2}$/.test(value) ? { type: 'date', value } : undefined;
    case 'timestamp':
    case 'timestamp_ntz':
      return canonicalTimestamp(value) === undefined ? undefined : { type, value };
    default:
      return undefined;
  }
}

/** A part of a parse tree as SQL again. */
async function sqlOf(session: SqlSession, tree: ExpressionTree): Promise<string> {
  const statement = {
    error: false,
    statements: [
      {
        node: {
          type: 'SELECT_NODE',
          modifiers: [],
          cte_map: { map: [] },
          select_list: [tree],
          from_table: { type: 'EMPTY', alias: '', sample: null },
          where_clause: null,
          group_expressions: [],
          group_sets: [],
          aggregate_handling: 'STANDARD_HANDLING',
          having: null,
          sample: null,
          qualify: null,
        },
        named_param_map: [],
      },
    ],
  };
  const [row] = await session.rows(
    `SELECT json_deserialize_sql(${quoteText(JSON.stringify(statement))}::JSON)`,
  );
  return String(row?.[0]).replace(/^SELECT\s+/, '');
}
