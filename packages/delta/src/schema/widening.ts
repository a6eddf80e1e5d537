/** Types that a column may be changed to without rewriting its files (protocol: "Type Widening"). */
import type { DataType } from './types.ts';
import { decimalOf } from './types.ts';

const WIDER: Readonly<Record<string, readonly string[]>> = {
  byte: ['short', 'integer', 'long', 'double'],
  short: ['integer', 'long', 'double'],
  integer: ['long', 'double'],
  float: ['double'],
  date: ['timestamp_ntz'],
};
/** Digits before the point that hold every value of an integer. */
const INTEGER_DIGITS: Readonly<Record<string, number>> = { byte: 10, short: 10, integer: 10, long: 20 };

/** Whether the protocol lets a column of one primitive type become another, which holds all of its values. */
export function canWiden(from: DataType, to: DataType): boolean {
  if (typeof from !== 'string' || typeof to !== 'string') return false;
  const target = decimalOf(to);
  if (target === undefined) return Object.hasOwn(WIDER, from) && WIDER[from]?.includes(to) === true;
  const source = decimalOf(from) ?? integerAsDecimal(from);
  if (source === undefined || from === to) return false;
  return target.scale >= source.scale && target.precision - target.scale >= source.precision - source.scale;
}

/**
 * Whether a widening may happen by itself, when rows of a wider type are written: within integers, floating-point
 * numbers and decimals only, so that numbers keep their kind.
 */
export function canWidenByItself(from: DataType, to: DataType): boolean {
  if (!canWiden(from, to)) return false;
  const isDecimal = decimalOf(from) !== undefined;
  return (
    isDecimal === (decimalOf(to) !== undefined) &&
    (isDecimal || from === 'float' || !['double', 'timestamp_ntz'].includes(to as string))
  );
}

function integerAsDecimal(type: DataType): { precision: number; scale: number } | undefined {
  const digits =
    typeof type === 'string' && Object.hasOwn(INTEGER_DIGITS, type) ? INTEGER_DIGITS[type] : undefined;
  return digits === undefined ? undefined : { precision: digits, scale: 0 };
}

/** The key of a field's metadata under which the types are kept that it, or something within it, once had. */
export const TYPE_CHANGES_KEY = 'delta.typeChanges';

/** One change, as the protocol keeps it. */
export interface TypeChange {
  readonly fromType: DataType;
  readonly toType: DataType;
  /** Within arrays and maps: `element`, `key` or `value`, joined by points; absent for the field itself. */
  readonly fieldPath?: string;
}

/** A field's metadata with one more change of type. */
export function withTypeChange(
  metadata: Readonly<Record<string, unknown>>,
  change: TypeChange,
): Record<string, unknown> {
  const before = metadata[TYPE_CHANGES_KEY];
  return {
    ...metadata,
    [TYPE_CHANGES_KEY]: [...(Array.isArray(before) ? (before as unknown[]) : []), change],
  };
}
