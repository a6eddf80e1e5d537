import type { DuckDBConnection } from '@duckdb/node-api';
import { messageOf } from '../errors.ts';

/** What DuckDB says of bytes that are no Parquet, without a word on the file: its Parquet reader lets C++'s errors through. */
const NAMELESS = /^(Invalid|INTERNAL|Serialization) Error: /;
/** Texts in SQL that name a data file. */
const FILES = /'(?:[^']|'')*\.parquet'/g;
/** Files that are looked at. */
const FILES_MAX = 1_000;

/**
 * The error of a statement, which says which of the statement's files is damaged, if one of them is and DuckDB did not
 * say so. Looks at the files one by one.
 */
export async function namingDamagedFile(
  connection: DuckDBConnection,
  sql: string,
  error: unknown,
): Promise<unknown> {
  const text = messageOf(error);
  if (!NAMELESS.test(text) || /\.parquet/.test(text)) return error;
  const files = [...new Set(sql.match(FILES))].slice(0, FILES_MAX);
  for (const file of files) {
    const probe = `SELECT count(COLUMNS(*)) FROM read_parquet(${file}, hive_partitioning = false)`;
    const found = await connection.run(probe).then(
      () => undefined,
      (cause: unknown) => messageOf(cause),
    );
    if (found === undefined || !NAMELESS.test(found)) continue;
    const name = file.slice(1, -1).replaceAll("''", "'");
    return new Error(`${text.trimEnd()} (the file "${name}" is damaged)`, { cause: error });
  }
  return error;
}
