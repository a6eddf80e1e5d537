import { type DataType, decimalOf } from '../../schema/types.ts';

const DAY_MICROS = 86_400_000_000n;
/** The first day of the year 1 and the last of 9999, in days since 1970. */
const FIRST_DAY = -719_162n;
const LAST_DAY = 2_932_896n;

/** Least and greatest value, both inclusive, of a type whose values are whole numbers to the model. */
export function rangeOf(type: DataType): { least: bigint; most: bigint } {
  const decimal = decimalOf(type);
  if (decimal !== undefined) {
    const most = 10n ** BigInt(decimal.precision) - 1n;
    return { least: -most, most };
  }
  switch (type) {
    case 'byte':
      return signed(8n);
    case 'short':
      return signed(16n);
    case 'integer':
      return signed(32n);
    case 'long':
      return signed(64n);
    case 'date':
      return { least: FIRST_DAY, most: LAST_DAY };
    default:
      return { least: FIRST_DAY * DAY_MICROS, most: (LAST_DAY + 1n) * DAY_MICROS - 1n };
  }
}

function signed(bits: bigint): { least: bigint; most: bigint } {
  const half = 2n ** (bits - 1n);
  return { least: -half, most: half - 1n };
}
