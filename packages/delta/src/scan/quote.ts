/** A name as an SQL identifier. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as an SQL string literal. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A file's path as an SQL string literal to read from, of which DuckDB takes no character for a pattern's. */
export function quotePath(path: string): string {
  return quoteText(path.replaceAll(/[*?[]/g, '[$&]'));
}
