/** Which columns of new files get statistics. */
import type { DomainMetadataAction } from '../log/actions.ts';
import { dataSkippingStatsColumns, indexedColumns } from '../properties/table-properties.ts';
import type { DataType, StructField, StructType } from '../schema/types.ts';

/** The domain that holds a table's clustering columns (protocol: "Clustered Table"). */
export const CLUSTERING_DOMAIN = 'delta.clustering';

/**
 * Physical paths of the columns that a table is clustered by; none for a table that isn't, or whose domain is of
 * another form.
 */
export function clusteringColumns(
  domains: ReadonlyMap<string, DomainMetadataAction> | undefined,
): string[][] {
  const text = domains?.get(CLUSTERING_DOMAIN)?.configuration;
  if (text === undefined) return [];
  try {
    const parsed = JSON.parse(text) as { clusteringColumns?: unknown } | null;
    const columns = parsed?.clusteringColumns;
    if (!Array.isArray(columns)) return [];
    return columns.filter(
      (path): path is string[] => Array.isArray(path) && path.every((name) => typeof name === 'string'),
    );
  } catch {
    return [];
  }
}

/**
 * The test for the leaves of a file, by physical path and place in the file's order: those that
 * `delta.dataSkippingStatsColumns` names, else the first `delta.dataSkippingNumIndexedCols`, and always those that the
 * table is clustered by.
 */
export function leafTest(table: {
  readonly schema: StructType;
  readonly fileSchema: StructType;
  readonly configuration: Readonly<Record<string, string>>;
  readonly domains?: ReadonlyMap<string, DomainMetadataAction> | undefined;
}): (path: readonly string[], at: number) => boolean {
  const clustering = clusteringColumns(table.domains);
  const named = dataSkippingStatsColumns(table.configuration);
  const count = indexedColumns(table.configuration);
  const wanted = named?.flatMap((path) => physicalPath(path, table) ?? []);
  return (path, at) => {
    if (clustering.some((column) => isBelow(path, column))) return true;
    if (wanted !== undefined) return wanted.some((column) => isBelow(path, column));
    return count < 0 || at < count;
  };
}

/** In a list; undefined for a path that doesn't exist. */
function physicalPath(
  path: readonly string[],
  { schema, fileSchema }: { schema: StructType; fileSchema: StructType },
): string[][] | undefined {
  let [logical, physical]: [DataType, DataType] = [schema, fileSchema];
  const names: string[] = [];
  for (const name of path) {
    if (typeof logical === 'string' || typeof physical === 'string') return undefined;
    if (logical.type !== 'struct' || physical.type !== 'struct') return undefined;
    const at = logical.fields.findIndex((field) => field.name.toLowerCase() === name.toLowerCase());
    const from: StructField | undefined = logical.fields[at];
    const to: StructField | undefined = physical.fields[at];
    if (from === undefined || to === undefined) return undefined;
    names.push(to.name);
    [logical, physical] = [from.type, to.type];
  }
  return [names];
}

function isBelow(path: readonly string[], column: readonly string[]): boolean {
  return column.length <= path.length && column.every((name, at) => path[at] === name);
}
