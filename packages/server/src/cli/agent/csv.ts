/** Lines of columns, and what may stand between these. */

/**
 * The text that a delimiter stands for. The Kinesis Agent has a regular expression there: one that stands for a single text
 * is taken for it (a tab as `\\t`, a bar as `\\|` or `|`); undefined for others.
 */
export function delimiterOf(given: string): string | undefined {
  let text = '';
  let isPattern = false;
  for (let at = 0; at < given.length; at++) {
    let character = given[at]!;
    if (character === '\\') {
      const escaped = given[++at];
      if (escaped === undefined || /[a-su-zA-Z0-9]/.test(escaped)) return undefined;
      character = escaped === 't' ? '\t' : escaped;
    } else isPattern ||= /[[\](){}*+?^$]/.test(character);
    text += character;
  }
  return isPattern && given.length > 1 ? undefined : text;
}

/** Fields in double quotes may hold the delimiter, line breaks and doubled quotes (RFC 4180). */
export function splitCsv(text: string, delimiter: string): string[] | undefined {
  const fields: string[] = [];
  for (let at = 0; ;) {
    let field: string;
    if (text[at] === '"') {
      const match = /"((?:[^"]|"")*)"/y;
      match.lastIndex = at;
      const quoted = match.exec(text);
      if (quoted === null) return undefined;
      field = quoted[1]!.replaceAll('""', '"');
      at = match.lastIndex;
      if (at < text.length && !text.startsWith(delimiter, at)) return undefined;
    } else {
      const end = text.indexOf(delimiter, at);
      field = text.slice(at, end === -1 ? text.length : end);
      at = end === -1 ? text.length : end;
    }
    fields.push(field);
    if (at >= text.length) return fields;
    at += delimiter.length;
  }
}
