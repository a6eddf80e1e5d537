/** SQL texts of the relations that the statements of an operation are made of. */
import { DeltaError } from '../errors.ts';
import { quoteIdentifier } from '../scan/quote.ts';
import { duckDbType } from '../schema/duckdb-types.ts';
import type { StructField, StructType } from '../schema/types.ts';
import { sameType } from '../schema/types.ts';

/** Columns of our own begin with this, which no column of a caller's expression can. */
export const OWN_PREFIX = '_sluice_';

/** A relation without rows that has the schema's columns, for binding expressions to. */
export function emptyRelation(schema: StructType, alias: string): string {
  const columns = schema.fields.map(
    ({ name, type }) => `CAST(NULL AS ${duckDbType(type)}) AS ${quoteIdentifier(name)}`,
  );
  return `(SELECT ${columns.join(', ')} LIMIT 0) AS ${quoteIdentifier(alias)}`;
}

/** As the row has the column now, in the type that the table's schema is to have; NULL for a column that is new. */
export function unchangedValue(
  field: StructField,
  { from, alias }: { from: StructType; alias: string },
): string {
  const type = duckDbType(field.type);
  const existing = from.fields.find((candidate) => candidate.name === field.name);
  if (existing === undefined) return `CAST(NULL AS ${type})`;
  const column = `${quoteIdentifier(alias)}.${quoteIdentifier(field.name)}`;
  return sameType(existing.type, field.type) ? column : `CAST(${column} AS ${type})`;
}

/** A struct of the schema's columns. */
export function packed(schema: StructType, valueOf: (field: StructField) => string): string {
  const members = schema.fields.map((field) => `${quoteIdentifier(field.name)} := ${valueOf(field)}`);
  return `struct_pack(${members.join(', ')})`;
}

/** The reverse of {@link packed}: the members of a struct as columns. */
export function unpacked(schema: StructType, struct: string): string {
  return schema.fields
    .map(({ name }) => `${struct}.${quoteIdentifier(name)} AS ${quoteIdentifier(name)}`)
    .join(', ');
}

/** The schema's field of a name, without regard to case. */
export function fieldNamed(schema: StructType, name: string): StructField | undefined {
  const lower = name.toLowerCase();
  return schema.fields.find((field) => field.name.toLowerCase() === lower);
}

/** Refuses columns that would hide ours. */
export function assertNoOwnColumns(schema: StructType): void {
  const clash = schema.fields.find(({ name }) => name.toLowerCase().startsWith(OWN_PREFIX));
  if (clash === undefined) return;
  throw new DeltaError({
    code: 'invalid-schema',
    message: `the column "${clash.name}" has a name that begins with ${OWN_PREFIX}, which is kept for row operations`,
    hint: 'Rename the column.',
  });
}
