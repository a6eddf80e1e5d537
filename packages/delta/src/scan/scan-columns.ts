/** What a scan reads of each file for each of a table's columns. */
import {
  fieldId,
  type MappingMode,
  mappingMode,
  physicalName,
  physicalType,
} from '../column-mapping/index.ts';
import type { DataType } from '../schema/types.ts';
import { TYPE_CHANGES_KEY } from '../schema/widening.ts';
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
      /** Whether older files may have it in a narrower type. */
      readonly isWidened: boolean;
      /** Whether the file has it in the legacy calendar of Spark. */
      readonly isLegacy?: boolean;
    };

/** A table's columns in schema order. */
export function scanColumns(state: TableState): ScanColumn[] {
  const mode = mappingMode(state);
  const { partitionColumns } = state.metadata;
  return state.schema.fields.map((field) => {
    const { name, type } = field;
    if (partitionColumns.includes(name)) {
      return { kind: 'partition', name, type, key: physicalName(field, mode) };
    }
    const [key, fileType] = [dataKey(field, mode), physicalType(type, mode)];
    return { kind: 'data', name, type, key, fileType, isWidened: TYPE_CHANGES_KEY in field.metadata };
  });
}

function dataKey(field: Parameters<typeof fieldId>[0], mode: MappingMode): number | string {
  return mode === 'id' ? fieldId(field) : physicalName(field, mode);
}
