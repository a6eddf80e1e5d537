import { type MappingMode, physicalName } from '../../column-mapping/index.ts';
import { DeltaError } from '../../errors.ts';
import { columnMappingMode } from '../../properties/table-properties.ts';
import { featuresOf } from '../../protocol/features.ts';
import type { StructType } from '../../schema/types.ts';
import type { TableState } from '../../snapshot/table-state.ts';
import { clusteringColumns, CLUSTERING_DOMAIN } from '../../write/indexed-leaves.ts';

/**
 * The logical paths of the columns by which the table is clustered (protocol: "Clustered Table"); none when it is not.
 * Throws `corrupt-log` for a column that the table lacks.
 */
export function clusteredBy(
  state: Pick<TableState, 'protocol' | 'metadata' | 'schema' | 'domains'>,
): readonly (readonly string[])[] {
  if (!featuresOf(state.protocol).has('clustering')) return [];
  const mode = columnMappingMode(state.metadata.configuration);
  return clusteringColumns(state.domains).map((path) => {
    const logical = logicalPath(path, state.schema, mode);
    if (logical !== undefined) return logical;
    throw new DeltaError({
      code: 'corrupt-log',
      message: `the domain "${CLUSTERING_DOMAIN}" names the column "${path.join('.')}", which the table lacks`,
    });
  });
}

function logicalPath(path: readonly string[], schema: StructType, mode: MappingMode): string[] | undefined {
  const [name, ...rest] = path;
  const field = schema.fields.find((candidate) => physicalName(candidate, mode) === name);
  if (field === undefined) return undefined;
  if (rest.length === 0) return [field.name];
  if (typeof field.type === 'string' || field.type.type !== 'struct') return undefined;
  const inner = logicalPath(rest, field.type, mode);
  return inner === undefined ? undefined : [field.name, ...inner];
}
