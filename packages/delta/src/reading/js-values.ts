/**
 * The values of rows in JavaScript, exact for every type of Delta. What a reading gives, a `rows` source of a write
 * takes.
 *
 * | Delta | JavaScript |
 * |---|---|
 * | byte, short, integer, float, double | number, with NaN and the infinities |
 * | long | bigint |
 * | decimal | string with all digits of the scale, as `12.50` |
 * | string | string |
 * | boolean | boolean |
 * | binary | Uint8Array |
 * | date | string, `YYYY-MM-DD` |
 * | timestamp | Date, cut to milliseconds; on request bigint, microseconds since 1970 |
 * | timestamp_ntz | the same, its digits taken as UTC |
 * | struct | object |
 * | array | array |
 * | map | Map |
 *
 * NULL is null everywhere. Of a zero the sign is not kept: the engine writes and sorts 0.0 and -0.0 as one value.
 */
import { assert, DeltaError } from '../errors.ts';
import { duckDbType } from '../schema/duckdb-types.ts';
import { timestampMicros } from '../schema/timestamp-text.ts';
import { type DataType, decimalOf, someType } from '../schema/types.ts';

/** As what timestamps come, those within structs, arrays and maps included. */
export type TimestampForm = 'date' | 'micros';

/** The expression under which a column of DuckDB leaves it without loss, for {@link valueConverter} to take over. */
export function transferSql(expression: string, type: DataType): string {
  if (isTimestamp(type)) return `epoch_us(${expression})`;
  return someType(type, travelsAsText) ? `CAST(${expression} AS ${transferType(type)})` : expression;
}

/** Makes a value as it left DuckDB by {@link transferSql} the one that is promised; undefined if it is that already. */
export function valueConverter(
  type: DataType,
  form: TimestampForm,
): ((value: unknown) => unknown) | undefined {
  if (isTimestamp(type)) {
    return form === 'micros'
      ? undefined
      : nullable((value) => {
          assert(typeof value === 'bigint', 'epoch_us gives bigint');
          return dateOf(value);
        });
  }
  return nestedConverter(type, form);
}

function nestedConverter(type: DataType, form: TimestampForm): ((value: unknown) => unknown) | undefined {
  if (typeof type === 'string') {
    if (type === 'binary') return nullable(bytesOf);
    return isTimestamp(type) ? nullable((value) => timestampOf(value, form)) : undefined;
  }
  if (type.type === 'array') {
    const element = nestedConverter(type.elementType, form);
    return element === undefined
      ? undefined
      : nullable((value) => listOf(value).map((item) => element(item)));
  }
  if (type.type === 'map') {
    const [key, item] = [type.keyType, type.valueType].map((inner) => nestedConverter(inner, form) ?? asIs);
    assert(key !== undefined && item !== undefined, 'a map has keys and values');
    return nullable((value) => new Map(entriesOf(value).map((entry) => [key(entry.key), item(entry.value)])));
  }
  const members = type.fields.flatMap(({ name, type: inner }) => {
    const convert = nestedConverter(inner, form);
    return convert === undefined ? [] : [{ name, convert }];
  });
  if (members.length === 0) return undefined;
  return nullable((value) => {
    const row = { ...(value as Record<string, unknown>) };
    for (const { name, convert } of members) row[name] = convert(row[name]);
    return row;
  });
}

function asIs(value: unknown): unknown {
  return value;
}

function nullable(convert: (value: unknown) => unknown): (value: unknown) => unknown {
  return (value) => (value === null || value === undefined ? null : convert(value));
}

function isTimestamp(type: DataType): boolean {
  return type === 'timestamp' || type === 'timestamp_ntz';
}

/** Types that would come as a number or a Date, with digits lost. */
function travelsAsText(type: DataType): boolean {
  return type === 'date' || isTimestamp(type) || decimalOf(type) !== undefined;
}

/** The type in DuckDB with text for what {@link travelsAsText}. */
function transferType(type: DataType): string {
  return duckDbType(withText(type));
}

function withText(type: DataType): DataType {
  if (travelsAsText(type)) return 'string';
  if (typeof type === 'string') return type;
  if (type.type === 'array') return { ...type, elementType: withText(type.elementType) };
  if (type.type === 'map') {
    return { ...type, keyType: withText(type.keyType), valueType: withText(type.valueType) };
  }
  return { ...type, fields: type.fields.map((field) => ({ ...field, type: withText(field.type) })) };
}

const MICROS_PER_MS = 1000n;

function dateOf(micros: bigint): Date {
  // Towards the past, before 1970 too.
  const ms = micros >= 0n ? micros / MICROS_PER_MS : (micros - (MICROS_PER_MS - 1n)) / MICROS_PER_MS;
  return new Date(Number(ms));
}

function timestampOf(value: unknown, form: TimestampForm): Date | bigint {
  const micros = typeof value === 'string' ? timestampMicros(value) : undefined;
  if (micros === undefined) {
    const message = `the timestamp ${String(value)}, within a nested column, is beyond what JavaScript can hold`;
    throw new DeltaError({ code: 'unsupported-type', message });
  }
  return form === 'micros' ? micros : dateOf(micros);
}

function bytesOf(value: unknown): Uint8Array {
  assert(value instanceof Uint8Array, 'a BLOB comes as bytes');
  return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
}

function listOf(value: unknown): readonly unknown[] {
  assert(Array.isArray(value), 'a LIST comes as an array');
  return value;
}

function entriesOf(value: unknown): readonly { readonly key: unknown; readonly value: unknown }[] {
  return listOf(value) as readonly { key: unknown; value: unknown }[];
}
