/** The words of a Spark SQL expression (Spark's SqlBaseLexer.g4), as far as rules of tables have use for them. */
import { DeltaError } from '../errors.ts';

export interface Token {
  /** `word`: an unquoted name or keyword; `name`: one between backticks, unescaped. */
  readonly kind: 'word' | 'name' | 'string' | 'number' | 'symbol' | 'end';
  readonly text: string;
  /** Characters from the expression's start. */
  readonly at: number;
}

/** Characters that an expression may have. */
export const EXPRESSION_CHARS_MAX = 100_000;

const SYMBOLS = ['<=>', '<=', '>=', '<>', '!=', '==', '||', '=', '<', '>', '+', '-', '*', '/', '%', '&', '|']
  .concat(['^', '~', '!', '(', ')', ',', '.', '[', ']', ':', '?', '{', '}'])
  .toSorted((left, right) => right.length - left.length);

/** Throws `invalid-expression` for text that Spark wouldn't read, and for what this library doesn't read of it. */
export function tokensOf(text: string): Token[] {
  if (text.length > EXPRESSION_CHARS_MAX) {
    throw refusal(text.slice(0, 80), `it has more than ${EXPRESSION_CHARS_MAX} characters`);
  }
  const tokens: Token[] = [];
  let at = 0;
  while (at < text.length) {
    const token = /\s/.test(text[at] ?? '') ? undefined : tokenAt(text, at);
    if (token === undefined) at += 1;
    else {
      tokens.push(token.token);
      at = token.end;
    }
  }
  assertNoAdjacentStrings(tokens, text);
  tokens.push({ kind: 'end', text: '', at: text.length });
  return tokens;
}

/** The error for an expression that can't be used, with what is in the way. */
export function refusal(expression: string, reason: string): DeltaError {
  return new DeltaError({
    code: 'invalid-expression',
    message: `the expression "${expression}" can't be used: ${reason}`,
    hint: 'Only what means the same in Spark and in DuckDB is allowed in the rules of a table.',
  });
}

function tokenAt(text: string, at: number): { token: Token; end: number } {
  const rest = text.slice(at);
  if (/^(--|\/\*)/.test(rest)) throw refusal(text, 'comments are not allowed');
  const first = rest.charAt(0);
  if (first === "'" || first === '"') return stringAt(text, at);
  if (first === '`') {
    const match = /^`((?:[^`]|``)+)`/.exec(rest);
    if (match === null) throw refusal(text, 'a backtick is not closed');
    const name = (match[1] ?? '').replaceAll('``', '`');
    return { token: { kind: 'name', text: name, at }, end: at + match[0].length };
  }
  const number = /^(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?(BD|[LSYDF])?(?![\p{L}\p{N}_])/iu.exec(rest);
  if (number !== null) {
    return { token: { kind: 'number', text: number[0], at }, end: at + number[0].length };
  }
  const word = /^[\p{L}_][\p{L}\p{N}_]*/u.exec(rest);
  if (word !== null) {
    if (/^[rx]$/i.test(word[0]) && /^.['"]/.test(rest)) {
      throw refusal(text, `literals such as ${word[0]}'…' are not allowed`);
    }
    return { token: { kind: 'word', text: word[0], at }, end: at + word[0].length };
  }
  const symbol = SYMBOLS.find((candidate) => rest.startsWith(candidate));
  if (symbol === undefined) throw refusal(text, `${JSON.stringify(first)} has no meaning`);
  return { token: { kind: 'symbol', text: symbol, at }, end: at + symbol.length };
}

const ESCAPES: Readonly<Record<string, string>> = {
  n: '\n',
  t: '\t',
  r: '\r',
  b: '\b',
  '0': '\0',
  Z: '\u001a',
  // Kept with their backslash, so that LIKE patterns can have them.
  '%': '\\%',
  _: '\\_',
};

/** A string in either quotes, with Spark's escapes. */
function stringAt(text: string, at: number): { token: Token; end: number } {
  const quote = text.charAt(at);
  let value = '';
  for (let end = at + 1; end < text.length; end += 1) {
    const character = text.charAt(end);
    if (character === quote) return { token: { kind: 'string', text: value, at }, end: end + 1 };
    if (character !== '\\') value += character;
    else {
      end += 1;
      const escaped = text.charAt(end);
      if (/[uU\d]/.test(escaped) && escaped !== '0') {
        throw refusal(text, `the escape \\${escaped} is not allowed`);
      }
      value += Object.hasOwn(ESCAPES, escaped) ? (ESCAPES[escaped] ?? '') : escaped;
    }
  }
  throw refusal(text, 'a quote is not closed');
}

/** Versions of Spark differ in whether `'a''b'` has a quote. */
function assertNoAdjacentStrings(tokens: readonly Token[], text: string): void {
  for (const [index, token] of tokens.entries()) {
    if (token.kind === 'string' && tokens[index + 1]?.kind === 'string') {
      throw refusal(text, "strings side by side, or with a doubled quote, are not allowed: write \\'");
    }
  }
}
