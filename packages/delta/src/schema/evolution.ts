import { DeltaError } from '../errors.ts';
import type { StructField, StructType } from './types.ts';
import { sameType } from './types.ts';

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

function invalid(message: string): DeltaError {
  return new DeltaError({ code: 'invalid-schema', message });
}
