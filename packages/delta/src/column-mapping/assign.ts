/** Gives new fields their ids and physical names (protocol: "Writer Requirements for Column Mapping"). */
import type { DataType, StructField, StructType } from '../schema/types.ts';
import { FIELD_ID_KEY, PHYSICAL_NAME_KEY } from './mapping.ts';

export interface AssignMappingOptions {
  /** Names of new fields; those of an existing table that is being upgraded keep theirs. */
  readonly physicalNames: 'generated' | 'as-named';
  /** The greatest id ever given in the table (`delta.columnMapping.maxColumnId`); 0 for a table that had none. */
  readonly maxColumnId: number;
  readonly uuid: () => string;
}

/**
 * The schema with an id and a physical name for every field, at every depth, that lacks one; fields that have them keep
 * them. Ids rise from `maxColumnId`, or from the schema's greatest where that is above it. Physical names are
 * `col-<uuid>` when generated, else the field's own name. `maxColumnId` is the greatest id afterwards: the table's
 * property must be set to it in the same commit.
 */
export function assignMapping(
  schema: StructType,
  options: AssignMappingOptions,
): { readonly schema: StructType; readonly maxColumnId: number } {
  let last = Math.max(options.maxColumnId, greatestColumnId(schema));
  const mapField = (field: StructField): StructField => {
    const { metadata } = field;
    const id = typeof metadata[FIELD_ID_KEY] === 'number' ? metadata[FIELD_ID_KEY] : (last += 1);
    const name =
      typeof metadata[PHYSICAL_NAME_KEY] === 'string'
        ? metadata[PHYSICAL_NAME_KEY]
        : options.physicalNames === 'generated'
          ? `col-${options.uuid()}`
          : field.name;
    return {
      ...field,
      type: mapType(field.type),
      metadata: { ...metadata, [FIELD_ID_KEY]: id, [PHYSICAL_NAME_KEY]: name },
    };
  };
  const mapType = (type: DataType): DataType => {
    if (typeof type === 'string') return type;
    if (type.type === 'array') return { ...type, elementType: mapType(type.elementType) };
    if (type.type === 'map') {
      return { ...type, keyType: mapType(type.keyType), valueType: mapType(type.valueType) };
    }
    return { type: 'struct', fields: type.fields.map(mapField) };
  };
  const fields = schema.fields.map(mapField);
  return { schema: { type: 'struct', fields }, maxColumnId: last };
}

/** The greatest column id in a schema, at any depth; 0 if it has none. */
export function greatestColumnId(type: DataType): number {
  if (typeof type === 'string') return 0;
  if (type.type === 'array') return greatestColumnId(type.elementType);
  if (type.type === 'map') return Math.max(greatestColumnId(type.keyType), greatestColumnId(type.valueType));
  return type.fields.reduce((greatest, field) => {
    const id = field.metadata[FIELD_ID_KEY];
    return Math.max(greatest, typeof id === 'number' ? id : 0, greatestColumnId(field.type));
  }, 0);
}
