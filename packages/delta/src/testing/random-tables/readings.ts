/** What readers give, as values of the model: DuckDB's own, and the rows of the library. */
import {
  type DuckDBConnection,
  DuckDBBlobValue,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
} from '@duckdb/node-api';
import { AssertionFailure } from '../../errors.ts';
import { type DataType, decimalOf, type StructField } from '../../schema/types.ts';
import type { ModelRow, ModelValue } from './values.ts';

/** The rows of a SELECT of these fields, in this order. */
export async function rowsOfSql(
  connection: DuckDBConnection,
  sql: string,
  fields: readonly StructField[],
): Promise<ModelRow[]> {
  const rows = (await connection.runAndReadAll(sql)).getRows();
  return rows.map((row) => fields.map(({ type }, at) => ofDuckDb(row[at], type)));
}

function ofDuckDb(value: unknown, type: DataType): ModelValue {
  if (value === null) return null;
  if (typeof type === 'string') {
    if (value instanceof DuckDBBlobValue) return Buffer.from(value.bytes);
    if (value instanceof DuckDBDateValue) return value.days;
    if (value instanceof DuckDBTimestampValue || value instanceof DuckDBTimestampTZValue) return value.micros;
    return value instanceof DuckDBDecimalValue ? value.value : (value as ModelValue);
  }
  if (type.type === 'array' && value instanceof DuckDBListValue) {
    return value.items.map((item) => ofDuckDb(item, type.elementType));
  }
  if (type.type === 'map' && value instanceof DuckDBMapValue) {
    return value.entries.map(({ key, value: item }) => [
      ofDuckDb(key, type.keyType),
      ofDuckDb(item, type.valueType),
    ]);
  }
  if (type.type === 'struct' && value instanceof DuckDBStructValue) {
    return type.fields.map(({ name, type: inner }) => ofDuckDb(value.entries[name], inner));
  }
  throw new AssertionFailure(`${JSON.stringify(type)} came as a ${typeof value}`);
}

/** A row that the library gave. */
export function ofLibrary(row: Readonly<Record<string, unknown>>, fields: readonly StructField[]): ModelRow {
  return fields.map(({ name, type }) => ofJs(row[name], type));
}

function ofJs(value: unknown, type: DataType): ModelValue {
  if (value === null) return null;
  if (value === undefined) throw new AssertionFailure(`a value of ${JSON.stringify(type)} is undefined`);
  if (typeof type === 'string') {
    if (value instanceof Date) return BigInt(value.getTime()) * 1000n;
    if (type === 'binary') return Buffer.from(value as Uint8Array);
    if (type === 'date') return Date.parse(`${value as string}T00:00:00Z`) / 86_400_000;
    return decimalOf(type) === undefined ? (value as ModelValue) : BigInt((value as string).replace('.', ''));
  }
  if (type.type === 'array') return (value as unknown[]).map((item) => ofJs(item, type.elementType));
  if (type.type === 'map') {
    return [...(value as Map<unknown, unknown>)].map(([key, item]) => [
      ofJs(key, type.keyType),
      ofJs(item, type.valueType),
    ]);
  }
  return ofLibrary(value as Record<string, unknown>, type.fields);
}
