/**
 * The conditions that every row of a table must meet (protocol: "CHECK Constraints", "Column Invariants"; Spark's
 * char and varchar columns). A condition that is NULL for a row is broken, as it is in Spark.
 */
import type { RowCheck } from '../engine.ts';
import { DeltaError } from '../errors.ts';
import type { MetadataAction } from '../log/actions.ts';
import { CONSTRAINT_PREFIX } from '../properties/documented.ts';
import { quoteIdentifier, quoteText } from '../scan/quote.ts';
import type { StructField, StructType } from '../schema/types.ts';
import { type FieldPlace, fieldPlaces, pathText } from '../schema/walk.ts';
import { type TranslatedExpression, translateExpression } from './translate.ts';

export interface TableConstraint {
  /** In lower case. */
  readonly name: string;
  /** Spark SQL. */
  readonly expression: string;
}

/** The CHECK constraints of a table, by name. */
export function checkConstraints(metadata: Pick<MetadataAction, 'configuration'>): TableConstraint[] {
  return Object.entries(metadata.configuration)
    .filter(([key]) => key.startsWith(CONSTRAINT_PREFIX))
    .map(([key, expression]) => ({ name: key.slice(CONSTRAINT_PREFIX.length), expression }))
    .toSorted((left, right) => (left.name < right.name ? -1 : 1));
}

/** The invariants that columns of a schema have, with the column; throws `corrupt-log` for one that is malformed. */
export function columnInvariants(schema: StructType): { column: string; expression: string }[] {
  return [...fieldPlaces(schema)].flatMap((place) => {
    const text = place.field.metadata['delta.invariants'];
    if (typeof text !== 'string') return [];
    const column = pathText(place.path);
    if (!place.isSingle) {
      const message = `the column "${column}" has an invariant within an array or a map, which is not supported`;
      throw new DeltaError({ code: 'unsupported-feature', message });
    }
    return [{ column, expression: invariantOf(text, column) }];
  });
}

/**
 * Every condition as SQL of DuckDB over the schema's columns. Throws `unsupported-feature` for one that can't be
 * translated: rows that can't be checked can't be written.
 */
export function tableChecks(table: { metadata: MetadataAction; schema: StructType }): RowCheck[] {
  const { schema } = table;
  return [
    ...checkConstraints(table.metadata).map(({ name, expression }) =>
      rowCheck({ name: `the CHECK constraint ${name}`, expression }, schema),
    ),
    ...columnInvariants(schema).map(({ column, expression }) =>
      rowCheck({ name: `the invariant of the column "${column}"`, expression }, schema),
    ),
    ...[...fieldPlaces(schema)].flatMap(lengthCheck),
  ];
}

/** A condition of Spark SQL as a check; throws `unsupported-feature` for one that can't be translated. */
export function rowCheck(
  condition: { readonly name: string; readonly expression: string },
  schema: StructType,
): RowCheck {
  const { name, expression } = condition;
  const translated = translatedRule(name, () => translateExpression(expression, schema));
  if (translated.type !== 'boolean' && translated.type !== 'null') {
    throw new DeltaError({
      code: 'unsupported-feature',
      message: `${name} (${expression}) is no condition: its values are of the type ${JSON.stringify(translated.type)}`,
    });
  }
  return { name: `${name} (${expression})`, sql: `coalesce(${translated.sql}, false)` };
}

/** Runs a translation; what can't be translated makes the table unwritable here, named by the rule. */
export function translatedRule(rule: string, translate: () => TranslatedExpression): TranslatedExpression {
  try {
    return translate();
  } catch (cause) {
    if (!(cause instanceof DeltaError) || cause.code !== 'invalid-expression') throw cause;
    throw new DeltaError({
      code: 'unsupported-feature',
      message: `the table can't be written because of ${rule}: ${cause.message}`,
      hint: 'Write the table with an engine that evaluates the expression, or take the rule off the table there.',
      cause,
    });
  }
}

function invariantOf(text: string, column: string): string {
  try {
    const parsed = JSON.parse(text) as { expression?: { expression?: unknown } } | null;
    const expression = parsed?.expression?.expression;
    if (typeof expression === 'string') return expression;
  } catch {
    // Reported below, like JSON of another form.
  }
  throw new DeltaError({
    code: 'corrupt-log',
    message: `the invariant of the column "${column}" has no expression: ${text}`,
  });
}

/** The key of a field's metadata under which Spark keeps a char or varchar type, whose Delta type is string. */
export const CHAR_VARCHAR_KEY = '__CHAR_VARCHAR_TYPE_STRING';

/** The declared length of a char or varchar field, in characters; undefined for other fields. */
export function declaredLength(field: StructField): { isPadded: boolean; length: number } | undefined {
  const text = field.metadata[CHAR_VARCHAR_KEY];
  const match = typeof text === 'string' ? /^(char|varchar)\(\s*(\d{1,9})\s*\)$/i.exec(text.trim()) : null;
  if (match === null) return undefined;
  return { isPadded: match[1]?.toLowerCase() === 'char', length: Number(match[2]) };
}

function lengthCheck({ field, path, isSingle }: FieldPlace): RowCheck[] {
  const text = field.metadata[CHAR_VARCHAR_KEY];
  if (text === undefined || text === null) return [];
  const declared = declaredLength(field);
  const column = pathText(path);
  if (declared === undefined || field.type !== 'string' || !isSingle) {
    throw new DeltaError({
      code: 'unsupported-feature',
      message: `the table can't be written: the lengths within the column "${column}" (${JSON.stringify(text)}) can't be checked`,
    });
  }
  const sql = path
    .slice(1)
    .reduce((outer, name) => `struct_extract(${outer}, ${quoteText(name)})`, quoteIdentifier(path[0] ?? ''));
  const { length, isPadded } = declared;
  // A char in a struct is not padded on its way, so that it must come in its full length.
  const isExact = isPadded && path.length > 1;
  return [
    {
      name: `the length of the column "${column}" (${isPadded ? 'char' : 'varchar'}(${length}))`,
      sql: `coalesce(length(${sql}) ${isExact ? '=' : '<='} ${length}, true)`,
    },
  ];
}
