/** Reads Spark SQL expressions (Spark's SqlBaseParser.g4: `booleanExpression`) into trees. */
import { refusal, type Token, tokensOf } from './spark-tokens.ts';

export type SparkExpression =
  | { readonly kind: 'column'; readonly path: readonly string[] }
  | { readonly kind: 'literal'; readonly type: LiteralType; readonly text: string }
  | { readonly kind: 'unary'; readonly operator: string; readonly operand: SparkExpression }
  | {
      readonly kind: 'binary';
      readonly operator: string;
      readonly left: SparkExpression;
      readonly right: SparkExpression;
    }
  /** `IS [NOT] NULL`, `TRUE`, `FALSE`. */
  | {
      readonly kind: 'is';
      readonly operand: SparkExpression;
      readonly test: string;
      readonly negated: boolean;
    }
  | {
      readonly kind: 'between';
      readonly operand: SparkExpression;
      readonly low: SparkExpression;
      readonly high: SparkExpression;
      readonly negated: boolean;
    }
  | {
      readonly kind: 'in';
      readonly operand: SparkExpression;
      readonly list: readonly SparkExpression[];
      readonly negated: boolean;
    }
  /** `LIKE`, `ILIKE`, `RLIKE`. */
  | {
      readonly kind: 'like';
      readonly operator: string;
      readonly operand: SparkExpression;
      readonly pattern: SparkExpression;
      readonly negated: boolean;
    }
  /** The name in lower case. */
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly SparkExpression[] }
  /** The type in lower case, without blanks. */
  | { readonly kind: 'cast'; readonly operand: SparkExpression; readonly type: string }
  | {
      readonly kind: 'case';
      readonly base?: SparkExpression;
      readonly branches: readonly { readonly when: SparkExpression; readonly value: SparkExpression }[];
      readonly otherwise?: SparkExpression;
    };

export type LiteralType = 'null' | 'boolean' | 'number' | 'string' | 'date' | 'timestamp' | 'timestamp_ntz';

/** How deep an expression may be nested. */
export const EXPRESSION_DEPTH_MAX = 200;

/** Throws `invalid-expression`, quoting the text and saying what is in the way. */
export function parseSparkExpression(text: string): SparkExpression {
  const parser = new Parser(text);
  const expression = parser.expression();
  parser.end();
  return expression;
}

/** Operators of values by how tightly they bind, from the loosest; all of them group from the left. */
const LEVELS: readonly (readonly string[])[] = [
  ['=', '==', '<=>', '<>', '!=', '<', '<=', '>', '>='],
  ['|'],
  ['^'],
  ['&'],
  ['+', '-', '||'],
  ['*', '/', '%', 'DIV'],
];

/** Words that can't be a column's name without backticks here. */
const RESERVED = new Set(
  'AND OR NOT IS IN BETWEEN LIKE ILIKE RLIKE REGEXP CASE WHEN THEN ELSE END CAST TRY_CAST NULL TRUE FALSE DIV SELECT FROM WHERE EXISTS INTERVAL DISTINCT'.split(
    ' ',
  ),
);
/** Functions that Spark calls without parentheses. */
const BARE_CALLS = new Set(['current_date', 'current_timestamp']);

class Parser {
  readonly #text: string;
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
    this.#tokens = tokensOf(text);
  }

  end(): void {
    if (this.#next().kind !== 'end') throw this.#unexpected();
  }

  expression(): SparkExpression {
    this.#depth += 1;
    if (this.#depth > EXPRESSION_DEPTH_MAX) {
      throw refusal(this.#text, `it is nested more than ${EXPRESSION_DEPTH_MAX} deep`);
    }
    let left = this.#conjunction();
    while (this.#takeWord('OR')) {
      left = { kind: 'binary', operator: 'OR', left, right: this.#conjunction() };
    }
    this.#depth -= 1;
    return left;
  }

  #conjunction(): SparkExpression {
    let left = this.#negation();
    while (this.#takeWord('AND')) {
      left = { kind: 'binary', operator: 'AND', left, right: this.#negation() };
    }
    return left;
  }

  #negation(): SparkExpression {
    let negations = 0;
    while (this.#takeWord('NOT') || this.#takeSymbol('!')) negations += 1;
    const operand = this.#predicate();
    if (negations > EXPRESSION_DEPTH_MAX) throw refusal(this.#text, 'it has too many negations');
    let expression = operand;
    for (let count = 0; count < negations; count += 1) {
      expression = { kind: 'unary', operator: 'NOT', operand: expression };
    }
    return expression;
  }

  #predicate(): SparkExpression {
    const operand = this.#value(0);
    if (this.#takeWord('IS')) return this.#isPredicate(operand);
    const negated = this.#takeWord('NOT');
    if (this.#takeWord('BETWEEN')) {
      const low = this.#value(0);
      this.#expectWord('AND');
      return { kind: 'between', operand, low, high: this.#value(0), negated };
    }
    if (this.#takeWord('IN')) return { kind: 'in', operand, list: this.#list(), negated };
    for (const word of ['LIKE', 'ILIKE', 'RLIKE', 'REGEXP']) {
      if (!this.#takeWord(word)) continue;
      const operator = word === 'REGEXP' ? 'RLIKE' : word;
      const pattern = this.#value(0);
      if (this.#isWord('ESCAPE')) throw refusal(this.#text, 'ESCAPE is not allowed');
      return { kind: 'like', operator, operand, pattern, negated };
    }
    if (negated) throw this.#unexpected();
    return operand;
  }

  #isPredicate(operand: SparkExpression): SparkExpression {
    const negated = this.#takeWord('NOT');
    if (this.#takeWord('DISTINCT')) {
      this.#expectWord('FROM');
      const same: SparkExpression = { kind: 'binary', operator: '<=>', left: operand, right: this.#value(0) };
      return negated ? same : { kind: 'unary', operator: 'NOT', operand: same };
    }
    for (const test of ['NULL', 'TRUE', 'FALSE']) {
      if (this.#takeWord(test)) return { kind: 'is', operand, test, negated };
    }
    throw this.#unexpected();
  }

  #value(level: number): SparkExpression {
    const operators = LEVELS[level];
    if (operators === undefined) return this.#unary();
    let left = this.#value(level + 1);
    for (;;) {
      const operator = operators.find((candidate) =>
        /[A-Z]/.test(candidate) ? this.#takeWord(candidate) : this.#takeSymbol(candidate),
      );
      if (operator === undefined) return left;
      left = { kind: 'binary', operator, left, right: this.#value(level + 1) };
    }
  }

  #unary(): SparkExpression {
    const signs: string[] = [];
    for (;;) {
      const sign = ['-', '+', '~'].find((candidate) => this.#takeSymbol(candidate));
      if (sign === undefined) break;
      signs.push(sign);
    }
    if (signs.length > EXPRESSION_DEPTH_MAX) throw refusal(this.#text, 'it has too many signs');
    let expression = this.#primary();
    for (const operator of signs.toReversed()) expression = { kind: 'unary', operator, operand: expression };
    return expression;
  }

  #primary(): SparkExpression {
    const token = this.#next();
    if (this.#takeSymbol('(')) {
      const inner = this.expression();
      this.#expectSymbol(')');
      return inner;
    }
    if (token.kind === 'string') return this.#literal('string');
    if (token.kind === 'number') return this.#literal('number');
    if (token.kind === 'name') return this.#column();
    if (token.kind !== 'word') throw this.#unexpected();
    const word = token.text.toUpperCase();
    if (word === 'NULL') return this.#literal('null');
    if (word === 'TRUE' || word === 'FALSE') return this.#literal('boolean');
    if (word === 'CASE') return this.#caseExpression();
    if (word === 'CAST') return this.#cast();
    if (RESERVED.has(word)) throw refusal(this.#text, `"${token.text}" is not allowed there`);
    const after = this.#next(1);
    if (after.kind === 'string' && ['DATE', 'TIMESTAMP', 'TIMESTAMP_NTZ'].includes(word)) {
      this.#at += 1;
      return this.#literal(word.toLowerCase() as LiteralType);
    }
    if (after.kind === 'symbol' && after.text === '(') return this.#call();
    if (BARE_CALLS.has(word.toLowerCase())) {
      this.#at += 1;
      return { kind: 'call', name: word.toLowerCase(), args: [] };
    }
    return this.#column();
  }

  #literal(type: LiteralType): SparkExpression {
    const { text } = this.#next();
    this.#at += 1;
    return { kind: 'literal', type, text };
  }

  #column(): SparkExpression {
    const path: string[] = [];
    do {
      const token = this.#next();
      if (token.kind !== 'name' && token.kind !== 'word') throw this.#unexpected();
      path.push(token.text);
      this.#at += 1;
    } while (this.#takeSymbol('.'));
    return { kind: 'column', path };
  }

  #call(): SparkExpression {
    const name = this.#next().text.toLowerCase();
    this.#at += 1;
    if (this.#next(1).text === ')') {
      this.#at += 2;
      return { kind: 'call', name, args: [] };
    }
    return { kind: 'call', name, args: this.#list() };
  }

  #list(): SparkExpression[] {
    this.#expectSymbol('(');
    const items: SparkExpression[] = [];
    do items.push(this.expression());
    while (this.#takeSymbol(','));
    this.#expectSymbol(')');
    return items;
  }

  #cast(): SparkExpression {
    this.#at += 1;
    this.#expectSymbol('(');
    const operand = this.expression();
    this.#expectWord('AS');
    let type = '';
    for (let depth = 0; ; this.#at += 1) {
      const token = this.#next();
      if (token.kind === 'end') throw this.#unexpected();
      if (token.text === '(') depth += 1;
      if (token.text === ')' && depth === 0) break;
      if (token.text === ')') depth -= 1;
      type += token.text.toLowerCase();
    }
    this.#expectSymbol(')');
    return { kind: 'cast', operand, type };
  }

  #caseExpression(): SparkExpression {
    this.#at += 1;
    const base = this.#isWord('WHEN') ? undefined : this.expression();
    const branches: { when: SparkExpression; value: SparkExpression }[] = [];
    while (this.#takeWord('WHEN')) {
      const when = this.expression();
      this.#expectWord('THEN');
      branches.push({ when, value: this.expression() });
    }
    if (branches.length === 0) throw this.#unexpected();
    const otherwise = this.#takeWord('ELSE') ? this.expression() : undefined;
    this.#expectWord('END');
    return {
      kind: 'case',
      ...(base === undefined ? {} : { base }),
      branches,
      ...(otherwise === undefined ? {} : { otherwise }),
    };
  }

  #next(ahead = 0): Token {
    return this.#tokens[this.#at + ahead] ?? { kind: 'end', text: '', at: this.#text.length };
  }

  #isWord(word: string): boolean {
    const token = this.#next();
    return token.kind === 'word' && token.text.toUpperCase() === word;
  }

  #takeWord(word: string): boolean {
    if (!this.#isWord(word)) return false;
    this.#at += 1;
    return true;
  }

  #expectWord(word: string): void {
    if (!this.#takeWord(word)) throw this.#unexpected(word);
  }

  #takeSymbol(symbol: string): boolean {
    const token = this.#next();
    if (token.kind !== 'symbol' || token.text !== symbol) return false;
    this.#at += 1;
    return true;
  }

  #expectSymbol(symbol: string): void {
    if (!this.#takeSymbol(symbol)) throw this.#unexpected(symbol);
  }

  #unexpected(expected?: string): Error {
    const { kind, text, at } = this.#next();
    const found = kind === 'end' ? 'it ends' : `"${text}" at character ${at + 1}`;
    return refusal(
      this.#text,
      expected === undefined ? `${found}, which is not understood` : `${found} where ${expected} belongs`,
    );
  }
}
