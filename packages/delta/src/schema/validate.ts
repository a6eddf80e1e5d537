/** What a schema must hold for this library to write it. */
import { DeltaError } from '../errors.ts';
import { duckDbType } from './duckdb-types.ts';
import { canPartition } from './partition-value.ts';
import type { DataType, StructField, StructType } from './types.ts';
import { decimalOf, PRIMITIVE_NAMES } from './types.ts';

/**
 * Throws `invalid-schema` for a schema without columns, names that are empty or equal without regard to case, and
 * partition columns that are missing, named twice, of a nested or binary type, or all there is; `unsupported-type` for
 * types that aren't Delta's.
 */
export function assertValidSchema(schema: StructType, partitionColumns: readonly string[]): void {
  if (schema.fields.length === 0) throw invalid('a table needs at least one column');
  assertFields(schema.fields, '');
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

function assertFields(fields: readonly StructField[], parent: string): void {
  const seen = new Set<string>();
  for (const { name, type } of fields) {
    const path = parent === '' ? name : `${parent}.${name}`;
    if (name === '')
      throw invalid(`a column of ${parent === '' ? 'the table' : `"${parent}"`} has an empty name`);
    // Parquet readers split on these, and Spark refuses them.
    const forbidden = /[ ,;{}()\n\t=]/.exec(name)?.[0];
    if (forbidden !== undefined) {
      throw invalid(
        `the column name "${path}" has the character ${JSON.stringify(forbidden)}, which Delta forbids`,
      );
    }
    if (seen.has(name.toLowerCase())) {
      throw invalid(`two columns are named "${path}": names must differ by more than case`);
    }
    seen.add(name.toLowerCase());
    assertType(type, path);
  }
}

function assertType(type: DataType, path: string): void {
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
    return;
  }
  if (type.type === 'array') assertType(type.elementType, `${path}[]`);
  else if (type.type === 'map') {
    assertType(type.keyType, `${path}{key}`);
    assertType(type.valueType, `${path}{value}`);
  } else {
    if (type.fields.length === 0) throw invalid(`the struct "${path}" has no fields`);
    assertFields(type.fields, path);
  }
}

function invalid(message: string): DeltaError {
  return new DeltaError({ code: 'invalid-schema', message });
}
