/** What `COPY … (RETURN_STATS)` says of each file, in the terms of the engine's seam. */
import type { DuckDBResultReader } from '@duckdb/node-api';
import type { LeafStatistics } from '../engine.ts';
import { assert } from '../errors.ts';
import type { DataType, StructType } from '../schema/types.ts';

export interface CopiedFile {
  /** As the statement named it. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly rows: number;
  readonly columns: readonly LeafStatistics[];
  /** Texts of the columns that the statement partitioned by, in its order. */
  readonly partitionKeys: readonly (string | null)[];
}

export function copiedFiles(result: DuckDBResultReader, schema: StructType): CopiedFile[] {
  const types = new Map<string, DataType>();
  collectTypes(schema, '', types);
  return result.getRowObjectsJson().map((row) => ({
    path: textOf(row.filename),
    sizeBytes: Number(row.file_size_bytes),
    rows: Number(row.count),
    columns: entries(row.column_statistics).map(([key, facts]) =>
      leafStatistics(key, new Map(entries(facts)), types.get(key)),
    ),
    partitionKeys: entries(row.partition_keys).map(([, text]) => (typeof text === 'string' ? text : null)),
  }));
}

function textOf(value: unknown): string {
  assert(typeof value === 'string', 'DuckDB returns names as text');
  return value;
}

/** A MAP as its JSON form, a list of entries. */
function entries(map: unknown): [key: string, value: unknown][] {
  if (map === null || map === undefined) return [];
  assert(Array.isArray(map), 'DuckDB returns a map as a list of entries');
  return map.map((entry: { key: unknown; value: unknown }) => [String(entry.key), entry.value]);
}

function leafStatistics(
  key: string,
  facts: ReadonlyMap<string, unknown>,
  type: DataType | undefined,
): LeafStatistics {
  const bound = (name: string): string | undefined => {
    const text = facts.get(name);
    return typeof text === 'string' ? canonicalBound(text, type) : undefined;
  };
  const [min, max] = [bound('min'), bound('max')];
  return {
    path: splitKey(key),
    nullCount: Number(facts.get('null_count') ?? 0),
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    ...(facts.has('has_nan') ? { hasNan: facts.get('has_nan') !== 'false' } : {}),
  };
}

/** DuckDB's display form as the seam's; undefined where the form is not known to be one of the type. */
function canonicalBound(text: string, type: DataType | undefined): string | undefined {
  switch (type) {
    case undefined:
    case 'binary':
    case 'boolean':
      return undefined;
    case 'timestamp':
    case 'timestamp_ntz': {
      const match = /^(\d{4}-\d{2}-\d{2}) (\d{2}:\d{2}:\d{2})(?:\.(\d{1,6}))?(\+00)?$/.exec(text);
      if (match === null) return undefined;
      return `${match[1]}T${match[2]}.${(match[3] ?? '').padEnd(6, '0')}${type === 'timestamp' ? 'Z' : ''}`;
    }
    case 'float':
    case 'double':
      return text.replace(/^(-?)inf(inity)?$/, '$1Infinity');
    default:
      return text;
  }
}

function collectTypes(type: StructType, prefix: string, types: Map<string, DataType>): void {
  for (const field of type.fields) {
    const key = `${prefix}"${field.name.replaceAll('"', '""')}"`;
    types.set(key, field.type);
    if (typeof field.type !== 'string' && field.type.type === 'struct')
      collectTypes(field.type, `${key}.`, types);
  }
}

/** `"a"."b""c"` as its names. */
function splitKey(key: string): string[] {
  return [...key.matchAll(/"((?:[^"]|"")*)"/g)].map((match) => (match[1] ?? '').replaceAll('""', '"'));
}
