import type { StructField, StructType } from '@sluice/delta';
import type { HiveColumn } from '../api.ts';
import { CatalogError } from '../errors.ts';
import { deltaType, hiveType } from './hive-types.ts';

const NAME_LENGTH_MAX = 255;

/** The log's schema of columns and, after them, partition keys. Rejects with `invalid` or `unsupported`. */
export function schemaOf(columns: readonly HiveColumn[], partitionKeys: readonly HiveColumn[]): StructType {
  const seen = new Set<string>();
  const fields = [...columns, ...partitionKeys].map((column) => {
    if (column.name === '' || column.name.length > NAME_LENGTH_MAX) {
      throw new CatalogError({
        code: 'invalid',
        message: `the column name "${column.name}" is not 1 to ${NAME_LENGTH_MAX} characters`,
      });
    }
    if (seen.has(column.name.toLowerCase())) {
      throw new CatalogError({
        code: 'invalid',
        message: `the column "${column.name}" is there twice`,
        hint: 'Names differ by more than case; a partition key is not among the columns.',
      });
    }
    seen.add(column.name.toLowerCase());
    return fieldOf(column);
  });
  return { type: 'struct', fields };
}

function fieldOf({ name, type, comment }: HiveColumn): StructField {
  const metadata = comment === undefined || comment === '' ? {} : { comment };
  return { name, type: deltaType(type, name), nullable: true, metadata };
}

/** A log's schema as Glue shows it. */
export function columnsOf(
  schema: StructType,
  partitionColumns: readonly string[],
): { columns: HiveColumn[]; partitionKeys: HiveColumn[] } {
  const keys = new Set(partitionColumns);
  const column = (field: StructField): HiveColumn => {
    const comment = field.metadata['comment'];
    return { name: field.name, type: hiveType(field.type), ...(typeof comment === 'string' && { comment }) };
  };
  return {
    columns: schema.fields.filter((field) => !keys.has(field.name)).map(column),
    partitionKeys: partitionColumns.flatMap((key) =>
      schema.fields.filter((field) => field.name === key).map(column),
    ),
  };
}

/**
 * The fields that `wanted` has and `present` lacks. Rejects with `unsupported` when a column would be dropped or
 * retyped; a renamed one is a dropped and a new one.
 */
export function addedFields(present: StructType, wanted: StructType): StructField[] {
  const byName = new Map(wanted.fields.map((field) => [field.name.toLowerCase(), field]));
  for (const field of present.fields) {
    const match = byName.get(field.name.toLowerCase());
    if (match === undefined) {
      throw new CatalogError({
        code: 'unsupported',
        message: `the column "${field.name}" can't be dropped or renamed`,
        hint: 'Name all columns of the table, with new ones after them.',
      });
    }
    if (hiveType(match.type) !== hiveType(field.type)) {
      throw new CatalogError({
        code: 'unsupported',
        message: `the column "${field.name}" can't change from ${hiveType(field.type)} to ${hiveType(match.type)}`,
        hint: 'Add a column with the new type under another name.',
      });
    }
    byName.delete(field.name.toLowerCase());
  }
  return [...byName.values()];
}
