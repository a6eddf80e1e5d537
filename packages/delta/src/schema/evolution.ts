import { DeltaError } from '../errors.ts';
import type { DataType, StructField, StructType } from './types.ts';
import { sameType } from './types.ts';
import { canWidenByItself, type TypeChange, withTypeChange } from './widening.ts';

/**
 * The schema with the columns appended that it lacks; the same object if it has them all. Throws `invalid-schema` for a
 * new column that isn't nullable, since older rows have no value for it, and for a name that the table has, without
 * regard to case, with another type or spelling.
 */
export function withColumns(schema: StructType, columns: readonly StructField[]): StructType {
  const byName = new Map(schema.fields.map((field) => [field.name.toLowerCase(), field]));
  const added: StructField[] = [];
  for (const column of columns) {
    const existing = byName.get(column.name.toLowerCase());
    if (existing === undefined) {
      if (!column.nullable) {
        throw invalid(`the new column "${column.name}" must be nullable: rows before it have no value`);
      }
      byName.set(column.name.toLowerCase(), column);
      added.push(column);
    } else if (existing.name !== column.name || !sameType(existing.type, column.type)) {
      throw invalid(
        `the column "${column.name}" can't be added: the table has "${existing.name}" of the type ${JSON.stringify(existing.type)}`,
      );
    }
  }
  return added.length === 0 ? schema : { type: 'struct', fields: [...schema.fields, ...added] };
}

export interface MergeOptions {
  /** Whether columns get the wider type of the source's (`delta.enableTypeWidening`). */
  readonly isWidening?: boolean;
}

/**
 * The table's schema after rows of the source's were written with schema evolution: columns that it lacks are appended,
 * nullable, at any depth of structs, arrays and maps; with `isWidening` a column of a narrower number gets the source's
 * type. Names are compared without regard to case. Where both have a primitive type otherwise, the table's stays, to
 * which values are cast. The same object if nothing changes. Throws `invalid-schema` where one has a struct, array or
 * map and the other doesn't.
 */
export function mergeSchemas(table: StructType, source: StructType, options: MergeOptions = {}): StructType {
  const { type } = mergeStructs({ table, source, path: '', options });
  return type;
}

interface Merge<Type extends DataType> {
  readonly table: Type;
  readonly source: DataType;
  readonly path: string;
  readonly options: MergeOptions;
}

interface Merged<Type extends DataType = DataType> {
  readonly type: Type;
  /** Changes of type within arrays and maps, which the field around them keeps. */
  readonly changes: readonly TypeChange[];
}

function mergeStructs({ table, source, path, options }: Merge<StructType>): Merged<StructType> {
  if (typeof source === 'string' || source.type !== 'struct') throw mismatch(path);
  const byName = new Map(source.fields.map((field) => [field.name.toLowerCase(), field]));
  const known = new Set(table.fields.map((field) => field.name.toLowerCase()));
  const fields = table.fields.map((field) => {
    const other = byName.get(field.name.toLowerCase());
    if (other === undefined) return field;
    const below = path === '' ? field.name : `${path}.${field.name}`;
    const { type, changes } = mergeTypes({ table: field.type, source: other.type, path: below, options });
    if (type === field.type) return field;
    return {
      ...field,
      type,
      metadata: changes.reduce<StructField['metadata']>(withTypeChange, field.metadata),
    };
  });
  const added = source.fields
    .filter((field) => !known.has(field.name.toLowerCase()))
    .map((field) => ({
      ...field,
      type: allNullable(field.type),
      nullable: true,
      metadata: commentOf(field),
    }));
  const isSame = added.length === 0 && fields.every((field, at) => field === table.fields[at]);
  return { type: isSame ? table : { type: 'struct', fields: [...fields, ...added] }, changes: [] };
}

function mergeTypes({ table, source, path, options }: Merge<DataType>): Merged {
  if (typeof table === 'string') {
    if (typeof source !== 'string') throw mismatch(path);
    if (options.isWidening !== true || !canWidenByItself(table, source)) return { type: table, changes: [] };
    return { type: source, changes: [{ toType: source, fromType: table }] };
  }
  if (typeof source === 'string' || table.type !== source.type) throw mismatch(path);
  if (table.type === 'struct') return mergeStructs({ table, source, path, options });
  if (table.type === 'array' && source.type === 'array') {
    const element = mergeTypes({
      table: table.elementType,
      source: source.elementType,
      path: `${path}[]`,
      options,
    });
    const isSame = element.type === table.elementType;
    return {
      type: isSame ? table : { ...table, elementType: element.type },
      changes: within('element', element.changes),
    };
  }
  if (table.type !== 'map' || source.type !== 'map') throw mismatch(path);
  const key = mergeTypes({ table: table.keyType, source: source.keyType, path: `${path}{key}`, options });
  const value = mergeTypes({
    table: table.valueType,
    source: source.valueType,
    path: `${path}{value}`,
    options,
  });
  const isSame = key.type === table.keyType && value.type === table.valueType;
  return {
    type: isSame ? table : { ...table, keyType: key.type, valueType: value.type },
    changes: [...within('key', key.changes), ...within('value', value.changes)],
  };
}

function within(name: string, changes: readonly TypeChange[]): TypeChange[] {
  return changes.map((change) => ({
    ...change,
    fieldPath: change.fieldPath === undefined ? name : `${name}.${change.fieldPath}`,
  }));
}

/** Rows before a new column have NULL in it, and so may its parts be. */
function allNullable(type: DataType): DataType {
  if (typeof type === 'string') return type;
  if (type.type === 'array') {
    return { type: 'array', elementType: allNullable(type.elementType), containsNull: true };
  }
  if (type.type === 'map') {
    const [keyType, valueType] = [allNullable(type.keyType), allNullable(type.valueType)];
    return { type: 'map', keyType, valueType, valueContainsNull: true };
  }
  const fields = type.fields.map((field) => ({
    ...field,
    type: allNullable(field.type),
    nullable: true,
    metadata: commentOf(field),
  }));
  return { type: 'struct', fields };
}

/** Of the metadata only what is no rule of the other table. */
function commentOf({ metadata }: StructField): Record<string, unknown> {
  return metadata.comment === undefined ? {} : { comment: metadata.comment };
}

function mismatch(path: string): DeltaError {
  return invalid(
    `the column "${path}" of the source is of another kind than the table's: structs, arrays, maps and plain values don't become one another`,
  );
}

function invalid(message: string): DeltaError {
  return new DeltaError({ code: 'invalid-schema', message });
}
