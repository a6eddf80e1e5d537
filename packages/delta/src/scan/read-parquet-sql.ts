import { duckDbType } from '../schema/duckdb-types.ts';
import type { StructField } from '../schema/types.ts';
import { quotePath, quoteText } from './quote.ts';

/**
 * A DuckDB table function that reads these columns, by name and cast to these types, from Parquet files on a disk:
 * columns that a file lacks are NULL, others are left out. No file is opened before it is read.
 */
export function readParquetSql(files: readonly string[], fields: readonly StructField[]): string {
  const columns = fields.map(({ name, type }) => {
    const quoted = quoteText(name);
    return `${quoted}: {name: ${quoted}, type: ${quoteText(duckDbType(type))}, default_value: NULL}`;
  });
  return `read_parquet([${files.map((file) => quotePath(file)).join(', ')}], schema = MAP {${columns.join(', ')}})`;
}
