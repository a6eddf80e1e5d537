import dataAccessors from '@duckdb/node-api/lib/vectors/dataAccessors.js';

/**
 * Has DuckDB's client for Node give texts as they are. By itself it takes a byte order mark (U+FEFF) for no part of the
 * text that it begins, so that values, bounds of statistics and partitions would be others than the files'. For the whole
 * process; idempotent.
 */
export function keepByteOrderMarks(): void {
  Reflect.set(dataAccessors, 'textDecoder', new TextDecoder('utf-8', { ignoreBOM: true }));
}
