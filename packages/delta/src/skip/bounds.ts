/**
 * Bounds that hold although the writers of statistics differ: each is moved outwards by what a writer may have cut off or
 * rounded, so that every value of the file is within.
 */
import type { DataType } from '../schema/types.ts';
import { decimalOf } from '../schema/types.ts';
import { type Comparable, comparableOf } from './comparable.ts';

interface BoundedColumn {
  readonly type: DataType;
  /** Whether files may have the column with a narrower type. */
  readonly wasWidened: boolean;
}

/** Microseconds that a writer who keeps milliseconds may have cut off a maximum. */
export const MILLISECOND_SLACK_MICROS = 999n;
/** The digits that a double holds without loss; decimals with more may have gone through one. */
const DOUBLE_DIGITS = 15;
/** More digits than a double is ever written with: the text is the value itself. */
const DOUBLE_DIGITS_MAX = 17;
/** A text to which old writers appended U+FFFD, in the belief that nothing is above it. */
const REPLACEMENT_AT_END = /\u{FFFD}$/u;

/** The text of `minValues`; undefined if it bounds nothing. */
export function minimumOf(text: string | undefined, column: BoundedColumn): Comparable | undefined {
  const bound = text === undefined ? undefined : comparableOf(text, column.type);
  if (bound === undefined) return undefined;
  // The text of a float that became a double is the shortest that names the float, not its value.
  if (bound.kind === 'floating' && column.wasWidened) {
    return { kind: 'floating', value: Math.min(bound.value, Math.fround(bound.value)) };
  }
  return bound.kind === 'exact' ? widened(bound, { text: text ?? '', type: column.type, by: -1n }) : bound;
}

/** The text of `maxValues`; undefined if it bounds nothing. */
export function maximumOf(text: string | undefined, column: BoundedColumn): Comparable | undefined {
  const { type } = column;
  // Some writers leave NaN out of their bounds, and NaN is above every other value.
  if (text === undefined || type === 'double' || type === 'float') return undefined;
  const bound = comparableOf(text, type);
  switch (bound?.kind) {
    case undefined:
      return undefined;
    case 'instant':
    case 'local-time':
      return { ...bound, micros: bound.micros + MILLISECOND_SLACK_MICROS };
    case 'text':
      return REPLACEMENT_AT_END.test(text)
        ? comparableOf(text.replace(REPLACEMENT_AT_END, '\u{10FFFF}'), type)
        : bound;
    case 'exact':
      return widened(bound, { text, type, by: 1n });
    default:
      return bound;
  }
}

/** A decimal that may have gone through a double, moved by as much as that may have changed it. */
function widened(
  bound: Comparable & { readonly kind: 'exact' },
  { text, type, by }: { text: string; type: DataType; by: bigint },
): Comparable {
  const decimal = decimalOf(type);
  const digitsWritten = text.replaceAll(/^[-+0.]+|[eE].*$|\D/g, '').replace(/0+$/, '').length;
  if (decimal === undefined || decimal.precision <= DOUBLE_DIGITS || digitsWritten > DOUBLE_DIGITS_MAX)
    return bound;
  const digits = bound.digits * 10n ** BigInt(DOUBLE_DIGITS_MAX);
  // Half a unit in the last place for the double, and as much for its text.
  const slack = (digits < 0n ? -digits : digits) / 2n ** 51n + 1n;
  return { kind: 'exact', digits: digits + by * slack, scale: bound.scale + DOUBLE_DIGITS_MAX };
}
