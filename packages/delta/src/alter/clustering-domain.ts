/** A table's clustering columns as its log keeps them (protocol: "Clustered Table"). */
import { fieldNamedAt } from './field-paths.ts';
import { physicalName } from '../column-mapping/index.ts';
import { DeltaError } from '../errors.ts';
import type { DomainMetadataAction, MetadataAction } from '../log/actions.ts';
import { columnMappingMode } from '../properties/table-properties.ts';
import type { StructType } from '../schema/types.ts';
import { CLUSTERING_DOMAIN } from '../write/indexed-leaves.ts';

/** Columns that one table may be clustered by, as in Spark. */
export const CLUSTERING_COLUMNS_MAX = 4;

/**
 * The action that makes columns, by name or path, those that a table is clustered by; none of them ends the
 * clustering. Throws `invalid-schema` for a column that doesn't exist, is no leaf with statistics, or partitions the
 * table, and for more than {@link CLUSTERING_COLUMNS_MAX}.
 */
export function clusteringDomain(
  table: { readonly schema: StructType; readonly metadata: MetadataAction },
  columns: readonly (string | readonly string[])[],
): DomainMetadataAction {
  const { schema, metadata } = table;
  if (metadata.partitionColumns.length > 0 && columns.length > 0) {
    throw invalid("a partitioned table can't be clustered");
  }
  if (columns.length > CLUSTERING_COLUMNS_MAX) {
    throw invalid(`a table is clustered by ${CLUSTERING_COLUMNS_MAX} columns at most, not ${columns.length}`);
  }
  const mode = columnMappingMode(metadata.configuration);
  const paths = columns.map((column) => {
    const path = typeof column === 'string' ? [column] : column;
    const fields = fieldNamedAt(schema, path);
    const leaf = fields.at(-1);
    if (typeof leaf?.type !== 'string' || ['binary', 'boolean', 'variant'].includes(leaf.type)) {
      throw invalid(`the column "${path.join('.')}" can't cluster the table: files have no bounds of it`);
    }
    return fields.map((field) => physicalName(field, mode));
  });
  if (new Set(paths.map((path) => JSON.stringify(path))).size < paths.length) {
    throw invalid('a clustering column is named twice');
  }
  return {
    domain: CLUSTERING_DOMAIN,
    configuration: JSON.stringify({ clusteringColumns: paths, domainName: CLUSTERING_DOMAIN }),
    removed: false,
  };
}

function invalid(message: string): DeltaError {
  return new DeltaError({ code: 'invalid-schema', message });
}
