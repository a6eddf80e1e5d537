/**
 * Cuts text into statements at semicolons that are not within quotes, comments or dollar quotes, by the lexical rules
 * of PostgreSQL ("SQL Syntax: Lexical Structure"), which DuckDB follows.
 */
export interface Splitter {
  /** The statements that end in this piece, trimmed, without their semicolon; empty ones are left out. */
  push(text: string): string[];
  /** What is left, as a statement; undefined when there is nothing but blanks and comments. */
  end(): string | undefined;
  /** Inside what the text stands that has not ended: what a prompt shows. */
  state(): OpenState;
  /** Forgets what was pushed and has not ended. */
  reset(): void;
}

export type OpenState = 'start' | 'statement' | 'quote' | 'comment';

export function createSplitter(): Splitter {
  let rest = '';
  let state: OpenState = 'start';
  const reset = () => {
    rest = '';
    state = 'start';
  };
  return {
    push(text) {
      const scanned = scan(rest + text);
      ({ rest, state } = scanned);
      return scanned.statements;
    },
    end() {
      const last = state === 'start' ? undefined : rest.trim();
      reset();
      return last;
    },
    state: () => state,
    reset,
  };
}

/** All statements of a text; the last one needs no semicolon. */
export function splitStatements(text: string): string[] {
  const splitter = createSplitter();
  const statements = splitter.push(text);
  const last = splitter.end();
  return last === undefined ? statements : [...statements, last];
}

function scan(text: string): { statements: string[]; rest: string; state: OpenState } {
  const statements: string[] = [];
  let start = 0;
  let state: OpenState = 'start';
  for (let at = 0; at < text.length;) {
    const token = tokenAt(text, at);
    if (token.kind === 'end') {
      if (state !== 'start') statements.push(text.slice(start, at).trim());
      start = token.end;
      state = 'start';
    } else if (!token.closed) {
      state = token.kind === 'comment' ? 'comment' : 'quote';
    } else if (token.kind === 'text' || token.kind === 'quote') {
      state = 'statement';
    }
    at = token.end;
  }
  return { statements, rest: text.slice(start), state };
}

interface Token {
  readonly kind: 'blank' | 'comment' | 'quote' | 'text' | 'end';
  readonly end: number;
  readonly closed: boolean;
}

const BLANK = /\s+|--[^\n]*/y;
/** A doubled quote ends one string and begins the next, which comes to the same. */
const QUOTE = /'[^']*(?<close>'?)|"[^"]*(?<close>"?)/y;
const ESCAPED_QUOTE = /[eE]'(?:[^'\\]|\\[\s\S])*(?<close>'?)/y;
const DOLLAR_TAG = /\$(?:[A-Za-z_\u0080-\uffff][\w\u0080-\uffff]*)?\$/y;
const WORD = /[\w\u0080-\uffff][\w$\u0080-\uffff]*/y;

function tokenAt(text: string, at: number): Token {
  if (text[at] === ';') return { kind: 'end', end: at + 1, closed: true };
  if (text.startsWith('/*', at)) return comment(text, at);
  const blank = match(BLANK, text, at);
  if (blank !== undefined) return { kind: 'blank', end: at + blank[0].length, closed: true };
  const quote = match(ESCAPED_QUOTE, text, at) ?? match(QUOTE, text, at);
  if (quote !== undefined) {
    return { kind: 'quote', end: at + quote[0].length, closed: quote.groups?.['close'] !== '' };
  }
  const tag = match(DOLLAR_TAG, text, at)?.[0];
  if (tag !== undefined) {
    const close = text.indexOf(tag, at + tag.length);
    return { kind: 'quote', end: close === -1 ? text.length : close + tag.length, closed: close !== -1 };
  }
  return { kind: 'text', end: at + (match(WORD, text, at)?.[0].length ?? 1), closed: true };
}

function comment(text: string, from: number): Token {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = from;
  for (let depth = 0, mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
    depth += mark[0] === '/*' ? 1 : -1;
    if (depth === 0) return { kind: 'comment', end: marks.lastIndex, closed: true };
  }
  return { kind: 'comment', end: text.length, closed: false };
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | undefined {
  pattern.lastIndex = at;
  return pattern.exec(text) ?? undefined;
}
