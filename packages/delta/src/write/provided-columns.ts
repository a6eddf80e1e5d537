/** Which columns a source has values for. */
import type { RowSource } from '../engine.ts';
import { quoteIdentifier } from '../scan/quote.ts';
import { duckDbType } from '../schema/duckdb-types.ts';
import { DEFAULT_KEY, GENERATION_KEY, type StructField, type StructType } from '../schema/types.ts';

/** The columns that were named, or that some row has where that matters; undefined for all. */
export function providedColumns(
  options: { readonly source: RowSource; readonly columns?: readonly string[] },
  schema: StructType,
): readonly string[] | undefined {
  const { source, columns } = options;
  if (columns !== undefined || source.kind !== 'rows' || !schema.fields.some(hasValueOfItsOwn))
    return columns;
  const found = new Set<string>();
  for (const row of source.rows) for (const name of Object.keys(row)) found.add(name);
  return [...found];
}

/** A query with the columns that it was said to lack, as NULL; other sources need none. */
export function withMissingColumns(
  source: RowSource,
  { schema, columns }: { schema: StructType; columns: readonly string[] | undefined },
): RowSource {
  if (source.kind !== 'sql' || columns === undefined) return source;
  const provided = new Set(columns.map((name) => name.toLowerCase()));
  const missing = schema.fields
    .filter(({ name }) => !provided.has(name.toLowerCase()))
    .map(({ name, type }) => `CAST(NULL AS ${duckDbType(type)}) AS ${quoteIdentifier(name)}`);
  if (missing.length === 0) return source;
  return { kind: 'sql', sql: `SELECT *, ${missing.join(', ')} FROM (${source.sql}\n)` };
}

function hasValueOfItsOwn({ metadata }: StructField): boolean {
  return [DEFAULT_KEY, GENERATION_KEY, 'delta.identity.start'].some((key) => metadata[key] !== undefined);
}
