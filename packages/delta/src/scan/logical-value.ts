/** Expressions that give a value as files have it the shape and the names that the table's schema gives it. */
import { FIELD_ID_KEY } from '../column-mapping/index.ts';
import { duckDbType } from '../schema/duckdb-types.ts';
import type { DataType, StructField, StructType } from '../schema/types.ts';
import { someType } from '../schema/types.ts';
import { lambdaParameter, quoteIdentifier } from './quote.ts';

/** The types of one value, as it is read and as it is in the table; they differ in names only. */
interface Shapes {
  readonly from: DataType;
  readonly to: DataType;
  /** Of lambdas around the expression, so that each names its own parameter. */
  readonly depth: number;
}

/** `expression`, a value of the type `from`, as one of the type `to`. */
export function logicalValue(expression: string, types: { from: DataType; to: DataType }): string {
  return convert(expression, { ...types, depth: 0 });
}

function convert(expression: string, { from, to, depth }: Shapes): string {
  if (to === 'variant') return variantValue(expression);
  if (typeof from === 'string' || typeof to === 'string' || isSameShape(from, to)) return expression;
  const parameter = lambdaParameter(depth);
  const within = (inner: string, types: { from: DataType; to: DataType }): string =>
    convert(inner, { ...types, depth: depth + 1 });
  if (from.type === 'array' && to.type === 'array') {
    const element = within(parameter, { from: from.elementType, to: to.elementType });
    return `list_transform(${expression}, lambda ${parameter}: ${element})`;
  }
  if (from.type === 'map' && to.type === 'map') {
    const key = within(`${parameter}.key`, { from: from.keyType, to: to.keyType });
    const value = within(`${parameter}.value`, { from: from.valueType, to: to.valueType });
    const entries = `list_transform(map_entries(${expression}), lambda ${parameter}: {k: ${key}, v: ${value}})`;
    return `map_from_entries(${entries})`;
  }
  return from.type === 'struct' && to.type === 'struct'
    ? convertStruct(expression, { from, to, depth })
    : expression;
}

function convertStruct(
  expression: string,
  types: { from: StructType; to: StructType; depth: number },
): string {
  const { from, to, depth } = types;
  const members = to.fields.map((field, at) => {
    const source = sourceOf(field, from, at);
    if (source === undefined)
      return `${quoteIdentifier(field.name)} := CAST(NULL AS ${duckDbType(field.type)})`;
    const inner = `${expression}.${quoteIdentifier(source.name)}`;
    return `${quoteIdentifier(field.name)} := ${convert(inner, { from: source.type, to: field.type, depth })}`;
  });
  return `CASE WHEN ${expression} IS NULL THEN NULL ELSE struct_pack(${members.join(', ')}) END`;
}

/** Fields with ids are paired by them, since a file may lack some; others are in the same order. */
function sourceOf(field: StructField, from: StructType, at: number): StructField | undefined {
  const id = field.metadata[FIELD_ID_KEY];
  if (id === undefined) return from.fields[at];
  return from.fields.find(({ metadata }) => metadata[FIELD_ID_KEY] === id);
}

/**
 * Delta's variant is a group of two binary columns, and of a third one for what is shredded, which DuckDB takes for one
 * only where the file says so: otherwise it reads a variant that holds the columns. Of those, the third can't be decoded.
 */
function variantValue(expression: string): string {
  const [metadata, value, typed] = ['metadata', 'value', 'typed_value'].map(
    (name) => `variant_extract(${expression}, '${name}')`,
  );
  const groups = GROUPS_OF_VARIANTS.map((names) => `'OBJECT(${names})'`).join(', ');
  const isGroup = `variant_typeof(${expression}) IN (${groups}) AND variant_typeof(${metadata}) = 'BLOB'`;
  const isPlain = `${isGroup} AND variant_typeof(${value}) = 'BLOB'`;
  const isShredded = `coalesce(variant_typeof(${typed}), 'VARIANT_NULL') <> 'VARIANT_NULL'`;
  const decoded = `variant_bytes_to_variant(CAST(${metadata} AS BLOB) || CAST(${value} AS BLOB))`;
  return `CASE WHEN ${isGroup} AND ${isShredded} THEN ${UNMARKED_ERROR} WHEN ${isPlain} THEN ${decoded} ELSE ${expression} END`;
}

/** As DuckDB lists their members, which is as the file does. */
const GROUPS_OF_VARIANTS = [
  'metadata, value',
  'value, metadata',
  'metadata, typed_value',
  'typed_value, metadata',
  'metadata, value, typed_value',
  'metadata, typed_value, value',
  'value, metadata, typed_value',
  'value, typed_value, metadata',
  'typed_value, metadata, value',
  'typed_value, value, metadata',
];
const UNMARKED_ERROR = `error('a shredded variant can only be read from a file that marks its columns as a variant')`;

function isSameShape(from: DataType, to: DataType): boolean {
  return !someType(to, (type) => type === 'variant') && sameNames(from, to);
}

function sameNames(left: DataType, right: DataType): boolean {
  if (typeof left === 'string' || typeof right === 'string') return true;
  if (left.type === 'array' && right.type === 'array') return sameNames(left.elementType, right.elementType);
  if (left.type === 'map' && right.type === 'map') {
    return sameNames(left.keyType, right.keyType) && sameNames(left.valueType, right.valueType);
  }
  if (left.type !== 'struct' || right.type !== 'struct') return false;
  return (
    left.fields.length === right.fields.length &&
    left.fields.every((field, at) => {
      const other = right.fields[at];
      return other !== undefined && field.name === other.name && sameNames(field.type, other.type);
    })
  );
}
