/** SQL around a write's source: the types, the computed columns and the rules that its rows must meet. */
import type { WriteRequest } from '../engine.ts';
import { quoteIdentifier, textExpression } from '../scan/quote.ts';
import { duckDbType } from '../schema/duckdb-types.ts';
import type { StructType } from '../schema/types.ts';
import { withNullChecks } from './source-sql.ts';

/** Begins the message of the error that a row raises which breaks a check; the explanation follows on the line. */
export const CHECK_MARKER = 'sluice-check:';
/** Characters of a row that an error shows. */
const SAMPLE_CHARS_MAX = 300;

/** The source's columns, by name, cast to the schema's types. */
export function castSource(source: string, schema: StructType): string {
  const columns = schema.fields.map(({ name, type }) => {
    const quoted = quoteIdentifier(name);
    // Qualified, so that an absent column is told as such: see engine-error.ts.
    return `CAST("_sluice_source".${quoted} AS ${duckDbType(type)}) AS ${quoted}`;
  });
  return `SELECT ${columns.join(', ')} FROM (${source}\n) AS "_sluice_source"`;
}

/** The source with computed columns in their places, raising errors for rows that the schema or a check forbids. */
export function checkedSource(
  source: string,
  request: Pick<WriteRequest, 'schema' | 'computed' | 'checks'>,
): string {
  const { schema, computed = {}, checks = [] } = request;
  return withChecks(withNullChecks(withComputed(source, { schema, computed }), schema), { schema, checks });
}

function withComputed(
  source: string,
  { schema, computed }: { schema: StructType; computed: Readonly<Record<string, string>> },
): string {
  const replaced = schema.fields.flatMap(({ name, type }) => {
    const expression = Object.hasOwn(computed, name) ? computed[name] : undefined;
    return expression === undefined
      ? []
      : [`CAST(${expression} AS ${duckDbType(type)}) AS ${quoteIdentifier(name)}`];
  });
  return replaced.length === 0 ? source : `SELECT * REPLACE (${replaced.join(', ')}) FROM (${source})`;
}

function withChecks(
  source: string,
  { schema, checks }: { schema: StructType; checks: NonNullable<WriteRequest['checks']> },
): string {
  if (checks.length === 0) return source;
  const members = schema.fields.map(({ name }) => `${quoteIdentifier(name)} := ${quoteIdentifier(name)}`);
  const sample = `left(CAST(to_json(struct_pack(${members.join(', ')})) AS VARCHAR), ${SAMPLE_CHARS_MAX})`;
  const conditions = checks.map(({ name, sql }) => {
    const failure = `error(${textExpression(`${CHECK_MARKER}a row breaks ${name}: `)} || ${sample})`;
    return `CASE WHEN (${sql}) IS FALSE THEN ${failure} ELSE true END`;
  });
  return `SELECT * FROM (${source}) WHERE ${conditions.join(' AND ')}`;
}
