import { SqlError } from '../../../ports/sql-engine.ts';

/** A catalogue's name as the first part of a table's or column's name. */
export interface CatalogMention {
  /** Byte position of the name in the text. */
  readonly location: number;
  readonly catalog: string;
  /** The table that it stands before. */
  readonly table: string;
}

/**
 * The text with these names and their dots as spaces, so that every other byte keeps its position. Rejects with
 * `refused` when the text is not what the syntax tree says, rather than change something else.
 */
export function blankCatalogs(
  sql: string,
  mentions: readonly CatalogMention[],
  catalogs: readonly string[],
): string {
  if (mentions.length === 0) return sql;
  const bytes = Buffer.from(sql);
  const names = catalogs.map((name) => RegExp.escape(name)).join('|');
  const pattern = new RegExp(`^(?:"(?:${names})"|(?:${names}))\\s*\\.\\s*`, 'i');
  for (const { location, catalog } of mentions) {
    const match = Number.isSafeInteger(location)
      ? pattern.exec(bytes.subarray(location, location + 1_024).toString('latin1'))
      : null;
    if (match === null) {
      throw new SqlError({
        code: 'refused',
        message: `NOT_SUPPORTED: the data catalogue "${catalog}" can't be named in this place`,
        hint: 'Leave it out: database.table means the same.',
      });
    }
    for (let at = location; at < location + match[0].length; at += 1)
      if (bytes[at] !== 0x0a) bytes[at] = 0x20;
  }
  return bytes.toString();
}
