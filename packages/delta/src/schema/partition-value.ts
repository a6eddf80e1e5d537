/** Partition values as text (protocol: "Partition Value Serialization"); null and '' mean NULL. */
import { DeltaError } from '../errors.ts';
import { textExpression } from '../scan/quote.ts';
import { duckDbType } from './duckdb-types.ts';
import { canonicalTimestamp } from './timestamp-text.ts';
import type { DataType } from './types.ts';
import { decimalOf } from './types.ts';

/** Whether a column of this type can partition a table that this library creates. */
export function canPartition(type: DataType): boolean {
  return typeof type === 'string' && type !== 'binary';
}

/**
 * A partition value as an SQL constant of the column's type, the same under every setting of a connection. Throws
 * `corrupt-log` for a text that the type can't have written.
 */
export function partitionConstant(text: string | null | undefined, type: DataType): string {
  const target = duckDbType(type);
  if (text === null || text === undefined || text === '') return `CAST(NULL AS ${target})`;
  return `CAST(${textExpression(checked(text, type))} AS ${target})`;
}

const INTEGER_TYPES = new Set<DataType>(['long', 'integer', 'short', 'byte']);

function checked(text: string, type: DataType): string {
  const fail = (): never => {
    const name = typeof type === 'string' ? type : type.type;
    throw new DeltaError({
      code: 'corrupt-log',
      message: `the partition value "${text}" is not of the type ${name}`,
    });
  };
  if (type === 'timestamp') return `${canonicalTimestamp(text) ?? fail()}+00`;
  if (type === 'timestamp_ntz') return canonicalTimestamp(text) ?? fail();
  if (type === 'date') return /^[+-]?\d{4,6}-\d{2}-\d{2}$/.test(text) ? text : fail();
  if (type === 'boolean') return /^(true|false)$/i.test(text) ? text : fail();
  if (INTEGER_TYPES.has(type)) return /^[+-]?\d+$/.test(text) ? text : fail();
  if (decimalOf(type) !== undefined || type === 'double' || type === 'float') {
    return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^(NaN|[+-]?Infinity)$/.test(text) ? text : fail();
  }
  // Java writes binary one character a byte, the printable ones as they are.
  if (type === 'binary') {
    return text.replaceAll(/[^ -~]|\\/gu, (character) =>
      [...Buffer.from(character)]
        .map((byte) => `\\x${byte.toString(16).padStart(2, '0').toUpperCase()}`)
        .join(''),
    );
  }
  return text;
}
