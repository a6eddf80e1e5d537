/**
 * Values into the canonical JSON text of a column's type, by the table of rules in SPEC.md ("Casts"). Canonical text
 * is what the engine reads exactly: decimals, dates, instants and base64 are strings, all else is plain JSON.
 */
import type { DataType, StructField } from '@sluice/delta';
import { exactNumber, pointed, scaledDigits, type ExactNumber } from './exact-number.ts';
import { dateMs, dateText, epochInstant, instantText, isMidnight, parseInstant } from './instants.ts';
import { JsonNumber, JsonObject, kindOf, textOf, type JsonValue } from './json-text.ts';
import { Rejection, shown } from './reject.ts';

/** What a cast finds on its way that is no reason to refuse the record. */
export interface CastNotes {
  fieldsIgnored: number;
  /** Whether a member that a nested struct doesn't have refuses the record. */
  readonly rejectUnknown: boolean;
}

/** Canonical text of a value, from any JSON value; throws a `Rejection`. `null` is no value: see `castField`. */
export type Cast = (value: Exclude<JsonValue, null>, path: string, notes: CastNotes) => string;

const INTEGER_BITS: Readonly<Record<string, bigint>> = { byte: 7n, short: 15n, integer: 31n, long: 63n };
/** Digits that every number of a type may have. */
const PLAIN_DIGITS: Readonly<Record<string, number>> = { byte: 2, short: 4, integer: 9, long: 18 };
/** The longest number is that of a decimal(38,38) with room for zeros; longer text has no place in any column. */
const NUMBER_LENGTH_MAX = 1_000;
const EXPONENT_MAX = 400;
const DECIMAL = /^decimal\((\d+),(\d+)\)$/;
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}(?:==)?|[A-Za-z0-9+/]{3}=?)?$/;

export function castFor(type: DataType): Cast {
  if (typeof type !== 'string') {
    if (type.type === 'struct') return castStruct(type.fields);
    if (type.type === 'array') return castArray(type.elementType, type.containsNull);
    return castMap(type.keyType, type.valueType, type.valueContainsNull);
  }
  switch (type) {
    case 'string':
      return (value) => JSON.stringify(typeof value === 'string' ? value : textOf(value));
    case 'boolean':
      return castBoolean;
    case 'byte':
    case 'short':
    case 'integer':
    case 'long':
      return castInteger(type);
    case 'float':
    case 'double':
      return castFloat(type);
    case 'date':
      return castDate;
    case 'timestamp':
    case 'timestamp_ntz':
      return castInstant(type);
    case 'binary':
      return castBinary;
    default: {
      const [, precision, scale] = DECIMAL.exec(type)!;
      return castDecimal(Number(precision), Number(scale));
    }
  }
}

/** Text of a member that may be null or missing. */
export function castField(options: {
  readonly value: JsonValue | undefined;
  readonly cast: Cast;
  readonly nullable: boolean;
  readonly path: string;
  readonly notes: CastNotes;
}): string {
  const { value, cast, nullable, path, notes } = options;
  if (value !== null && value !== undefined) return cast(value, path, notes);
  if (nullable) return 'null';
  throw new Rejection('missing-not-null', `"${path}" is NOT NULL and the record has no value for it`);
}

function castBoolean(value: Exclude<JsonValue, null>, path: string): string {
  if (typeof value === 'boolean') return String(value);
  if (typeof value === 'string' && /^(?:true|false)$/i.test(value)) return value.toLowerCase();
  throw mismatch(value, path, 'boolean');
}

function castInteger(type: string): Cast {
  const bound = 1n << INTEGER_BITS[type]!;
  // In range by their length, and canonical as they stand.
  const plain = new RegExp(`^(?:0|-?[1-9]\\d{0,${PLAIN_DIGITS[type]! - 1}})$`);
  return (value, path) => {
    if (value instanceof JsonNumber && plain.test(value.text)) return value.text;
    const number = numberOf(value, path, type);
    const digits = scaledDigits(number, 0);
    if (digits === undefined)
      throw new Rejection(
        'out-of-range',
        `${shown(textOf(value))} in "${path}" is not a whole number (${type})`,
      );
    const integer = number.negative ? -BigInt(digits) : BigInt(digits);
    if (integer < -bound || integer >= bound) throw outOfRange(value, path, type);
    return integer.toString();
  };
}

function castFloat(type: 'float' | 'double'): Cast {
  return (value, path) => {
    if (typeof value === 'string' && /^(?:NaN|[+-]?Infinity)$/.test(value))
      return JSON.stringify(value.replace('+', ''));
    const text = value instanceof JsonNumber ? value.text : typeof value === 'string' ? value : undefined;
    if (text === undefined || (typeof value === 'string' && exactNumber(text) === undefined))
      throw mismatch(value, path, type);
    const number = Number(text);
    if (!Number.isFinite(type === 'float' ? Math.fround(number) : number))
      throw outOfRange(value, path, type);
    return Object.is(number, -0) ? '-0.0' : String(number);
  };
}

function castDecimal(precision: number, scale: number): Cast {
  const type = `decimal(${precision},${scale})`;
  return (value, path) => {
    const number = numberOf(value, path, type);
    const digits = scaledDigits(number, scale);
    if (digits === undefined)
      throw new Rejection(
        'out-of-range',
        `${shown(textOf(value))} in "${path}" has more than ${scale} digits after the point (${type})`,
      );
    if (digits !== '0' && digits.length > precision) throw outOfRange(value, path, type);
    return `"${number.negative ? '-' : ''}${pointed(digits, scale)}"`;
  };
}

function castDate(value: Exclude<JsonValue, null>, path: string): string {
  if (typeof value !== 'string') throw mismatch(value, path, 'date');
  const ms = dateMs(value);
  if (ms !== undefined) return `"${dateText(ms)}"`;
  const instant = parseInstant(value);
  if (instant === undefined) throw unreadable(value, path, 'a date: expected YYYY-MM-DD');
  if (!isMidnight(instant))
    throw new Rejection(
      'type-mismatch',
      `"${shown(value)}" in "${path}" has a time of day, which a date can't keep`,
    );
  return `"${dateText(instant.ms)}"`;
}

function castInstant(type: 'timestamp' | 'timestamp_ntz'): Cast {
  const zone = type === 'timestamp' ? 'Z' : '';
  return (value, path) => {
    const text = value instanceof JsonNumber ? value.text : typeof value === 'string' ? value : undefined;
    if (text === undefined) throw mismatch(value, path, type);
    const number = /^-?\d+(?:\.\d*)?(?:[eE][+-]?\d{1,3})?$/.test(text)
      ? bounded(exactNumber(text))
      : undefined;
    const instant = number === undefined ? parseInstant(text) : epochInstant(number);
    if (instant !== undefined) return `"${instantText(instant)}${zone}"`;
    if (number !== undefined) throw outOfRange(value, path, type);
    throw unreadable(
      text,
      path,
      'a timestamp: expected ISO 8601, or seconds, milliseconds or microseconds since 1970',
    );
  };
}

function castBinary(value: Exclude<JsonValue, null>, path: string): string {
  if (typeof value !== 'string') throw mismatch(value, path, 'binary');
  const standard = value.replaceAll('-', '+').replaceAll('_', '/');
  if (!BASE64.test(standard)) throw unreadable(value, path, 'base64');
  return `"${Buffer.from(standard, 'base64').toString('base64')}"`;
}

function castStruct(fields: readonly StructField[]): Cast {
  const casts = fields.map((field) => castFor(field.type));
  const positions = new Map(fields.map((field, at) => [fold(field.name), at]));
  const labels = fields.map((field) => `${JSON.stringify(field.name)}:`);
  return (value, path, notes) => {
    if (!(value instanceof JsonObject)) throw mismatch(value, path, 'struct');
    const members = membersOf(value, positions, path);
    if (members.unknown.length > 0) {
      if (notes.rejectUnknown)
        throw new Rejection('unknown-field', `the table has no field "${path}.${members.unknown[0]}"`);
      notes.fieldsIgnored += members.unknown.length;
    }
    const parts = fields.map((field, at) => {
      const text = castField({
        value: members.values[at],
        cast: casts[at]!,
        nullable: field.nullable,
        path: `${path}.${field.name}`,
        notes,
      });
      return labels[at]! + text;
    });
    return `{${parts.join(',')}}`;
  };
}

function castArray(elementType: DataType, containsNull: boolean): Cast {
  const cast = castFor(elementType);
  return (value, path, notes) => {
    if (!Array.isArray(value)) throw mismatch(value, path, 'array');
    const parts = value.map((item, at) =>
      castField({ value: item, cast, nullable: containsNull, path: `${path}[${at}]`, notes }),
    );
    return `[${parts.join(',')}]`;
  };
}

function castMap(keyType: DataType, valueType: DataType, valueContainsNull: boolean): Cast {
  const [castKey, castValue] = [castFor(keyType), castFor(valueType)];
  return (value, path, notes) => {
    if (!(value instanceof JsonObject)) throw mismatch(value, path, 'map');
    const keys = new Set<string>();
    const parts = value.keys.map((key, at) => {
      const text = castKey(key, `${path} (key)`, notes);
      // JSON has no other keys than strings.
      const label = text.startsWith('"') ? text : `"${text}"`;
      if (keys.has(label))
        throw new Rejection('duplicate-key', `the key ${shown(label)} stands twice in "${path}"`);
      keys.add(label);
      const item = castField({
        value: value.values[at],
        cast: castValue,
        nullable: valueContainsNull,
        path: `${path}[${shown(key)}]`,
        notes,
      });
      return `${label}:${item}`;
    });
    return `{${parts.join(',')}}`;
  };
}

/** Members by the position of their column; a column that is given twice, in whatever case, refuses the record. */
export function membersOf(
  object: JsonObject,
  positions: ReadonlyMap<string, number>,
  path: string,
): { values: (JsonValue | undefined)[]; unknown: string[]; unknownValues: JsonValue[] } {
  const values: (JsonValue | undefined)[] = [];
  const unknown: string[] = [];
  const unknownValues: JsonValue[] = [];
  for (let at = 0; at < object.keys.length; at++) {
    const key = object.keys[at]!;
    const position = positions.get(fold(key));
    if (position === undefined) {
      unknown.push(key);
      unknownValues.push(object.values[at]!);
    } else if (values[position] === undefined) values[position] = object.values[at]!;
    else
      throw new Rejection(
        'duplicate-key',
        `the key "${shown(key)}" stands twice${path === '' ? '' : ` in "${path}"`}`,
      );
  }
  return { values, unknown, unknownValues };
}

/** Names are compared without regard to case, as the OpenX SerDe and Delta do. */
export function fold(name: string): string {
  return name.toLowerCase();
}

function numberOf(value: Exclude<JsonValue, null>, path: string, type: string): ExactNumber {
  const text = value instanceof JsonNumber ? value.text : typeof value === 'string' ? value : undefined;
  const number = text === undefined || text.length > NUMBER_LENGTH_MAX ? undefined : exactNumber(text);
  if (number === undefined) throw mismatch(value, path, type);
  if (bounded(number) === undefined) throw outOfRange(value, path, type);
  return number;
}

function bounded(number: ExactNumber | undefined): ExactNumber | undefined {
  return number !== undefined &&
    Math.abs(number.exponent) <= EXPONENT_MAX &&
    number.digits.length <= EXPONENT_MAX
    ? number
    : undefined;
}

function mismatch(value: JsonValue, path: string, type: string): Rejection {
  return new Rejection(
    'type-mismatch',
    `"${path}" is ${type} and the record has ${kindOf(value)}: ${shown(textOf(value))}`,
  );
}

function unreadable(value: string, path: string, what: string): Rejection {
  return new Rejection('type-mismatch', `"${shown(value)}" in "${path}" is not ${what}`);
}

function outOfRange(value: JsonValue, path: string, type: string): Rejection {
  return new Rejection('out-of-range', `${shown(textOf(value))} in "${path}" is out of the range of ${type}`);
}
