/** What a scan reads of each file for each of a table's columns. */
import {
  fieldId,
  type MappingMode,
  mappingMode,
  physicalName,
  physicalType,
} from '../column-mapping/index.ts';
import type { DataType } from '../schema/types.ts';
import type { TableState } from '../snapshot/table-state.ts';

export type ScanColumn =
  | {
      readonly kind: 'partition';
      readonly name: string;
      readonly type: DataType;
      /** In `partitionValues`. */
      readonly key: string;
    }
  | {
      readonly kind: 'data';
      readonly name: string;
      readonly type: DataType;
      /** A field id, or a name, by which the files have it. */
      readonly key: number | string;
      /** The type with the names that the files have below the top. */
      readonly fileType: DataType;
    };

/** A table's columns in schema order. */
export function scanColumns(state: TableState): ScanColumn[] {
  const mode = mappingMode(state);
  const { partitionColumns } = state.metadata;
  return state.schema.fields.map((field) => {
    const { name, type } = field;
    return partitionColumns.includes(name)
      ? { kind: 'partition', name, type, key: physicalName(field, mode) }
      : { kind: 'data', name, type, key: dataKey(field, mode), fileType: physicalType(type, mode) };
  });
}

function dataKey(field: Parameters<typeof fieldId>[0], mode: MappingMode): number | string {
  return mode === 'id' ? fieldId(field) : physicalName(field, mode);
}
