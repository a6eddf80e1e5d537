/** What a schema must hold for this library to write it. */
import { DeltaError } from '../errors.ts';
import { duckDbType } from './duckdb-types.ts';
import { canPartition } from './partition-value.ts';
import type { DataType, StructField, StructType } from './types.ts';
import { decimalOf, PRIMITIVE_NAMES } from './types.ts';

export interface SchemaRules {
  /** Whether columns have other names in files (column mapping), so that theirs may have any character. */
  readonly isMapped?: boolean;
}

/**
 * Throws `invalid-schema` for a schema without columns, names that are empty, equal without regard to case or, without
 * column mapping, of characters that Parquet's readers trip over, and partition columns that are missing, named twice,
 * of a nested or binary type, or all there is; `unsupported-type` for types that aren't Delta's or can't be written.
 */
export function assertValidSchema(
  schema: StructType,
  partitionColumns: readonly string[],
  rules: SchemaRules = {},
): void {
  if (schema.fields.length === 0) throw invalid('a table needs at least one column');
  assertFields(schema.fields, { parent: '', rules });
  for (const column of partitionColumns) {
    const field = schema.fields.find((candidate) => candidate.name === column);
    if (field === undefined) throw invalid(`the partition column "${column}" is not in the schema`);
    if (!canPartition(field.type)) {
      throw invalid(
        `the column "${column}" can't partition the table: ${duckDbType(field.type)} values have no text`,
      );
    }
  }
  if (new Set(partitionColumns).size < partitionColumns.length)
    throw invalid('a partition column is named twice');
  if (partitionColumns.length === schema.fields.length) {
    throw invalid('at least one column must not be a partition column');
  }
}

interface Place {
  /** Path of the struct; '' for the table. */
  readonly parent: string;
  readonly rules: SchemaRules;
}

function assertFields(fields: readonly StructField[], { parent, rules }: Place): void {
  const seen = new Set<string>();
  for (const { name, type } of fields) {
    const path = parent === '' ? name : `${parent}.${name}`;
    if (name === '')
      throw invalid(`a column of ${parent === '' ? 'the table' : `"${parent}"`} has an empty name`);
    if (name.includes('\0') || !name.isWellFormed()) {
      throw invalid(`the column name ${JSON.stringify(path)} is no text that SQL can hold`);
    }
    // Parquet readers split on these, and Spark refuses them.
    const forbidden = rules.isMapped === true ? undefined : /[ ,;{}()\n\t=]/.exec(name)?.[0];
    if (forbidden !== undefined) {
      throw invalid(
        `the column name "${path}" has the character ${JSON.stringify(forbidden)}, which Delta allows with column mapping only`,
      );
    }
    if (seen.has(name.toLowerCase())) {
      throw invalid(`two columns are named "${path}": names must differ by more than case`);
    }
    seen.add(name.toLowerCase());
    assertType(type, { parent: path, rules });
  }
}

function assertType(type: DataType, { parent: path, rules }: Place): void {
  if (typeof type === 'string') {
    const decimal = decimalOf(type);
    const isKnown = (PRIMITIVE_NAMES as readonly string[]).includes(type);
    if (!isKnown && decimal === undefined) {
      throw new DeltaError({
        code: 'unsupported-type',
        message: `the column "${path}" has the type "${type}", which Delta doesn't have`,
      });
    }
    if (
      decimal !== undefined &&
      (decimal.precision < 1 || decimal.precision > 38 || decimal.scale > decimal.precision)
    ) {
      throw invalid(
        `the column "${path}" has the type "${type}": precision is 1 to 38, scale 0 to precision`,
      );
    }
    if (type === 'variant') {
      throw new DeltaError({
        code: 'unsupported-type',
        message: `the column "${path}" has the type "variant", which this library reads but doesn't write`,
      });
    }
    return;
  }
  if (type.type === 'array') assertType(type.elementType, { parent: `${path}[]`, rules });
  else if (type.type === 'map') {
    assertType(type.keyType, { parent: `${path}{key}`, rules });
    assertType(type.valueType, { parent: `${path}{value}`, rules });
  } else {
    if (type.fields.length === 0) throw invalid(`the struct "${path}" has no fields`);
    assertFields(type.fields, { parent: path, rules });
  }
}

function invalid(message: string): DeltaError {
  return new DeltaError({ code: 'invalid-schema', message });
}
