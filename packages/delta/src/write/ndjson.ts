/**
 * One row as a line of NDJSON in the form that {@link RowSource} documents: bigints as digits, dates and timestamps as
 * ISO 8601, bytes as base64, maps as objects, numbers that JSON lacks as strings.
 */
export function rowToNdjson(row: Readonly<Record<string, unknown>>): string {
  return `${encode(row)}\n`;
}

function encode(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value);
    case 'number':
      return Number.isFinite(value) ? JSON.stringify(value) : `"${value}"`;
    case 'bigint':
      return value.toString();
    case 'boolean':
      return value ? 'true' : 'false';
    case 'object':
      return encodeObject(value);
    default:
      return 'null';
  }
}

function encodeObject(value: object | null): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return `[${value.map(encode).join(',')}]`;
  if (value instanceof Date) return JSON.stringify(value);
  if (value instanceof Uint8Array) {
    return `"${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')}"`;
  }
  const entries: [string, unknown][] =
    value instanceof Map
      ? [...value].map(([key, inner]: [unknown, unknown]) => [
          key instanceof Date ? key.toISOString() : String(key),
          inner,
        ])
      : Object.entries(value);
  return `{${entries.map(([name, inner]) => `${JSON.stringify(name)}:${encode(inner)}`).join(',')}}`;
}
