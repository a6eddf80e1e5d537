/**
 * Translates Spark SQL expressions, as the rules of a table are written, into DuckDB's SQL. Only what means the same
 * in both is let through, judged by the types of the columns; everything else is refused by its name. Times of day are
 * those of UTC, where Spark takes its session's zone.
 */
import { quoteIdentifier, quoteText } from '../scan/quote.ts';
import { duckDbType } from '../schema/duckdb-types.ts';
import type { StructField, StructType } from '../schema/types.ts';
import { type CallRequest, translateCall, type Translated } from './spark-functions.ts';
import { re2Pattern } from './spark-patterns.ts';
import { parseSparkExpression, type SparkExpression } from './spark-parser.ts';
import { refusal } from './spark-tokens.ts';
import {
  arithmeticType,
  canCast,
  commonType,
  familyOf,
  isNumeric,
  sparkType,
  typeName,
  type ValueType,
} from './value-types.ts';

export interface TranslateOptions {
  /** Allows the functions that tell the time. */
  readonly allowClock?: boolean;
  /** SQL for a top-level column, by its name in the schema; default: the quoted name. */
  readonly columnSql?: (name: string) => string;
}

export interface TranslatedExpression {
  /** A DuckDB expression over the schema's columns. */
  readonly sql: string;
  readonly type: ValueType;
  /** Paths of the columns that it reads, as the schema spells them. */
  readonly columns: readonly (readonly string[])[];
}

/** Throws `invalid-expression`, quoting the expression and naming what can't be understood or doesn't exist. */
export function translateExpression(
  text: string,
  schema: StructType,
  options: TranslateOptions = {},
): TranslatedExpression {
  const columns: string[][] = [];
  const translator = new Translator({ text, schema, options, columns });
  const { sql, type } = translator.translate(parseSparkExpression(text));
  return { sql, type, columns };
}

interface Source {
  readonly text: string;
  readonly schema: StructType;
  readonly options: TranslateOptions;
  readonly columns: string[][];
}

const COMPARISONS = new Set(['=', '==', '<>', '!=', '<', '<=', '>', '>=', '<=>']);
const DATE = /^\d{4}-\d{2}-\d{2}$/;
const TIMESTAMP = /^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?)?$/;
const ZONE = /(Z|[+-]\d{2}:\d{2})$/;

class Translator {
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  translate(expression: SparkExpression): Translated {
    switch (expression.kind) {
      case 'column':
        return this.#column(expression.path);
      case 'literal':
        return this.#literal(expression);
      case 'unary':
        return this.#unary(expression);
      case 'binary':
        return this.#binary(expression);
      case 'is': {
        const operand = this.translate(expression.operand);
        if (expression.test !== 'NULL') this.#expectBoolean(operand);
        const not = expression.negated ? 'NOT ' : '';
        return { sql: `(${operand.sql} IS ${not}${expression.test})`, type: 'boolean' };
      }
      case 'between': {
        const { operand, low, high, negated } = expression;
        const above = this.#binary({ kind: 'binary', operator: '>=', left: operand, right: low });
        const below = this.#binary({ kind: 'binary', operator: '<=', left: operand, right: high });
        return { sql: `(${negated ? 'NOT ' : ''}(${above.sql} AND ${below.sql}))`, type: 'boolean' };
      }
      case 'in': {
        const tests = expression.list.map(
          (item) =>
            this.#binary({ kind: 'binary', operator: '=', left: expression.operand, right: item }).sql,
        );
        return { sql: `(${expression.negated ? 'NOT ' : ''}(${tests.join(' OR ')}))`, type: 'boolean' };
      }
      case 'like':
        return this.#like(expression);
      case 'call': {
        const request: CallRequest = {
          args: expression.args.map((arg) => this.translate(arg)),
          fail: this.#fail,
        };
        return translateCall(expression, {
          ...request,
          allowClock: this.#source.options.allowClock === true,
        });
      }
      case 'cast':
        return this.#cast(this.translate(expression.operand), expression.type);
      case 'case':
        return this.#caseExpression(expression);
    }
  }

  readonly #fail = (reason: string): never => {
    throw refusal(this.#source.text, reason);
  };

  #column(path: readonly string[]): Translated {
    let fields = this.#source.schema.fields;
    let found: StructField | undefined;
    let sql = '';
    const names: string[] = [];
    for (const name of path) {
      found = fields.find((field) => field.name.toLowerCase() === name.toLowerCase());
      if (found === undefined) return this.#fail(`there is no column "${path.join('.')}"`);
      sql =
        names.length === 0
          ? (this.#source.options.columnSql ?? quoteIdentifier)(found.name)
          : `struct_extract(${sql}, ${quoteText(found.name)})`;
      names.push(found.name);
      fields = typeof found.type !== 'string' && found.type.type === 'struct' ? found.type.fields : [];
    }
    if (found === undefined) return this.#fail('a column has no name');
    this.#source.columns.push(names);
    return { sql, type: found.type };
  }

  #literal({ type, text }: Extract<SparkExpression, { kind: 'literal' }>): Translated {
    switch (type) {
      case 'null':
        return { sql: 'NULL', type: 'null' };
      case 'boolean':
        return { sql: text.toLowerCase(), type: 'boolean' };
      case 'string':
        return { sql: quoteText(text), type: 'string', constant: text };
      case 'number':
        return this.#number(text);
      default:
        return this.#time(text, type);
    }
  }

  #number(text: string): Translated {
    const match = /^([\d.]+)([eE][+-]?\d+)?(BD|[LSYDF])?$/i.exec(text);
    const digits = match?.[1] ?? '';
    const suffix = match?.[3]?.toUpperCase() ?? '';
    const typed = (type: Exclude<ValueType, 'null'>, value = digits): Translated => ({
      sql: `CAST(${quoteText(value)} AS ${duckDbType(type)})`,
      type,
      constant: value,
    });
    const exponent = match?.[2] ?? '';
    if (suffix === 'D' || (exponent !== '' && suffix === '')) return typed('double', digits + exponent);
    if (suffix === 'F') return typed('float', digits + exponent);
    if (exponent !== '') return this.#fail(`the number ${text} is not allowed`);
    if (digits.includes('.') || suffix === 'BD') {
      const [whole = '', fraction = ''] = digits.split('.');
      const precision = Math.max(1, whole.replace(/^0+/, '').length + fraction.length);
      if (precision > 38) return this.#fail(`the number ${text} has more than 38 digits`);
      return typed(`decimal(${precision},${fraction.length})`);
    }
    if (suffix === 'S') return typed('short');
    if (suffix === 'Y') return typed('byte');
    const value = BigInt(digits);
    if (suffix === 'L' || value > 2147483647n) {
      return value > 9223372036854775807n
        ? this.#fail(`the number ${text} is beyond the type bigint`)
        : typed('long');
    }
    return typed('integer');
  }

  #time(text: string, type: 'date' | 'timestamp' | 'timestamp_ntz'): Translated {
    const local = type === 'timestamp' ? text.replace(ZONE, '') : text;
    if (!(type === 'date' ? DATE : TIMESTAMP).test(local)) {
      return this.#fail(`'${text}' is no ${type} in the form YYYY-MM-DD[ HH:MM:SS]`);
    }
    // DuckDB wants seconds.
    const whole = text.replace(/^([^:]*:\d{2})(?!:|\d)(?=$|Z$|[+-]\d{2}:\d{2}$)/, '$1:00');
    return { sql: `CAST(${quoteText(whole)} AS ${duckDbType(type)})`, type };
  }

  #unary({ operator, operand }: Extract<SparkExpression, { kind: 'unary' }>): Translated {
    if (operator === 'NOT') {
      const value = this.translate(operand);
      this.#expectBoolean(value);
      return { sql: `(NOT ${value.sql})`, type: 'boolean' };
    }
    // The smallest of the integers has no positive.
    if (operator === '-' && operand.kind === 'literal' && operand.type === 'number') {
      return this.#negative(operand.text);
    }
    const value = this.translate(operand);
    if (operator === '~' || !isNumeric(value.type) || familyOf(value.type) === 'float') {
      return this.#fail(`the operator ${operator} is not allowed for a ${typeName(value.type)}`);
    }
    return { sql: `(${operator}${value.sql})`, type: value.type };
  }

  #negative(text: string): Translated {
    if (/^9223372036854775808L?$/i.test(text)) {
      return { sql: `CAST('-9223372036854775808' AS BIGINT)`, type: 'long' };
    }
    const { sql, type } = this.#number(text);
    return { sql: `(-${sql})`, type };
  }

  #binary(expression: Extract<SparkExpression, { kind: 'binary' }>): Translated {
    const { operator } = expression;
    const left = this.translate(expression.left);
    const right = this.translate(expression.right);
    if (COMPARISONS.has(operator)) return this.#comparison(operator, left, right);
    const both = `${typeName(left.type)} and ${typeName(right.type)}`;
    const fail = (): never => this.#fail(`the operator ${operator} is not allowed for ${both}`);
    switch (operator) {
      case 'AND':
      case 'OR':
        this.#expectBoolean(left);
        this.#expectBoolean(right);
        return { sql: `(${left.sql} ${operator} ${right.sql})`, type: 'boolean' };
      case '+':
      case '-':
      case '*': {
        const type = arithmeticType(left.type, right.type) ?? fail();
        return { sql: `(${left.sql} ${operator} ${right.sql})`, type };
      }
      case '%':
      case '/': {
        // What happens at zero differs, and between Spark's own modes too.
        if (!isNonZero(right)) return this.#fail(`the right side of ${operator} must be a constant but 0`);
        const type = arithmeticType(left.type, right.type) ?? fail();
        const family = familyOf(type);
        if (operator === '%') {
          return family === 'integer' ? { sql: `(${left.sql} % ${right.sql})`, type } : fail();
        }
        // Decimals have rules of their own in each engine.
        return family === 'decimal' ? fail() : { sql: `(${left.sql} / ${right.sql})`, type: 'double' };
      }
      case '||':
        return familyOf(left.type) === 'string' && familyOf(right.type) === 'string'
          ? { sql: `(${left.sql} || ${right.sql})`, type: 'string' }
          : fail();
      case '&':
      case '|':
        return familyOf(left.type) === 'integer' && left.type === right.type
          ? { sql: `(${left.sql} ${operator} ${right.sql})`, type: left.type }
          : fail();
      default:
        return fail();
    }
  }

  #comparison(operator: string, left: Translated, right: Translated): Translated {
    const [a, b] = [this.#comparable(left, right), this.#comparable(right, left)];
    const [x, y] = [familyOf(a.type), familyOf(b.type)];
    const areTimes = [x, y].every((family) => family === 'date' || family === 'timestamp');
    const areZoneless = [x, y].every((family) => family === 'date' || family === 'timestamp_ntz');
    const fits =
      x === 'null' ||
      y === 'null' ||
      (x === y && x !== 'other') ||
      (isNumeric(a.type) && isNumeric(b.type)) ||
      areTimes ||
      areZoneless;
    if (!fits) {
      return this.#fail(
        `${typeName(left.type)} and ${typeName(right.type)} are not compared alike in Spark and DuckDB`,
      );
    }
    const sql = operator === '<=>' ? 'IS NOT DISTINCT FROM' : operator === '==' ? '=' : operator;
    return { sql: `(${a.sql} ${sql} ${b.sql})`, type: 'boolean' };
  }

  /** A value as it is compared with another: floats in 64 bits, constant texts as the dates that they stand for. */
  #comparable(value: Translated, other: Translated): Translated {
    if (familyOf(value.type) === 'float') return { sql: `CAST(${value.sql} AS DOUBLE)`, type: 'double' };
    const family = familyOf(other.type);
    if (value.constant === undefined || familyOf(value.type) !== 'string') return value;
    return family === 'date' || family === 'timestamp' || family === 'timestamp_ntz'
      ? this.#time(value.constant, family)
      : value;
  }

  #like(expression: Extract<SparkExpression, { kind: 'like' }>): Translated {
    const { operator, negated } = expression;
    const operand = this.translate(expression.operand);
    const pattern = this.translate(expression.pattern).constant;
    if (familyOf(operand.type) !== 'string' || pattern === undefined || operator === 'ILIKE') {
      return this.#fail(
        operator === 'ILIKE'
          ? 'the operator ILIKE is not allowed'
          : `${operator} takes a string and a constant pattern`,
      );
    }
    const not = negated ? 'NOT ' : '';
    if (operator === 'LIKE') {
      if (pattern.includes('\\')) return this.#fail('escapes are not allowed in the pattern of LIKE');
      return { sql: `(${operand.sql} ${not}LIKE ${quoteText(pattern)})`, type: 'boolean' };
    }
    const re2 = re2Pattern(pattern);
    if (re2 === undefined) {
      return this.#fail(`the pattern ${quoteText(pattern)} has parts that don't mean the same in DuckDB`);
    }
    return { sql: `(${not}regexp_matches(${operand.sql}, ${quoteText(re2)}))`, type: 'boolean' };
  }

  #cast(operand: Translated, name: string): Translated {
    const type = sparkType(name);
    if (type === undefined) return this.#fail(`a cast to ${name} is not allowed`);
    if (!canCast(operand.type, type)) {
      return this.#fail(`a cast from ${typeName(operand.type)} to ${typeName(type)} is not allowed`);
    }
    return { sql: `CAST(${operand.sql} AS ${duckDbType(type)})`, type };
  }

  #caseExpression({ base, branches, otherwise }: Extract<SparkExpression, { kind: 'case' }>): Translated {
    let type: ValueType = 'null';
    const join = (value: Translated): string => {
      type = commonType(type, value.type) ?? this.#fail('the branches of CASE are of different types');
      return value.sql;
    };
    const parts = branches.map(({ when, value }) => {
      const test =
        base === undefined
          ? this.translate(when)
          : this.#binary({ kind: 'binary', operator: '=', left: base, right: when });
      this.#expectBoolean(test);
      return `WHEN ${test.sql} THEN ${join(this.translate(value))}`;
    });
    if (otherwise !== undefined) parts.push(`ELSE ${join(this.translate(otherwise))}`);
    return { sql: `(CASE ${parts.join(' ')} END)`, type };
  }

  #expectBoolean({ type }: Translated): void {
    if (type !== 'boolean' && type !== 'null') this.#fail(`a condition can't be a ${typeName(type)}`);
  }
}

function isNonZero({ constant, type }: Translated): boolean {
  return constant !== undefined && isNumeric(type) && Number(constant) !== 0;
}
