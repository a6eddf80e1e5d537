/** SQL that turns a file of NDJSON into rows of a table's types, and that checks rows for NOT NULL. */
import { lambdaParameter, quoteIdentifier, quotePath, quoteText } from '../scan/quote.ts';
import { duckDbType } from '../schema/duckdb-types.ts';
import type { DataType, StructType } from '../schema/types.ts';
import { decimalOf, someType } from '../schema/types.ts';

/** Begins the message of the error that a row with a forbidden NULL raises; the column's name follows. */
export const NOT_NULL_MARKER = 'sluice-not-null:';
/** Bytes of one JSON object; DuckDB reserves twice as many for each thread that reads. */
const JSON_OBJECT_BYTES_MAX = 16 * 1024 * 1024;

/** A SELECT of the schema's columns from a file; NOT NULL is not checked. */
export function selectNdjson(file: string, schema: StructType): string {
  const columns = schema.fields.map(
    (field) => `${quoteText(field.name)}: ${quoteText(duckDbType(wireType(field.type)))}`,
  );
  const options = [
    `format = 'newline_delimited'`,
    // Otherwise a single column may be taken for the whole of each line.
    `records = true`,
    `columns = {${columns.join(', ')}}`,
    `maximum_object_size = ${JSON_OBJECT_BYTES_MAX}`,
  ];
  const decoded = schema.fields.map((field) => {
    const name = quoteIdentifier(field.name);
    return `${decode(valueOf(name), { type: field.type, depth: 0 })} AS ${name}`;
  });
  return `SELECT ${decoded.join(', ')} FROM read_json(${quotePath(file)}, ${options.join(', ')})`;
}

/** The source, raising an error with {@link NOT_NULL_MARKER} for a NULL that the schema forbids. */
export function withNullChecks(source: string, schema: StructType): string {
  const checked = schema.fields.map((field) => {
    const name = quoteIdentifier(field.name);
    const violations = [
      ...(field.nullable ? [] : [`${name} IS NULL`]),
      ...violationsWithin(valueOf(name), { type: field.type, depth: 0 }),
    ];
    if (violations.length === 0) return name;
    const failure = `error(${quoteText(NOT_NULL_MARKER + field.name)})`;
    return `CASE WHEN ${violations.join(' OR ')} THEN ${failure} ELSE ${name} END AS ${name}`;
  });
  return checked.every((column, at) => column === quoteIdentifier(schema.fields[at]?.name ?? ''))
    ? source
    : `SELECT ${checked.join(', ')} FROM (${source})`;
}

/** A column such that a member of it can't be taken for a column of a relation of its name. */
function valueOf(quotedName: string): string {
  return `(${quotedName})`;
}

interface Place {
  readonly type: DataType;
  /** Of lambdas around the expression, so that each names its own parameter. */
  readonly depth: number;
}

/** Conditions under which a value, itself not null or allowed to be, holds a NULL where its type has none. */
function violationsWithin(expression: string, { type, depth }: Place): string[] {
  if (typeof type === 'string') return [];
  if (type.type === 'struct') {
    return type.fields.flatMap((field) => {
      const inner = `${expression}.${quoteIdentifier(field.name)}`;
      const own = field.nullable ? [] : [`(${expression} IS NOT NULL AND ${inner} IS NULL)`];
      return [...own, ...violationsWithin(inner, { type: field.type, depth })];
    });
  }
  const [list, element, mayBeNull] =
    type.type === 'array'
      ? [expression, type.elementType, type.containsNull]
      : [`map_values(${expression})`, type.valueType, type.valueContainsNull];
  const name = lambdaParameter(depth);
  const tests = [
    ...(mayBeNull ? [] : [`${name} IS NULL`]),
    ...violationsWithin(name, { type: element, depth: depth + 1 }),
  ];
  return tests.length === 0 ? [] : [`len(list_filter(${list}, lambda ${name}: ${tests.join(' OR ')})) > 0`];
}

/** The type to read from JSON: as text where DuckDB would go through a double or take base64 for the bytes. */
function wireType(type: DataType): DataType {
  if (typeof type === 'string') return isTextOnWire(type) ? 'string' : type;
  if (type.type === 'array') return { ...type, elementType: wireType(type.elementType) };
  if (type.type === 'map') {
    return { ...type, keyType: wireType(type.keyType), valueType: wireType(type.valueType) };
  }
  return { ...type, fields: type.fields.map((field) => ({ ...field, type: wireType(field.type) })) };
}

function decode(expression: string, { type, depth }: Place): string {
  if (!someType(type, isTextOnWire)) return expression;
  if (typeof type === 'string') {
    return type === 'binary' ? `from_base64(${expression})` : `CAST(${expression} AS ${duckDbType(type)})`;
  }
  const name = lambdaParameter(depth);
  const within = (inner: string, innerType: DataType): string =>
    decode(inner, { type: innerType, depth: depth + 1 });
  if (type.type === 'array') {
    return `list_transform(${expression}, lambda ${name}: ${within(name, type.elementType)})`;
  }
  if (type.type === 'map') {
    const entry = `{k: ${within(`${name}.key`, type.keyType)}, v: ${within(`${name}.value`, type.valueType)}}`;
    return `map_from_entries(list_transform(map_entries(${expression}), lambda ${name}: ${entry}))`;
  }
  const members = type.fields.map((field) => {
    const member = quoteIdentifier(field.name);
    return `${member} := ${decode(`${expression}.${member}`, { type: field.type, depth })}`;
  });
  return `CASE WHEN ${expression} IS NULL THEN NULL ELSE struct_pack(${members.join(', ')}) END`;
}

function isTextOnWire(type: DataType): boolean {
  return type === 'binary' || decimalOf(type) !== undefined;
}
