/**
 * Values as Athena writes them into its CSV files, and its names of the types.
 *
 * Timestamps have three digits of a second, and six where the value has more than milliseconds. A sum of integers is
 * HUGEINT in DuckDB: it is called `bigint`, as in Athena, unless a value doesn't fit.
 */
import {
  DuckDBTypeId,
  type DuckDBBlobValue,
  type DuckDBDateValue,
  type DuckDBIntervalValue,
  type DuckDBListValue,
  type DuckDBMapType,
  type DuckDBMapValue,
  type DuckDBStructType,
  type DuckDBStructValue,
  type DuckDBTimestampMillisecondsValue,
  type DuckDBTimestampNanosecondsValue,
  type DuckDBTimestampSecondsValue,
  type DuckDBTimestampTZValue,
  type DuckDBTimestampValue,
  type DuckDBTimeValue,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api';
import { SqlError } from '../../../ports/sql-engine.ts';

export type Formatter = (value: DuckDBValue) => string;

const ATHENA_NAMES: Readonly<Partial<Record<DuckDBTypeId, string>>> = {
  [DuckDBTypeId.BOOLEAN]: 'boolean',
  [DuckDBTypeId.TINYINT]: 'tinyint',
  [DuckDBTypeId.SMALLINT]: 'smallint',
  [DuckDBTypeId.INTEGER]: 'integer',
  [DuckDBTypeId.BIGINT]: 'bigint',
  [DuckDBTypeId.UTINYINT]: 'smallint',
  [DuckDBTypeId.USMALLINT]: 'integer',
  [DuckDBTypeId.UINTEGER]: 'bigint',
  [DuckDBTypeId.UBIGINT]: 'decimal(20,0)',
  [DuckDBTypeId.HUGEINT]: 'bigint',
  [DuckDBTypeId.UHUGEINT]: 'bigint',
  [DuckDBTypeId.FLOAT]: 'float',
  [DuckDBTypeId.DOUBLE]: 'double',
  [DuckDBTypeId.TIMESTAMP]: 'timestamp',
  [DuckDBTypeId.TIMESTAMP_S]: 'timestamp',
  [DuckDBTypeId.TIMESTAMP_MS]: 'timestamp',
  [DuckDBTypeId.TIMESTAMP_NS]: 'timestamp',
  [DuckDBTypeId.TIMESTAMP_TZ]: 'timestamp with time zone',
  [DuckDBTypeId.DATE]: 'date',
  [DuckDBTypeId.TIME]: 'time',
  [DuckDBTypeId.BLOB]: 'varbinary',
  [DuckDBTypeId.LIST]: 'array',
  [DuckDBTypeId.ARRAY]: 'array',
  [DuckDBTypeId.MAP]: 'map',
  [DuckDBTypeId.STRUCT]: 'row',
  [DuckDBTypeId.INTERVAL]: 'interval day to second',
  [DuckDBTypeId.UUID]: 'uuid',
  [DuckDBTypeId.SQLNULL]: 'unknown',
};

const BIGINT_MAX = 2n ** 63n - 1n;
const BIGINT_MIN = -(2n ** 63n);

export function athenaType(type: DuckDBType): string {
  if (type.typeId === DuckDBTypeId.DECIMAL) {
    const { width, scale } = type;
    return `decimal(${width},${scale})`;
  }
  return ATHENA_NAMES[type.typeId] ?? 'varchar';
}

/** Whether a value makes a column of this type more than a `bigint`. */
export function exceedsBigint(value: DuckDBValue): boolean {
  return typeof value === 'bigint' && (value > BIGINT_MAX || value < BIGINT_MIN);
}

export function formatterOf(type: DuckDBType): Formatter {
  switch (type.typeId) {
    case DuckDBTypeId.FLOAT:
      return (value) => formatFloat(value as number);
    case DuckDBTypeId.DOUBLE:
      return (value) => formatDouble(value as number);
    case DuckDBTypeId.DATE:
      return (value) => formatDate(value as DuckDBDateValue);
    case DuckDBTypeId.TIME:
      return (value) => formatTime((value as DuckDBTimeValue).micros);
    case DuckDBTypeId.TIMESTAMP:
      return (value) =>
        formatTimestamp((value as DuckDBTimestampValue).micros, value as DuckDBTimestampValue);
    case DuckDBTypeId.TIMESTAMP_S:
      return (value) =>
        formatTimestamp(
          (value as DuckDBTimestampSecondsValue).seconds * 1_000_000n,
          value as DuckDBTimestampSecondsValue,
        );
    case DuckDBTypeId.TIMESTAMP_MS:
      return (value) =>
        formatTimestamp(
          (value as DuckDBTimestampMillisecondsValue).millis * 1_000n,
          value as DuckDBTimestampMillisecondsValue,
        );
    case DuckDBTypeId.TIMESTAMP_NS:
      return (value) =>
        formatTimestamp(
          (value as DuckDBTimestampNanosecondsValue).nanos / 1_000n,
          value as DuckDBTimestampNanosecondsValue,
        );
    case DuckDBTypeId.TIMESTAMP_TZ:
      return (value) =>
        `${formatTimestamp((value as DuckDBTimestampTZValue).micros, value as DuckDBTimestampTZValue)} UTC`;
    case DuckDBTypeId.BLOB:
      return (value) => formatBytes((value as DuckDBBlobValue).bytes);
    case DuckDBTypeId.INTERVAL:
      return (value) => formatInterval(value as DuckDBIntervalValue);
    case DuckDBTypeId.LIST:
    case DuckDBTypeId.ARRAY:
      return formatterOfItems(type.valueType);
    case DuckDBTypeId.MAP:
      return formatterOfMap(type);
    case DuckDBTypeId.STRUCT:
      return formatterOfStruct(type);
    default:
      return String;
  }
}

function formatterOfItems(type: DuckDBType): Formatter {
  const item = nested(type);
  return (value) => `[${(value as DuckDBListValue).items.map(item).join(', ')}]`;
}

function formatterOfMap(type: DuckDBMapType): Formatter {
  const [key, item] = [nested(type.keyType), nested(type.valueType)];
  return (value) =>
    `{${(value as DuckDBMapValue).entries.map((entry) => `${key(entry.key)}=${item(entry.value)}`).join(', ')}}`;
}

function formatterOfStruct(type: DuckDBStructType): Formatter {
  // The client of DuckDB keeps values by name, so that of several without one only the last is left.
  if (new Set(type.entryNames).size < type.entryNames.length) {
    throw new SqlError({
      code: 'refused',
      message: "NOT_SUPPORTED: a row whose fields have no names can't be in a result",
      hint: 'Name them, as in struct_pack(a := 1, b := 2), or select the values as columns.',
    });
  }
  const fields = type.entryNames.map((name, at) => ({ name, format: nested(type.entryTypes[at]!) }));
  return (value) => {
    const { entries } = value as DuckDBStructValue;
    return `{${fields.map(({ name, format }) => `${name || 'field0'}=${format(entries[name] ?? null)}`).join(', ')}}`;
  };
}

function nested(type: DuckDBType): Formatter {
  const format = formatterOf(type);
  return (value) => (value === null ? 'null' : format(value));
}

/** As Java prints it, which is what Athena's engine does: `1.0`, `1.5E10`, `1.0E-5`. */
export function formatDouble(value: number): string {
  return javaNumber(value, String(value), value.toExponential());
}

/** The shortest digits that give the same single-precision number again. */
export function formatFloat(value: number): string {
  let precision = 1;
  while (precision < 9 && Math.fround(Number(value.toPrecision(precision))) !== value) precision += 1;
  const short = Number(value.toPrecision(precision));
  return javaNumber(short, String(short), short.toExponential());
}

function javaNumber(value: number, plain: string, exponential: string): string {
  if (!Number.isFinite(value)) return String(value);
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const size = Math.abs(value);
  if (size >= 1e-3 && size < 1e7) return plain.includes('.') ? plain : `${plain}.0`;
  const [digits = '', exponent = ''] = exponential.split('e');
  return `${digits.includes('.') ? digits : `${digits}.0`}E${exponent.replace('+', '')}`;
}

/** JavaScript's dates reach this far; DuckDB's reach further, in a form of its own. */
const DAYS_MAX = 2_932_896;
const DAYS_MIN = -719_162;

function formatDate(value: DuckDBDateValue): string {
  if (value.days < DAYS_MIN || value.days > DAYS_MAX) return value.toString();
  return new Date(value.days * 86_400_000).toISOString().slice(0, 10);
}

function formatTimestamp(micros: bigint, value: { toString(): string }): string {
  const ms = Number((micros - (((micros % 1_000n) + 1_000n) % 1_000n)) / 1_000n);
  const days = ms / 86_400_000;
  if (days < DAYS_MIN || days > DAYS_MAX) return value.toString().replace(/\+00$/, '');
  const rest = Number(((micros % 1_000n) + 1_000n) % 1_000n);
  const text = new Date(ms).toISOString().replace('T', ' ').slice(0, -1);
  return rest === 0 ? text : `${text}${String(rest).padStart(3, '0')}`;
}

function formatTime(micros: bigint): string {
  const rest = Number(micros % 1_000n);
  // 24:00:00 is a time of DuckDB, but not of a day.
  const ms = Number(micros / 1_000n);
  const text = ms === 86_400_000 ? '24:00:00.000' : new Date(ms).toISOString().slice(11, -1);
  return rest === 0 ? text : `${text}${String(rest).padStart(3, '0')}`;
}

function formatBytes(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('hex')
    .replaceAll(/(..)(?=.)/g, '$1 ');
}

function formatInterval({ months, days, micros }: DuckDBIntervalValue): string {
  const sign = (negative: boolean): string => (negative ? '-' : '');
  if (days === 0 && micros === 0n && months !== 0) {
    return `${sign(months < 0)}${Math.trunc(Math.abs(months) / 12)}-${Math.abs(months) % 12}`;
  }
  if (months !== 0) return `${months} months ${days} days ${micros} microseconds`;
  const total = BigInt(days) * 86_400_000n + micros / 1_000n;
  const size = total < 0n ? -total : total;
  const clock = new Date(Number(size % 86_400_000n)).toISOString().slice(11, -1);
  return `${sign(total < 0n)}${size / 86_400_000n} ${clock}`;
}
