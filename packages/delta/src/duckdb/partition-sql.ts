/** SQL around partition values: as the log's text, and as the group that a row belongs to. */
import { quoteIdentifier } from '../scan/quote.ts';
import { duckDbType } from '../schema/duckdb-types.ts';
import type { DataType, StructField } from '../schema/types.ts';

/** The column that numbers the combinations of partition values; no schema's own, since it would need quotes there. */
export const GROUP_COLUMN = 'sluice partition group';

/**
 * The source with '' made NULL in partition columns, which is how the protocol reads it, and -0.0 made 0.0, which is the
 * same group but another text.
 */
export function normalisedSource(source: string, partitionFields: readonly StructField[]): string {
  const replaced = partitionFields.flatMap((field) => {
    const name = quoteIdentifier(field.name);
    if (field.type === 'string') return [`nullif(${name}, '') AS ${name}`];
    if (field.type !== 'float' && field.type !== 'double') return [];
    return [`CASE WHEN ${name} = 0 THEN CAST(0 AS ${duckDbType(field.type)}) ELSE ${name} END AS ${name}`];
  });
  if (replaced.length === 0) return source;
  return `SELECT * REPLACE (${replaced.join(', ')}) FROM (${source})`;
}

/** Numbers the files of one group, from 0. */
export const CHUNK_COLUMN = 'sluice file chunk';

/** Each combination of values once, numbered from 0; one row without fields, if there are rows. */
export function selectGroups(table: string, partitionFields: readonly StructField[]): string {
  const group = quoteIdentifier(GROUP_COLUMN);
  if (partitionFields.length === 0) return `SELECT 0 AS ${group} FROM ${table} LIMIT 1`;
  const names = partitionFields.map((field) => quoteIdentifier(field.name)).join(', ');
  return `SELECT *, CAST(row_number() OVER () - 1 AS INTEGER) AS ${group} FROM (SELECT DISTINCT ${names} FROM ${table})`;
}

/** The data columns of each row with the number of its group, and of the chunk when files have a bound of rows. */
export function selectGrouped(
  tables: { rows: string; groups: string },
  options: {
    data: readonly StructField[];
    partition: readonly StructField[];
    rowsPerFile?: number | undefined;
    sortBy?: string | undefined;
  },
): string {
  const columns = options.data.map((field) => `r.${quoteIdentifier(field.name)}`);
  const matches = options.partition.map(
    ({ name }) => `r.${quoteIdentifier(name)} IS NOT DISTINCT FROM g.${quoteIdentifier(name)}`,
  );
  const group = quoteIdentifier(GROUP_COLUMN);
  const joined =
    `SELECT ${[...columns, `g.${group}`].join(', ')} ` +
    `FROM ${tables.rows} AS r JOIN ${tables.groups} AS g ON ${matches.length === 0 ? 'true' : matches.join(' AND ')}`;
  if (options.rowsPerFile === undefined) return joined;
  const order = options.sortBy === undefined ? '' : ` ORDER BY ${options.sortBy}`;
  const chunk = `(row_number() OVER (PARTITION BY ${group}${order}) - 1) // ${options.rowsPerFile}`;
  return `SELECT *, CAST(${chunk} AS INTEGER) AS ${quoteIdentifier(CHUNK_COLUMN)} FROM (${joined})`;
}

/** An expression for the log's text of a partition value; the connection's time zone must be UTC. */
export function partitionText(name: string, type: DataType): string {
  const column = quoteIdentifier(name);
  switch (type) {
    case 'timestamp':
      return `strftime(${column}, '%Y-%m-%dT%H:%M:%S.%fZ')`;
    case 'timestamp_ntz':
      return `strftime(${column}, '%Y-%m-%d %H:%M:%S.%f')`;
    case 'float':
    case 'double':
      return (
        `CASE WHEN isnan(${column}) THEN 'NaN' ` +
        `WHEN isinf(${column}) THEN if(${column} > 0, 'Infinity', '-Infinity') ` +
        `ELSE CAST(${column} AS VARCHAR) END`
      );
    default:
      return `CAST(${column} AS VARCHAR)`;
  }
}
