/** Rows of any SELECT, in JavaScript's values. */
import { checkCondition } from '../dml/expression.ts';
import { emptyRelation } from '../dml/relations.ts';
import type { ColumnBatch, SqlSession } from '../engine.ts';
import { DeltaError } from '../errors.ts';
import { quoteIdentifier } from '../scan/quote.ts';
import type { StructField } from '../schema/types.ts';
import { type TimestampForm, transferSql, valueConverter } from './js-values.ts';

/** What of the rows is wanted; by default all of them, with all columns. */
export interface SelectOptions {
  /** Top-level columns, in this order; they match without regard to case. */
  readonly columns?: readonly string[];
  /**
   * A condition of DuckDB's SQL over all of the columns, as after WHERE; without subqueries, aggregates and functions
   * that look beyond the row.
   */
  readonly where?: string;
  /** Rows at most, any of them; a whole number from 0. */
  readonly limit?: number;
}

export interface RowOptions extends SelectOptions {
  /** As what timestamps come; default `date`. */
  readonly timestamps?: TimestampForm;
  /** Ends the reading with `aborted`, the statement that runs included. */
  readonly signal?: AbortSignal;
}

/** The values are those of `js-values.ts`. */
export type Row = Readonly<Record<string, unknown>>;

/** What rows are taken from. */
export interface RowsFrom {
  /** A SELECT of at least these fields. */
  readonly source: string;
  readonly fields: readonly StructField[];
  /** The text after ORDER BY, over the fields; default: no order. */
  readonly orderBy?: string;
}

/**
 * A SELECT of what is wanted. Throws `invalid-data` for a limit that is none, and for columns that are absent, named
 * twice or none at all; `invalid-expression` for a condition that can't be used.
 */
export async function selectSql(
  session: SqlSession,
  from: RowsFrom,
  options: SelectOptions,
): Promise<string> {
  const columns = wantedFields(from.fields, options.columns).map(({ name }) => quoteIdentifier(name));
  return `SELECT ${columns.join(', ')} FROM (${from.source})${await tailSql(session, from, options)}`;
}

/** Batches of what is wanted. Throws as {@link selectSql}, and the errors of the session. */
export async function* selectBatches(
  session: SqlSession,
  from: RowsFrom,
  options: RowOptions,
): AsyncGenerator<ColumnBatch, void, undefined> {
  const fields = wantedFields(from.fields, options.columns);
  const columns = fields.map(
    ({ name, type }) => `${transferSql(quoteIdentifier(name), type)} AS ${quoteIdentifier(name)}`,
  );
  // In a query of its own, so that conditions and order see the values and not the texts that they travel as.
  const rows = `SELECT * FROM (${from.source})${await tailSql(session, from, options)}`;
  const names = fields.map(({ name }) => name);
  const converters = fields.map(({ type }) => valueConverter(type, options.timestamps ?? 'date'));
  for await (const batch of session.stream(`SELECT ${columns.join(', ')} FROM (${rows})`)) {
    const converted = batch.columns.map((column, at) => {
      const convert = converters[at];
      return convert === undefined ? column : column.map((value) => convert(value));
    });
    yield { names, columns: converted, rows: batch.rows };
  }
}

/** The rows of a batch as objects. */
export function* rowsOf(batch: ColumnBatch): Generator<Row, void, undefined> {
  const { names, columns } = batch;
  // Assigning to it would not make a property.
  const isPlain = !names.includes('__proto__');
  for (let at = 0; at < batch.rows; at += 1) {
    if (!isPlain) {
      yield Object.fromEntries(names.map((name, column) => [name, columns[column]?.[at]]));
      continue;
    }
    const row: Record<string, unknown> = {};
    for (const [column, name] of names.entries()) row[name] = columns[column]?.[at];
    yield row;
  }
}

function wantedFields(
  fields: readonly StructField[],
  wanted: readonly string[] | undefined,
): readonly StructField[] {
  if (wanted === undefined) return fields;
  const byName = new Map(fields.map((field) => [field.name.toLowerCase(), field]));
  const found = wanted.map((name) => {
    const field = byName.get(name.toLowerCase());
    if (field !== undefined) return field;
    const names = fields.map((each) => each.name).join(', ');
    throw new DeltaError({
      code: 'invalid-data',
      message: `the table has no column "${name}"; it has: ${names}`,
    });
  });
  if (found.length === 0) throw new DeltaError({ code: 'invalid-data', message: 'no column is asked for' });
  const twice = found.find((field, at) => found.indexOf(field) !== at);
  if (twice !== undefined) {
    throw new DeltaError({ code: 'invalid-data', message: `the column "${twice.name}" is asked for twice` });
  }
  return found;
}

/** What comes after FROM and its relation. */
async function tailSql(session: SqlSession, from: RowsFrom, options: SelectOptions): Promise<string> {
  const { where, limit } = options;
  if (limit !== undefined && (!Number.isSafeInteger(limit) || limit < 0)) {
    throw new DeltaError({ code: 'invalid-data', message: `the limit of rows can't be ${limit}` });
  }
  const parts: string[] = [];
  if (where !== undefined) {
    const relation = emptyRelation({ type: 'struct', fields: from.fields }, 'row');
    const condition = await checkCondition(session, where, { from: relation, what: 'the condition' });
    parts.push(` WHERE ${condition.sql}`);
  }
  if (from.orderBy !== undefined) parts.push(` ORDER BY ${from.orderBy}`);
  if (limit !== undefined) parts.push(` LIMIT ${limit}`);
  return parts.join('');
}
