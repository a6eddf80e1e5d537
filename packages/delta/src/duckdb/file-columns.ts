/** SQL that gives columns, and the members of structs in them, the names and ids that they have in files. */
import { lambdaParameter, quoteIdentifier, quoteText } from '../scan/quote.ts';
import { assert } from '../errors.ts';
import type { DataType, StructField, StructType } from '../schema/types.ts';

/** The key of a field's metadata that holds its id (protocol: "Column Mapping"). */
const FIELD_ID_KEY = 'delta.columnMapping.id';

/** A SELECT of some columns of a query under the names of the files' schema, and of others (quoted) as they are. */
export function underFileNames(
  query: string,
  columns: {
    readonly data: readonly StructField[];
    readonly schema: StructType;
    readonly fileSchema: StructType;
    readonly others?: readonly string[];
  },
): string {
  const { data, schema, fileSchema, others = [] } = columns;
  const renamed = data.map((field) => {
    const target = fileSchema.fields[schema.fields.indexOf(field)];
    assert(target !== undefined, 'the files have a name for every column');
    const value = renamedWithin(quoteIdentifier(field.name), {
      from: field.type,
      to: target.type,
      depth: 0,
    });
    return `${value} AS ${quoteIdentifier(target.name)}`;
  });
  return `SELECT ${[...renamed, ...others].join(', ')} FROM (${query})`;
}

/** COPY's option for the ids of these columns; '' where they have none. */
export function fieldIdsOption(fields: readonly StructField[]): string {
  const ids = fields.flatMap(memberIds);
  return ids.length === 0 ? '' : `, FIELD_IDS {${ids.join(', ')}}`;
}

function memberIds(field: StructField): string[] {
  const id = field.metadata[FIELD_ID_KEY];
  const within = idsWithin(field.type);
  if (typeof id !== 'number') return [];
  const value = within.length === 0 ? String(id) : `{${[`__duckdb_field_id: ${id}`, ...within].join(', ')}}`;
  return [`${quoteText(field.name)}: ${value}`];
}

function idsWithin(type: DataType): string[] {
  if (typeof type === 'string') return [];
  if (type.type === 'struct') return type.fields.flatMap(memberIds);
  const parts: [string, DataType][] =
    type.type === 'array'
      ? [['element', type.elementType]]
      : [
          ['key', type.keyType],
          ['value', type.valueType],
        ];
  return parts.flatMap(([name, part]) => {
    const ids = idsWithin(part);
    return ids.length === 0 ? [] : [`${name}: {${ids.join(', ')}}`];
  });
}

interface Renaming {
  readonly from: DataType;
  readonly to: DataType;
  /** Of lambdas around the expression, so that each names its own parameter. */
  readonly depth: number;
}

function renamedWithin(expression: string, { from, to, depth }: Renaming): string {
  if (typeof from === 'string' || typeof to === 'string' || sameNames(from, to)) return expression;
  const name = lambdaParameter(depth);
  const below = (inner: string, types: { from: DataType; to: DataType }): string =>
    renamedWithin(inner, { ...types, depth: depth + 1 });
  if (from.type === 'array' && to.type === 'array') {
    const element = below(name, { from: from.elementType, to: to.elementType });
    return `list_transform(${expression}, lambda ${name}: ${element})`;
  }
  if (from.type === 'map' && to.type === 'map') {
    const key = below(`${name}.key`, { from: from.keyType, to: to.keyType });
    const value = below(`${name}.value`, { from: from.valueType, to: to.valueType });
    const entries = `list_transform(map_entries(${expression}), lambda ${name}: {k: ${key}, v: ${value}})`;
    return `map_from_entries(${entries})`;
  }
  assert(from.type === 'struct' && to.type === 'struct', 'files have the same types under other names');
  const members = from.fields.map((field, at) => {
    const target = to.fields[at];
    assert(target !== undefined, 'files have a name for every field');
    const inner = `struct_extract(${expression}, ${quoteText(field.name)})`;
    return `${quoteIdentifier(target.name)} := ${renamedWithin(inner, { from: field.type, to: target.type, depth })}`;
  });
  return `CASE WHEN ${expression} IS NULL THEN NULL ELSE struct_pack(${members.join(', ')}) END`;
}

function sameNames(from: DataType, to: DataType): boolean {
  if (typeof from === 'string' || typeof to === 'string') return true;
  if (from.type === 'array' && to.type === 'array') return sameNames(from.elementType, to.elementType);
  if (from.type === 'map' && to.type === 'map') {
    return sameNames(from.keyType, to.keyType) && sameNames(from.valueType, to.valueType);
  }
  return (
    from.type === 'struct' &&
    to.type === 'struct' &&
    from.fields.every((field, at) => {
      const target = to.fields[at];
      return target !== undefined && target.name === field.name && sameNames(field.type, target.type);
    })
  );
}
