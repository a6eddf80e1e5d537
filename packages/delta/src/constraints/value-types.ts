/** The types that values of rules have, and which of them mean the same in Spark and DuckDB when they meet. */
import type { DataType } from '../schema/types.ts';
import { decimalOf } from '../schema/types.ts';

export type Family =
  | 'null'
  | 'boolean'
  | 'integer'
  | 'decimal'
  | 'float'
  | 'double'
  | 'string'
  | 'date'
  | 'timestamp'
  | 'timestamp_ntz'
  | 'binary'
  | 'other';

export type ValueType = DataType | 'null';

const FAMILIES: Readonly<Record<string, Family>> = {
  null: 'null',
  boolean: 'boolean',
  byte: 'integer',
  short: 'integer',
  integer: 'integer',
  long: 'integer',
  float: 'float',
  double: 'double',
  string: 'string',
  date: 'date',
  timestamp: 'timestamp',
  timestamp_ntz: 'timestamp_ntz',
  binary: 'binary',
};

export function familyOf(type: ValueType): Family {
  if (typeof type !== 'string') return 'other';
  if (type !== 'null' && decimalOf(type) !== undefined) return 'decimal';
  return FAMILIES[type] ?? 'other';
}

export function isNumeric(type: ValueType): boolean {
  return ['integer', 'decimal', 'float', 'double'].includes(familyOf(type));
}

/** How a type is named in an error. */
export function typeName(type: ValueType): string {
  return typeof type === 'string' ? type : type.type;
}

const INTEGERS: readonly ValueType[] = ['byte', 'short', 'integer', 'long'];

/** The type of a sum or product; undefined where the engines would compute differently. */
export function arithmeticType(left: ValueType, right: ValueType): ValueType | undefined {
  const [a, b] = [familyOf(left), familyOf(right)];
  if (a === 'null' && b === 'null') return undefined;
  if (a === 'null' || b === 'null') return a === 'null' ? right : left;
  // Spark computes in 32 bits there.
  if (!isNumeric(left) || !isNumeric(right) || a === 'float' || b === 'float') return undefined;
  if (a === 'double' || b === 'double') return 'double';
  if (a === 'decimal' || b === 'decimal') return 'decimal(38,18)';
  return INTEGERS[Math.max(INTEGERS.indexOf(left), INTEGERS.indexOf(right))];
}

/** The type of a value that is one of two, as of CASE and coalesce; undefined where there is none. */
export function commonType(left: ValueType, right: ValueType): ValueType | undefined {
  if (left === 'null') return right;
  if (right === 'null') return left;
  if (familyOf(left) === familyOf(right) && familyOf(left) !== 'other') {
    return INTEGERS.includes(left) ? arithmeticType(left, right) : left;
  }
  return arithmeticType(left, right);
}

/** Casts whose results are the same in both, by the family they come from; what overflows fails in DuckDB. */
const CASTS: Readonly<Record<Family, readonly Family[]>> = {
  null: [
    'boolean',
    'integer',
    'decimal',
    'float',
    'double',
    'string',
    'date',
    'timestamp',
    'timestamp_ntz',
    'binary',
  ],
  boolean: ['boolean', 'integer', 'string'],
  integer: ['integer', 'decimal', 'float', 'double', 'string'],
  // Digits beyond the scale are rounded half away from zero by both.
  decimal: ['decimal', 'double'],
  float: ['float', 'double'],
  double: ['double'],
  string: ['string', 'date'],
  date: ['date', 'timestamp', 'timestamp_ntz', 'string'],
  timestamp: ['timestamp', 'date'],
  timestamp_ntz: ['timestamp_ntz', 'date'],
  binary: ['binary'],
  other: [],
};

export function canCast(from: ValueType, to: DataType): boolean {
  return CASTS[familyOf(from)].includes(familyOf(to));
}

const SPARK_TYPES: Readonly<Record<string, DataType>> = {
  boolean: 'boolean',
  tinyint: 'byte',
  byte: 'byte',
  smallint: 'short',
  short: 'short',
  int: 'integer',
  integer: 'integer',
  bigint: 'long',
  long: 'long',
  float: 'float',
  real: 'float',
  double: 'double',
  string: 'string',
  date: 'date',
  timestamp: 'timestamp',
  timestamp_ltz: 'timestamp',
  timestamp_ntz: 'timestamp_ntz',
  binary: 'binary',
};

/** The Delta type of Spark's name for it, in lower case without blanks; undefined for nested and unknown ones. */
export function sparkType(name: string): DataType | undefined {
  const decimal = /^(?:decimal|dec|numeric)(?:\((\d+)(?:,(\d+))?\))?$/.exec(name);
  if (decimal !== null) {
    const [precision, scale] = [Number(decimal[1] ?? 10), Number(decimal[2] ?? 0)];
    return precision >= 1 && precision <= 38 && scale <= precision
      ? `decimal(${precision},${scale})`
      : undefined;
  }
  return Object.hasOwn(SPARK_TYPES, name) ? SPARK_TYPES[name] : undefined;
}
