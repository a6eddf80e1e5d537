/** The text with spaces for the comments and white space before the statement: what is behind keeps its position. */
export function blankLeadingComments(sql: string): string {
  const lead = /^(?:\s+|--[^\n]*(?:\n|$)|\/\*[\s\S]*?\*\/)+/.exec(sql)?.[0] ?? '';
  return (
    lead.replaceAll(/[^\n]/g, (character) => ' '.repeat(Buffer.byteLength(character))) +
    sql.slice(lead.length)
  );
}

export interface Token {
  readonly kind: 'word' | 'name' | 'text' | 'sign';
  readonly text: string;
}

const TOKEN =
  /\s+|--[^\n]*|\/\*[\s\S]*?\*\/|(?<word>[\p{L}_][\p{L}\p{N}_$]*)|"(?<quoted>(?:[^"]|"")*)"|`(?<backquoted>(?:[^`]|``)*)`|'(?<text>(?:[^']|'')*)'|(?<sign>[^])/uy;

/** Words, quoted names, strings and signs of a short statement; white space and comments are left out. */
export function tokensOf(sql: string): Token[] {
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < sql.length) {
    const groups = TOKEN.exec(sql)?.groups;
    if (groups?.['word'] !== undefined) tokens.push({ kind: 'word', text: groups['word'] });
    else if (groups?.['quoted'] !== undefined)
      tokens.push({ kind: 'name', text: groups['quoted'].replaceAll('""', '"') });
    else if (groups?.['backquoted'] !== undefined)
      tokens.push({ kind: 'name', text: groups['backquoted'].replaceAll('``', '`') });
    else if (groups?.['text'] !== undefined)
      tokens.push({ kind: 'text', text: groups['text'].replaceAll("''", "'") });
    else if (groups?.['sign'] !== undefined) tokens.push({ kind: 'sign', text: groups['sign'] });
  }
  return tokens;
}
