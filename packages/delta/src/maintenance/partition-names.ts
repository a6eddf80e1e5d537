import { physicalName } from '../column-mapping/index.ts';
import { columnMappingMode } from '../properties/table-properties.ts';
import type { StructField } from '../schema/types.ts';
import type { TableState } from '../snapshot/table-state.ts';

/** The partition columns, in order, each with the name by which `add.partitionValues` knows it. */
export function partitionFields(
  state: Pick<TableState, 'schema' | 'metadata'>,
): readonly { readonly field: StructField; readonly key: string }[] {
  const mode = columnMappingMode(state.metadata.configuration);
  return state.metadata.partitionColumns.flatMap((name) => {
    const field = state.schema.fields.find((candidate) => candidate.name === name);
    return field === undefined ? [] : [{ field, key: physicalName(field, mode) }];
  });
}

/** All names by which directories of partitions may go. */
export function partitionNames(state: Pick<TableState, 'schema' | 'metadata'>): readonly string[] {
  return [...new Set(partitionFields(state).flatMap(({ field, key }) => [field.name, key]))];
}
