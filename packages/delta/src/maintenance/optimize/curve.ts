/**
 * Orders rows along a space-filling curve, so that files have narrow bounds in several columns at once: each column's
 * values are cut into ranges of about as many rows, and the bits of the numbers of a row's ranges are interleaved
 * (Z-order). As in Delta, the ranges come from a sample.
 */
import type { SqlSession } from '../../engine.ts';
import { assert, DeltaError } from '../../errors.ts';
import { quoteIdentifier, textExpression } from '../../scan/quote.ts';
import { duckDbType } from '../../schema/duckdb-types.ts';
import type { DataType, StructType } from '../../schema/types.ts';

/** Rows that the ranges are drawn from. */
const SAMPLE_ROWS = 50_000;
/** Bits of one column's range numbers: more cut finer than a file, or a row group, can show. */
const BITS_PER_COLUMN_MAX = 8;
/** Columns that one curve goes through; each halves what the others gain. */
export const CURVE_COLUMNS_MAX = 8;
/** Rows of a row group, the finest piece that bounds are kept of. */
const ROW_GROUP_ROWS = 122_880;

export interface CurveColumn {
  /** As given by the user. */
  readonly name: string;
  /** Names from the top-level column down. */
  readonly path: readonly string[];
  readonly type: DataType;
}

/**
 * Finds columns to order by; nested ones as `a.b`. Throws `invalid-schema` for a column that the table lacks, that
 * partitions it, or whose values have no order.
 */
export function curveColumns(
  names: readonly string[],
  table: { readonly schema: StructType; readonly partitionColumns: readonly string[] },
): CurveColumn[] {
  if (names.length > CURVE_COLUMNS_MAX) {
    throw refused(`${names.length} columns to order by are too many: at most ${CURVE_COLUMNS_MAX}`);
  }
  const columns = names.map((name) => {
    const found = resolve(name, table.schema);
    if (found === undefined) throw refused(`the table has no column "${name}" to order by`);
    if (found.path.length === 1 && table.partitionColumns.includes(found.path[0] ?? '')) {
      throw refused(`"${name}" partitions the table, so there is nothing to order by it within a file`);
    }
    if (typeof found.type !== 'string' || found.type === 'binary' || found.type === 'boolean') {
      throw refused(`the column "${name}" can't be ordered by: files keep no bounds of its type`);
    }
    return { name, ...found };
  });
  if (new Set(columns.map(({ path }) => JSON.stringify(path))).size < columns.length) {
    throw refused('a column to order by is given twice');
  }
  return columns;
}

/** The text after ORDER BY that puts the source's rows along the curve; `rows` is about how many there are. */
export async function curveOrder(
  session: Pick<SqlSession, 'rows'>,
  options: { readonly source: string; readonly columns: readonly CurveColumn[]; readonly rows: number },
): Promise<string> {
  const { columns, source, rows } = options;
  const [only] = columns;
  assert(only !== undefined, 'a curve goes through at least one column');
  if (columns.length === 1) return expressionOf(only);
  const bits = bitsPerColumn(rows, columns.length);
  const bounds = await rangeBounds(session, { source, columns, ranges: 2 ** bits });
  const type = keyType(bits * columns.length);
  const keys = columns.map((column, at) =>
    rangeCase(column, bounds[at] ?? [], (range) => {
      const spreadOut = spread(range, { stride: columns.length, offset: columns.length - 1 - at });
      return `${spreadOut}::${type}`;
    }),
  );
  return keys.join(' | ');
}

/** Enough that each file, and each row group in it, has a cell of its own, and a few to tell them apart. */
export function bitsPerColumn(rows: number, columns: number): number {
  const cells = Math.max(1, rows / ROW_GROUP_ROWS) * 16;
  const perDimension = Math.min(BITS_PER_COLUMN_MAX, Math.floor(62 / columns));
  return Math.max(1, Math.min(perDimension, Math.ceil(Math.log2(cells) / columns) + 1));
}

/** The bits of a number, `stride` apart, the lowest at `offset`. */
export function spread(value: number, options: { readonly stride: number; readonly offset: number }): bigint {
  let result = 0n;
  for (let bit = 0; 2 ** bit <= value; bit += 1) {
    if (Math.floor(value / 2 ** bit) % 2 === 1) result |= 1n << BigInt(bit * options.stride + options.offset);
  }
  return result;
}

/** For each column the texts of the values at which its ranges begin, ascending, without the first. */
async function rangeBounds(
  session: Pick<SqlSession, 'rows'>,
  options: { source: string; columns: readonly CurveColumn[]; ranges: number },
): Promise<string[][]> {
  const quantiles = Array.from({ length: options.ranges - 1 }, (_, at) => (at + 1) / options.ranges);
  const named = options.columns.map((column, at) => `${expressionOf(column)} AS c${at}`);
  const found = options.columns.map(
    (_, at) =>
      `list_transform(list_sort(list_distinct(quantile_disc(c${at}, [${quantiles.join(', ')}]))), lambda x: CAST(x AS VARCHAR))`,
  );
  const sample = `SELECT ${named.join(', ')} FROM (${options.source}) USING SAMPLE reservoir(${SAMPLE_ROWS} ROWS)`;
  const [row] = await session.rows(`SELECT ${found.join(', ')} FROM (${sample})`);
  return options.columns.map((_, at) => textsOf(row?.[at]));
}

/** The narrowest that holds so many bits: what a sort carries along and compares. */
function keyType(bits: number): string {
  if (bits <= 16) return bits <= 8 ? 'UTINYINT' : 'USMALLINT';
  return bits <= 32 ? 'UINTEGER' : 'UBIGINT';
}

/** A balanced tree of comparisons; NULL is in the last range. */
function rangeCase(column: CurveColumn, bounds: readonly string[], leaf: (range: number) => string): string {
  const value = expressionOf(column);
  const type = duckDbType(column.type);
  const tree = (first: number, last: number): string => {
    if (first === last) return leaf(first);
    const middle = (first + last + 1) >> 1;
    const bound = `CAST(${textExpression(bounds[middle - 1] ?? '')} AS ${type})`;
    return `CASE WHEN ${value} < ${bound} THEN ${tree(first, middle - 1)} ELSE ${tree(middle, last)} END`;
  };
  return `(${tree(0, bounds.length)})`;
}

function expressionOf({ path: [first = '', ...members] }: CurveColumn): string {
  // In parentheses, so that a member can't be taken for a column of a relation.
  return [`(${quoteIdentifier(first)})`, ...members.map(quoteIdentifier)].join('.');
}

function resolve(name: string, schema: StructType): { path: string[]; type: DataType } | undefined {
  const whole = schema.fields.find((field) => sameName(field.name, name));
  if (whole !== undefined) return { path: [whole.name], type: whole.type };
  for (const field of schema.fields) {
    const prefix = `${field.name}.`;
    if (typeof field.type === 'string' || field.type.type !== 'struct') continue;
    if (!sameName(name.slice(0, prefix.length), prefix)) continue;
    const inner = resolve(name.slice(prefix.length), field.type);
    if (inner !== undefined) return { path: [field.name, ...inner.path], type: inner.type };
  }
  return undefined;
}

function sameName(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function textsOf(value: unknown): string[] {
  const items = Array.isArray(value) ? value : itemsOf(value);
  return items.filter((item): item is string => typeof item === 'string');
}

/** A list as DuckDB's client gives it where it does not give an array. */
function itemsOf(value: unknown): readonly unknown[] {
  if (typeof value === 'object' && value !== null && 'items' in value && Array.isArray(value.items)) {
    return value.items;
  }
  return [];
}

function refused(message: string): DeltaError {
  return new DeltaError({ code: 'invalid-schema', message });
}
