/** The functions of Spark that rules may call, each with the SQL of DuckDB that means the same. */
import { quoteText } from '../scan/quote.ts';
import type { SparkExpression } from './spark-parser.ts';
import type { ValueType } from './value-types.ts';
import { commonType, familyOf, isNumeric } from './value-types.ts';

/** A translated value. */
export interface Translated {
  readonly sql: string;
  readonly type: ValueType;
  /** The text of a literal. */
  readonly constant?: string;
}

export interface CallRequest {
  readonly args: readonly Translated[];
  /** Refuses the call, with what is wrong with it. */
  readonly fail: (reason: string) => never;
}

type Translate = (request: CallRequest) => Translated;

interface SparkFunction {
  readonly arity: readonly [minimum: number, maximum: number];
  readonly translate: Translate;
  /** Its result changes with time: allowed in defaults only. */
  readonly isClock?: true;
}

/** Arguments that one call may have. */
const ARGUMENTS_MAX = 100;

const is = (value: Translated | undefined, ...families: readonly string[]): boolean =>
  value !== undefined && families.includes(familyOf(value.type));

/** Takes one argument of these families. */
function unary(
  families: readonly string[],
  result: ValueType | 'same',
  sql: (x: string) => string,
): SparkFunction {
  return {
    arity: [1, 1],
    translate: ({ args: [x], fail }) => {
      if (x === undefined || !is(x, ...families, 'null')) return fail(`it takes a ${families.join(' or ')}`);
      return { sql: sql(x.sql), type: result === 'same' ? x.type : result };
    },
  };
}

/** Takes two strings. */
function ofStrings(result: ValueType, sql: (x: string, y: string) => string): SparkFunction {
  return {
    arity: [2, 2],
    translate: ({ args: [x, y], fail }) =>
      x !== undefined && y !== undefined && is(x, 'string', 'null') && is(y, 'string', 'null')
        ? { sql: sql(x.sql, y.sql), type: result }
        : fail('it takes strings'),
  };
}

function common({ args, fail }: CallRequest): ValueType {
  return args.reduce<ValueType>(
    (type, arg) => commonType(type, arg.type) ?? fail('its arguments are of different types'),
    'null',
  );
}

const coalesce: SparkFunction = {
  arity: [1, ARGUMENTS_MAX],
  translate: (request) => ({
    sql: `coalesce(${request.args.map((arg) => arg.sql).join(', ')})`,
    type: common(request),
  }),
};

function extreme(name: 'greatest' | 'least'): SparkFunction {
  return {
    arity: [2, ARGUMENTS_MAX],
    translate: (request) => {
      const type = common(request);
      if (familyOf(type) === 'other') return request.fail('it takes values that have an order');
      return { sql: `${name}(${request.args.map((arg) => arg.sql).join(', ')})`, type };
    },
  };
}

/**
 * Letters whose other case the engines don't agree on: Java's rules for Turkish and for the end of a Greek word, and
 * letters that become several (Unicode's SpecialCasing.txt).
 */
const LOWER_DIFFERS = '[\\x{130}\\x{3A3}]';
const UPPER_DIFFERS =
  '[\\x{DF}\\x{149}\\x{1F0}\\x{390}\\x{3B0}\\x{587}\\x{1E96}-\\x{1E9A}\\x{1F50}-\\x{1FFF}\\x{FB00}-\\x{FB17}]';

function changedCase(name: 'lower' | 'upper'): SparkFunction {
  const pattern = quoteText(name === 'lower' ? LOWER_DIFFERS : UPPER_DIFFERS);
  const message = quoteText(`Spark and DuckDB differ in ${name}() of the text `);
  return unary(
    ['string'],
    'string',
    (x) => `CASE WHEN regexp_matches(${x}, ${pattern}) THEN error(${message} || ${x}) ELSE ${name}(${x}) END`,
  );
}

const DATE_PARTS = ['year', 'quarter', 'month', 'day', 'dayofmonth', 'dayofyear', 'weekofyear'];
const TIME_PARTS = ['hour', 'minute', 'second'];
const ANY_DATE = ['date', 'timestamp', 'timestamp_ntz'];
const ANY_TIME = ['timestamp', 'timestamp_ntz'];

/** Units of `date_trunc` and `trunc`, as DuckDB calls them. */
const UNITS: Readonly<Record<string, string>> = {
  YEAR: 'year',
  YYYY: 'year',
  YY: 'year',
  QUARTER: 'quarter',
  MONTH: 'month',
  MM: 'month',
  MON: 'month',
  WEEK: 'week',
};
const TIME_UNITS: Readonly<Record<string, string>> = {
  DAY: 'day',
  DD: 'day',
  HOUR: 'hour',
  MINUTE: 'minute',
  SECOND: 'second',
};

function unitOf(units: Readonly<Record<string, string>>, { constant }: Translated): string | undefined {
  const name = constant?.toUpperCase() ?? '';
  return Object.hasOwn(units, name) ? units[name] : undefined;
}

const dateTrunc: SparkFunction = {
  arity: [2, 2],
  translate: ({ args: [unit, x], fail }) => {
    const name = unit === undefined ? undefined : unitOf({ ...UNITS, ...TIME_UNITS }, unit);
    if (name === undefined || x === undefined || !is(x, 'date', 'timestamp')) {
      return fail('it takes a constant unit such as MONTH, and a date or timestamp');
    }
    const sql = `date_trunc(${quoteText(name)}, CAST(${x.sql} AS TIMESTAMP WITH TIME ZONE))`;
    return { sql, type: 'timestamp' };
  },
};

const trunc: SparkFunction = {
  arity: [2, 2],
  translate: ({ args: [x, unit], fail }) => {
    const name = unit === undefined ? undefined : unitOf(UNITS, unit);
    if (name === undefined || x === undefined || !is(x, ...ANY_DATE)) {
      return fail('it takes a date, and a constant unit such as MONTH');
    }
    return { sql: `CAST(date_trunc(${quoteText(name)}, CAST(${x.sql} AS DATE)) AS DATE)`, type: 'date' };
  },
};

const DATE_FORMATS: Readonly<Record<string, string>> = {
  yyyy: '%Y',
  MM: '%m',
  dd: '%d',
  HH: '%H',
  mm: '%M',
  ss: '%S',
};

const dateFormat: SparkFunction = {
  arity: [2, 2],
  translate: ({ args: [x, pattern], fail }) => {
    const form = pattern?.constant;
    if (x === undefined || form === undefined || !is(x, ...ANY_DATE)) {
      return fail('it takes a date or timestamp, and a constant pattern');
    }
    const parts = form.match(/[A-Za-z]+|[^A-Za-z]+/g) ?? [];
    const translated = parts.map((part) => {
      if (Object.hasOwn(DATE_FORMATS, part)) return DATE_FORMATS[part] ?? '';
      return /^[ \-/:._]+$/.test(part) ? part : fail(`the pattern letters "${part}" are not allowed`);
    });
    return { sql: `strftime(${x.sql}, ${quoteText(translated.join(''))})`, type: 'string' };
  },
};

const substring: SparkFunction = {
  arity: [2, 3],
  translate: ({ args: [x, from, length], fail }) => {
    const isWhole = (value: Translated | undefined, minimum: number): boolean =>
      value === undefined || (/^\d{1,9}$/.test(value.constant ?? '') && Number(value.constant) >= minimum);
    if (x === undefined || !is(x, 'string') || from === undefined) return fail('it takes a string');
    if (!isWhole(from, 1) || !isWhole(length, 0)) return fail('its position must be a constant from 1');
    const rest = [from, ...(length === undefined ? [] : [length])].map((arg) => arg.sql);
    return { sql: `substring(${[x.sql, ...rest].join(', ')})`, type: 'string' };
  },
};

const shifted = (sign: '+' | '-'): SparkFunction => ({
  arity: [2, 2],
  translate: ({ args: [x, days], fail }) =>
    x !== undefined && days !== undefined && is(x, 'date') && is(days, 'integer')
      ? { sql: `(${x.sql} ${sign} CAST(${days.sql} AS INTEGER))`, type: 'date' }
      : fail('it takes a date and a number of days'),
});

const dateDifference: SparkFunction = {
  arity: [2, 2],
  translate: ({ args: [end, start], fail }) =>
    end !== undefined && start !== undefined && is(end, ...ANY_DATE) && is(start, ...ANY_DATE)
      ? { sql: `CAST(CAST(${end.sql} AS DATE) - CAST(${start.sql} AS DATE) AS INTEGER)`, type: 'integer' }
      : fail('it takes dates'),
};

const concat: SparkFunction = {
  arity: [1, ARGUMENTS_MAX],
  translate: ({ args, fail }) =>
    args.every((arg) => is(arg, 'string', 'null'))
      ? // Not concat(), which skips NULL in DuckDB.
        { sql: `(${args.map((arg) => `CAST(${arg.sql} AS VARCHAR)`).join(' || ')})`, type: 'string' }
      : fail('it takes strings'),
};

const condition: SparkFunction = {
  arity: [3, 3],
  translate: (request) => {
    const [test, yes, no] = request.args;
    if (test === undefined || yes === undefined || no === undefined || !is(test, 'boolean', 'null')) {
      return request.fail('it takes a condition and two values');
    }
    const type = common({ ...request, args: [yes, no] });
    return { sql: `CASE WHEN ${test.sql} THEN ${yes.sql} ELSE ${no.sql} END`, type };
  },
};

const nullIf: SparkFunction = {
  arity: [2, 2],
  translate: (request) => {
    common(request);
    const [x, y] = request.args;
    return { sql: `nullif(${x?.sql}, ${y?.sql})`, type: x?.type ?? 'null' };
  },
};

const clock = (sql: string, type: ValueType): SparkFunction => ({
  arity: [0, 0],
  translate: () => ({ sql, type }),
  isClock: true,
});

const rounded = (name: 'ceil' | 'floor'): SparkFunction => ({
  arity: [1, 1],
  translate: ({ args: [x], fail }) =>
    x !== undefined && isNumeric(x.type) && !is(x, 'float')
      ? { sql: `${name}(${x.sql})`, type: x.type }
      : fail('it takes a number'),
});

const NUMBERS = ['integer', 'decimal', 'double'];
const length = unary(['string'], 'integer', (x) => `CAST(length(${x}) AS INTEGER)`);
const ANY = ['boolean', ...NUMBERS, 'float', 'string', ...ANY_DATE, 'binary', 'other'];

const FUNCTIONS: Readonly<Record<string, SparkFunction>> = {
  coalesce,
  nvl: coalesce,
  ifnull: coalesce,
  nullif: nullIf,
  if: condition,
  isnull: unary(ANY, 'boolean', (x) => `(${x} IS NULL)`),
  isnotnull: unary(ANY, 'boolean', (x) => `(${x} IS NOT NULL)`),
  isnan: unary(['double', 'float'], 'boolean', (x) => `coalesce(isnan(${x}), false)`),
  greatest: extreme('greatest'),
  least: extreme('least'),
  abs: unary(NUMBERS, 'same', (x) => `abs(${x})`),
  ceil: rounded('ceil'),
  ceiling: rounded('ceil'),
  floor: rounded('floor'),
  length,
  len: length,
  char_length: length,
  character_length: length,
  lower: changedCase('lower'),
  lcase: changedCase('lower'),
  upper: changedCase('upper'),
  ucase: changedCase('upper'),
  trim: unary(['string'], 'string', (x) => `trim(${x}, ' ')`),
  ltrim: unary(['string'], 'string', (x) => `ltrim(${x}, ' ')`),
  rtrim: unary(['string'], 'string', (x) => `rtrim(${x}, ' ')`),
  concat,
  substring,
  substr: substring,
  startswith: ofStrings('boolean', (x, y) => `starts_with(${x}, ${y})`),
  endswith: ofStrings('boolean', (x, y) => `ends_with(${x}, ${y})`),
  contains: ofStrings('boolean', (x, y) => `contains(${x}, ${y})`),
  ...Object.fromEntries(
    DATE_PARTS.map((part) => [part, unary(ANY_DATE, 'integer', (x) => `CAST(${part}(${x}) AS INTEGER)`)]),
  ),
  ...Object.fromEntries(
    TIME_PARTS.map((part) => [part, unary(ANY_TIME, 'integer', (x) => `CAST(${part}(${x}) AS INTEGER)`)]),
  ),
  dayofweek: unary(ANY_DATE, 'integer', (x) => `CAST(dayofweek(${x}) + 1 AS INTEGER)`),
  weekday: unary(ANY_DATE, 'integer', (x) => `CAST(isodow(${x}) - 1 AS INTEGER)`),
  date: unary([...ANY_DATE, 'string'], 'date', (x) => `CAST(${x} AS DATE)`),
  to_date: unary([...ANY_DATE, 'string'], 'date', (x) => `CAST(${x} AS DATE)`),
  date_trunc: dateTrunc,
  trunc,
  date_format: dateFormat,
  date_add: shifted('+'),
  date_sub: shifted('-'),
  datediff: dateDifference,
  current_date: clock('current_date', 'date'),
  current_timestamp: clock('now()', 'timestamp'),
  now: clock('now()', 'timestamp'),
};

/** Translates a call; `fail` is told of a function that isn't allowed, or not with these arguments. */
export function translateCall(
  { name }: Extract<SparkExpression, { kind: 'call' }>,
  request: CallRequest & { allowClock: boolean },
): Translated {
  const known = Object.hasOwn(FUNCTIONS, name) ? FUNCTIONS[name] : undefined;
  if (known === undefined) return request.fail(`the function ${name} is not allowed`);
  if (known.isClock === true && !request.allowClock) {
    return request.fail(`${name} is not the same each time that it is called`);
  }
  const [minimum, maximum] = known.arity;
  const fail = (reason: string): never => request.fail(`${name}: ${reason}`);
  if (request.args.length < minimum || request.args.length > maximum) {
    return fail(
      `it takes ${minimum === maximum ? minimum : `${minimum} to ${maximum}`} arguments, not ${request.args.length}`,
    );
  }
  return known.translate({ args: request.args, fail });
}
