/** From the text of an SQL condition to what the log's statistics can be asked. */
import type { SqlSession } from '../engine.ts';
import { DeltaError } from '../errors.ts';
import { quoteText } from '../scan/quote.ts';
import { timestampMicros } from '../schema/timestamp-text.ts';
import type { DataType, StructType } from '../schema/types.ts';
import { decimalOf } from '../schema/types.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { resolveColumn } from './file-facts.ts';
import { parseKeepingDigits } from './kept-digits.ts';
import {
  and,
  type ColumnPath,
  compare,
  type ComparisonOperator,
  isIn,
  isNotNull,
  isNull,
  type Literal,
  not,
  or,
  type Predicate,
  unknown,
} from './predicate.ts';

export interface WhereOptions {
  /** A name of the table by which the condition may qualify its columns; other qualified names are not understood. */
  readonly alias?: string;
}

/**
 * The part of a condition of DuckDB's dialect that statistics can answer; everything else in it becomes `unknown`, so
 * that the predicate is true wherever the condition is. The condition is read, never run. Throws `invalid-expression`
 * for a text that is no expression.
 */
export async function wherePredicate(
  session: SqlSession,
  state: Pick<TableState, 'schema'>,
  where: string,
  options: WhereOptions = {},
): Promise<Predicate> {
  if (where.includes('\0')) {
    throw new DeltaError({ code: 'invalid-expression', message: 'the condition holds the character NUL' });
  }
  // The line's end closes a comment.
  const statement = `SELECT 1 WHERE (${where}\n)`;
  const [[text] = []] = await session.rows(
    `SELECT CAST(json_serialize_sql(${quoteText(statement)}) AS VARCHAR)`,
  );
  const tree = typeof text === 'string' ? (parseKeepingDigits(text) as Tree | undefined) : undefined;
  const statements = tree?.statements;
  const condition = statements?.length === 1 ? statements[0]?.node?.where_clause : undefined;
  if (tree === undefined || tree.error === true || condition === undefined || condition === null) {
    const why = typeof tree?.error_message === 'string' ? `: ${tree.error_message}` : '';
    throw new DeltaError({ code: 'invalid-expression', message: `"${where}" is no condition${why}` });
  }
  return predicateOf(condition, { schema: state.schema, alias: options.alias?.toLowerCase() });
}

interface Tree {
  readonly error?: unknown;
  readonly error_message?: unknown;
  readonly statements?: readonly { readonly node?: { readonly where_clause?: Node | null } }[];
}

/** DuckDB's parsed expression; the members that are read here. */
interface Node {
  readonly class?: string;
  readonly type?: string;
  readonly children?: readonly Node[];
  readonly left?: Node;
  readonly right?: Node;
  readonly input?: Node;
  readonly lower?: Node;
  readonly upper?: Node;
  readonly child?: Node;
  readonly try_cast?: boolean;
  readonly cast_type?: { readonly id?: string };
  readonly column_names?: readonly string[];
  readonly function_name?: string;
  readonly value?: ConstantValue;
}

interface ConstantValue {
  readonly type?: { readonly id?: string; readonly type_info?: { readonly scale?: unknown } | null };
  readonly is_null?: boolean;
  readonly value?: unknown;
}

interface Scope {
  readonly schema: StructType;
  readonly alias: string | undefined;
}

interface Column {
  readonly path: ColumnPath;
  readonly type: DataType;
}

const OPERATORS: Readonly<Record<string, ComparisonOperator>> = {
  COMPARE_EQUAL: '=',
  COMPARE_NOTEQUAL: '<>',
  COMPARE_LESSTHAN: '<',
  COMPARE_LESSTHANOREQUALTO: '<=',
  COMPARE_GREATERTHAN: '>',
  COMPARE_GREATERTHANOREQUALTO: '>=',
};

const MIRRORED: Record<ComparisonOperator, ComparisonOperator> = {
  '=': '=',
  '<>': '<>',
  '<': '>',
  '<=': '>=',
  '>': '<',
  '>=': '<=',
};

function predicateOf(node: Node, scope: Scope): Predicate {
  const parts = (): Predicate[] => (node.children ?? []).map((child) => predicateOf(child, scope));
  switch (node.type) {
    case 'CONJUNCTION_AND':
      return and(...parts());
    case 'CONJUNCTION_OR':
      return or(...parts());
    case 'OPERATOR_NOT':
      return not(parts()[0] ?? unknown());
    case 'OPERATOR_IS_NULL':
    case 'OPERATOR_IS_NOT_NULL': {
      const column = columnOf(node.children?.[0], scope);
      if (column === undefined) return unknown();
      return node.type === 'OPERATOR_IS_NULL' ? isNull(column.path) : isNotNull(column.path);
    }
    case 'COMPARE_IN':
    case 'COMPARE_NOT_IN': {
      const found = membership(node, scope);
      return node.type === 'COMPARE_IN' ? found : not(found);
    }
    case 'COMPARE_BETWEEN': {
      const { input, lower, upper } = node;
      return and(comparison(input, '>=', lower, scope), comparison(input, '<=', upper, scope));
    }
    case 'COLUMN_REF': {
      const column = columnOf(node, scope);
      if (column?.type !== 'boolean') return unknown();
      return compare(column.path, '=', { type: 'boolean', value: true });
    }
    case 'FUNCTION':
      return prefixTest(node, scope);
    default: {
      const operator = OPERATORS[node.type ?? ''];
      return operator === undefined ? unknown() : comparison(node.left, operator, node.right, scope);
    }
  }
}

function comparison(
  left: Node | undefined,
  operator: ComparisonOperator,
  right: Node | undefined,
  scope: Scope,
): Predicate {
  const [leftColumn, rightColumn] = [columnOf(left, scope), columnOf(right, scope)];
  const column = leftColumn ?? rightColumn;
  const literal = column && literalOf(leftColumn === undefined ? left : right, column.type);
  if (column === undefined || literal === undefined) return unknown();
  return compare(column.path, leftColumn === undefined ? MIRRORED[operator] : operator, literal);
}

function membership({ children = [] }: Node, scope: Scope): Predicate {
  const column = columnOf(children[0], scope);
  if (column === undefined) return unknown();
  const literals = children.slice(1).map((child) => literalOf(child, column.type));
  // One that isn't understood may match anything.
  const known = literals.filter((literal) => literal !== undefined);
  return known.length === literals.length ? isIn(column.path, known) : unknown();
}

const PREFIX_FUNCTIONS = new Set(['starts_with', 'prefix', '^@']);

/** `LIKE 'text%'` and its kin: true only for texts that are not below the fixed part at the beginning. */
function prefixTest({ function_name: name = '', children = [] }: Node, scope: Scope): Predicate {
  const column = columnOf(children[0], scope);
  if (column?.type !== 'string' || children.length !== 2) return unknown();
  const literal = literalOf(children[1], 'string');
  if (literal?.type !== 'string') return unknown();
  const prefix = PREFIX_FUNCTIONS.has(name)
    ? literal.value
    : name === '~~'
      ? literal.value.replace(/[%_\\].*$/su, '')
      : '';
  if (prefix === '' || !prefix.isWellFormed()) return unknown();
  const above = followingPrefix(prefix);
  const from = compare(column.path, '>=', { type: 'string', value: prefix });
  // NOT LIKE must not become "outside of the range": a text with the prefix may still not match the rest.
  const range =
    above === undefined ? from : and(from, compare(column.path, '<', { type: 'string', value: above }));
  return and(range, unknown());
}

/** The least text above all those that begin with a prefix of plain characters; undefined where that takes more. */
function followingPrefix(prefix: string): string | undefined {
  const last = prefix.codePointAt(prefix.length - 1) ?? 0x7f;
  if (last >= 0x7f) return undefined;
  return prefix.slice(0, -1) + String.fromCodePoint(last + 1);
}

function columnOf(node: Node | undefined, { schema, alias }: Scope): Column | undefined {
  if (node?.class !== 'COLUMN_REF' || node.column_names === undefined) return undefined;
  const [first, ...rest] = node.column_names;
  const isColumn = schema.fields.some(({ name }) => name.toLowerCase() === first?.toLowerCase());
  const isQualified = rest.length > 0 && first?.toLowerCase() === alias;
  // A member of a struct that is called as the table is, or a column of the table.
  if (isColumn && isQualified) return undefined;
  const path = isQualified ? rest : node.column_names;
  const column = resolveColumn(path, { schema, partitionColumns: [] });
  return column === undefined ? undefined : { path, type: column.type };
}

/** A constant as a literal that compares with a column of the type as DuckDB would; undefined for all others. */
function literalOf(node: Node | undefined, type: DataType): Literal | undefined {
  if (node === undefined) return undefined;
  if (node.class === 'CAST') return castLiteral(node, type);
  const { value } = node;
  if (node.class !== 'CONSTANT' || value === undefined || value.is_null === true) return undefined;
  const text =
    typeof value.value === 'number' || typeof value.value === 'string' ? String(value.value) : undefined;
  if (text === undefined) return undefined;
  switch (value.type?.id) {
    case 'VARCHAR':
      return textLiteral(text, type);
    case 'TINYINT':
    case 'SMALLINT':
    case 'INTEGER':
    case 'BIGINT':
      return /^-?\d+$/.test(text) ? { type: 'integer', value: BigInt(text) } : undefined;
    case 'DECIMAL': {
      const scale = Number(value.type.type_info?.scale ?? 0);
      return /^-?\d+$/.test(text) ? { type: 'decimal', value: `${text}e-${scale}` } : undefined;
    }
    case 'DOUBLE': {
      const number = Number(text);
      return Number.isNaN(number) ? undefined : { type: 'double', value: number };
    }
    default:
      return undefined;
  }
}

function castLiteral(
  { child, cast_type: target, try_cast: isTry }: Node,
  type: DataType,
): Literal | undefined {
  const value = child?.class === 'CONSTANT' ? child.value : undefined;
  if (isTry === true || value?.type?.id !== 'VARCHAR' || value.is_null === true) return undefined;
  if (typeof value.value !== 'string') return undefined;
  const text = value.value;
  switch (target?.id) {
    case 'BOOLEAN':
      return /^(t|true|f|false)$/i.test(text) ? { type: 'boolean', value: /^t/i.test(text) } : undefined;
    case 'DATE':
      if (type === 'timestamp' || type === 'timestamp_ntz')
        return isDate(text) ? midnight(text, type) : undefined;
      return isDate(text) ? { type: 'date', value: text } : undefined;
    case 'TIMESTAMP':
      // Without a zone it is UTC, which is every session's.
      return type === 'timestamp' || type === 'timestamp_ntz' ? instant(text, type) : undefined;
    case 'TIMESTAMP WITH TIME ZONE':
      return type === 'timestamp' ? instant(text, type) : undefined;
    default:
      return undefined;
  }
}

/** A bare string literal takes the type of what it is compared with. */
function textLiteral(text: string, type: DataType): Literal | undefined {
  if (type === 'string') return { type: 'string', value: text };
  if (type === 'date') return isDate(text) ? { type: 'date', value: text } : undefined;
  if (type === 'timestamp' || type === 'timestamp_ntz') {
    return isDate(text) ? midnight(text, type) : instant(text, type);
  }
  if (type === 'boolean') {
    return /^(true|false)$/i.test(text) ? { type: 'boolean', value: /^true$/i.test(text) } : undefined;
  }
  if (type === 'long' || type === 'integer' || type === 'short' || type === 'byte') {
    return /^-?\d{1,18}$/.test(text) ? { type: 'integer', value: BigInt(text) } : undefined;
  }
  const scale = decimalOf(type)?.scale;
  // More digits than the column's would be rounded.
  const isExact =
    scale !== undefined && new RegExp(`^-?\\d{1,30}(\\.\\d{1,${Math.max(scale, 1)}})?$`).test(text);
  return isExact && (scale > 0 || !text.includes('.')) ? { type: 'decimal', value: text } : undefined;
}

function isDate(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(`${text}T00:00:00Z`));
}

function midnight(date: string, type: 'timestamp' | 'timestamp_ntz'): Literal {
  return { type, value: `${date} 00:00:00` };
}

function instant(text: string, type: 'timestamp' | 'timestamp_ntz'): Literal | undefined {
  // An offset is cut off a timestamp without a zone in ways that are DuckDB's own.
  if (type === 'timestamp_ntz' && /(Z|[+-]\d{2}(:?\d{2})?)\s*$/.test(text.slice(10))) return undefined;
  return timestampMicros(text) === undefined || /\.\d{7}/.test(text) ? undefined : { type, value: text };
}
