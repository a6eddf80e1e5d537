import { DeltaError } from '../errors.ts';

/** Objects, lists and maps within one another; types are not as deep by far. */
const DEPTH_MAX = 500;

/**
 * One row as a line of NDJSON in the form that {@link RowSource} documents: bigints as digits, dates and timestamps as
 * ISO 8601, bytes as base64, maps as objects, numbers that JSON lacks as strings. Throws `invalid-data` for what is no
 * value: functions, symbols, invalid dates, and objects that hold themselves.
 */
export function rowToNdjson(row: Readonly<Record<string, unknown>>): string {
  return `${encode(row, 0)}\n`;
}

function encode(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      if (Object.is(value, -0)) return '-0.0';
      return Number.isFinite(value) ? JSON.stringify(value) : `"${value}"`;
    case 'bigint':
      return value.toString();
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      return value === null ? 'null' : encodeObject(value, depth);
    case 'undefined':
      return 'null';
    default:
      throw invalid(`a ${typeof value} is no value of a row`);
  }
}

function encodeObject(value: object, depth: number): string {
  if (depth > DEPTH_MAX) throw invalid(`a row has more than ${DEPTH_MAX} objects within one another`);
  if (Array.isArray(value)) return `[${value.map((item) => encode(item, depth + 1)).join(',')}]`;
  if (value instanceof Date) return JSON.stringify(dateText(value));
  if (value instanceof Uint8Array) return `"${base64(value)}"`;
  const entries: [string, unknown][] =
    value instanceof Map
      ? [...value].map(([key, inner]: [unknown, unknown]) => [keyText(key), inner])
      : Object.entries(value);
  return `{${entries.map(([name, inner]) => `${JSON.stringify(name)}:${encode(inner, depth + 1)}`).join(',')}}`;
}

function keyText(key: unknown): string {
  if (key instanceof Date) return dateText(key);
  return key instanceof Uint8Array ? base64(key) : String(key);
}

function dateText(date: Date): string {
  if (Number.isNaN(date.getTime())) throw invalid('an invalid Date is no value of a row');
  return date.toISOString();
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

function invalid(message: string): DeltaError {
  return new DeltaError({ code: 'invalid-data', message });
}
