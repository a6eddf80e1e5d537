/** Compares the bounds of a block's files with constants. */
import { unreachable } from '../errors.ts';
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
  for (let at = 0; at < answers.length; at += 1) {
    const flag = flags[at] ?? 0;
    if ((flag & MAY_BE_VALUE) === 0) continue;
    const isExact = isExactValue && (flag & IS_ROUNDED) === 0;
    const [hasMin, hasMax] = [(flag & HAS_MIN) !== 0, (flag & HAS_MAX) !== 0];
    const [least, greatest] = [min[at] ?? 0, max[at] ?? 0];
    // Whatever is between a bound and what it was rounded to is given the benefit of the doubt.
    const isRuledOut = ruledOut(operator, {
      isMinAbove: hasMin && least > high,
      isMinAt: hasMin && least >= high,
      isMaxBelow: hasMax && greatest < low,
      isMaxAt: hasMax && greatest <= low,
      isConstant: isExact && hasMin && hasMax && least === low && greatest === low,
    });
    if (!isRuledOut) answers[at] = isExact ? YES : MAYBE;
  }
  return answers;
}

function compareTexts(
  { flags, text, textStarts }: ColumnBounds,
  operator: ComparisonOperator,
  value: Uint8Array,
): Uint8Array {
  const answers = new Uint8Array(flags.length);
  for (let at = 0; at < answers.length; at += 1) {
    const flag = flags[at] ?? 0;
    if ((flag & MAY_BE_VALUE) === 0) continue;
    const [start = 0, middle = 0] = [textStarts[2 * at], textStarts[2 * at + 1]];
    const end = textStarts[2 * at + 2] ?? 0;
    const [hasMin, hasMax] = [(flag & HAS_MIN) !== 0, (flag & HAS_MAX) !== 0];
    const least = hasMin ? compareBytes(text, { start, end: middle }, value) : 0;
    const greatest = hasMax ? compareBytes(text, { start: middle, end }, value) : 0;
    const isRuledOut = ruledOut(operator, {
      isMinAbove: hasMin && least > 0,
      isMinAt: hasMin && least >= 0,
      isMaxBelow: hasMax && greatest < 0,
      isMaxAt: hasMax && greatest <= 0,
      isConstant: hasMin && hasMax && least === 0 && greatest === 0,
    });
    if (!isRuledOut) answers[at] = YES;
  }
  return answers;
}

interface Position {
  /** The least value is certainly above the constant; at least not below it. */
  readonly isMinAbove: boolean;
  readonly isMinAt: boolean;
  readonly isMaxBelow: boolean;
  readonly isMaxAt: boolean;
  /** All values are the constant. */
  readonly isConstant: boolean;
}

function ruledOut(operator: ComparisonOperator, position: Position): boolean {
  switch (operator) {
    case '=':
      return position.isMinAbove || position.isMaxBelow;
    case '<>':
      return position.isConstant;
    case '<':
      return position.isMinAt;
    case '<=':
      return position.isMinAbove;
    case '>':
      return position.isMaxAt;
    case '>=':
      return position.isMaxBelow;
    default:
      return unreachable(operator);
  }
}

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
