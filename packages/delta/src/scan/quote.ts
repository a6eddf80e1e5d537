/** A name as an SQL identifier. */
export function quoteIdentifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as an SQL string literal. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** A text as an SQL expression, also where it holds NUL, which would end a statement for DuckDB. */
export function textExpression(text: string): string {
  if (!text.includes('\0')) return quoteText(text);
  return `(${text.split('\0').map(quoteText).join(' || chr(0) || ')})`;
}

/**
 * The parameter of a lambda within so many others. A column of that name would hide it, since DuckDB takes `x.key` for
 * a member of the column: so it is a name that tables hardly have.
 */
export function lambdaParameter(depth: number): string {
  return quoteIdentifier(`sluice lambda ${depth}`);
}

/** A file's path as an SQL string literal to read from, of which DuckDB takes no character for a pattern's. */
export function quotePath(path: string): string {
  // Hardly any has one, and a scan may have very many paths.
  if (!/['*?[]/.test(path)) return `'${path}'`;
  return quoteText(path.replaceAll(/[*?[]/g, '[$&]'));
}
