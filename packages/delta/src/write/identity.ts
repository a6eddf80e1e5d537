/**
 * Identity columns (protocol: "Identity Columns"): values that the table itself gives to new rows. The high-water mark
 * moves in the commit that adds the rows, so that of two such commits the later one conflicts and is made again.
 */
import { DeltaError } from '../errors.ts';
import type { MetadataAction } from '../log/actions.ts';
import { quoteIdentifier, quoteText } from '../scan/quote.ts';
import { schemaToJson } from '../schema/json.ts';
import type { StructField, StructType } from '../schema/types.ts';

export interface IdentityColumn {
  readonly name: string;
  /** The first value that is free. */
  readonly next: bigint;
  readonly step: bigint;
  readonly allowExplicitInsert: boolean;
}

const LONG_MAX = 2n ** 63n - 1n;
const LONG_MIN = -(2n ** 63n);

/** The identity columns of a schema; throws `corrupt-log` for settings that are no whole numbers, or a step of 0. */
export function identityColumns(schema: StructType): IdentityColumn[] {
  return schema.fields.flatMap((field) => {
    const start = setting(field, 'delta.identity.start');
    if (start === undefined) return [];
    const step = setting(field, 'delta.identity.step') ?? 1n;
    if (step === 0n) throw malformed(field, 'delta.identity.step');
    const mark = setting(field, 'delta.identity.highWaterMark');
    return [
      {
        name: field.name,
        next: mark === undefined ? start : mark + step,
        step,
        allowExplicitInsert: String(field.metadata['delta.identity.allowExplicitInsert']) === 'true',
      },
    ];
  });
}

/** An expression that numbers the rows of a relation, from the first free value. */
export function generatedIdentity(column: IdentityColumn): string {
  // As HUGEINT, so that a value beyond a BIGINT fails in the cast.
  return `CAST(${literal(column.next)} + ${literal(column.step)} * (CAST(row_number() OVER () AS HUGEINT) - 1) AS BIGINT)`;
}

/** An expression for a column that the source has too: its own value, or else the next one. */
export function givenIdentity(column: IdentityColumn, { mayBeGiven }: { mayBeGiven: boolean }): string {
  const name = quoteIdentifier(column.name);
  if (mayBeGiven) return `coalesce(${name}, ${generatedIdentity(column)})`;
  const message = quoteText(
    `the identity column "${column.name}" is given its values by the table: a row has one of its own, `,
  );
  return `CASE WHEN ${name} IS NULL THEN ${generatedIdentity(column)} ELSE error(${message} || CAST(${name} AS VARCHAR)) END`;
}

/**
 * The table's metadata with the high-water marks beyond the values that `rows` new rows took at most; undefined where
 * nothing moves. Throws `invalid-data` when the values of a column are used up.
 */
export function movedHighWaterMarks(
  table: { readonly metadata: MetadataAction; readonly schema: StructType },
  rows: number,
): { metadata: MetadataAction; schema: StructType } | undefined {
  const columns = new Map(identityColumns(table.schema).map((column) => [column.name, column]));
  if (columns.size === 0 || rows === 0) return undefined;
  const fields = table.schema.fields.map((field) => {
    const column = columns.get(field.name);
    if (column === undefined) return field;
    const mark = column.next + column.step * BigInt(rows - 1);
    if (mark > LONG_MAX || mark < LONG_MIN) {
      throw new DeltaError({
        code: 'invalid-data',
        message: `the identity column "${field.name}" has no values left`,
      });
    }
    return {
      ...field,
      metadata: { ...field.metadata, 'delta.identity.highWaterMark': jsonNumber(mark) },
    };
  });
  const schema: StructType = { type: 'struct', fields };
  return { schema, metadata: { ...table.metadata, schemaString: schemaToJson(schema) } };
}

/** JSON numbers beyond 2^53 would lose digits on their way through JavaScript. */
function jsonNumber(value: bigint): number {
  const number = Number(value);
  if (BigInt(number) === value && Number.isSafeInteger(number)) return number;
  throw new DeltaError({
    code: 'unsupported-feature',
    message: `the identity value ${value} is beyond 2^53, where this library keeps no high-water marks`,
  });
}

function setting(field: StructField, key: string): bigint | undefined {
  const value = field.metadata[key];
  if (value === undefined || value === null) return undefined;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === 'string' && /^-?\d{1,19}$/.test(value)) return BigInt(value);
  throw malformed(field, key);
}

function malformed(field: StructField, key: string): DeltaError {
  return new DeltaError({
    code: 'corrupt-log',
    message: `the identity column "${field.name}" has the setting ${key} = ${JSON.stringify(field.metadata[key])}`,
  });
}

function literal(value: bigint): string {
  return `CAST('${value}' AS HUGEINT)`;
}
