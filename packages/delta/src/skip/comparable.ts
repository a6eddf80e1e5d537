/** Constants of a column's type in a form that orders as DuckDB orders the column's values. */
import { unreachable } from '../errors.ts';
import { timestampMicros } from '../schema/timestamp-text.ts';
import type { DataType } from '../schema/types.ts';
import { decimalOf } from '../schema/types.ts';
import type { Literal } from './predicate.ts';

export type Comparable =
  /** An exact number: digits × 10^-scale. */
  | { readonly kind: 'exact'; readonly digits: bigint; readonly scale: number }
  | { readonly kind: 'floating'; readonly value: number }
  | { readonly kind: 'text'; readonly utf8: Buffer }
  /** Microseconds since 1970. */
  | { readonly kind: 'instant'; readonly micros: bigint }
  | { readonly kind: 'local-time'; readonly micros: bigint }
  /** Days since 1970. */
  | { readonly kind: 'day'; readonly days: number }
  | { readonly kind: 'truth'; readonly value: boolean };

const INTEGER_TYPES = new Set<DataType>(['long', 'integer', 'short', 'byte']);

/** The text of a value of a column (as in partition values and statistics); undefined if it is none of the type. */
export function comparableOf(text: string, type: DataType): Comparable | undefined {
  if (type === 'string') return { kind: 'text', utf8: Buffer.from(text) };
  if (INTEGER_TYPES.has(type) || decimalOf(type) !== undefined) return exactOf(text);
  if (type === 'double' || type === 'float') return floatingOf(text, type);
  if (type === 'date') return dayOf(text);
  if (type === 'boolean') {
    return /^(true|false)$/i.test(text) ? { kind: 'truth', value: /^true$/i.test(text) } : undefined;
  }
  if (type === 'timestamp' || type === 'timestamp_ntz') {
    const micros = timestampMicros(text);
    if (micros === undefined) return undefined;
    return { kind: type === 'timestamp' ? 'instant' : 'local-time', micros };
  }
  return undefined;
}

/** A literal, if comparing a column of the type with it is what comparing values of the column's own type is. */
export function literalFor(literal: Literal, type: DataType): Comparable | undefined {
  switch (literal.type) {
    case 'boolean':
      return type === 'boolean' ? { kind: 'truth', value: literal.value } : undefined;
    case 'string':
      return type === 'string' && literal.value.isWellFormed()
        ? { kind: 'text', utf8: Buffer.from(literal.value) }
        : undefined;
    case 'integer':
    case 'decimal':
      if (type === 'double') return floatingOf(String(literal.value), type);
      return INTEGER_TYPES.has(type) || decimalOf(type) !== undefined
        ? exactOf(String(literal.value))
        : undefined;
    case 'double':
      return type === 'double' && !Number.isNaN(literal.value)
        ? { kind: 'floating', value: literal.value }
        : undefined;
    case 'date':
      return type === 'date' ? dayOf(literal.value) : undefined;
    case 'timestamp':
    case 'timestamp_ntz':
      return type === literal.type ? comparableOf(literal.value, type) : undefined;
    default:
      return unreachable(literal);
  }
}

/** Negative, zero or positive; undefined for values of different kinds. */
export function compareValues(left: Comparable, right: Comparable): number | undefined {
  if (left.kind === 'exact' && right.kind === 'exact') {
    if (left.scale === right.scale)
      return left.digits < right.digits ? -1 : left.digits > right.digits ? 1 : 0;
    const scale = Math.max(left.scale, right.scale);
    return sign(scaled(left, scale) - scaled(right, scale));
  }
  if (left.kind === 'floating' && right.kind === 'floating')
    return left.value - right.value || orderOf(left, right);
  if (left.kind === 'text' && right.kind === 'text') return Buffer.compare(left.utf8, right.utf8);
  if (left.kind === 'instant' && right.kind === 'instant') return sign(left.micros - right.micros);
  if (left.kind === 'local-time' && right.kind === 'local-time') return sign(left.micros - right.micros);
  if (left.kind === 'day' && right.kind === 'day') return left.days - right.days;
  if (left.kind === 'truth' && right.kind === 'truth') return Number(left.value) - Number(right.value);
  return undefined;
}

/** Digits of an exponent that are worth working out. */
const EXPONENT_MAX = 80;

/** Characters of a whole number that a double holds exactly. */
const SHORT_NUMBER_CHARS = 15;

function exactOf(text: string): Comparable | undefined {
  if (text.length <= SHORT_NUMBER_CHARS) {
    const value = Number(text);
    if (Number.isInteger(value) && String(value) === text)
      return { kind: 'exact', digits: BigInt(value), scale: 0 };
  }
  const match = /^([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d{1,3}))?$/.exec(text);
  if (match === null) return undefined;
  const fraction = match[3] ?? '';
  const exponent = Number(match[4] ?? 0);
  if (Math.abs(exponent) > EXPONENT_MAX) return undefined;
  const magnitude = BigInt((match[2] ?? '') + fraction);
  const digits = match[1] === '-' ? -magnitude : magnitude;
  const scale = fraction.length - exponent;
  return scale >= 0
    ? { kind: 'exact', digits, scale }
    : { kind: 'exact', digits: digits * 10n ** BigInt(-scale), scale: 0 };
}

function floatingOf(text: string, type: DataType): Comparable | undefined {
  const value = text === '' ? Number.NaN : Number(text);
  // The text of a float is the shortest that names it, not its value.
  return Number.isNaN(value)
    ? undefined
    : { kind: 'floating', value: type === 'float' ? Math.fround(value) : value };
}

function dayOf(text: string): Comparable | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return undefined;
  const ms = Date.parse(`${text}T00:00:00Z`);
  return Number.isNaN(ms) ? undefined : { kind: 'day', days: ms / 86_400_000 };
}

function scaled(value: { digits: bigint; scale: number }, scale: number): bigint {
  return value.digits * 10n ** BigInt(scale - value.scale);
}

function sign(difference: bigint): number {
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** For equal values and for infinities, of which the difference is no number. */
function orderOf(left: { value: number }, right: { value: number }): number {
  return left.value < right.value ? -1 : left.value > right.value ? 1 : 0;
}
