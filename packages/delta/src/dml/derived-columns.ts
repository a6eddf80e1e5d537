/** Columns whose values the table itself provides: generated ones, identities and defaults. */
import { quoteIdentifier } from '../scan/quote.ts';
import { duckDbType } from '../schema/duckdb-types.ts';
import { DEFAULT_KEY, GENERATION_KEY, type StructField, type StructType } from '../schema/types.ts';
import type { TableState } from '../snapshot/table-state.ts';
import { NO_RULES, writeRules } from '../write/prepare.ts';
import type { Assignments } from './assignments.ts';
import { invalid } from './expression.ts';

const IDENTITY_KEY = 'delta.identity.start';

/**
 * The assignments of an update with those generated columns that it doesn't set as NULL, which is how the rules of a
 * write know that they are to be computed from the row's new values. Throws `invalid-expression` if it sets an identity.
 */
export function updateAssignments(values: Assignments, schema: StructType, what: string): Assignments {
  const all = new Map(values);
  for (const field of schema.fields) {
    if (has(field, IDENTITY_KEY) && values.has(field.name)) {
      throw invalid(what, `it sets the identity column "${field.name}", whose values never change`);
    }
    if (has(field, GENERATION_KEY) && !values.has(field.name)) {
      all.set(field.name, `CAST(NULL AS ${duckDbType(field.type)})`);
    }
  }
  return all;
}

/**
 * The assignments of an insert with the defaults of the columns that it leaves out. Throws `invalid-expression` if it
 * gives an identity a value that the column's declaration doesn't allow.
 */
export function insertAssignments(
  values: Assignments,
  { state, schema, what }: { state: TableState; schema: StructType; what: string },
): Assignments {
  const all = new Map(values);
  const defaults = schema.fields.filter((field) => has(field, DEFAULT_KEY) && !values.has(field.name));
  const { computed } =
    defaults.length === 0 ? NO_RULES : writeRules(state, { schema, columns: [...values.keys()] });
  for (const field of defaults) {
    const sql = Object.hasOwn(computed, field.name) ? computed[field.name] : undefined;
    if (sql !== undefined) all.set(field.name, `CAST(${sql} AS ${duckDbType(field.type)})`);
  }
  const given = schema.fields.find(
    (field) =>
      values.has(field.name) &&
      has(field, IDENTITY_KEY) &&
      String(field.metadata['delta.identity.allowExplicitInsert']) !== 'true',
  );
  if (given !== undefined) {
    throw invalid(what, `it gives the identity column "${given.name}" a value, which only the table may`);
  }
  return all;
}

/** Computed columns put in their places, as a text that selects all columns from a relation. */
export function withComputed(
  relation: string,
  { schema, computed }: { schema: StructType; computed: Readonly<Record<string, string>> },
): string {
  const replaced = schema.fields.flatMap(({ name, type }) => {
    const sql = Object.hasOwn(computed, name) ? computed[name] : undefined;
    return sql === undefined ? [] : [`CAST(${sql} AS ${duckDbType(type)}) AS ${quoteIdentifier(name)}`];
  });
  return replaced.length === 0
    ? `SELECT * FROM (${relation})`
    : `SELECT * REPLACE (${replaced.join(', ')}) FROM (${relation})`;
}

function has({ metadata }: StructField, key: string): boolean {
  return metadata[key] !== undefined && metadata[key] !== null;
}
