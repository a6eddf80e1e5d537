/** Exact values as doubles, or between two where no double is equal. */
import { assert } from '../errors.ts';
import type { Comparable } from './comparable.ts';

/** The value is not below `low` and not above `high`; equal to both where they are equal. */
export interface NumberRange {
  readonly low: number;
  readonly high: number;
}

/** @param scale digits behind the point of an exact number that the doubles count as whole. */
export function numberRange(value: Comparable, scale: number): NumberRange {
  switch (value.kind) {
    case 'exact': {
      const shift = scale - value.scale;
      if (shift >= 0) return integerRange(value.digits * 10n ** BigInt(shift));
      const unit = 10n ** BigInt(-shift);
      const quotient = value.digits / unit;
      const rest = value.digits % unit;
      if (rest === 0n) return integerRange(quotient);
      const [below, above] = rest < 0n ? [quotient - 1n, quotient] : [quotient, quotient + 1n];
      return { low: integerRange(below).low, high: integerRange(above).high };
    }
    case 'instant':
    case 'local-time':
      return integerRange(value.micros);
    case 'day':
      return { low: value.days, high: value.days };
    case 'floating':
      return { low: value.value, high: value.value };
    case 'truth':
      return { low: Number(value.value), high: Number(value.value) };
    default:
      assert(value.kind !== 'text', 'a text is no number');
      return { low: -Infinity, high: Infinity };
  }
}

function integerRange(value: bigint): NumberRange {
  const double = Number(value);
  if (double === Infinity) return { low: Number.MAX_VALUE, high: Infinity };
  if (double === -Infinity) return { low: -Infinity, high: -Number.MAX_VALUE };
  const rounded = BigInt(double);
  if (rounded === value) return { low: double, high: double };
  return rounded < value
    ? { low: double, high: neighbour(double, 1n) }
    : { low: neighbour(double, -1n), high: double };
}

const asDouble = new Float64Array(1);
const asBits = new BigInt64Array(asDouble.buffer);

/** The next double above (1) or below (-1) one that is not zero: doubles of one sign order as their bits do. */
function neighbour(double: number, direction: 1n | -1n): number {
  asDouble[0] = double;
  asBits[0] = (asBits[0] ?? 0n) + (double > 0 ? direction : -direction);
  return asDouble[0] ?? double;
}
