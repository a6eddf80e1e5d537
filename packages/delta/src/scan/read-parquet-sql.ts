import { duckDbType } from '../schema/duckdb-types.ts';
import type { DataType, StructField } from '../schema/types.ts';
import { quotePath, quoteText } from './quote.ts';

/** A column to read: found in a file by field id or by name. */
export interface ReadColumn {
  readonly key: number | string;
  /** What the result calls it. */
  readonly name: string;
  readonly type: DataType;
}

/**
 * A DuckDB table function that reads these columns, by name and cast to these types, from Parquet files on a disk:
 * columns that a file lacks are NULL, others are left out. No file is opened before it is read.
 */
export function readParquetSql(files: readonly string[], fields: readonly StructField[]): string {
  return readColumnsSql(
    files,
    fields.map(({ name, type }) => ({ key: name, name, type })),
  );
}

/**
 * As {@link readParquetSql}; the keys are all of one kind. `rows` is about how many there are: without it DuckDB, which
 * opens no file to plan, takes there to be none, and builds its joins on the wrong side.
 */
export function readColumnsSql(
  files: readonly string[],
  columns: readonly ReadColumn[],
  { rows }: { readonly rows?: number } = {},
): string {
  const entries = columns.map(({ key, name, type }) => {
    const found = typeof key === 'number' ? String(key) : quoteText(key);
    return `${found}: {name: ${quoteText(name)}, type: ${quoteText(duckDbType(type))}, default_value: NULL}`;
  });
  const cardinality = rows === undefined ? '' : `, explicit_cardinality = ${rows}`;
  return `read_parquet([${files.map((file) => quotePath(file)).join(', ')}], schema = MAP {${entries.join(', ')}}${cardinality})`;
}
