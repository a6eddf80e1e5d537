/**
 * The types of a table's columns, in the shape of the Delta protocol's "Schema Serialization Format", so that a value
 * of these types is its own JSON.
 */

/** Names of the types without parameters; decimals are `decimal(p,s)` with 1 ≤ p ≤ 38 and 0 ≤ s ≤ p. */
export const PRIMITIVE_NAMES = [
  'string',
  'long',
  'integer',
  'short',
  'byte',
  'float',
  'double',
  'boolean',
  'binary',
  'date',
  'timestamp',
  'timestamp_ntz',
  'variant',
] as const;

export type PrimitiveName = (typeof PRIMITIVE_NAMES)[number];
export type DecimalName = `decimal(${number},${number})`;
export type PrimitiveType = PrimitiveName | DecimalName;
export type DataType = PrimitiveType | StructType | ArrayType | MapType;

export interface StructType {
  readonly type: 'struct';
  readonly fields: readonly StructField[];
}

export interface StructField {
  readonly name: string;
  readonly type: DataType;
  readonly nullable: boolean;
  readonly metadata: Readonly<Record<string, unknown>>;
}

export interface ArrayType {
  readonly type: 'array';
  readonly elementType: DataType;
  readonly containsNull: boolean;
}

export interface MapType {
  readonly type: 'map';
  readonly keyType: DataType;
  readonly valueType: DataType;
  readonly valueContainsNull: boolean;
}

/** A struct of nullable fields unless told otherwise, for callers that build schemas by hand. */
export function struct(fields: Readonly<Record<string, DataType>> | readonly StructField[]): StructType {
  if (isFieldList(fields)) return { type: 'struct', fields };
  return { type: 'struct', fields: Object.entries(fields).map(([name, type]) => field(name, type)) };
}

/** A field; nullable and without metadata unless told otherwise. */
export function field(
  name: string,
  type: DataType,
  options: { nullable?: boolean; metadata?: Readonly<Record<string, unknown>> } = {},
): StructField {
  return { name, type, nullable: options.nullable ?? true, metadata: options.metadata ?? {} };
}

/** Precision and scale of a decimal type; undefined for every other type. */
export function decimalOf(type: DataType): { precision: number; scale: number } | undefined {
  if (typeof type !== 'string') return undefined;
  const match = /^decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)$/.exec(type);
  if (match === null) return undefined;
  return { precision: Number(match[1]), scale: Number(match[2]) };
}

/** Whether two types are the same, nullability and metadata aside. */
export function sameType(left: DataType, right: DataType): boolean {
  if (typeof left === 'string' || typeof right === 'string') {
    const [a, b] = [decimalOf(left), decimalOf(right)];
    return a !== undefined && b !== undefined
      ? a.precision === b.precision && a.scale === b.scale
      : left === right;
  }
  if (left.type === 'array') return right.type === 'array' && sameType(left.elementType, right.elementType);
  if (left.type === 'map') {
    return (
      right.type === 'map' &&
      sameType(left.keyType, right.keyType) &&
      sameType(left.valueType, right.valueType)
    );
  }
  return (
    right.type === 'struct' &&
    left.fields.length === right.fields.length &&
    left.fields.every((field, at) => {
      const other = right.fields[at];
      return other !== undefined && field.name === other.name && sameType(field.type, other.type);
    })
  );
}

/** Whether a type, at any depth, is or holds one that `test` accepts. */
export function someType(type: DataType, test: (type: DataType) => boolean): boolean {
  if (test(type)) return true;
  if (typeof type === 'string') return false;
  if (type.type === 'array') return someType(type.elementType, test);
  if (type.type === 'map') return someType(type.keyType, test) || someType(type.valueType, test);
  return type.fields.some((field) => someType(field.type, test));
}

function isFieldList(
  fields: Readonly<Record<string, DataType>> | readonly StructField[],
): fields is readonly StructField[] {
  return Array.isArray(fields);
}
