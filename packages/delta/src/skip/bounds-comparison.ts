/** Compares the bounds of a block's files with constants. */
import {
  type ColumnBounds,
  HAS_MAX,
  HAS_MIN,
  IS_ROUNDED,
  MAY_BE_NULL,
  MAY_BE_VALUE,
} from './column-bounds.ts';
import type { Comparable } from './comparable.ts';
import { type NumberRange, numberRange } from './number-range.ts';
import type { ComparisonOperator } from './predicate.ts';

/** No row of the file matches; that takes the exact test to tell; some row may. In this order. */
export const NO = 0;
export const MAYBE = 1;
export const YES = 2;

const HAS_BOTH = HAS_MIN | HAS_MAX;

/** By file: {@link NO}, {@link MAYBE} or {@link YES}. */
export type BoundsTest = (bounds: ColumnBounds) => Uint8Array;

export const HAS_NULLS: BoundsTest = ({ flags }) => answersOf(flags, (flag) => (flag & MAY_BE_NULL) !== 0);
export const HAS_VALUES: BoundsTest = ({ flags }) => answersOf(flags, (flag) => (flag & MAY_BE_VALUE) !== 0);
export const KEEP_ALL: BoundsTest = ({ flags }) => new Uint8Array(flags.length).fill(YES);

function answersOf(flags: Uint8Array, test: (flag: number) => boolean): Uint8Array {
  return flags.map((flag) => (test(flag) ? YES : NO));
}

/** @param scale of the numbers of the column, as `columnBounds` keeps them. */
export function comparisonTest(operator: ComparisonOperator, value: Comparable, scale: number): BoundsTest {
  if (value.kind === 'text') return (bounds) => compareTexts(bounds, operator, value.utf8);
  const range = numberRange(value, scale);
  return (bounds) => compareNumbers(bounds, operator, range);
}

function compareNumbers(
  { flags, min, max }: ColumnBounds,
  operator: ComparisonOperator,
  { low, high }: NumberRange,
): Uint8Array {
  const answers = new Uint8Array(flags.length);
  const isExactValue = low === high;
  const ruledOutBy = RULED_OUT_BY[operator];
  for (let at = 0; at < answers.length; at += 1) {
    const flag = flags[at] ?? 0;
    if ((flag & MAY_BE_VALUE) === 0) continue;
    const isExact = isExactValue && (flag & IS_ROUNDED) === 0;
    let position = 0;
    // Whatever is between a bound and what it was rounded to is given the benefit of the doubt.
    if ((flag & HAS_MIN) !== 0) {
      const least = min[at] ?? 0;
      position |= (least > high ? MIN_ABOVE : 0) | (least >= high ? MIN_AT : 0);
    }
    if ((flag & HAS_MAX) !== 0) {
      const greatest = max[at] ?? 0;
      position |= (greatest < low ? MAX_BELOW : 0) | (greatest <= low ? MAX_AT : 0);
    }
    if (isExact && (flag & HAS_BOTH) === HAS_BOTH && min[at] === low && max[at] === low) position |= CONSTANT;
    if ((position & ruledOutBy) === 0) answers[at] = isExact ? YES : MAYBE;
  }
  return answers;
}

function compareTexts(
  { flags, text, textStarts }: ColumnBounds,
  operator: ComparisonOperator,
  value: Uint8Array,
): Uint8Array {
  const answers = new Uint8Array(flags.length);
  const ruledOutBy = RULED_OUT_BY[operator];
  for (let at = 0; at < answers.length; at += 1) {
    const flag = flags[at] ?? 0;
    if ((flag & MAY_BE_VALUE) === 0) continue;
    const [start = 0, middle = 0] = [textStarts[2 * at], textStarts[2 * at + 1]];
    const end = textStarts[2 * at + 2] ?? 0;
    let position = 0;
    let isConstant = (flag & HAS_BOTH) === HAS_BOTH;
    if ((flag & HAS_MIN) !== 0) {
      const least = compareBytes(text, { start, end: middle }, value);
      position |= (least > 0 ? MIN_ABOVE : 0) | (least >= 0 ? MIN_AT : 0);
      isConstant &&= least === 0;
    }
    if ((flag & HAS_MAX) !== 0) {
      const greatest = compareBytes(text, { start: middle, end }, value);
      position |= (greatest < 0 ? MAX_BELOW : 0) | (greatest <= 0 ? MAX_AT : 0);
      isConstant &&= greatest === 0;
    }
    if (isConstant) position |= CONSTANT;
    if ((position & ruledOutBy) === 0) answers[at] = YES;
  }
  return answers;
}

/** The least value is certainly above the constant; at least not below it. */
const MIN_ABOVE = 1;
const MIN_AT = 2;
/** As these, of the greatest value. */
const MAX_BELOW = 4;
const MAX_AT = 8;
/** All values are the constant. */
const CONSTANT = 16;

/** By operator, which of these rule a file out. */
const RULED_OUT_BY: Readonly<Record<ComparisonOperator, number>> = {
  '=': MIN_ABOVE | MAX_BELOW,
  '<>': CONSTANT,
  '<': MIN_AT,
  '<=': MIN_ABOVE,
  '>': MAX_AT,
  '>=': MAX_BELOW,
};

/** Negative, zero or positive, as the bytes from `start` to `end` are below, equal to or above the others. */
function compareBytes(
  bytes: Uint8Array,
  { start, end }: { start: number; end: number },
  other: Uint8Array,
): number {
  const length = Math.min(end - start, other.length);
  for (let at = 0; at < length; at += 1) {
    const difference = (bytes[start + at] ?? 0) - (other[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return end - start - other.length;
}
