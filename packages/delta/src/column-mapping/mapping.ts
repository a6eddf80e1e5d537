/**
 * What a table's columns are called in its files and log (protocol: "Column Mapping"): the schema's own names without a
 * mapping, otherwise each field's physical name, and in the mode `id` the files' field ids decide.
 */
import { DeltaError } from '../errors.ts';
import type { MetadataAction, ProtocolAction } from '../log/actions.ts';
import type { DataType, StructField, StructType } from '../schema/types.ts';

export type MappingMode = 'none' | 'name' | 'id';

/** Keys of the metadata of a field. */
export const FIELD_ID_KEY = 'delta.columnMapping.id';
export const PHYSICAL_NAME_KEY = 'delta.columnMapping.physicalName';
/** Properties of a table. */
export const MODE_PROPERTY = 'delta.columnMapping.mode';
export const MAX_COLUMN_ID_PROPERTY = 'delta.columnMapping.maxColumnId';

/** The mode that a table's protocol and properties give it. Throws `corrupt-log` for one that the protocol lacks. */
export function mappingMode(table: {
  readonly protocol: ProtocolAction;
  readonly metadata: Pick<MetadataAction, 'configuration'>;
}): MappingMode {
  const { protocol, metadata } = table;
  // Some writers list the feature for writers only after an upgrade to feature lists, and map the columns all the same.
  const isHonoured =
    protocol.minReaderVersion === 2 ||
    [protocol.readerFeatures, protocol.writerFeatures].some((list) => list?.includes('columnMapping'));
  const mode = metadata.configuration[MODE_PROPERTY]?.toLowerCase() ?? 'none';
  // The protocol: a table that doesn't list the feature doesn't have it, whatever its properties say.
  if (!isHonoured) return 'none';
  if (mode === 'none' || mode === 'name' || mode === 'id') return mode;
  throw new DeltaError({ code: 'corrupt-log', message: `the column mapping mode "${mode}" is unknown` });
}

/** What a field is called in files, statistics and partition values. Throws `corrupt-log` if it should be and isn't. */
export function physicalName(field: StructField, mode: MappingMode): string {
  if (mode === 'none') return field.name;
  const name = field.metadata[PHYSICAL_NAME_KEY];
  if (typeof name === 'string' && name !== '') return name;
  throw new DeltaError({ code: 'corrupt-log', message: `the column "${field.name}" has no physical name` });
}

/** The id of a field in Parquet files. Throws `corrupt-log` if it has none. */
export function fieldId(field: StructField): number {
  const id = field.metadata[FIELD_ID_KEY];
  if (typeof id === 'number' && Number.isInteger(id)) return id;
  throw new DeltaError({ code: 'corrupt-log', message: `the column "${field.name}" has no column id` });
}

/** The schema with every field under its physical name, at every depth; the same object without a mapping. */
export function physicalSchema(schema: StructType, mode: MappingMode): StructType {
  return mode === 'none' ? schema : physicalStruct(schema, mode);
}

/** As {@link physicalSchema}, of any type. */
export function physicalType(type: DataType, mode: MappingMode): DataType {
  if (mode === 'none' || typeof type === 'string') return type;
  if (type.type === 'array') return { ...type, elementType: physicalType(type.elementType, mode) };
  if (type.type === 'map') {
    return {
      ...type,
      keyType: physicalType(type.keyType, mode),
      valueType: physicalType(type.valueType, mode),
    };
  }
  return physicalStruct(type, mode);
}

function physicalStruct(type: StructType, mode: MappingMode): StructType {
  return {
    type: 'struct',
    fields: type.fields.map((field) => ({
      ...field,
      name: physicalName(field, mode),
      type: physicalType(field.type, mode),
    })),
  };
}
