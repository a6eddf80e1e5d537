import { DeltaError } from '../errors.ts';
import type { DataType, PrimitiveName, StructField, StructType } from './types.ts';
import { decimalOf, PRIMITIVE_NAMES } from './types.ts';

/**
 * Reads a schema from its JSON text (`metaData.schemaString`). Throws `corrupt-log` for text that is no schema and
 * `unsupported-type` for types that this library doesn't know.
 */
export function schemaFromJson(text: string): StructType {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new DeltaError({ code: 'corrupt-log', message: 'the schema is not valid JSON', cause });
  }
  const type = typeOf(value, '');
  if (typeof type === 'string' || type.type !== 'struct') throw malformed('the schema is not a struct');
  return type;
}

/** The JSON text of a schema, with the members in the protocol's order. */
export function schemaToJson(schema: StructType): string {
  return JSON.stringify(jsonOf(schema));
}

function jsonOf(type: DataType): unknown {
  if (typeof type === 'string') return type;
  if (type.type === 'array') {
    return { type: 'array', elementType: jsonOf(type.elementType), containsNull: type.containsNull };
  }
  if (type.type === 'map') {
    return {
      type: 'map',
      keyType: jsonOf(type.keyType),
      valueType: jsonOf(type.valueType),
      valueContainsNull: type.valueContainsNull,
    };
  }
  return {
    type: 'struct',
    fields: type.fields.map((field) => ({
      name: field.name,
      type: jsonOf(field.type),
      nullable: field.nullable,
      metadata: field.metadata,
    })),
  };
}

function typeOf(value: unknown, path: string): DataType {
  if (typeof value === 'string') return primitiveOf(value, path);
  if (!isObject(value)) throw malformed(`the type of ${named(path)} is neither a name nor an object`);
  switch (value.type) {
    case 'struct':
      if (!Array.isArray(value.fields)) throw malformed(`the struct ${named(path)} has no list of fields`);
      return { type: 'struct', fields: value.fields.map((field: unknown) => fieldOf(field, path)) };
    case 'array':
      return {
        type: 'array',
        elementType: typeOf(value.elementType, `${path}[]`),
        containsNull: value.containsNull !== false,
      };
    case 'map':
      return {
        type: 'map',
        keyType: typeOf(value.keyType, `${path}{key}`),
        valueType: typeOf(value.valueType, `${path}{value}`),
        valueContainsNull: value.valueContainsNull !== false,
      };
    default:
      throw unsupported(JSON.stringify(value.type), path);
  }
}

function fieldOf(value: unknown, parent: string): StructField {
  if (!isObject(value) || typeof value.name !== 'string') {
    throw malformed(`a field of ${named(parent)} has no name`);
  }
  const path = parent === '' ? value.name : `${parent}.${value.name}`;
  return {
    name: value.name,
    type: typeOf(value.type, path),
    // Absent means nullable; so do the writers of the field agree.
    nullable: value.nullable !== false,
    metadata: isObject(value.metadata) ? value.metadata : {},
  };
}

function primitiveOf(name: string, path: string): DataType {
  if (isPrimitiveName(name)) return name;
  // A bare "decimal" is Spark's decimal(10,0).
  const decimal = name === 'decimal' ? { precision: 10, scale: 0 } : decimalOf(name as DataType);
  if (decimal === undefined) throw unsupported(`"${name}"`, path);
  if (decimal.precision < 1 || decimal.precision > 38 || decimal.scale > decimal.precision) {
    throw unsupported(`"${name}" (precision 1 to 38, scale 0 to precision)`, path);
  }
  return `decimal(${decimal.precision},${decimal.scale})`;
}

function isPrimitiveName(name: string): name is PrimitiveName {
  return (PRIMITIVE_NAMES as readonly string[]).includes(name);
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function named(path: string): string {
  return path === '' ? 'the table' : `"${path}"`;
}

function malformed(message: string): DeltaError {
  return new DeltaError({ code: 'corrupt-log', message });
}

function unsupported(type: string, path: string): DeltaError {
  return new DeltaError({
    code: 'unsupported-type',
    message: `the type ${type} of ${named(path)} is not supported`,
    hint: `Supported: ${PRIMITIVE_NAMES.join(', ')}, decimal(p,s), struct, array, map.`,
  });
}
