/** Fields of a schema by path: names from the top-level column down; `element`, `key`, `value` for what is in lists. */
import { DeltaError } from '../errors.ts';
import type { DataType, StructField, StructType } from '../schema/types.ts';

/** A column by its name, or a nested one by its path. */
export type ColumnPath = string | readonly string[];

export function pathOf(column: ColumnPath): readonly string[] {
  return typeof column === 'string' ? [column] : column;
}

/** The fields from the column down to the one at a path of structs; throws `invalid-schema` if there is none. */
export function fieldNamedAt(schema: StructType, path: readonly string[]): StructField[] {
  const found: StructField[] = [];
  let type: DataType = schema;
  for (const name of path) {
    const field: StructField | undefined =
      typeof type !== 'string' && type.type === 'struct' ? fieldOf(type, name) : undefined;
    if (field === undefined) throw missing(path);
    found.push(field);
    type = field.type;
  }
  if (found.length === 0) throw missing(path);
  return found;
}

/** As {@link fieldNamedAt}, but only down to the first array or map. */
export function structFieldsAt(schema: StructType, path: readonly string[]): StructField[] {
  const found: StructField[] = [];
  let type: DataType = schema;
  for (const name of path) {
    if (typeof type === 'string' || type.type !== 'struct') break;
    const field = fieldOf(type, name);
    if (field === undefined) throw missing(path);
    found.push(field);
    type = field.type;
  }
  return found;
}

/** What takes the place of a field: other fields in its struct, or none. */
export type FieldsEdit = (fields: readonly StructField[], at: number) => readonly StructField[];

/**
 * The schema with the struct edited that holds the field at a path, which may lead through `element`, `key` and `value`.
 * Throws `invalid-schema` if there is no such field.
 */
export function editFieldAt(schema: StructType, path: readonly string[], edit: FieldsEdit): StructType {
  return editStruct(schema, path, { path, edit });
}

/** The schema with the fields edited of the struct at a path; the table's own for an empty one. */
export function editStructAt(
  schema: StructType,
  path: readonly string[],
  edit: (fields: readonly StructField[]) => readonly StructField[],
): StructType {
  if (path.length === 0) return { type: 'struct', fields: edit(schema.fields) };
  return editTypeAt(schema, path, (type) => {
    if (typeof type === 'string' || type.type !== 'struct') {
      throw new DeltaError({
        code: 'invalid-schema',
        message: `the column "${path.join('.')}" is no struct`,
      });
    }
    return { type: 'struct', fields: edit(type.fields) };
  });
}

/**
 * The schema with the type edited at a path, which may end in `element`, `key` or `value`. Throws `invalid-schema` if
 * there is no such place.
 */
export function editTypeAt(
  schema: StructType,
  path: readonly string[],
  edit: (type: DataType) => DataType,
): StructType {
  const { fields, access } = splitPath(schema, path);
  return editFieldAt(schema, fields, (siblings, at) => {
    const field = siblings[at];
    if (field === undefined) throw missing(path);
    return siblings.with(at, { ...field, type: editAccess(field.type, access, { path, edit }) });
  });
}

/** Splits a path after its last field; what follows leads to what arrays and maps hold. */
export function splitPath(
  schema: StructType,
  path: readonly string[],
): { fields: readonly string[]; access: readonly string[] } {
  let type: DataType = schema;
  let last = 0;
  for (const [at, name] of path.entries()) {
    if (typeof type === 'string') throw missing(path);
    if (type.type === 'struct') {
      const field = fieldOf(type, name);
      if (field === undefined) throw missing(path);
      type = field.type;
      last = at + 1;
    } else {
      type = partOf(type, name) ?? fail(path);
    }
  }
  if (last === 0) throw missing(path);
  return { fields: path.slice(0, last), access: path.slice(last) };
}

function editAccess(
  type: DataType,
  access: readonly string[],
  edit: { path: readonly string[]; edit: (type: DataType) => DataType },
): DataType {
  const [name, ...below] = access;
  if (name === undefined) return edit.edit(type);
  if (typeof type === 'string' || type.type === 'struct') throw missing(edit.path);
  const part = editAccess(partOf(type, name) ?? fail(edit.path), below, edit);
  if (type.type === 'array') return { ...type, elementType: part };
  return name === 'key' ? { ...type, keyType: part } : { ...type, valueType: part };
}

function partOf(type: Exclude<DataType, string | StructType>, name: string): DataType | undefined {
  if (type.type === 'array') return name === 'element' ? type.elementType : undefined;
  return name === 'key' ? type.keyType : name === 'value' ? type.valueType : undefined;
}

function fail(path: readonly string[]): never {
  throw missing(path);
}

interface Edit {
  /** The whole of it, for errors. */
  readonly path: readonly string[];
  readonly edit: FieldsEdit;
}

function editStruct(type: StructType, rest: readonly string[], edit: Edit): StructType {
  const [name, ...below] = rest;
  const field = name === undefined ? undefined : fieldOf(type, name);
  if (field === undefined) throw missing(edit.path);
  const at = type.fields.indexOf(field);
  if (below.length === 0) return { type: 'struct', fields: edit.edit(type.fields, at) };
  const inner = { ...field, type: editWithin(field.type, below, edit) };
  return { type: 'struct', fields: type.fields.with(at, inner) };
}

function editWithin(type: DataType, rest: readonly string[], edit: Edit): DataType {
  if (typeof type === 'string') throw missing(edit.path);
  if (type.type === 'struct') return editStruct(type, rest, edit);
  const [name, ...below] = rest;
  if (type.type === 'array' && name === 'element') {
    return { ...type, elementType: editWithin(type.elementType, below, edit) };
  }
  if (type.type === 'map' && name === 'key')
    return { ...type, keyType: editWithin(type.keyType, below, edit) };
  if (type.type === 'map' && name === 'value') {
    return { ...type, valueType: editWithin(type.valueType, below, edit) };
  }
  throw missing(edit.path);
}

function fieldOf(type: StructType, name: string): StructField | undefined {
  return (
    type.fields.find((field) => field.name === name) ??
    type.fields.find((field) => field.name.toLowerCase() === name.toLowerCase())
  );
}

function missing(path: readonly string[]): DeltaError {
  return new DeltaError({
    code: 'invalid-schema',
    message: `the table has no column "${path.join('.')}"`,
  });
}
