/**
 * Values as the model keeps them, exact for every type: long, decimal (unscaled) and timestamps (microseconds) as
 * bigint, dates as days since 1970, binary as a Buffer, structs as arrays in the order of their fields, maps as arrays
 * of pairs; numbers, texts, booleans, lists and null as JavaScript's.
 */
import { assert } from '../../errors.ts';
import { duckDbType } from '../../schema/duckdb-types.ts';
import { type DataType, decimalOf, type StructField } from '../../schema/types.ts';
import { rangeOf } from './bounds.ts';
import type { Dice } from './dice.ts';

export type ModelValue = null | boolean | number | bigint | string | Buffer | readonly ModelValue[];
export type ModelRow = readonly ModelValue[];

/** The value of a row, or of a struct, at a place that it has. */
export function cell(row: ModelRow, at: number): ModelValue {
  const value = row[at];
  assert(value !== undefined, `a row of ${row.length} has no place ${at}`);
  return value;
}

const TEXTS = [
  '',
  'a',
  'A',
  'ab',
  'ä𐐷',
  "o'clock",
  'say "x"',
  'x'.repeat(40),
  '🦀'.repeat(20),
  'z'.repeat(31) + '🦀z',
  '\u{10ffff}'.repeat(33),
  'nul\u0000l',
  'line\nbreak\ttab\r',
  '__HIVE_DEFAULT_PARTITION__',
  'a/b=c%20',
  '..',
  'null',
  'NaN',
  '\ufeffbom',
  '\uffff',
  'e\u0301',
];
const DOUBLES = [0, -0, 1.5, -2.25, NaN, Infinity, -Infinity, 1e300, 5e-324, -1.7976931348623157e308, 0.1];
const FLOATS = [0, -0, 1.5, -2.25, NaN, Infinity, -Infinity, 3.4028234663852886e38, 0.1, 16_777_216];

export function randomValue(
  dice: Dice,
  { type, nullable }: Pick<StructField, 'type' | 'nullable'>,
): ModelValue {
  if (nullable && dice.once(5)) return null;
  if (typeof type === 'string') return randomScalarValue(dice, type);
  if (type.type === 'array') {
    const element = { type: type.elementType, nullable: type.containsNull };
    return Array.from({ length: dice.below(4) }, () => randomValue(dice, element));
  }
  if (type.type === 'map') {
    const entries = new Map<string, [ModelValue, ModelValue]>();
    for (let left = dice.below(4); left > 0; left -= 1) {
      const key = randomValue(dice, { type: type.keyType, nullable: false });
      const value = randomValue(dice, { type: type.valueType, nullable: type.valueContainsNull });
      entries.set(canonical(key, type.keyType), [key, value]);
    }
    return [...entries.values()];
  }
  return type.fields.map((inner) => randomValue(dice, inner));
}

function randomScalarValue(dice: Dice, type: DataType): ModelValue {
  switch (type) {
    case 'string':
      return dice.of(TEXTS);
    case 'boolean':
      return dice.once(2);
    case 'double':
      return dice.once(3) ? dice.below(9) : dice.of(DOUBLES);
    case 'float':
      return Math.fround(dice.once(3) ? dice.below(9) : dice.of(FLOATS));
    case 'binary':
      return dice.of([
        Buffer.from([]),
        Buffer.from([0, 255, 128]),
        Buffer.from('text'),
        Buffer.from([dice.below(256)]),
      ]);
    default: {
      const { least, most } = rangeOf(type);
      const near = BigInt(dice.below(20) - 10);
      const value = dice.once(4) ? dice.of([least, most, least + 1n, most - 1n]) : near;
      const clipped = value < least ? least : value > most ? most : value;
      return isSmall(type) ? Number(clipped) : clipped;
    }
  }
}

/** Whether the model keeps the type's values as numbers. */
function isSmall(type: DataType): boolean {
  return type === 'byte' || type === 'short' || type === 'integer' || type === 'date';
}

/** One text for each value, the same for the same; `-0` is `0`, since DuckDB writes them as one, and every NaN is one. */
export function canonical(value: ModelValue, type: DataType): string {
  if (value === null) return 'null';
  if (typeof type === 'string') {
    if (typeof value === 'number') return String(value);
    if (Buffer.isBuffer(value)) return `x${value.toString('hex')}`;
    return typeof value === 'string' ? JSON.stringify(value) : String(value);
  }
  const items = value as ModelValue[];
  if (type.type === 'array') return `[${items.map((item) => canonical(item, type.elementType)).join(',')}]`;
  if (type.type === 'struct') {
    return `{${type.fields.map((inner, at) => canonical(cell(items, at), inner.type)).join(',')}}`;
  }
  const entries = (items as [ModelValue, ModelValue][]).map(
    ([key, item]) => `${canonical(key, type.keyType)}:${canonical(item, type.valueType)}`,
  );
  return `<${entries.toSorted().join(',')}>`;
}

export function rowText(row: ModelRow, fields: readonly StructField[]): string {
  return fields.map(({ type }, at) => canonical(cell(row, at), type)).join(' | ');
}

/** The value in a wider type. */
export function widened(value: ModelValue, from: DataType, to: DataType): ModelValue {
  if (value === null || from === to) return value;
  const [source, target] = [decimalOf(from), decimalOf(to)];
  if (target !== undefined) {
    const scale = target.scale - (source?.scale ?? 0);
    return BigInt(value as number | bigint) * 10n ** BigInt(scale);
  }
  if (to === 'long') return BigInt(value as number);
  if (to === 'timestamp_ntz') return BigInt(value as number) * 86_400_000_000n;
  return Number(value);
}

/** Order of SQL between two values of one type that are not null: NaN is the greatest, `-0` equals `0`. */
export function compareScalars(left: ModelValue, right: ModelValue): number {
  if (typeof left === 'string' || Buffer.isBuffer(left)) {
    return Buffer.compare(Buffer.from(left as string), Buffer.from(right as string));
  }
  if (typeof left === 'number' && typeof right === 'number') {
    if (Number.isNaN(left) || Number.isNaN(right))
      return Number(Number.isNaN(left)) - Number(Number.isNaN(right));
  }
  const [a, b] = [left as bigint, right as bigint];
  return a < b ? -1 : a > b ? 1 : 0;
}

/** As the column's SQL type, exactly. */
export function sqlLiteral(value: ModelValue, type: DataType): string {
  return `CAST(${bareLiteral(value, type)} AS ${duckDbType(type)})`;
}

function bareLiteral(value: ModelValue, type: DataType): string {
  if (value === null) return 'NULL';
  if (typeof type !== 'string') return nestedLiteral(value as ModelValue[], type);
  switch (type) {
    case 'string':
      return textLiteral(value as string);
    case 'binary':
      return `from_hex('${(value as Buffer).toString('hex')}')`;
    case 'timestamp':
      return `make_timestamptz(${String(value)})`;
    case 'timestamp_ntz':
      return `make_timestamp(${String(value)})`;
    default:
      return `'${plainText(value, type)}'`;
  }
}

function nestedLiteral(items: ModelValue[], type: Exclude<DataType, string>): string {
  if (type.type === 'array') return `[${items.map((item) => sqlLiteral(item, type.elementType)).join(', ')}]`;
  if (type.type === 'struct') {
    const members = type.fields.map(
      ({ name, type: inner }, at) =>
        `"${name.replaceAll('"', '""')}" := ${sqlLiteral(cell(items, at), inner)}`,
    );
    return `struct_pack(${members.join(', ')})`;
  }
  const entries = items as [ModelValue, ModelValue][];
  const keys = entries.map(([key]) => sqlLiteral(key, type.keyType));
  const values = entries.map(([, item]) => sqlLiteral(item, type.valueType));
  return `MAP([${keys.join(', ')}], [${values.join(', ')}])`;
}

/** Without a NUL in it, which would end the statement for DuckDB. */
export function textLiteral(text: string): string {
  return text
    .split('\u0000')
    .map((part) => `'${part.replaceAll("'", "''")}'`)
    .join(' || chr(0) || ');
}

/** Numbers, booleans, dates and timestamps as text that every reader of it understands. */
export function plainText(value: ModelValue, type: DataType): string {
  if (type === 'date') return new Date((value as number) * 86_400_000).toISOString().slice(0, 10);
  if (type === 'timestamp' || type === 'timestamp_ntz') return timestampText(value as bigint, type);
  const decimal = decimalOf(type);
  if (decimal !== undefined) return decimalText(value as bigint, decimal.scale);
  return Object.is(value, -0) ? '-0.0' : String(value);
}

function timestampText(micros: bigint, type: DataType): string {
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = new Date(Number((micros - fraction) / 1000n)).toISOString().slice(0, 19);
  return `${seconds}.${String(fraction).padStart(6, '0')}${type === 'timestamp' ? 'Z' : ''}`;
}

function decimalText(unscaled: bigint, scale: number): string {
  if (scale === 0) return String(unscaled);
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0');
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}
