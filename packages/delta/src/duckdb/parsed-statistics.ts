/**
 * SQL that turns statistics in columns of their own types (protocol: "Checkpoints", `stats_parsed`) into the text that
 * the log has elsewhere (protocol: "Per-file Statistics"). Digits are kept; values that the text has no form for are
 * left out, as are those that are null.
 */
import { type DuckDBStructType, type DuckDBType, DuckDBTypeId } from '@duckdb/node-api';
import { quoteIdentifier, quoteText } from '../scan/quote.ts';

export interface ParsedStatistics {
  /** SQL of the struct. */
  readonly sql: string;
  readonly type: DuckDBStructType;
  /** Whether the Parquet column below the struct at a path is of the old timestamp type, which knows no zone: UTC. */
  readonly isInt96: (path: readonly string[]) => boolean;
}

/** SQL of the text; NULL where the struct is. */
export function statisticsText(statistics: ParsedStatistics): string {
  const members = statistics.type.entryNames.map((name, at) => {
    const type = statistics.type.entryTypes[at];
    if (type === undefined) return 'NULL';
    const place = { isInt96: statistics.isInt96, path: [name] };
    return memberText(`${statistics.sql}.${quoteIdentifier(name)}`, name, type, place);
  });
  const text = `concat('{', concat_ws(',', ${members.join(', ')}), '}')`;
  return `CASE WHEN ${statistics.sql} IS NOT NULL THEN ${text} END`;
}

interface Place {
  readonly path: readonly string[];
  readonly isInt96: (path: readonly string[]) => boolean;
}

/** `"name":value`, or NULL. */
function memberText(sql: string, name: string, type: DuckDBType, place: Place): string {
  const value = valueText(sql, type, place);
  return value === undefined ? 'NULL' : `${quoteText(`${JSON.stringify(name)}:`)} || ${value}`;
}

/** Undefined for types that have no statistics as text. */
function valueText(sql: string, type: DuckDBType, place: Place): string | undefined {
  switch (type.typeId) {
    case DuckDBTypeId.STRUCT: {
      const { entryNames, entryTypes } = type;
      const members = entryNames.map((name, at) => {
        const inner = entryTypes[at];
        const within = { ...place, path: [...place.path, name] };
        return inner === undefined
          ? 'NULL'
          : memberText(`${sql}.${quoteIdentifier(name)}`, name, inner, within);
      });
      return `CASE WHEN ${sql} IS NOT NULL THEN concat('{', concat_ws(',', ${members.join(', ')}), '}') END`;
    }
    case DuckDBTypeId.BOOLEAN:
    case DuckDBTypeId.TINYINT:
    case DuckDBTypeId.SMALLINT:
    case DuckDBTypeId.INTEGER:
    case DuckDBTypeId.BIGINT:
    case DuckDBTypeId.DECIMAL:
      return `CAST(${sql} AS VARCHAR)`;
    case DuckDBTypeId.FLOAT:
    case DuckDBTypeId.DOUBLE:
      return `CASE WHEN isfinite(${sql}) THEN CAST(${sql} AS VARCHAR) END`;
    case DuckDBTypeId.VARCHAR:
      return `CAST(to_json(${sql}) AS VARCHAR)`;
    case DuckDBTypeId.DATE:
      return inPlainYears(sql, `'"' || CAST(${sql} AS VARCHAR) || '"'`);
    case DuckDBTypeId.TIMESTAMP_TZ:
      return inPlainYears(sql, `strftime(${sql}, '"%Y-%m-%dT%H:%M:%S.%fZ"')`);
    case DuckDBTypeId.TIMESTAMP: {
      const zone = place.isInt96(place.path) ? 'Z' : '';
      return inPlainYears(sql, `strftime(${sql}, '"%Y-%m-%dT%H:%M:%S.%f${zone}"')`);
    }
    default:
      return undefined;
  }
}

/** Years that four digits can say. */
function inPlainYears(sql: string, text: string): string {
  return `CASE WHEN isfinite(${sql}) AND year(${sql}) BETWEEN 1 AND 9999 THEN ${text} END`;
}
